"""Cents."""


def rounded(cents: float) -> int:
    """To whole cents, half up."""
    return int(cents + 0.5)

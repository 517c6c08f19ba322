"""Dates that are printed in letters."""

from deskkit.workdays import add_workdays


def payable_until(sent, days=10):
    """The last day for a payment."""
    return f"{add_workdays(sent, days):%d.%m.%Y}"

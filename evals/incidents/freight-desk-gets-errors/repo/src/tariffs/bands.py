"""Length bands: how much deck a vehicle takes."""

from typing import NamedTuple


class Band(NamedTuple):
    """Vehicles up to and including ``up_to`` metres pay ``factor`` times the base fare of the route."""

    name: str
    up_to: float
    factor: float


BANDS = (
    Band("bike", 2.5, 0.4),
    Band("car", 5.0, 1.0),
    Band("long car", 6.0, 1.25),
    Band("van", 8.0, 1.7),
    Band("lorry", 12.0, 2.6),
    Band("articulated", 19.0, 4.1),
)
"""Shortest first. What is longer than the last band pays the last band, and by the metre on top (see quote)."""


def band_for(length_m: float) -> Band:
    """The band of a vehicle of that length."""
    for band in BANDS:
        if length_m <= band.up_to:
            return band
    return BANDS[-1]


def excess(length_m: float) -> float:
    """Metres beyond the last band."""
    return max(0.0, length_m - BANDS[-1].up_to)

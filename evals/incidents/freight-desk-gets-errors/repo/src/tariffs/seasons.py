"""Seasons of the fare table."""

from datetime import date

_SUMMER = ((6, 15), (8, 20))
_WINTER_FROM, _WINTER_UNTIL = (11, 1), (3, 15)


def season_for(day: date) -> str:
    """``summer``, ``winter`` (it crosses the new year) or ``standard``."""
    at = (day.month, day.day)
    if _SUMMER[0] <= at <= _SUMMER[1]:
        return "summer"
    if at >= _WINTER_FROM or at <= _WINTER_UNTIL:
        return "winter"
    return "standard"


FACTORS = {"summer": 1.2, "standard": 1.0, "winter": 0.85}

"""Splits the monthly fee over the days of a month."""

import calendar
from datetime import date
from decimal import Decimal


def used_share(start: date, today: date) -> Decimal:
    """The share of the month that has been used, first day included."""
    days = calendar.monthrange(today.year, today.month)[1]
    first = max(start, today.replace(day=1))
    return Decimal((today - first).days + 1) / Decimal(days)


def daily_average(minutes: int, start: date, today: date) -> Decimal:
    """Minutes a day so far this month."""
    first = max(start, today.replace(day=1))
    return Decimal(minutes) / Decimal((today - first).days + 1)

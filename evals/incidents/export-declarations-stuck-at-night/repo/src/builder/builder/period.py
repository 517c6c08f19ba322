"""Accounting periods of declarations."""

from datetime import date, timedelta


def previous_period(day: date) -> date:
    """First day of the month before."""
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def period_label(day: date) -> str:
    """Label as customs wants it, such as 2026-07."""
    return f"{day:%Y-%m}"

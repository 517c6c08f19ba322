"""Working days in this city."""

from datetime import date, timedelta

HOLIDAYS = {
    date(2025, 12, 25),
    date(2025, 12, 26),
    date(2026, 1, 1),
    date(2026, 4, 3),
    date(2026, 4, 6),
    date(2026, 5, 1),
    date(2026, 12, 25),
}


def is_workday(day):
    """Whether the desks are open on a day."""
    return day.weekday() < 5 and day not in HOLIDAYS


def add_workdays(start, count):
    """The day that lies a number of working days after another."""
    day = start
    while count:
        day += timedelta(days=1)
        if is_workday(day):
            count -= 1
    return day

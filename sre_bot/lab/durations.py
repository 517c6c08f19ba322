"""Ages as kubectl and the API server's tables print them."""

from datetime import datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def parse_time(text: str | None) -> datetime | None:
    """A Kubernetes timestamp (seconds or microseconds, ``Z``) as an aware datetime; None when absent or malformed."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def age(since: str | None, now: datetime) -> str:
    """How long ago a timestamp was: ``5m12s``; ``<unknown>`` without one."""
    moment = parse_time(since)
    return human((now - moment).total_seconds()) if moment else "<unknown>"


def human(seconds: float) -> str:
    """A duration in the two most significant units that are still of interest, as the API server rounds it."""
    total = int(seconds)
    if total < 0:
        return "<invalid>" if total < -1 else "0s"
    for limit, unit, finer in _STEPS:
        if total < limit:
            return _in_units(total, unit, finer)
    return f"{total // (365 * _DAY)}y"


_SUFFIX = {1: "s", _MINUTE: "m", _HOUR: "h", _DAY: "d", 365 * _DAY: "y"}
_STEPS = (
    (2 * _MINUTE, 1, 0),
    (10 * _MINUTE, _MINUTE, 1),
    (3 * _HOUR, _MINUTE, 0),
    (8 * _HOUR, _HOUR, _MINUTE),
    (2 * _DAY, _HOUR, 0),
    (8 * _DAY, _DAY, _HOUR),
    (2 * 365 * _DAY, _DAY, 0),
    (8 * 365 * _DAY, 365 * _DAY, _DAY),
)


def _in_units(total: int, unit: int, finer: int) -> str:
    whole, rest = divmod(total, unit)
    text = f"{whole}{_SUFFIX[unit]}"
    if finer and rest // finer:
        return f"{text}{rest // finer}{_SUFFIX[finer]}"
    return text

"""Reading untrusted Kubernetes objects: every step may be missing or of the wrong type, and none raises."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?\d+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|n|u)?")
_UNITS = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}


def dig(thing: Any, *path: str | int) -> Any:
    """The value under a path of keys and indices, None as soon as a step is missing."""
    for step in path:
        if isinstance(step, int):
            thing = cast("list[Any]", thing)[step] if isinstance(thing, list) and step < len(thing) else None
        else:
            thing = cast("dict[str, Any]", thing).get(step) if isinstance(thing, dict) else None
    return thing


def mapping(thing: Any, *path: str | int) -> dict[str, Any]:
    """The mapping under a path; an empty one where there is none."""
    found = dig(thing, *path)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def sequence(thing: Any, *path: str | int) -> list[Any]:
    """The list under a path; an empty one where there is none."""
    found = dig(thing, *path)
    return cast("list[Any]", found) if isinstance(found, list) else []


def mappings(thing: Any, *path: str | int) -> list[dict[str, Any]]:
    """The mappings of the list under a path, in order."""
    return [cast("dict[str, Any]", item) for item in sequence(thing, *path) if isinstance(item, dict)]


def text(thing: Any, *path: str | int) -> str:
    """The value under a path as text; empty where there is none."""
    found = dig(thing, *path)
    if isinstance(found, bool):
        return str(found).lower()
    return "" if found is None or isinstance(found, dict | list) else str(found)


def number(thing: Any, *path: str | int) -> int | None:
    """The whole number under a path, given as a number or as its digits."""
    found = dig(thing, *path)
    if isinstance(found, bool):
        return None
    if isinstance(found, int):
        return found
    return whole(found) if isinstance(found, str) else None


def whole(digits: str | None) -> int | None:
    """The number that digits spell; None for anything else, and where they are more than 64 bits hold."""
    return int(digits) if digits and digits.isdecimal() and len(digits) < 20 else None


def texts(thing: Any, *path: str | int) -> list[str]:
    """The list under a path as texts."""
    return [str(item) for item in sequence(thing, *path)]


def labels_of(thing: Any) -> dict[str, str]:
    """``metadata.labels`` as texts."""
    return {str(key): str(value) for key, value in mapping(thing, "metadata", "labels").items()}


def when(stamp: Any) -> datetime | None:
    """A Kubernetes timestamp as an aware time in UTC; None where it is missing or unreadable."""
    if not isinstance(stamp, str) or len(stamp) < 10:
        return None
    try:
        read = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    except ValueError:
        return None
    if not 1970 <= read.year < 3000:  # no cluster's clock; and a difference to it may be beyond what a date can hold
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def quantity(value: Any) -> float | None:
    """A Kubernetes quantity (``100m``, ``64Mi``, ``1e3``) in its basic unit; None where it is none."""
    match = _QUANTITY.fullmatch(str(value).strip()) if value is not None else None
    if match is None:
        return None
    try:
        return float(match[1]) * _UNITS[match[2] or ""]
    except ValueError:
        return None


def condition(thing: Any, kind: str) -> dict[str, Any]:
    """The entry of ``status.conditions`` of one type; empty where there is none."""
    return next((entry for entry in mappings(thing, "status", "conditions") if entry.get("type") == kind), {})


def step(path: str, key: str | int) -> str:
    """A field path with one more step; keys with dots are written ``["application.yml"]``."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f'{path}["{key}"]'


def steps(path: str) -> list[str | int]:
    """A field path taken apart again."""
    return [match[1] if match[1] is not None else match[3] or whole(match[2]) or 0 for match in _STEP.finditer(path)]


def leaves(thing: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar in a document with its field path; empty mappings and lists count as scalars."""
    if isinstance(thing, dict) and thing:
        for key, value in cast("dict[Any, Any]", thing).items():
            yield from leaves(value, step(path, str(key)))
    elif isinstance(thing, list) and thing:
        for position, value in enumerate(cast("list[Any]", thing)):
            yield from leaves(value, step(path, position))
    else:
        yield path, thing

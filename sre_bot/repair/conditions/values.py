"""Single values: what stands in one field of one object."""

from typing import Any

from sre_bot.repair.conditions.objects import find, part


def unchanged(objects: list[Any], kind: str, namespace: str, name: str, path: list[Any], broken: Any) -> list[str]:
    """Whether a field still holds the value that broke things (None: is still absent)."""
    value = part(find(objects, kind, namespace, name), *path)
    return [f"{kind} {name}: {path} is still {broken!r}"] if value == broken else []


def still_there(objects: list[Any], kind: str, namespace: str, name: str, path: list[Any]) -> list[str]:
    """Whether a field that broke things still exists."""
    value = part(find(objects, kind, namespace, name), *path)
    return [] if value is None else [f"{kind} {name}: {path} is there again"]


def bad_lines(objects: list[Any], kind: str, namespace: str, name: str, path: list[Any], lines: list[str]) -> list[str]:
    """Lines that broke things and still stand in a text."""
    text = str(part(find(objects, kind, namespace, name), *path) or "").splitlines()
    return [f"{kind} {name}: {path} still holds {line!r}" for line in lines if line in text]


def missing_lines(
    objects: list[Any], kind: str, namespace: str, name: str, path: list[Any], lines: list[str]
) -> list[str]:
    """Lines that a text needs and does not hold."""
    text = str(part(find(objects, kind, namespace, name), *path) or "").splitlines()
    return [f"{kind} {name}: {path} lacks {line!r}" for line in lines if line not in text]


def below(
    objects: list[Any], kind: str, namespace: str, name: str, path: list[Any], least: int, default: int
) -> list[str]:
    """Whether a whole number is under its least value; ``default`` is what an absent field means."""
    value = part(find(objects, kind, namespace, name), *path)
    value = default if value is None else value
    return [] if isinstance(value, int) and value >= least else [f"{kind} {name}: {path} is {value}"]


def object_missing(objects: list[Any], kind: str, namespace: str, name: str) -> list[str]:
    """Whether the tree lacks an object."""
    return [] if find(objects, kind, namespace, name) else [f"there is no {kind} {name}"]

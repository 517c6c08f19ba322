"""The difference of two plain values as steps, each small enough to be made in text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sre_bot.repair.fields import FieldPath


@dataclass(frozen=True, slots=True)
class Difference:
    """One step: set, insert or delete at ``path``; an insertion goes after child number ``after`` (-1: first)."""

    action: Literal["set", "insert", "delete"]
    path: FieldPath
    value: Any = None
    after: int = -1


def same(old: Any, new: Any) -> bool:
    """Equality that tells 1 from true and 80 from 80.0."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(same(one, other) for one, other in zip(old, new, strict=True))
    return type(old) is type(new) and old == new


def first_difference(old: Any, new: Any, path: FieldPath = ()) -> Difference | None:
    """The first step from ``old`` to ``new`` in the order of the document; None when they are the same."""
    if same(old, new):
        return None
    if isinstance(old, dict) and isinstance(new, dict) and old and new:
        return _in_mapping(old, new, path)
    if isinstance(old, list) and isinstance(new, list) and old and new:
        return _in_list(old, new, path)
    return Difference("set", path, new)


def _in_mapping(old: Mapping[str, Any], new: Mapping[str, Any], path: FieldPath) -> Difference | None:
    for key, value in new.items():
        if key in old and not same(old[key], value):
            return first_difference(old[key], value, (*path, key))
        if key not in old:
            return Difference("insert", (*path, key), value, _place(list(old), list(new), key))
    gone = next(key for key in old if key not in new)
    return Difference("delete", (*path, gone))


def _place(old: list[str], new: list[str], key: str) -> int:
    """After the nearest earlier neighbour that is already there."""
    earlier = [name for name in new[: new.index(key)] if name in old]
    return old.index(earlier[-1]) if earlier else -1


def _in_list(old: list[Any], new: list[Any], path: FieldPath) -> Difference | None:
    shared = min(len(old), len(new))
    at = next((i for i in range(shared) if not same(old[i], new[i])), shared)
    if len(old) > len(new):
        return Difference("delete", (*path, at))
    if len(old) < len(new):
        return Difference("insert", (*path, at), new[at], at - 1)
    return first_difference(old[at], new[at], (*path, at))

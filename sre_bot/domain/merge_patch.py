"""JSON merge patches as in RFC 7396: what changed between two objects, and that change applied again.

A patch cannot say "this member is null", so objects that take part hold no null members: absent and null are one.
"""

import json
from typing import Any

Json = dict[str, Any]


def without_nulls(value: Json) -> Json:
    """The same object without its null members, at every depth that a merge patch can reach."""
    return {key: _plain(member) for key, member in value.items() if member is not None}


def difference(before: Json, after: Json) -> Json:
    """The smallest patch that turns ``before`` into ``after``; empty when they are equal."""
    patch: Json = {key: None for key in before if key not in after}
    for key, value in after.items():
        if key not in before:
            patch[key] = value
        elif isinstance(value, dict) and isinstance(before[key], dict):
            if below := difference(before[key], value):
                patch[key] = below
        elif not _same(before[key], value):
            patch[key] = value
    return patch


def merged(target: Json, patch: Json) -> Json:
    """``target`` with ``patch`` applied; neither is changed."""
    result = {key: value for key, value in target.items() if patch.get(key, value) is not None}
    for key, value in patch.items():
        if isinstance(value, dict):
            below = result.get(key)
            result[key] = merged(below if isinstance(below, dict) else {}, value)
        elif value is not None:
            result[key] = value
    return result


def _plain(value: Any) -> Any:
    return without_nulls(value) if isinstance(value, dict) else value


def _same(one: Any, other: Any) -> bool:
    """Equality as JSON has it, where ``true`` is not ``1``."""
    if type(one) is type(other):
        if isinstance(one, str | int):
            return one == other
        if isinstance(one, list):
            return len(one) == len(other) and all(map(_same, one, other))
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

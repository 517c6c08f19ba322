"""Field paths (``spec.ports[0].targetPort``) and plain values: read, replace, remove. Nothing here knows of text."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Step = str | int
FieldPath = tuple[Step, ...]
"""Steps from an object's root. A string on a list names the item with that ``name``."""


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Any = _Absent()
"""What stands at a path that leads nowhere; unlike None, no manifest can hold it."""

_STEP = re.compile(r"""\["([^"]{0,500})"\]|\['([^']{0,500})'\]|\[(?:name=)?([^\]]{0,500})\]|([^.\[\]]+)""")


def parse_field(text: str) -> FieldPath:
    """The steps of ``spec.containers[0].env[DB_HOST].value`` or ``data["app.yml"]``; empty for an empty text."""
    return tuple(_step(match) for match in _STEP.finditer(text.strip().lstrip(".")))


def _step(match: re.Match[str]) -> Step:
    double, single, bracket, word = match.groups()
    if bracket is not None:
        return int(bracket) if re.fullmatch(r"[0-9]{1,9}", bracket) else bracket.strip("\"'")
    return next(text for text in (double, single, word) if text is not None)


_LISTS = frozenset(("containers", "initContainers", "env", "ports", "volumes", "volumeMounts"))


def field_text(path: FieldPath) -> str:
    """The path as people write it; keys with dots are quoted, names of list items stand in brackets."""
    out = ""
    for depth, step in enumerate(path):
        if isinstance(step, int) or (depth and path[depth - 1] in _LISTS):
            out += f"[{step}]"
        elif re.fullmatch(r"[\w-]+", step):
            out += f".{step}" if out else step
        else:
            out += f'["{step}"]'
    return out


def short_text(path: FieldPath) -> str:
    """The end of a path, enough to recognise it by: ``limits.memory``, ``ports[http].targetPort``."""
    in_list = len(path) > 2 and (isinstance(path[-2], int) or path[-3] in _LISTS)
    return field_text(path[-3:] if in_list else path[-2:])


def position(items: Sequence[Any], step: Step) -> int | None:
    """Where a step leads in a list: an index, or the item with that ``name`` (a port also by its number)."""
    if isinstance(step, int):
        return step if 0 <= step < len(items) else None
    for index, item in enumerate(items):
        if isinstance(item, Mapping) and str(item.get("name", ABSENT)) == step:
            return index
    return None


def value_at(value: Any, path: FieldPath) -> Any:
    """What stands at the path, ``ABSENT`` where it leads nowhere."""
    for step in path:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list):
            index = position(value, step)
            if index is None:
                return ABSENT
            value = value[index]
        else:
            return ABSENT
    return value


def with_value(value: Any, path: FieldPath, new: Any) -> Any:
    """A copy with ``new`` at the path; mappings on the way are made. Raises ``KeyError`` for an index too large."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        return _with_item(value, step, rest, new)
    mapping: dict[Step, Any] = dict(value) if isinstance(value, Mapping) else {}
    mapping[step] = with_value(mapping.get(step), rest, new)
    return mapping


def _with_item(items: list[Any], step: Step, rest: FieldPath, new: Any) -> list[Any]:
    index = position(items, step)
    if index is not None:
        return [*items[:index], with_value(items[index], rest, new), *items[index + 1 :]]
    if isinstance(step, str):
        return [*items, with_value({"name": step}, rest, new)]
    if step == len(items):
        return [*items, with_value(None, rest, new)]
    raise KeyError(f"a list of {len(items)} has no item {step}")


def without_value(value: Any, path: FieldPath) -> Any:
    """A copy without what stands at the path; a mapping or list that becomes empty by it goes too."""
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        index = position(value, step)
        if index is None:
            return value
        kept = without_value(value[index], rest) if rest else ABSENT
        middle: list[Any] = [] if kept is ABSENT or kept in ({}, []) else [kept]
        return [*value[:index], *middle, *value[index + 1 :]]
    if not isinstance(value, Mapping) or step not in value:
        return value
    kept = without_value(value[step], rest) if rest else ABSENT
    emptied = kept is ABSENT or (kept in ({}, []) and value[step] != kept)
    return {key: kept if key == step else item for key, item in value.items() if key != step or not emptied}


def by_name(value: Any, path: FieldPath) -> FieldPath:
    """The same path with names instead of indices where the items have unique names: it survives reordering."""
    out: list[Step] = []
    for step in path:
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            name = value[step].get("name") if isinstance(value[step], Mapping) else None
            names = [item.get("name") for item in value if isinstance(item, Mapping)]
            out.append(str(name) if name is not None and names.count(name) == 1 else step)
        else:
            out.append(step)
        value = value_at(value, (step,))
    return tuple(out)


def by_place(value: Any, path: FieldPath) -> FieldPath:
    """The same path with indices instead of names; steps that lead nowhere stay."""
    out: list[Step] = []
    for step in path:
        index = position(value, step) if isinstance(value, list) else None
        out.append(step if index is None else index)
        value = value_at(value, (step,))
    return tuple(out)

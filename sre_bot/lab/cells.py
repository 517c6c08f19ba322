"""The cells that ``kubectl get`` shows: columns, and the small formats that many kinds share."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.durations import age

Cell = str | int
CellOf = Callable[[KubernetesObject, datetime], Cell]
NONE = "<none>"
UNSET = "<unset>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. ``wide`` ones show with ``-o wide`` only."""

    name: str
    cell: CellOf
    wide: bool = False
    type: str = "string"

    @property
    def definition(self) -> dict[str, Any]:
        """The column as a ``TableColumnDefinition``."""
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
            "description": f"{self.name} of the object.",
            "priority": int(self.wide),
        }


def look_up(thing: Any, path: str, missing: Any = None) -> Any:
    """The value at a dotted path, ``missing`` where there is none or it is null."""
    for step in path.split("."):
        thing = thing.get(step) if isinstance(thing, dict) else None
    return missing if thing is None else thing


def at(path: str, missing: Cell = NONE) -> CellOf:
    """A cell that shows the value at a dotted path."""

    def cell(thing: KubernetesObject, now: datetime) -> Cell:
        value = look_up(thing, path)
        return missing if value is None or value == "" else value if isinstance(value, int) else str(value)

    return cell


def text(name: str, path: str, missing: str = NONE, *, wide: bool = False) -> Column:
    """A text column for a dotted path."""
    return Column(name, at(path, missing), wide)


def number(name: str, path: str, *, wide: bool = False) -> Column:
    """A whole-number column for a dotted path; 0 where there is none."""
    return Column(name, at(path, 0), wide, "integer")


def age_of(path: str) -> CellOf:
    """A cell that shows how long ago the timestamp at a path was."""
    return lambda thing, now: age(look_up(thing, path), now)


def joined(values: Iterable[str], missing: str = NONE) -> str:
    """Comma-separated values."""
    return ",".join(values) or missing


def selector_text(selector: dict[str, Any] | None) -> str:
    """A label selector, plain or with ``matchLabels`` and ``matchExpressions``, in one line."""
    selector = selector or {}
    if not {"matchLabels", "matchExpressions"} & set(selector):
        return joined(f"{key}={value}" for key, value in sorted(selector.items()))
    labels = selector.get("matchLabels") or {}
    terms = [f"{key}={value}" for key, value in sorted(labels.items())]
    return joined([*terms, *(_expression(item) for item in selector.get("matchExpressions") or ())])


def _expression(item: dict[str, Any]) -> str:
    key, values = item["key"], ",".join(item.get("values") or ())
    plain = {"Exists": key, "DoesNotExist": f"!{key}"}
    return plain.get(item["operator"]) or f"{key} {item['operator'].lower()} ({values})"


ACCESS_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def access_modes(modes: list[str] | None) -> str:
    """Volume access modes, abbreviated as kubectl does."""
    return ",".join(short for mode, short in ACCESS_MODES.items() if mode in (modes or ()))


def json_path(thing: KubernetesObject, path: str) -> Any:
    """The value at a JSONPath as CRD columns use it: dots, indices, and ``[?(@.type=="Ready")]`` filters."""
    value: Any = thing
    for name, index, key, wanted in _STEP.findall(path):
        if name:
            value = value.get(name.replace("\\", "")) if isinstance(value, dict) else None
        elif not isinstance(value, list):
            return None
        elif key:
            value = next((item for item in value if str(item.get(key)) == wanted), None)
        elif index != "*":
            value = value[int(index)] if int(index) < len(value) else None
    return value


_STEP = re.compile(r"""\.((?:[^.\[\\]|\\.)+)|\[(\d+|\*)\]|\[\?\(@\.(\w+)\s*==\s*["']([^"']*)["']\)\]""")

NAME = Column("Name", at("metadata.name"))
AGE = Column("Age", age_of("metadata.creationTimestamp"))
CREATED_AT = Column("Created At", at("metadata.creationTimestamp"), type="date")

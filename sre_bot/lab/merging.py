"""Applying a manifest to a live object, as ``kubectl apply`` does: three ways, lists of named things by their names."""

import copy
from typing import Any

from sre_bot.lab.quantities import quantity

_MERGE_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "containers": (("name",),),
    "initContainers": (("name",),),
    "ephemeralContainers": (("name",),),
    "volumes": (("name",),),
    "env": (("name",),),
    "imagePullSecrets": (("name",),),
    "secrets": (("name",),),
    "volumeMounts": (("mountPath",),),
    "volumeDevices": (("devicePath",),),
    "hostAliases": (("ip",),),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
}
_QUANTITIES = ("limits", "requests", "capacity", "hard", "default", "defaultRequest", "max", "min")


def merged(live: Any, before: Any, after: Any, name: str = "") -> Any:
    """The live value once ``after`` is applied over it; what only ``before`` said is taken out.

    ``name`` is the field's name, which decides how lists merge.
    """
    if isinstance(after, dict):
        return _merged_map(live if isinstance(live, dict) else {}, before, after, name)
    if isinstance(after, list):
        return _merged_list(live, before, after, name)
    return copy.deepcopy(after)


def _merged_map(live: dict[str, Any], before: Any, after: dict[str, Any], name: str) -> dict[str, Any]:
    before = before if isinstance(before, dict) else {}
    kept = {key: value for key, value in live.items() if key in after or key not in before}
    result = {key: value if key in after else copy.deepcopy(value) for key, value in kept.items()}
    for key, value in after.items():
        if value is None:
            result.pop(key, None)
        elif name in _QUANTITIES and _same_quantity(live.get(key), value):
            continue
        else:
            result[key] = merged(live.get(key), before.get(key), value, key)
    return result


def _merged_list(live: Any, before: Any, after: list[Any], name: str) -> list[Any]:
    keys = _merge_key(name, after)
    if not isinstance(live, list):
        return copy.deepcopy(after)
    if keys is None:
        return _merged_in_place(live, before, after)
    known = {_identity(item, keys): item for item in live}
    said = {_identity(item, keys): item for item in before} if isinstance(before, list) else {}
    wanted = {_identity(item, keys): item for item in after}
    result = [merged(known.get(key), said.get(key), item) for key, item in wanted.items()]
    return result + [copy.deepcopy(item) for key, item in known.items() if key not in wanted and key not in said]


def _merged_in_place(live: list[Any], before: Any, after: list[Any]) -> list[Any]:
    """A list without a merge key is replaced, but what the server has filled into its items stays."""
    if len(live) != len(after) or not all(isinstance(item, dict) for item in (*live, *after)):
        return copy.deepcopy(after)
    said = before if isinstance(before, list) and len(before) == len(after) else [None] * len(after)
    return [merged(*items) for items in zip(live, said, after, strict=True)]


def _merge_key(name: str, items: list[Any]) -> tuple[str, ...] | None:
    for keys in _MERGE_KEYS.get(name, ()):
        if all(isinstance(item, dict) and keys[0] in item for item in items):
            return keys
    return None


def _identity(item: Any, keys: tuple[str, ...]) -> tuple[Any, ...]:
    if not isinstance(item, dict):
        return (str(item),)
    return tuple(item.get(key, "TCP" if key == "protocol" else None) for key in keys)


def _same_quantity(live: Any, after: Any) -> bool:
    amount = quantity(live)
    return amount is not None and amount == quantity(after)

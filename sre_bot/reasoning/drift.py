"""Live objects against their declarations: fields that the repository sets and the cluster has otherwise."""

from collections.abc import Iterator
from typing import Any

from sre_bot.detectors.fields import mapping, mappings, quantity, step, text
from sre_bot.domain.cluster import KubernetesObject, ObjectRef, Value
from sre_bot.reasoning.manifests import Declared, differences

_OURS = (
    "apiVersion",
    "kind",
    "metadata.namespace",
    "metadata.name",
    "status",
    "metadata.annotations",
    "metadata.creationTimestamp",
    "stringData",
)


class Drift(Value):
    """One field: what the repository declares, what the cluster has (None: nothing)."""

    object: ObjectRef
    field: str
    declared: str
    live: str | None
    path: str


def drifts(ref: ObjectRef, one: Declared, live: KubernetesObject) -> Iterator[Drift]:
    """The declared fields that differ; fields that only the cluster has are defaults and do not count."""
    if ref.kind == "Secret":
        return
    yield from _added(ref, one, live)
    for difference in differences(_known_part(one.thing, live), one.thing):
        if (
            difference.after is None
            or difference.field.startswith(_OURS)
            or _equal(difference.before, difference.after)
        ):
            continue
        yield Drift(
            object=ref,
            field=difference.field,
            declared=difference.after[:2_000],
            live=difference.before if difference.before is None else difference.before[:2_000],
            path=one.path,
        )


_WHOLE = ("spec.selector", "spec.selector.matchLabels", "spec.template.spec.nodeSelector")


def _added(ref: ObjectRef, one: Declared, live: KubernetesObject) -> Iterator[Drift]:
    """Pairs that only the cluster has, in mappings that nobody fills with defaults: selectors are written whole."""
    if ref.kind == "Service":
        yield from _protocols(ref, one, live)
    if ref.kind not in ("Service", "Deployment", "StatefulSet", "DaemonSet"):
        return
    for path in _WHOLE:
        written, present = mapping(one.thing, *path.split(".")), mapping(live, *path.split("."))
        for key in sorted(set(present) - set(written)) if written else ():
            if not isinstance(present[key], dict | list):
                yield Drift(object=ref, field=step(path, key), declared="", live=str(present[key]), path=one.path)


def _protocols(ref: ObjectRef, one: Declared, live: KubernetesObject) -> Iterator[Drift]:
    """A port's protocol that nobody declared and that is not the default (Service API: TCP)."""
    written, present = mappings(one.thing, "spec", "ports"), mappings(live, "spec", "ports")
    for place, (ours, theirs) in enumerate(zip(written, present, strict=False)):
        protocol = text(theirs, "protocol")
        if "protocol" not in ours and protocol not in ("", "TCP"):
            yield Drift(object=ref, field=f"spec.ports[{place}].protocol", declared="TCP", live=protocol, path=one.path)


def _known_part(declared: Any, live: Any) -> Any:
    """The live document cut down to what the declaration speaks of."""
    if isinstance(declared, dict) and isinstance(live, dict):
        return {key: _known_part(value, live[key]) for key, value in declared.items() if key in live}
    if isinstance(declared, list) and isinstance(live, list):
        return _known_list(declared, live)
    return live


def _known_list(declared: list[Any], live: list[Any]) -> list[Any]:
    names = {item.get("name"): item for item in live if isinstance(item, dict) and item.get("name")}
    paired = [
        (
            item,
            names.get(item.get("name")) if isinstance(item, dict) and item.get("name") and names else _at(live, place),
        )
        for place, item in enumerate(declared)
    ]
    return [_known_part(item, other) for item, other in paired if other is not None]


def _at(items: list[Any], place: int) -> Any:
    return items[place] if place < len(items) else None


def _equal(left: str | None, right: str) -> bool:
    if left is None:
        return right in ("", "{}", "[]")
    if left == right:
        return True
    size = quantity(left)
    return size is not None and size == quantity(right)

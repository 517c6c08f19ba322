"""Which container logs are worth reading first, when not all can be read. Pure."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sre_bot.domain.cluster import KubernetesObject

MOST_LOGS = 200
_AFTER_CRASH, _IN_TROUBLE, _NEIGHBOUR, _ORDINARY = range(4)
_NAME_LABELS = ("app", "app.kubernetes.io/name", "k8s-app")
_WORD = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogWish:
    """One log to read."""

    namespace: str
    pod: str
    container: str
    previous: bool = False


def choose(pods: tuple[KubernetesObject, ...], most: int = MOST_LOGS) -> tuple[LogWish, ...]:
    """The logs to read, most telling first, no more than ``most``.

    The runs that crashed come first, then the current runs of containers in trouble, then those who call a workload
    in trouble or are called by it, then the rest. Within each of the four every workload gets one pod before any gets
    its second, so that a hundred replicas of one workload do not hide the single pod of another.
    """
    near = _neighbours(pods)
    turns: Counter[tuple[str, str]] = Counter()
    ranked: list[tuple[int, int, int, LogWish]] = []
    for pod in sorted(pods, key=_order):
        owner = _owner(pod)
        for place, (rank, wish) in enumerate(_wishes(pod)):
            ranked.append((_NEIGHBOUR if rank == _ORDINARY and owner in near else rank, turns[owner], place, wish))
        turns[owner] += 1
    ranked.sort(key=lambda entry: entry[:3])
    return tuple(wish for *_, wish in ranked[:most])


def _order(pod: KubernetesObject) -> tuple[bool, str, str]:
    """Pods in trouble first, so that they are their workload's first sample."""
    metadata = pod["metadata"]
    return not _is_troubled(pod), metadata.get("namespace") or "", metadata.get("name", "")


def _is_troubled(pod: KubernetesObject) -> bool:
    return any(rank < _NEIGHBOUR for rank, _ in _wishes(pod))


def _owner(pod: KubernetesObject) -> tuple[str, str]:
    metadata = pod["metadata"]
    owners = [owner for owner in _mappings(metadata, "ownerReferences") if owner.get("controller")]
    name = f"{owners[0].get('kind')}/{owners[0].get('name')}" if owners else f"Pod/{metadata['name']}"
    return metadata.get("namespace") or "", name


def _neighbours(pods: tuple[KubernetesObject, ...]) -> frozenset[tuple[str, str]]:
    """The owners of pods whose configuration names a workload in trouble, or which such a one's configuration names."""
    troubled = {_owner(pod) for pod in pods if _is_troubled(pod)}
    named = {name for pod in pods if _owner(pod) in troubled for name in _names(pod)}
    wanted = {word for pod in pods if _owner(pod) in troubled for word in _words(pod)}
    return frozenset(
        _owner(pod)
        for pod in pods
        if _owner(pod) not in troubled and (not named.isdisjoint(_words(pod)) or not wanted.isdisjoint(_names(pod)))
    )


def _names(pod: KubernetesObject) -> set[str]:
    """What people and Services call the pod's workload."""
    labels = pod["metadata"].get("labels") or {}
    return {labels[label] for label in _NAME_LABELS if isinstance(labels.get(label), str)}


def _words(pod: KubernetesObject) -> Iterator[str]:
    """The words of the values that the pod's containers are configured with."""
    for container in _mappings(pod.get("spec") or {}, "containers"):
        given = [one.get("value") for one in _mappings(container, "env")]
        for part in ("command", "args"):
            given += container.get(part) or ()
        for text in given:
            yield from _WORD.findall(text) if isinstance(text, str) else ()


def _mappings(thing: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The mappings of a list, whatever else stands there."""
    found = thing.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _wishes(pod: KubernetesObject) -> list[tuple[int, LogWish]]:
    metadata, status = pod["metadata"], pod.get("status") or {}
    place = metadata.get("namespace") or "", metadata["name"]
    wishes: list[tuple[int, LogWish]] = []
    for field in ("containerStatuses", "initContainerStatuses"):
        for item in _mappings(status, field):
            name = str(item.get("name", ""))
            if _crashed_before(item):
                wishes.append((_AFTER_CRASH, LogWish(*place, name, previous=True)))
            if _has_run(item):
                rank = _IN_TROUBLE if _in_trouble(item, init=field.startswith("init")) else _ORDINARY
                wishes.append((rank, LogWish(*place, name)))
    return wishes


def _crashed_before(item: Status) -> bool:
    restarts = item.get("restartCount")
    return (isinstance(restarts, int) and restarts > 0) or bool(_state(item, "lastState").get("terminated"))


def _has_run(item: Status) -> bool:
    state = _state(item, "state")
    return "running" in state or "terminated" in state or _crashed_before(item)


def _in_trouble(item: Status, *, init: bool) -> bool:
    ended = _state(item, "state").get("terminated")
    if isinstance(ended, dict):
        return ended.get("exitCode") != 0
    return _crashed_before(item) or init or not item.get("ready")


def _state(item: Status, name: str) -> Status:
    found = item.get(name)
    return found if isinstance(found, dict) else {}

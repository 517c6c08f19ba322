"""Which container logs are worth reading first, when not all can be read."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sre_bot.domain.cluster import KubernetesObject

MOST_LOGS = 200
_AFTER_CRASH, _IN_TROUBLE, _ORDINARY = range(3)
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

    The runs that crashed come first, then the current runs of containers in trouble, then the rest. Within each of
    the three every workload gets one pod before any gets its second, so that a hundred replicas of one workload do
    not hide the single pod of another.
    """
    turns: Counter[tuple[str, str]] = Counter()
    ranked: list[tuple[int, int, int, LogWish]] = []
    for pod in sorted(pods, key=_order):
        owner = _owner(pod)
        for place, (rank, wish) in enumerate(_wishes(pod)):
            ranked.append((rank, turns[owner], place, wish))
        turns[owner] += 1
    ranked.sort(key=lambda entry: entry[:3])
    return tuple(wish for *_, wish in ranked[:most])


def _order(pod: KubernetesObject) -> tuple[bool, str, str]:
    """Pods in trouble first, so that they are their workload's first sample."""
    metadata = pod["metadata"]
    troubled = any(rank < _ORDINARY for rank, _ in _wishes(pod))
    return not troubled, metadata.get("namespace", ""), metadata.get("name", "")


def _owner(pod: KubernetesObject) -> tuple[str, str]:
    metadata = pod["metadata"]
    owners = [owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")]
    name = f"{owners[0]['kind']}/{owners[0]['name']}" if owners else f"Pod/{metadata['name']}"
    return metadata.get("namespace", ""), name


def _wishes(pod: KubernetesObject) -> list[tuple[int, LogWish]]:
    metadata, status = pod["metadata"], pod.get("status") or {}
    place = metadata.get("namespace", ""), metadata["name"]
    wishes: list[tuple[int, LogWish]] = []
    for field in ("containerStatuses", "initContainerStatuses"):
        for item in status.get(field) or ():
            name = item["name"]
            if _crashed_before(item):
                wishes.append((_AFTER_CRASH, LogWish(*place, name, previous=True)))
            if _has_run(item):
                rank = _IN_TROUBLE if _in_trouble(item, init=field.startswith("init")) else _ORDINARY
                wishes.append((rank, LogWish(*place, name)))
    return wishes


def _crashed_before(item: Status) -> bool:
    return item.get("restartCount", 0) > 0 or bool((item.get("lastState") or {}).get("terminated"))


def _has_run(item: Status) -> bool:
    state = item.get("state") or {}
    return "running" in state or "terminated" in state or _crashed_before(item)


def _in_trouble(item: Status, *, init: bool) -> bool:
    ended = (item.get("state") or {}).get("terminated")
    if ended:
        return ended.get("exitCode") != 0
    return _crashed_before(item) or init or not item.get("ready")

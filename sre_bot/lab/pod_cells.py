"""A pod's row: how ready it is, the one word that says what is wrong with it, and its restarts."""

from datetime import datetime
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cells import AGE, NAME, NONE, Cell, Column, joined, look_up, text
from sre_bot.lab.durations import age

Status = dict[str, Any]


def _statuses(pod: KubernetesObject, field: str) -> list[Status]:
    return look_up(pod, f"status.{field}", [])


def _condition(pod: KubernetesObject, kind: str) -> Status:
    return next((item for item in _statuses(pod, "conditions") if item["type"] == kind), {})


def _is_true(pod: KubernetesObject, kind: str) -> bool:
    return _condition(pod, kind).get("status") == "True"


def _sidecars(pod: KubernetesObject) -> set[str]:
    """The names of the init containers that go on running beside the others."""
    return {item["name"] for item in look_up(pod, "spec.initContainers", []) if item.get("restartPolicy") == "Always"}


def _ready(pod: KubernetesObject, now: datetime) -> str:
    sidecars = _sidecars(pod)
    inits = [item for item in _statuses(pod, "initContainerStatuses") if item["name"] in sidecars]
    ready = [item for item in (*inits, *_statuses(pod, "containerStatuses")) if item.get("ready")]
    return f"{len(ready)}/{len(look_up(pod, 'spec.containers', [])) + len(sidecars)}"


def status_word(pod: KubernetesObject) -> str:
    """The STATUS column: the phase, or the most telling reason of a container."""
    if pod["metadata"].get("deletionTimestamp"):
        return "Unknown" if look_up(pod, "status.reason") == "NodeLost" else _terminating(pod)
    return _word(pod)


def _terminating(pod: KubernetesObject) -> str:
    return _word(pod) if look_up(pod, "status.phase") in ("Succeeded", "Failed") else "Terminating"


def _word(pod: KubernetesObject) -> str:
    word = look_up(pod, "status.reason") or look_up(pod, "status.phase", "Unknown")
    if _condition(pod, "PodScheduled").get("reason") == "SchedulingGated":
        word = "SchedulingGated"
    init = _init_word(pod)
    if init and not _is_true(pod, "Initialized"):
        return init
    words = [_container_word(item.get("state") or {}) for item in _statuses(pod, "containerStatuses")]
    word = next((found for found in words if found), word)
    if word == "Completed" and any(_runs(item) for item in _statuses(pod, "containerStatuses")):
        return "Running" if _is_true(pod, "Ready") else "NotReady"
    return word


def _init_word(pod: KubernetesObject) -> str:
    total = len(look_up(pod, "spec.initContainers", []))
    sidecars = _sidecars(pod)
    for position, item in enumerate(_statuses(pod, "initContainerStatuses")):
        state = item.get("state") or {}
        finished = (state.get("terminated") or {}).get("exitCode") == 0
        if finished or (item["name"] in sidecars and item.get("started")):
            continue
        word = _container_word(state)
        return f"Init:{word}" if word and word != "PodInitializing" else f"Init:{position}/{total}"
    return ""


def _container_word(state: Status) -> str:
    ended = state.get("terminated")
    if ended is None:
        return (state.get("waiting") or {}).get("reason", "")
    return ended.get("reason") or (
        f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"
    )


def _runs(item: Status) -> bool:
    return bool(item.get("ready")) and "running" in (item.get("state") or {})


def _restarts(pod: KubernetesObject, now: datetime) -> Cell:
    initialising = _init_word(pod) and not _is_true(pod, "Initialized")
    sidecars = _sidecars(pod)
    inits = [item for item in _statuses(pod, "initContainerStatuses") if initialising or item["name"] in sidecars]
    counted = inits if initialising else [*inits, *_statuses(pod, "containerStatuses")]
    count = sum(item.get("restartCount", 0) for item in counted)
    ended = [look_up(item, "lastState.terminated.finishedAt", "") for item in counted]
    last = max(ended, default="")
    return f"{count} ({age(last, now)} ago)" if count and last else str(count)


def _gates(pod: KubernetesObject, now: datetime) -> str:
    gates = [gate["conditionType"] for gate in look_up(pod, "spec.readinessGates", [])]
    return f"{sum(_is_true(pod, gate) for gate in gates)}/{len(gates)}" if gates else NONE


def _addresses(pod: KubernetesObject, now: datetime) -> str:
    return joined([look_up(pod, "status.podIP", "")])


POD_COLUMNS = (
    NAME,
    Column("Ready", _ready),
    Column("Status", lambda pod, now: status_word(pod)),
    Column("Restarts", _restarts),
    AGE,
    Column("IP", _addresses, wide=True),
    text("Node", "spec.nodeName", wide=True),
    text("Nominated Node", "status.nominatedNodeName", wide=True),
    Column("Readiness Gates", _gates, wide=True),
)

"""Demand without metrics: rates that programs log, requests that they turn away, autoscalers at their end.

Requests in flight are the rate times the time that each takes (Little's law), so that turning some away proves
neither by itself: a logged rate that rose does, and so does an autoscaler that had to grow to its maximum although
nothing of the workload changed (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details).
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

from sre_bot.detectors.fields import condition, dig, mapping, mappings, number, text, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import stamp_of
from sre_bot.detectors.revisions import replica_sets
from sre_bot.detectors.sightings import seen_in, seen_line
from sre_bot.detectors.troubles import troubles
from sre_bot.domain.cluster import ContainerLog, KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence

RISE = 1.8
_LEAST = 6
_TAIL = 400_000
_QUIET = timedelta(hours=12)
"""How long a workload must have been as it is before its autoscaler's growth for it to be no effect of a change."""

_HINT = re.compile(r"rps|qps|tps|/s\b|per.?sec", re.IGNORECASE)
_UNIT = r"(?:rps|qps|tps|req(?:uest)?s?(?:/| per |_per_)s(?:ec(?:ond)?)?)"
_RATE = re.compile(
    rf"(?<![\w-]){_UNIT}\W{{1,4}}(\d{{1,9}}(?:\.\d+)?)\b|\b(\d{{1,9}}(?:\.\d+)?) ?{_UNIT}(?![\w])",
    re.IGNORECASE,
)
_TURNED_AWAY = re.compile(
    r"load.?shed|shed(?:ding)? (?:load|request)"
    r"|too many (?:concurrent |open )?(?:requests|connections|clients|sessions)"
    r"|(?:request|accept|work|task|thread|listen) ?(?:pool|queue)[^\n]{0,40}(?:is full|overflow|exceeded|exhausted)"
    r"|queue (?:is )?full|RejectedExecutionException|worker_connections are not enough|limiting requests|over capacity"
    r"|overload(?:ed)?|server (?:is )?(?:too )?busy|max(?:imum)? (?:in.?flight|concurren\w+|connections) reached"
    r"|reached pm\.max_children|MaxRequestWorkers|(?:visitor|user|client|customer)s? (?:asked|told) to (?:wait|try)"
    r"|answering 503|backlog (?:is )?full|upstream_rq_pending_overflow",
    re.IGNORECASE,
)


class Rate(NamedTuple):
    """A rate that a log line states."""

    at: datetime
    value: float
    line: str


class Growth(NamedTuple):
    """What shows that demand rose: the value to name, the words for it, since when, and the evidence."""

    observed: str
    said: str
    at: datetime | None
    evidence: tuple[Evidence, ...]


def logged_growth(index: ClusterIndex) -> dict[ObjectRef, Growth]:
    """The workloads whose own logs state a rate of requests that is ``RISE`` times what it was, or more."""
    found: dict[ObjectRef, Growth] = {}
    for workload in index.workloads:
        for pod in workload.pods:
            grown = next((one for log in index.logs_of(pod) if (one := _growth(log))), None)
            if grown is not None and workload.ref not in found:
                found[workload.ref] = grown
    return found


def _growth(log: ContainerLog) -> Growth | None:
    """A rise of what one log states: the last third of its readings against the first."""
    if log.previous or not _HINT.search(log.text):
        return None
    rates = sorted(_rates(log), key=lambda rate: rate.at)
    third = len(rates) // 3
    if len(rates) < _LEAST:
        return None
    before, after = (median(rate.value for rate in part) for part in (rates[:third], rates[-third:]))
    if before <= 0 or after < RISE * before:
        return None
    since = next(rate.at for rate in rates if rate.value >= RISE * before)
    last = rates[-1]
    ref = ObjectRef(kind="Pod", namespace=log.namespace, name=log.pod)
    shown = tuple(Evidence.seen("log", ref, log.container, one.line, one.at) for one in (rates[0], last))
    said = f"states {last.value:g} requests a second, after {before:g}"
    return Growth(f"{last.value:g}", said, since, shown)


def _rates(log: ContainerLog) -> Iterator[Rate]:
    for line in log.text[-_TAIL:].splitlines():
        match = _RATE.search(line) if _HINT.search(line) else None
        at = stamp_of(line) if match else None
        if match and at:
            yield Rate(at, float(match[1] or match[2]), line)


def turning_away(index: ClusterIndex) -> dict[ObjectRef, Evidence]:
    """The workloads that turn requests away at present, with the newest line that says so."""
    found: dict[ObjectRef, Evidence] = {}
    for ref, lines in index.once(troubles).items():
        told = [one for one in lines if _TURNED_AWAY.search(one.line.text)]
        if told:
            found[ref] = seen_line(told[-1].line)
    return found


def at_maximum(index: ClusterIndex) -> dict[ObjectRef, KubernetesObject]:
    """The workloads whose autoscaler runs all it may, says that it would run more, and is above its target."""
    found: dict[ObjectRef, KubernetesObject] = {}
    for scaler in index.of_kind("HorizontalPodAutoscaler"):
        limited = condition(scaler, "ScalingLimited")
        full = limited.get("status") == "True" and text(limited, "reason") == "TooManyReplicas"
        most = number(scaler, "spec", "maxReplicas")
        enough = most is not None and (number(scaler, "status", "currentReplicas") or 0) >= most
        if full and enough and _above_target(scaler):
            target = mapping(scaler, "spec", "scaleTargetRef")
            namespace = ObjectRef.of(scaler).namespace
            found[ObjectRef(kind=text(target, "kind"), namespace=namespace, name=text(target, "name"))] = scaler
    return found


def _above_target(scaler: KubernetesObject) -> bool:
    wanted, present = mappings(scaler, "spec", "metrics"), mappings(scaler, "status", "currentMetrics")
    return any(_share(now, goal) > 1.1 for now, goal in zip(present, wanted, strict=False))


def _share(now: dict[str, object], goal: dict[str, object]) -> float:
    """A present metric against its target, by utilisation or by an amount (a rate of requests, a queue's length)."""
    for source in ("resource", "containerResource", "pods", "object", "external"):
        for unit in ("averageUtilization", "averageValue", "value"):
            present, wanted = number(now, source, "current", unit), number(goal, source, "target", unit)
            if present is not None and wanted:
                return present / wanted
    return 0.0


def pressed(index: ClusterIndex) -> dict[ObjectRef, Growth]:
    """The workloads that their autoscaler lately grew to the maximum, although nothing of them changed before."""
    found: dict[ObjectRef, Growth] = {}
    for ref, scaler in index.once(at_maximum).items():
        scaled = when(dig(scaler, "status", "lastScaleTime"))
        if scaled is None or index.now - scaled > _QUIET or _was_changed(index, ref, scaled) or _was_cut(index, scaler):
            continue
        shown = (seen_in(scaler, "spec.maxReplicas"), seen_in(scaler, "status.currentMetrics"))
        most = text(scaler, "spec", "maxReplicas")
        said = f"has grown to the {most} replicas that its autoscaler may start, without any change of its own"
        found[ref] = Growth(most, said, scaled, shown)
    return found


def _was_changed(index: ClusterIndex, ref: ObjectRef, before: datetime) -> bool:
    made = (when(dig(one, "metadata", "creationTimestamp")) for one in index.once(replica_sets).get(ref, ()))
    return any(at is not None and before - _QUIET <= at for at in made)


def _was_cut(index: ClusterIndex, scaler: KubernetesObject) -> bool:
    """Whether the autoscaler took pods away because its own maximum was lowered."""
    return any("above Spec.MaxReplicas" in event.message for event in index.events_of(ObjectRef.of(scaler)))

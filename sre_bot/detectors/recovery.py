"""Calm: workloads that are well, and workloads that were not and are well again."""

from collections.abc import Iterator
from datetime import timedelta

from sre_bot.detectors.aftermath import REMEMBERED, aftermath
from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import condition, dig, when
from sre_bot.detectors.index import ClusterIndex, Workload, revision
from sre_bot.detectors.pods import Pod
from sre_bot.detectors.revisions import replica_sets
from sre_bot.detectors.sightings import seen_end, seen_event, seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_NODE_TROUBLE = (
    "NodeNotReady",
    "NodeHasDiskPressure",
    "NodeHasInsufficientMemory",
    "SystemOOM",
    "Rebooted",
    "EvictionThresholdMet",
)
_SLACK = timedelta(minutes=1)
_WAIT = timedelta(minutes=2)
"""How long a new pod may wait for a node, a volume or an image: that is no trouble yet."""


def assess(index: ClusterIndex) -> Iterator[Finding]:
    """Judge each workload whose wanted pods are all ready, and each node that was lost and came back.

    The findings are of kind ``healthy`` or ``recovered``.
    """
    for node in index.of_kind("Node"):
        yield from _returned(index, node)
    for workload in index.workloads:
        if workload.pods and all(pod.ready or pod.ended for pod in workload.pods) and not _fails(index, workload):
            yield _finding(workload, tuple(_past(index, workload)))


def _returned(index: ClusterIndex, node: KubernetesObject) -> Iterator[Finding]:
    """A node that is ready, and of which an event tells that it was not."""
    ref, ready = ObjectRef.of(node), condition(node, "Ready")
    lost = [event for event in index.events_of(ref) if event.reason in _NODE_TROUBLE]
    if ready.get("status") == "True" and lost:
        since = when(ready.get("lastTransitionTime"))
        yield Finding(
            kind=FaultKind.RECOVERED,
            object=ref,
            field="",
            observed="True",
            expected="True",
            message=f"Node {ref.name} was lost and is ready again.",
            directness="stated",
            evidence=(
                *(seen_event(event) for event in lost[-2:]),
                seen_field(ref, "status.conditions[Ready].status", "True", since),
            ),
            since=since,
        )


def _fails(index: ClusterIndex, workload: Workload) -> bool:
    return any(container.fails(index.now) for pod in workload.pods for container in pod.containers)


def _past(index: ClusterIndex, workload: Workload) -> Iterator[Evidence]:
    """Traces of a trouble that is over: ended runs of containers that run well now, warnings that are older than calm.

    What is older than ``REMEMBERED`` is history; a probe that failed before a new pod was first ready is its start.
    """
    for pod in workload.pods:
        for container in pod.containers:
            ended = container.ended_at
            if container.recovered(index.now) and ended and index.now - ended <= REMEMBERED:
                yield seen_end(container)
        warnings = (event for event in index.events_of(pod.ref) if event.warning and _told_of_trouble(pod, event))
        yield from (seen_event(event) for event in list(warnings)[-3:])
    yield from aftermath(index, workload)
    yield from _rolled_back(index, workload)
    for pod in index.pods_by_workload.get(workload.ref, ()):
        if not pod.current:
            warnings = [event for event in index.events_of(pod.ref) if event.warning and event.reason != "Unhealthy"]
            yield from (seen_event(event) for event in warnings[-3:])


def _told_of_trouble(pod: Pod, event: Event) -> bool:
    """Whether a warning is of a trouble before the pod was ready: no probe of a starting program, no short wait."""
    if event.at is None or pod.ready_since is None or event.at > pod.ready_since + _SLACK:
        return False
    if event.reason == "Unhealthy":
        return _restarted(pod)
    return pod.created is None or pod.ready_since - pod.created > _WAIT or _restarted(pod)


def _rolled_back(index: ClusterIndex, workload: Workload) -> Iterator[Evidence]:
    """A revision of the last day that gave way to an older template: a rollback renews the old ReplicaSet's number.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-back-a-deployment
    """
    sets = index.once(replica_sets).get(workload.ref, ())
    newest = max(sets, key=revision, default=None)
    for one in sets:
        made, kept = (when(dig(thing, "metadata", "creationTimestamp")) for thing in (one, newest))
        if made and kept and kept < made and index.now - made <= REMEMBERED and dig(one, "spec", "replicas") == 0:
            yield seen_field(ObjectRef.of(one), "spec.replicas", 0, made)


def _restarted(pod: Pod) -> bool:
    return any(container.restarts for container in pod.containers)


def _finding(workload: Workload, past: tuple[Evidence, ...]) -> Finding:
    kind = FaultKind.RECOVERED if past else FaultKind.HEALTHY
    ready = [pod for pod in workload.pods if pod.ready]
    shown = [
        seen_field(
            pod.ref,
            "status.conditions[Ready].status",
            "True",
            when(condition(pod.thing, "Ready").get("lastTransitionTime")),
        )
        for pod in ready[:2]
    ]
    said = f"{workload.ref.name} failed before and has been well since." if past else f"{workload.ref.name} is well."
    return Finding(
        kind=kind,
        object=workload.ref,
        field="",
        observed="True",
        expected="True",
        message=said,
        directness="stated",
        evidence=(*past[:3], *shown),
        since=max((pod.ready_since for pod in ready if pod.ready_since), default=None),
    )

"""Pods that no node takes: the scheduler's own words, read against the nodes and the pod's demands.

The reasons are those of the scheduler's filter plugins, summed per node in the PodScheduled condition and in
FailedScheduling events (https://kubernetes.io/docs/concepts/scheduling-eviction/). One node may give several reasons;
which of them can be removed in the manifest is told by the nodes' labels, taints and allocatable. Nodes of a pool that
is tainted for others are no candidates while there are ordinary ones; of these, one that is cordoned or lost and has
room is the cause, and not the want of room on the others.
"""

import re
from collections.abc import Iterator, Sequence

from sre_bot.detectors.fields import condition, dig, mapping, mappings, quantity, text, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.placement import (
    between_pods,
    cordoned,
    fits,
    foreign_taints,
    host_port,
    insufficient,
    kept_away,
    selector_or_affinity,
    untolerated,
    untolerated_key,
    volume_elsewhere,
)
from sre_bot.detectors.pods import Pod
from sre_bot.detectors.sightings import seen_event, seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_CPU, _MEMORY = "Insufficient cpu", "Insufficient memory"
_EXTENDED = re.compile(r"Insufficient (?!cpu|memory)([\w.-]*\w(?:/[\w.-]*\w)?)")
_CROWDED = "Too many pods"
_AFFINITY = "didn't match Pod's node affinity/selector"
_BETWEEN_PODS = re.compile(
    r"didn't match pod (?:affinity rules|anti-affinity rules|topology spread constraints)"
    r"|didn't satisfy existing pods anti-affinity"
)
_TAINT = re.compile(r"had (?:untolerated )?taint")
_TAINT_KEY = re.compile(r"taint \{([\w./-]+): ?([^}]*)\}")
_CORDONED = "were unschedulable"
_OTHERWISE = re.compile(r"Insufficient|didn't (?!tolerate)|were unschedulable|Too many pods|conflict")
"""Any reason but a taint."""
_VOLUME = re.compile(r"had volume node affinity conflict|didn't match PersistentVolume's node affinity")
_PORTS = "didn't have free ports"
_SCHEDULER = re.compile(r"nodes are available|no nodes available")
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every pod that has no node."""
    for pod in index.current_pods:
        if pod.node or pod.ended or text(pod.thing, "status", "phase") not in ("Pending", ""):
            continue
        said, evidence = _said(index, pod)
        if said:
            yield from _refused(index, pod, said.split("preemption:")[0], evidence)


def _said(index: ClusterIndex, pod: Pod) -> tuple[str, tuple[Evidence, ...]]:
    """The newest refusal: the condition's message is never cut, the event's is; autoscalers use the same reason."""
    scheduled = condition(pod.thing, "PodScheduled")
    told = [event for event in index.events_of(pod.ref) if event.reason == "FailedScheduling"]
    events = [event for event in told if _SCHEDULER.search(event.message)] or told
    evidence = tuple(seen_event(event) for event in events[-1:])
    if scheduled.get("status") == "False" and text(scheduled, "message"):
        at = when(scheduled.get("lastTransitionTime"))
        message = text(scheduled, "message")
        field = seen_field(pod.ref, "status.conditions[PodScheduled].message", message, at)
        return message, (Evidence.seen("object", pod.ref, field.locator, message, at), *evidence)
    return (events[-1].message, evidence) if events else ("", ())


def _refused(index: ClusterIndex, pod: Pod, said: str, evidence: tuple[Evidence, ...]) -> Iterator[Finding]:
    nodes = index.of_kind("Node")
    fitting = [node for node in nodes if fits(pod, node)]
    if _AFFINITY in said and (not nodes or not fitting):
        yield from selector_or_affinity(pod, nodes, evidence)
        return
    ordinary = _ordinary(pod, fitting or list(nodes))
    free = [node for node in ordinary if not foreign_taints(pod, node)]
    if _TAINT.search(said) and (not free or not _OTHERWISE.search(said)):
        yield from untolerated(pod, ordinary, evidence) if nodes else _told_taints(pod, said, evidence)
        if nodes:
            return
    closed = [node for node in free if dig(node, "spec", "unschedulable") is True]
    with_room = [node for node in closed if _has_room(index, pod, node)]
    if _CORDONED in said and (with_room or (closed and len(closed) == len(free))):
        yield from cordoned(pod, with_room or closed, evidence)
        return
    if not any(_is_lost(node) and _has_room(index, pod, node) for node in free):
        yield from _no_room(pod, free or ordinary, said, evidence)
    yield from _rules(index, pod, said, evidence)


def _no_room(
    pod: Pod, nodes: Sequence[KubernetesObject], said: str, evidence: tuple[Evidence, ...]
) -> Iterator[Finding]:
    if _CPU in said:
        yield insufficient(pod, nodes, FaultKind.INSUFFICIENT_CPU, "cpu", evidence)
    if _MEMORY in said:
        yield insufficient(pod, nodes, FaultKind.INSUFFICIENT_MEMORY, "memory", evidence)
    if extended := _EXTENDED.search(said):
        yield insufficient(pod, nodes, FaultKind.INSUFFICIENT_CPU, extended[1], evidence)
    if _CROWDED in said:
        yield insufficient(pod, nodes, FaultKind.INSUFFICIENT_CPU, "pods", evidence)


def _rules(index: ClusterIndex, pod: Pod, said: str, evidence: tuple[Evidence, ...]) -> Iterator[Finding]:
    if between := _BETWEEN_PODS.search(said):
        others = kept_away(index, pod, between[0], evidence) if "existing pods" in between[0] else None
        yield others or between_pods(pod, between[0], evidence)
    if _PORTS in said:
        yield host_port(pod, evidence)
    if volume := _VOLUME.search(said):
        yield volume_elsewhere(pod, volume[0], evidence)


def _told_taints(pod: Pod, said: str, evidence: tuple[Evidence, ...]) -> Iterator[Finding]:
    told = [(match[1], match[2]) for match in _TAINT_KEY.finditer(said)]
    own = [pair for pair in told if not pair[0].startswith("node.kubernetes.io/")]
    if _OTHERWISE.search(said):
        return
    for key, value in [pair for pair in own if pair[0] not in _CONTROL_PLANE] or own:
        yield untolerated_key(pod, key, value, evidence)


def _ordinary(pod: Pod, nodes: list[KubernetesObject]) -> list[KubernetesObject]:
    """The nodes without those of the control plane, where there are others."""
    return [
        node for node in nodes if not any(text(t, "key") in _CONTROL_PLANE for t in foreign_taints(pod, node))
    ] or nodes


def _is_lost(node: KubernetesObject) -> bool:
    return condition(node, "Ready").get("status") in ("False", "Unknown")


def _has_room(index: ClusterIndex, pod: Pod, node: KubernetesObject) -> bool:
    """Whether a node could hold what the pod asks for, beside the pods that are known to be there."""
    taken = index.once(_requested).get(ObjectRef.of(node).name, {})
    return all(
        (quantity(dig(node, "status", "allocatable", resource)) or 0.0) - taken.get(resource, 0.0) >= asked
        for resource, asked in requests_of(pod).items()
    )


def requests_of(pod: Pod) -> dict[str, float]:
    """What a pod asks for: the sum over its containers; a limit stands for a request that is not there."""
    total: dict[str, float] = {}
    for container in mappings(pod.spec, "containers"):
        asked = {**mapping(container, "resources", "limits"), **mapping(container, "resources", "requests")}
        for resource, value in asked.items():
            total[str(resource)] = total.get(str(resource), 0.0) + (quantity(value) or 0.0)
    return total


def _requested(index: ClusterIndex) -> dict[str, dict[str, float]]:
    """What the pods of each node have requested."""
    nodes: dict[str, dict[str, float]] = {}
    for pod in index.pods:
        if pod.node and not pod.ended:
            taken = nodes.setdefault(pod.node, {})
            for resource, asked in requests_of(pod).items():
                taken[resource] = taken.get(resource, 0.0) + asked
    return nodes

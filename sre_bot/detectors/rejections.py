"""Pods that a kubelet refuses after they were given to its node: phase Failed, with the reason of the check.

The kubelet repeats the scheduler's filters on arrival; a pod that was bound by hand, by another scheduler or in a race
fails for good, and its controller makes the next one (``OutOfcpu``, ``OutOfmemory``, ``NodeAffinity``, ``NodePorts``,
``UnexpectedAdmissionError``: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename).
"""

import re
from collections.abc import Iterator

from sre_bot.detectors.fields import mapping, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.placement import host_port, insufficient, refusal
from sre_bot.detectors.pods import Pod
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_SHORT = re.compile(r"OutOf([\w./-]+)")
_DEVICES = re.compile(r"devices unavailable for ([\w./-]+\w)")


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge the newest refused pod of every workload that lacks ready pods."""
    for workload in index.workloads:
        refused = [pod for pod in index.pods_by_workload.get(workload.ref, ()) if _is_refused(pod)]
        if refused and not _is_served(index, workload):
            yield from _judge(index, max(refused, key=lambda pod: (str(pod.created), pod.ref.name)))


def _is_refused(pod: Pod) -> bool:
    reason = text(pod.thing, "status", "reason")
    known = reason in ("NodeAffinity", "NodePorts", "UnexpectedAdmissionError") or _SHORT.fullmatch(reason)
    return pod.phase == "Failed" and bool(known)


def _is_served(index: ClusterIndex, workload: Workload) -> bool:
    """Whether the workload has what it wants by now: its refused pods are only traces."""
    if workload.ref.kind == "Pod":
        return False
    well = [pod for pod in workload.pods if pod.ready or pod.phase == "Succeeded"]
    return len(well) >= max(1, workload.replicas)


def _judge(index: ClusterIndex, pod: Pod) -> Iterator[Finding]:
    reason, said = text(pod.thing, "status", "reason"), text(pod.thing, "status", "message")
    evidence = (
        Evidence.seen("object", pod.ref, "status.message", f"{reason}: {said}", pod.created),
        seen_field(pod.workload, "metadata.name", pod.workload.name),
    )
    nodes = [node for node in index.of_kind("Node") if text(node, "metadata", "name") == pod.node]
    if short := _SHORT.fullmatch(reason) or _DEVICES.search(said):
        kind = FaultKind.INSUFFICIENT_MEMORY if short[1] == "memory" else FaultKind.INSUFFICIENT_CPU
        yield insufficient(pod, nodes, kind, short[1], evidence)
    elif reason == "NodePorts":
        yield host_port(pod, evidence)
    elif reason == "NodeAffinity":
        yield _elsewhere(pod, evidence)


def _elsewhere(pod: Pod, evidence: tuple[Evidence, ...]) -> Finding:
    """The node that it was bound to has not, or has no longer, the labels that it asks for."""
    wanted = mapping(pod.spec, "nodeSelector")
    kind = FaultKind.NODE_SELECTOR_MISMATCH if wanted else FaultKind.NODE_AFFINITY_MISMATCH
    field = f"{pod.field}.nodeSelector" if wanted else f"{pod.field}.affinity.nodeAffinity"
    said = f"{pod.workload.name} is bound to node {pod.node}, which does not have the labels that it asks for."
    shown = seen_field(pod.workload, field, wanted or mapping(pod.spec, "affinity", "nodeAffinity"))
    observed = ", ".join(f"{key}: {value}" for key, value in sorted(wanted.items())) or "NodeAffinity"
    return refusal(pod, kind, field, observed, "", said, (*evidence, shown))

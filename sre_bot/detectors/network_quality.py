"""Slow or lossy networks, as measured: of one workload's pods, or of everything on a node.

Lost and repeated packets say so; without them, a workload that got slow although all that it calls is as fast as
before, and that neither works harder nor gets more requests, waits for its network.
"""

from collections import defaultdict
from collections.abc import Iterator

from sre_bot.detectors.change_points import Change
from sre_bot.detectors.fields import mapping
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.load import callees, full_nodes, starving, surging
from sre_bot.detectors.measurements import Signal, measures
from sre_bot.detectors.regressions import follows_a_rollout
from sre_bot.detectors.sightings import seen_field
from sre_bot.detectors.trends import climbs, course, latest, measure, moment, rise, rises, seen_metric
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

_SLOWER = 1.5
_MOST = 0.75
_FEW = 0.25
_BANDWIDTH = ("kubernetes.io/egress-bandwidth", "kubernetes.io/ingress-bandwidth")


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge the nodes first: what all pods of a node suffer is not theirs."""
    if not index.snapshot.metrics:
        return
    nodes = dict(_nodes(index))
    yield from nodes.values()
    for workload in index.workloads:
        homes = {ObjectRef(kind="Node", namespace="", name=pod.node) for pod in workload.pods}
        if not homes & set(nodes):
            yield from _workload(index, workload)


def _nodes(index: ClusterIndex) -> Iterator[tuple[ObjectRef, Finding]]:
    afflicted = dict(_afflicted_pods(index))
    homes: dict[str, list[ObjectRef]] = defaultdict(list)
    for pod in index.current_pods:
        if any(measure(index, pod.ref, signal) for signal in ("loss", "latency")):
            homes[pod.node].append(pod.ref)
    for node in index.of_kind("Node"):
        ref = ObjectRef.of(node)
        here = homes.get(ref.name, [])
        elsewhere = [pod for name, pods in homes.items() if name != ref.name for pod in pods]
        own = rise(index, ref, "loss")
        ill = [pod for pod in here if pod in afflicted]
        many = len(ill) >= max(2, _MOST * len(here))
        few = sum(pod in afflicted for pod in elsewhere) <= _FEW * len(elsewhere)
        if own is not None or (many and elsewhere and few):
            yield ref, _node(index, ref, own, ill, afflicted)


def _node(
    index: ClusterIndex, ref: ObjectRef, own: Change | None, ill: list[ObjectRef], afflicted: dict[ObjectRef, Signal]
) -> Finding:
    sights: dict[ObjectRef, Signal] = {ref: "loss"} if own else {}
    sights |= {pod: afflicted[pod] for pod in ill[:4]}
    shown = [
        (seen_metric(found, f"it went {course(one)}", one.at), one.at, latest(found))
        for who, signal in sights.items()
        if (found := measure(index, who, signal)) and (one := rise(index, who, signal))
    ]
    hurt = {pod.workload for pod in index.current_pods if pod.node == ref.name}
    return Finding(
        kind=FaultKind.NODE_NETWORK_DEGRADED,
        object=ref,
        field="",
        observed=shown[0][2],
        expected="",
        message=f"The network of node {ref.name} loses or delays packets of all its pods.",
        directness="inferred",
        evidence=tuple(evidence for evidence, _, _ in shown),
        since=moment(min(at for _, at, _ in shown)),
        hurts=tuple(sorted(hurt, key=str)),
    )


def _afflicted_pods(index: ClusterIndex) -> Iterator[tuple[ObjectRef, Signal]]:
    for pod in index.current_pods:
        if rise(index, pod.ref, "loss") is not None:
            yield pod.ref, "loss"
        elif rise(index, pod.ref, "latency") is not None and _waits_for_the_network(index, pod.workload):
            yield pod.ref, "latency"


def _workload(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    ref = workload.ref
    lost, measured = rise(index, ref, "loss"), measure(index, ref, "loss")
    if lost is not None and measured is not None:
        yield _finding(index, ref, "loss", lost, "loses or repeats packets")
        return
    slower = rise(index, ref, "latency")
    if slower is None or follows_a_rollout(index, workload, moment(slower.at)):
        return
    if slower.ratio >= _SLOWER and _waits_for_the_network(index, ref):
        yield _finding(index, ref, "latency", slower, "got slow by itself")


def _waits_for_the_network(index: ClusterIndex, ref: ObjectRef) -> bool:
    workload = index.workload_by_ref.get(ref)
    if workload is not None and (ref in index.once(starving) or _on_a_full_node(index, workload)):
        return False
    busy = any((ref, signal) in index.once(rises) for signal in ("cpu", "throttling", "memory", "errors"))
    called = _reachable(index, ref)
    slower_below = any((one, "latency") in index.once(rises) for one in called)
    return not (busy or slower_below or ref in index.once(surging) or ref in index.once(climbs))


def _on_a_full_node(index: ClusterIndex, workload: Workload) -> bool:
    full = {node.name for node in index.once(full_nodes)}
    return any(pod.node in full for pod in workload.pods)


def _reachable(index: ClusterIndex, ref: ObjectRef) -> set[ObjectRef]:
    reached, front = set[ObjectRef](), [ref]
    while front:
        fresh = index.once(callees).get(front.pop(), frozenset()) - reached - {ref}
        reached |= fresh
        front += fresh
    return reached


def _finding(index: ClusterIndex, ref: ObjectRef, signal: Signal, one: Change, said: str) -> Finding:
    measured, (field, limit) = index.once(measures)[(ref, signal)], _shaped(index.workload_by_ref[ref])
    return Finding(
        kind=FaultKind.NETWORK_DELAY,
        object=ref,
        field=field,
        observed=limit or latest(measured),
        expected="",
        message=f"{ref.name} {said} since {moment(one.at):%H:%M}: it went {course(one)}.",
        directness="inferred",
        evidence=(
            seen_metric(measured, f"it went {course(one)}", one.at),
            *([seen_field(ref, field, limit)] if field else ()),
        ),
        since=moment(one.at),
    )


def _shaped(workload: Workload) -> tuple[str, str]:
    """The annotation that limits a pod's bandwidth, and its value; empty where there is none.

    https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/network-plugins/#support-traffic-shaping
    """
    path = workload.field.rpartition(".spec")[0]
    found = mapping(workload.thing, *(path.split(".") if path else ()), "metadata", "annotations")
    name = next((key for key in sorted(found) if key in _BANDWIDTH), "")
    return (f'{path}.metadata.annotations["{name}"]', str(found[name])) if name else ("", "")

"""Nodes that are not ready, and the components that run the cluster.

Conditions and their reasons: https://kubernetes.io/docs/reference/node/node-status/. A kubelet that is gone leaves
all conditions Unknown; a runtime that is gone is named in the Ready condition's message. Nothing but pending pods
tells of a missing scheduler.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import condition, labels_of, mapping, mappings, number, text, when
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.pods import Pod
from sre_bot.detectors.selectors import matches_labels, tolerates
from sre_bot.detectors.sightings import seen_event, seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_RUNTIME = re.compile(
    r"container runtime is down|(?:containerd|crio|cri-dockerd|docker)\.sock"
    r"|runtime service .{0,500}(?:unavailable|failed)|RuntimeReady=false",
    re.IGNORECASE,
)
_KUBELET = re.compile(
    r"Kubelet stopped posting node status|Kubelet never posted node status|NodeStatus(?:Unknown|Never)"
)
_NETWORK = re.compile(
    r"network for sandbox|network sandbox|plugin type=|cni|failed to allocate for range|no IP addresses available",
    re.IGNORECASE,
)
_PRESSURES = {
    "DiskPressure": FaultKind.NODE_NOT_READY,
    "MemoryPressure": FaultKind.NODE_NOT_READY,
    "PIDPressure": FaultKind.NODE_NOT_READY,
    "NetworkUnavailable": FaultKind.NODE_NOT_READY,
    "KernelDeadlock": FaultKind.NODE_NOT_READY,
    "ReadonlyFilesystem": FaultKind.NODE_NOT_READY,
    "ContainerRuntimeUnhealthy": FaultKind.CONTAINER_RUNTIME_DOWN,
    "KubeletUnhealthy": FaultKind.KUBELET_DOWN,
}
"""Conditions of a ready node that are true in trouble: the kubelet's own, and node-problem-detector's."""
_WITHOUT_PROXY = (
    ("kubernetes.io/os", "windows"),
    ("type", "virtual-kubelet"),
    ("eks.amazonaws.com/compute-type", "fargate"),
)
"""Labels of nodes on which nobody runs the usual proxy."""
_TROUBLED = re.compile(r"taint \{node\.kubernetes\.io/(?!unschedulable)|untolerated taint\(s\)")
_UNSEEN = timedelta(minutes=2)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every node, then the proxies on them, then whether anybody schedules."""
    for node in index.of_kind("Node"):
        yield from _node(index, node)
    yield from _sandboxes(index)
    yield from _proxies(index)
    yield from _scheduler(index)


def _node(index: ClusterIndex, node: KubernetesObject) -> Iterator[Finding]:
    ready = condition(node, "Ready")
    if not ready:
        return
    if ready.get("status") != "True":
        yield _not_ready(index, node)
        return
    for kind, fault in _PRESSURES.items():
        entry = condition(node, kind)
        if entry.get("status") == "True":
            yield _finding(index, node, fault, kind, f"has {kind}: {text(entry, 'message')}", entry)


def _not_ready(index: ClusterIndex, node: KubernetesObject) -> Finding:
    ready = condition(node, "Ready")
    said = text(ready, "message")
    kind = FaultKind.NODE_NOT_READY
    if _RUNTIME.search(said):
        kind = FaultKind.CONTAINER_RUNTIME_DOWN
    elif _KUBELET.search(f"{said} {text(ready, 'reason')}"):
        kind = FaultKind.KUBELET_DOWN
    return _finding(index, node, kind, text(ready, "reason"), f"is not ready: {said}", ready)


def _finding(
    index: ClusterIndex, node: KubernetesObject, kind: FaultKind, observed: str, said: str, entry: dict[str, object]
) -> Finding:
    ref = ObjectRef.of(node)
    events: list[Event] = [
        event for event in index.events_of(ref) if event.warning or event.reason.startswith("NodeNot")
    ]
    shown = "\n".join(f"{key}: {text(entry, key)}" for key in ("message", "reason", "status", "type"))
    return Finding(
        kind=kind,
        object=ref,
        field=f"status.conditions[{text(entry, 'type')}]",
        observed=observed,
        expected="",
        message=f"Node {ref.name} {said}.",
        directness="stated",
        evidence=(
            Evidence.seen("object", ref, f"status.conditions[{text(entry, 'type')}]", shown),
            *(seen_event(e) for e in events[-2:]),
        ),
        since=when(entry.get("lastTransitionTime")),
        hurts=tuple(sorted({pod.workload for pod in index.current_pods if _suffers(pod, ref.name)}, key=str)),
    )


def _suffers(pod: Pod, node: str) -> bool:
    """Whether a pod runs on a node, or finds no place because nodes are in trouble."""
    waits = not pod.node and _TROUBLED.search(text(condition(pod.thing, "PodScheduled"), "message"))
    return pod.node == node or bool(waits)


def _sandboxes(index: ClusterIndex) -> Iterator[Finding]:
    """Pods whose network cannot be set up, told by the kubelet while the node still calls itself ready."""
    for pod in index.current_pods:
        told = [event for event in index.events_of(pod.ref) if event.reason == "FailedCreatePodSandBox"]
        if told and pod.node and not pod.ready and _NETWORK.search(told[-1].message):
            ref = ObjectRef(kind="Node", namespace="", name=pod.node)
            shown = Evidence.seen("object", ref, "metadata.name", pod.node)
            yield Finding(
                kind=FaultKind.NODE_NOT_READY,
                object=ref,
                field="",
                observed=pod.node,
                expected="",
                message=f"Node {pod.node} cannot set up the network of new pods: {told[-1].message[:160]}",
                directness="stated",
                evidence=(seen_event(told[-1]), shown),
                since=told[0].first,
                hurts=(pod.workload,),
            )


def _proxies(index: ClusterIndex) -> Iterator[Finding]:
    """Without its proxy a node's pods reach no new Service: the proxy's pod there is not ready, or is not there."""
    for workload in index.workloads:
        if workload.ref.kind not in ("DaemonSet", "Pod") or not _runs(workload, "kube-proxy"):
            continue
        name = seen_field(workload.ref, "metadata.name", workload.ref.name)
        for pod in workload.pods:
            if not pod.ready and _is_ready(index, pod.node):
                said = f"The proxy of node {pod.node} is not ready"
                shown = (seen_field(pod.ref, "status.phase", pod.phase), name)
                yield _component(FaultKind.KUBE_PROXY_DOWN, workload.ref, said, shown, pod.phase)
        missing = _unproxied(index, workload) if workload.ref.kind == "DaemonSet" else []
        if missing:
            said = f"No proxy runs on {', '.join(missing[:3])}"
            nodes = (ObjectRef(kind="Node", namespace="", name=one) for one in missing[:3])
            shown = (name, *(seen_field(ref, "metadata.name", ref.name) for ref in nodes))
            yield _component(FaultKind.KUBE_PROXY_DOWN, workload.ref, said, shown, missing[0])


def _unproxied(index: ClusterIndex, workload: Workload) -> list[str]:
    """The ready nodes that should have a pod of the proxy and have none; none where its status tells that all have."""
    able = [node for node in index.of_kind("Node") if _may_have_proxy(workload, node) and _is_ready(index, _name(node))]
    wanted = number(workload.thing, "status", "desiredNumberScheduled")
    if wanted == 0:
        return [_name(node) for node in able]
    there = {pod.node for pod in index.pods_by_workload.get(workload.ref, ())}
    ready = number(workload.thing, "status", "numberReady")
    if not there or (ready is not None and ready >= len(able)):
        return []
    chosen = mapping(workload.spec, "nodeSelector")
    return [_name(node) for node in able if _name(node) not in there and matches_labels(chosen, labels_of(node))]


def _may_have_proxy(workload: Workload, node: KubernetesObject) -> bool:
    labels, tolerations = labels_of(node), mappings(workload.spec, "tolerations")
    barred = any(
        text(taint, "effect") in ("NoSchedule", "NoExecute") and not tolerates(tolerations, taint)
        for taint in mappings(node, "spec", "taints")
    )
    return not barred and not any(labels.get(key) == value for key, value in _WITHOUT_PROXY)


def _name(node: KubernetesObject) -> str:
    return text(node, "metadata", "name")


def _is_ready(index: ClusterIndex, name: str) -> bool:
    """Whether a node that is known is ready: on one that is not, everything is unready."""
    node = index.get("Node", "", name)
    return node is not None and condition(node, "Ready").get("status") == "True"


def _runs(workload: Workload, program: str) -> bool:
    return any(
        program in text(container, "image").rsplit("/", 1)[-1]
        or program in " ".join(map(str, container.get("command") or ()))
        for container in mappings(workload.spec, "containers")
    )


def _scheduler(index: ClusterIndex) -> Iterator[Finding]:
    """Pods that wait without a node, without a PodScheduled condition and without a word from any scheduler."""
    waiting = [
        pod
        for pod in index.current_pods
        if not pod.node
        and pod.phase == "Pending"
        and not condition(pod.thing, "PodScheduled")
        and pod.created
        and index.now - pod.created > _UNSEEN
        and not index.events_of(pod.ref)
    ]
    strangers = [pod for pod in waiting if text(pod.spec, "schedulerName") not in ("", "default-scheduler")]
    for pod in strangers:
        field = f"{pod.field}.schedulerName"
        name = text(pod.spec, "schedulerName")
        own = next((one for one in index.workloads if one.ref.name == name and not one.ready), None)
        seen = (seen_field(pod.workload, field, name), *((seen_field(own.ref, "metadata.name", name),) if own else ()))
        said = f"{pod.workload.name} waits for a scheduler named {name}, and none has answered"
        finding = _component(
            FaultKind.SCHEDULER_DOWN, own.ref if own else pod.workload, said, seen, name, "" if own else field
        )
        yield finding.model_copy(update={"hurts": (pod.workload,) if own else ()})
    ordinary = [pod for pod in waiting if pod not in strangers]
    if not ordinary:
        return
    dead = [
        one
        for one in index.workloads
        if _runs(one, "kube-scheduler") and not (one.pods and all(pod.ready for pod in one.pods))
    ]
    ref = dead[0].ref if dead else _lease(index) or ordinary[0].workload
    shown = (seen_field(ordinary[0].ref, "status.phase", "Pending"), seen_field(ref, "metadata.name", ref.name))
    said = "No scheduler answers: pods wait without a node and without a word"
    yield _component(FaultKind.SCHEDULER_DOWN, ref, said, shown, "Pending")


def _lease(index: ClusterIndex) -> ObjectRef | None:
    """The lease that the scheduler renews while it lives; it stands for the scheduler where its pods are hidden."""
    leases = [ObjectRef.of(lease) for lease in index.of_kind("Lease")]
    return next((ref for ref in leases if ref.name == "kube-scheduler"), None)


def _component(
    kind: FaultKind, ref: ObjectRef, message: str, shown: tuple[Evidence, ...], observed: str, field: str = ""
) -> Finding:
    return Finding(
        kind=kind,
        object=ref,
        field=field,
        observed=observed,
        expected="",
        message=f"{message}.",
        directness="inferred",
        evidence=shown,
        since=None,
    )

"""Pods that no node takes: the scheduler's own words, read against the nodes and the pod's demands.

The reasons are those of the scheduler's filter plugins, summed per node in the PodScheduled condition and in
FailedScheduling events (https://kubernetes.io/docs/concepts/scheduling-eviction/). One node may give several reasons;
which of them can be removed in the manifest is told by the nodes' labels, taints and allocatable.
"""

import re
from collections.abc import Iterator
from typing import Any

from sre_bot.detectors.fields import condition, dig, labels_of, mapping, mappings, quantity, step, text, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.pods import Pod
from sre_bot.detectors.selectors import fits_node_terms, matches_labels, tolerates
from sre_bot.detectors.sightings import seen_event, seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_CPU, _MEMORY = "Insufficient cpu", "Insufficient memory"
_EXTENDED = re.compile(r"Insufficient (?!cpu|memory)([\w.-]+(?:/[\w.-]+)?)")
_AFFINITY = "didn't match Pod's node affinity/selector"
_BETWEEN_PODS = re.compile(
    r"didn't match pod (?:affinity rules|anti-affinity rules|topology spread constraints)"
    r"|didn't satisfy existing pods anti-affinity"
)
_TAINT = "had untolerated taint"
_CORDONED = "were unschedulable"
_VOLUME = re.compile(r"had volume node affinity conflict|didn't match PersistentVolume's node affinity")
_PORTS = "didn't have free ports"


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every pod that has no node."""
    for pod in index.current_pods:
        if pod.node or pod.ended or text(pod.thing, "status", "phase") not in ("Pending", ""):
            continue
        said, evidence = _said(index, pod)
        if said:
            yield from _refused(index, pod, said.split("preemption:")[0], evidence)


def _said(index: ClusterIndex, pod: Pod) -> tuple[str, tuple[Evidence, ...]]:
    """The newest refusal: the condition's message is never cut, the event's is."""
    scheduled = condition(pod.thing, "PodScheduled")
    events = [event for event in index.events_of(pod.ref) if event.reason == "FailedScheduling"]
    evidence = tuple(seen_event(event) for event in events[-1:])
    if scheduled.get("status") == "False" and text(scheduled, "message"):
        at = when(scheduled.get("lastTransitionTime"))
        message = text(scheduled, "message")
        field = seen_field(pod.ref, "status.conditions[PodScheduled].message", message, at)
        return message, (Evidence.seen("object", pod.ref, field.locator, message, at), *evidence)
    return (events[-1].message, evidence) if events else ("", ())


def _refused(index: ClusterIndex, pod: Pod, said: str, evidence: tuple[Evidence, ...]) -> Iterator[Finding]:
    nodes = index.of_kind("Node")
    fitting = [node for node in nodes if _fits(pod, node)]
    if _AFFINITY in said and (not nodes or not fitting):
        yield from _selector_or_affinity(pod, nodes, evidence)
        return
    usable = fitting or list(nodes)
    if _TAINT in said:
        yield from _taint(pod, usable, evidence)
    if _CORDONED in said:
        yield from _cordoned(pod, usable, evidence)
    for needle, kind, resource in (
        (_CPU, FaultKind.INSUFFICIENT_CPU, "cpu"),
        (_MEMORY, FaultKind.INSUFFICIENT_MEMORY, "memory"),
    ):
        if needle in said:
            yield _insufficient(pod, usable, kind, resource, evidence)
    if extended := _EXTENDED.search(said):
        yield _insufficient(pod, usable, FaultKind.INSUFFICIENT_CPU, extended[1], evidence)
    if between := _BETWEEN_PODS.search(said):
        yield _between_pods(pod, between[0], evidence)
    if _PORTS in said:
        yield _host_port(pod, evidence)
    if volume := _VOLUME.search(said):
        yield _volume_elsewhere(pod, volume[0], evidence)


def _fits(pod: Pod, node: KubernetesObject) -> bool:
    """Whether a node has the labels that the pod asks for (``nodeSelector`` and required node affinity, both)."""
    labels = labels_of(node)
    terms = _required_terms(pod.spec)
    return matches_labels(mapping(pod.spec, "nodeSelector"), labels) and (
        not terms or fits_node_terms(terms, node, labels)
    )


def _required_terms(spec: dict[str, Any]) -> list[dict[str, Any]]:
    required = mapping(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    return mappings(required, "nodeSelectorTerms")


def _finding(
    pod: Pod,
    kind: FaultKind,
    field: str,
    observed: str,
    expected: str,
    message: str,
    evidence: tuple[Evidence, ...],
    ref: ObjectRef | None = None,
) -> Finding:
    return Finding(
        kind=kind,
        object=ref or pod.workload,
        field=field,
        observed=observed,
        expected=expected,
        message=message,
        directness="stated",
        evidence=evidence,
        since=pod.created,
        hurts=() if ref is None else (pod.workload,),
    )


def _selector_or_affinity(
    pod: Pod, nodes: tuple[KubernetesObject, ...], evidence: tuple[Evidence, ...]
) -> Iterator[Finding]:
    """The scheduler says "node affinity/selector" for both; the nodes' labels tell which of the two fits none."""
    wanted = mapping(pod.spec, "nodeSelector")
    if wanted and not any(matches_labels(wanted, labels_of(node)) for node in nodes):
        yield _node_selector(pod, wanted, nodes, evidence)
    terms = _required_terms(pod.spec)
    if terms and not any(fits_node_terms(terms, node, labels_of(node)) for node in nodes):
        yield _node_affinity(pod, terms, evidence)


def _node_selector(
    pod: Pod, wanted: dict[str, Any], nodes: tuple[KubernetesObject, ...], evidence: tuple[Evidence, ...]
) -> Finding:
    alone = [
        key for key, value in sorted(wanted.items()) if not any(labels_of(n).get(key) == str(value) for n in nodes)
    ]
    keys = alone or sorted(wanted)
    field = f"{pod.field}.nodeSelector"
    shown = {key: str(wanted[key]) for key in keys}
    seen = (*evidence, seen_field(pod.workload, field, wanted))
    known = {key: sorted({labels_of(node)[key] for node in nodes if key in labels_of(node)}) for key in keys}
    single = len(keys) == 1
    return _finding(
        pod,
        FaultKind.NODE_SELECTOR_MISMATCH,
        step(field, keys[0]) if single else field,
        shown[keys[0]] if single else ", ".join(f"{key}: {value}" for key, value in shown.items()),
        known[keys[0]][0] if single and len(known[keys[0]]) == 1 else "",
        f"No node has the labels that {pod.workload.name} asks for in nodeSelector: "
        + ", ".join(f"{key}={value}" for key, value in shown.items())
        + ".",
        seen,
    )


def _node_affinity(pod: Pod, terms: list[dict[str, Any]], evidence: tuple[Evidence, ...]) -> Finding:
    field = f"{pod.field}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    asked = [
        f"{text(entry, 'key')} {text(entry, 'operator')} {', '.join(map(str, entry.get('values') or ()))}".strip()
        for term in terms
        for entry in mappings(term, "matchExpressions")
    ]
    first = next((text(entry, "values", 0) for term in terms for entry in mappings(term, "matchExpressions")), "")
    return _finding(
        pod,
        FaultKind.NODE_AFFINITY_MISMATCH,
        field,
        first,
        "",
        f"No node satisfies the required node affinity of {pod.workload.name}: {'; '.join(asked)}.",
        (*evidence, seen_field(pod.workload, field, terms)),
    )


def _taint(pod: Pod, nodes: list[KubernetesObject], evidence: tuple[Evidence, ...]) -> Iterator[Finding]:
    """Taints with NoSchedule or NoExecute that the pod does not tolerate; a cordon's own taint is a cordon."""
    for node in nodes:
        for taint in mappings(node, "spec", "taints"):
            key = text(taint, "key")
            if text(taint, "effect") == "PreferNoSchedule" or key.startswith("node.kubernetes.io/"):
                continue
            if key.startswith("node-role.kubernetes.io/") and len(nodes) > 1:
                continue
            if not tolerates(mappings(pod.spec, "tolerations"), taint):
                yield _finding(
                    pod,
                    FaultKind.TAINT_NOT_TOLERATED,
                    f"{pod.field}.tolerations",
                    key,
                    _toleration(taint),
                    f"{pod.workload.name} does not tolerate the taint {key} of node {text(node, 'metadata', 'name')}.",
                    (*evidence, seen_field(ObjectRef.of(node), "spec.taints", mappings(node, "spec", "taints"))),
                )


def _toleration(taint: dict[str, Any]) -> str:
    value = text(taint, "value")
    return f"{text(taint, 'key')}{f'={value}' if value else ''}:{text(taint, 'effect')}"


def _cordoned(pod: Pod, nodes: list[KubernetesObject], evidence: tuple[Evidence, ...]) -> Iterator[Finding]:
    """``kubectl cordon`` sets ``spec.unschedulable``."""
    for node in nodes:
        if dig(node, "spec", "unschedulable") is True:
            ref = ObjectRef.of(node)
            yield _finding(
                pod,
                FaultKind.NODE_CORDONED,
                "spec.unschedulable",
                "true",
                "false",
                f"Node {ref.name} is cordoned, and {pod.workload.name} fits no other.",
                (*evidence, seen_field(ref, "spec.unschedulable", True)),
                ref,
            )


def _insufficient(
    pod: Pod, nodes: list[KubernetesObject], kind: FaultKind, resource: str, evidence: tuple[Evidence, ...]
) -> Finding:
    """Requests are weighed against allocatable minus what is requested already, never against use."""
    field, asked = _largest_request(pod, resource)
    room = max((quantity(dig(node, "status", "allocatable", resource)) or 0.0 for node in nodes), default=0.0)
    largest = max(
        (
            text(node, "status", "allocatable", resource)
            for node in nodes
            if (quantity(dig(node, "status", "allocatable", resource)) or 0.0) == room
        ),
        default="",
    )
    seen = (*evidence, *([seen_field(pod.workload, field, asked)] if asked else []))
    return _finding(
        pod,
        kind,
        field,
        asked,
        "",
        f"{pod.workload.name} requests {asked or 'more'} of {resource}; no node has that much free"
        + (f" (the largest has {largest} in all)." if largest else "."),
        seen,
    )


def _largest_request(pod: Pod, resource: str) -> tuple[str, str]:
    found: list[tuple[float, str, str]] = []
    for container in pod.containers:
        for group in ("requests", "limits"):
            asked = text(container.spec, "resources", group, resource)
            if asked:
                found.append((quantity(asked) or 0.0, step(f"{container.field}.resources.{group}", resource), asked))
                break
    return max(found)[1:] if found else ("", "")


def _between_pods(pod: Pod, said: str, evidence: tuple[Evidence, ...]) -> Finding:
    """Required inter-pod affinity, anti-affinity and topology spread with ``DoNotSchedule`` can leave no node."""
    spread = "topology" in said
    field = f"{pod.field}.topologySpreadConstraints" if spread else f"{pod.field}.affinity"
    rules = dig(pod.spec, "topologySpreadConstraints") if spread else mapping(pod.spec, "affinity")
    return _finding(
        pod,
        FaultKind.POD_ANTI_AFFINITY_CONFLICT,
        field,
        said,
        "",
        f"The placement rules of {pod.workload.name} towards other pods leave no node.",
        (*evidence, seen_field(pod.workload, field, rules)),
    )


def _volume_elsewhere(pod: Pod, said: str, evidence: tuple[Evidence, ...]) -> Finding:
    """A bound volume lives in a zone or on a node where the pod may not run (PersistentVolume, ``nodeAffinity``)."""
    field = f"{pod.field}.nodeSelector" if mapping(pod.spec, "nodeSelector") else f"{pod.field}.affinity"
    return _finding(
        pod,
        FaultKind.NODE_AFFINITY_MISMATCH,
        field,
        said,
        "",
        f"The volume of {pod.workload.name} is where the pod may not run.",
        (*evidence, seen_field(pod.workload, field, dig(pod.spec, *field.removeprefix(f"{pod.field}.").split(".")))),
    )


def _host_port(pod: Pod, evidence: tuple[Evidence, ...]) -> Finding:
    """A ``hostPort`` can be used once per node and protocol."""
    for container in pod.containers:
        for position, port in enumerate(mappings(container.spec, "ports")):
            if port.get("hostPort"):
                field = f"{container.field}.ports[{position}].hostPort"
                return _finding(
                    pod,
                    FaultKind.HOST_PORT_CONFLICT,
                    field,
                    text(port, "hostPort"),
                    "",
                    f"The host port {port['hostPort']} of {pod.workload.name} is taken on every node that fits.",
                    (*evidence, seen_field(pod.workload, field, port["hostPort"])),
                )
    return _finding(
        pod,
        FaultKind.HOST_PORT_CONFLICT,
        f"{pod.field}.hostNetwork",
        "didn't have free ports",
        "",
        f"The host ports of {pod.workload.name} are taken on every node that fits.",
        evidence,
    )

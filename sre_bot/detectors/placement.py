"""What a pod asks of its place, and why no node gives it: one finding for each reason of the scheduler's.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/, …/taint-and-toleration/,
…/topology-spread-constraints/.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sre_bot.detectors.fields import dig, labels_of, mapping, mappings, quantity, step, text, texts
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.pods import Pod
from sre_bot.detectors.selectors import fits_node_terms, matches_labels, matches_selector, tolerates
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_EFFECTS = ("NoSchedule", "NoExecute")


def fits(pod: Pod, node: KubernetesObject) -> bool:
    """Whether a node has the labels that the pod asks for (``nodeSelector`` and required node affinity, both)."""
    labels = labels_of(node)
    terms = _required_terms(pod.spec)
    return matches_labels(mapping(pod.spec, "nodeSelector"), labels) and (
        not terms or fits_node_terms(terms, node, labels)
    )


def foreign_taints(pod: Pod, node: KubernetesObject) -> list[dict[str, Any]]:
    """A node's taints that keep the pod off it, those apart that Kubernetes sets for a node's own state."""
    return [
        taint
        for taint in mappings(node, "spec", "taints")
        if text(taint, "effect") in _EFFECTS
        and not text(taint, "key").startswith("node.kubernetes.io/")
        and not tolerates(mappings(pod.spec, "tolerations"), taint)
    ]


def _required_terms(spec: dict[str, Any]) -> list[dict[str, Any]]:
    required = mapping(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    return mappings(required, "nodeSelectorTerms")


def refusal(
    pod: Pod,
    kind: FaultKind,
    field: str,
    observed: str,
    expected: str,
    message: str,
    evidence: tuple[Evidence, ...],
    ref: ObjectRef | None = None,
) -> Finding:
    """A finding about a pod that was refused; ``ref`` where another object than its workload is to blame."""
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


def selector_or_affinity(
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
    return refusal(
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
    return refusal(
        pod,
        FaultKind.NODE_AFFINITY_MISMATCH,
        field,
        first,
        "",
        f"No node satisfies the required node affinity of {pod.workload.name}: {'; '.join(asked)}.",
        (*evidence, seen_field(pod.workload, field, terms)),
    )


def untolerated(pod: Pod, nodes: Sequence[KubernetesObject], evidence: tuple[Evidence, ...]) -> Iterator[Finding]:
    """Taints with NoSchedule or NoExecute that the pod does not tolerate."""
    for node in nodes:
        for taint in foreign_taints(pod, node):
            key = text(taint, "key")
            yield refusal(
                pod,
                FaultKind.TAINT_NOT_TOLERATED,
                f"{pod.field}.tolerations",
                key,
                _toleration(taint),
                f"{pod.workload.name} does not tolerate the taint {key} of node {text(node, 'metadata', 'name')}.",
                (*evidence, seen_field(ObjectRef.of(node), "spec.taints", mappings(node, "spec", "taints"))),
            )


def untolerated_key(pod: Pod, key: str, value: str, evidence: tuple[Evidence, ...]) -> Finding:
    """A taint that only the scheduler's words tell of: the nodes could not be read."""
    expected = f"{key}={value}" if value else key
    said = f"{pod.workload.name} does not tolerate the taint {key} of the nodes."
    return refusal(pod, FaultKind.TAINT_NOT_TOLERATED, f"{pod.field}.tolerations", key, expected, said, evidence)


def _toleration(taint: dict[str, Any]) -> str:
    value = text(taint, "value")
    return f"{text(taint, 'key')}{f'={value}' if value else ''}:{text(taint, 'effect')}"


def cordoned(pod: Pod, nodes: Sequence[KubernetesObject], evidence: tuple[Evidence, ...]) -> Iterator[Finding]:
    """``kubectl cordon`` sets ``spec.unschedulable``."""
    for node in nodes:
        if dig(node, "spec", "unschedulable") is True:
            ref = ObjectRef.of(node)
            yield refusal(
                pod,
                FaultKind.NODE_CORDONED,
                "spec.unschedulable",
                "true",
                "false",
                f"Node {ref.name} is cordoned, and {pod.workload.name} fits no other.",
                (*evidence, seen_field(ref, "spec.unschedulable", True)),
                ref,
            )


def insufficient(
    pod: Pod, nodes: Sequence[KubernetesObject], kind: FaultKind, resource: str, evidence: tuple[Evidence, ...]
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
    return refusal(
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


def between_pods(pod: Pod, said: str, evidence: tuple[Evidence, ...]) -> Finding:
    """Required inter-pod affinity, anti-affinity and topology spread with ``DoNotSchedule`` can leave no node."""
    spread = "topology" in said
    field = f"{pod.field}.topologySpreadConstraints" if spread else f"{pod.field}.affinity"
    rules = dig(pod.spec, "topologySpreadConstraints") if spread else mapping(pod.spec, "affinity")
    return refusal(
        pod,
        FaultKind.POD_ANTI_AFFINITY_CONFLICT,
        field,
        said,
        "",
        f"The placement rules of {pod.workload.name} towards other pods leave no node.",
        (*evidence, seen_field(pod.workload, field, rules)),
    )


def kept_away(index: ClusterIndex, pod: Pod, said: str, evidence: tuple[Evidence, ...]) -> Finding | None:
    """The workload whose running pods want none like this one beside them: the rule stands with them.

    Required anti-affinity holds both ways (…/assign-pod-node/#inter-pod-affinity-and-anti-affinity).
    """
    for other in index.workloads:
        rules = mappings(other.spec, "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
        if other.ref == pod.workload or not any(one.node for one in other.pods):
            continue
        if any(_keeps_away(rule, other.ref.namespace, pod) for rule in rules):
            field = f"{other.field}.affinity.podAntiAffinity"
            shown = seen_field(other.ref, field, mapping(other.spec, "affinity", "podAntiAffinity"))
            message = f"The pods of {other.ref.name} tolerate none of {pod.workload.name} beside them."
            return refusal(
                pod,
                FaultKind.POD_ANTI_AFFINITY_CONFLICT,
                field,
                said,
                "",
                message,
                (*evidence, shown),
                other.ref,
            )
    return None


def _keeps_away(rule: dict[str, Any], namespace: str, pod: Pod) -> bool:
    places = texts(rule, "namespaces") or [namespace]
    everywhere = "namespaceSelector" in rule
    return (everywhere or pod.ref.namespace in places) and matches_selector(mapping(rule, "labelSelector"), pod.labels)


def volume_elsewhere(pod: Pod, said: str, evidence: tuple[Evidence, ...]) -> Finding:
    """A bound volume lives in a zone or on a node where the pod may not run (PersistentVolume, ``nodeAffinity``)."""
    field = f"{pod.field}.nodeSelector" if mapping(pod.spec, "nodeSelector") else f"{pod.field}.affinity"
    return refusal(
        pod,
        FaultKind.NODE_AFFINITY_MISMATCH,
        field,
        said,
        "",
        f"The volume of {pod.workload.name} is where the pod may not run.",
        (*evidence, seen_field(pod.workload, field, dig(pod.spec, *field.removeprefix(f"{pod.field}.").split(".")))),
    )


def host_port(pod: Pod, evidence: tuple[Evidence, ...]) -> Finding:
    """A ``hostPort`` can be used once per node and protocol."""
    for container in pod.containers:
        for position, port in enumerate(mappings(container.spec, "ports")):
            if port.get("hostPort"):
                field = f"{container.field}.ports[{position}].hostPort"
                return refusal(
                    pod,
                    FaultKind.HOST_PORT_CONFLICT,
                    field,
                    text(port, "hostPort"),
                    "",
                    f"The host port {port['hostPort']} of {pod.workload.name} is taken on every node that fits.",
                    (*evidence, seen_field(pod.workload, field, port["hostPort"])),
                )
    return refusal(
        pod,
        FaultKind.HOST_PORT_CONFLICT,
        f"{pod.field}.hostNetwork",
        "didn't have free ports",
        "",
        f"The host ports of {pod.workload.name} are taken on every node that fits.",
        evidence,
    )

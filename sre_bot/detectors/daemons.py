"""Daemons that run on no node at all, because none has the labels that they ask for.

A DaemonSet makes pods only for the nodes that fit; where none does, there is no pod, no event, and a status of zeros
(https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#running-pods-on-select-nodes). Many clusters have
daemons for hardware that they lack: it counts only where the nodes have that label with other values, or where somebody
calls the daemon.
"""

from collections.abc import Iterator

from sre_bot.detectors.calls import callers, selecting
from sre_bot.detectors.fields import labels_of, mapping, mappings, number, step, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.selectors import fits_node_terms
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

_MACHINES = ("kubernetes.io/os", "kubernetes.io/arch", "node.kubernetes.io/instance-type", "beta.kubernetes.io/os")


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every DaemonSet that is wanted on no node."""
    for workload in index.workloads:
        idle = number(workload.thing, "status", "desiredNumberScheduled") == 0 and not workload.pods
        if workload.ref.kind == "DaemonSet" and idle:
            yield from _judge(index, workload)
            yield from _affinity(index, workload)


def _affinity(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    """Required node affinity that no node meets, where the nodes have the label, or it is one they must not have."""
    where = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    terms, nodes = mappings(workload.spec, *where), index.of_kind("Node")
    asked = [entry for term in terms for entry in mappings(term, "matchExpressions")]
    known = {key for node in nodes for key in labels_of(node)} - set(_MACHINES)
    meant = any(text(one, "key") in known or text(one, "operator") in ("NotIn", "DoesNotExist") for one in asked)
    if not terms or not nodes or not meant or any(fits_node_terms(terms, node, labels_of(node)) for node in nodes):
        return
    field = f"{workload.field}.{'.'.join(where)}"
    yield Finding(
        kind=FaultKind.NODE_AFFINITY_MISMATCH,
        object=workload.ref,
        field=field,
        observed=text(asked[0], "values", 0) or text(asked[0], "key"),
        expected="",
        message=f"{workload.ref.name} runs on no node: none satisfies its required node affinity.",
        directness="inferred",
        evidence=(
            seen_field(workload.ref, field, terms),
            seen_field(workload.ref, "status.desiredNumberScheduled", 0),
        ),
    )


def _judge(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    nodes = [labels_of(node) for node in index.of_kind("Node")]
    for key, value in sorted(mapping(workload.spec, "nodeSelector").items()):
        known = sorted({labels[key] for labels in nodes if key in labels})
        if not nodes or str(value) in known or key in _MACHINES or not (known or _is_called(index, workload)):
            continue
        field = f"{workload.field}.nodeSelector"
        yield Finding(
            kind=FaultKind.NODE_SELECTOR_MISMATCH,
            object=workload.ref,
            field=step(field, key),
            observed=str(value),
            expected=known[0] if len(known) == 1 else "",
            message=f"{workload.ref.name} runs on no node: none has {key}={value}.",
            directness="inferred",
            evidence=(
                seen_field(workload.ref, field, mapping(workload.spec, "nodeSelector")),
                seen_field(workload.ref, "status.desiredNumberScheduled", 0),
            ),
        )


def _is_called(index: ClusterIndex, workload: Workload) -> bool:
    called = index.once(callers)
    return any(ObjectRef.of(service) in called for service in index.once(selecting).get(workload.ref, ()))

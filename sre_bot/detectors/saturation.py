"""Demand above what is allowed: measured use at the limit, and autoscalers that want more than they may have.

Sources: metrics.k8s.io (PodMetrics) and the autoscaler's status
(https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details).
"""

from collections.abc import Iterator

from sre_bot.detectors.demand import at_maximum
from sre_bot.detectors.fields import mappings, quantity, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.load import surging
from sre_bot.detectors.pods import Container, Pod
from sre_bot.detectors.sightings import seen_field, seen_in
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

_FULL = 0.95


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge the measured use of every current pod, then every autoscaler at its maximum."""
    for pod in index.current_pods:
        measured = index.get("PodMetrics", pod.ref.namespace, pod.ref.name)
        for entry in mappings(measured, "containers"):
            yield from _use(pod, measured or {}, entry)
    for ref, scaler in index.once(at_maximum).items():
        if ref not in index.once(surging):
            yield _at_maximum(ref, scaler)


def _use(pod: Pod, measured: KubernetesObject, entry: dict[str, object]) -> Iterator[Finding]:
    container: Container | None = pod.container(text(entry, "name"))
    used, limit = text(entry, "usage", "cpu"), text(container.spec if container else {}, "resources", "limits", "cpu")
    if container is None or not limit or (quantity(used) or 0.0) < _FULL * (quantity(limit) or float("inf")):
        return
    field = f"{container.field}.resources.limits.cpu"
    yield Finding(
        kind=FaultKind.CPU_SATURATION,
        object=pod.workload,
        field=field,
        observed=limit,
        expected="",
        message=f"Container {container.name} of {pod.workload.name} uses all the CPU that its limit {limit} allows.",
        directness="inferred",
        evidence=(seen_field(ObjectRef.of(measured), "containers", entry), seen_field(pod.workload, field, limit)),
        container=container.name,
    )


def _at_maximum(ref: ObjectRef, scaler: KubernetesObject) -> Finding:
    """At ``maxReplicas``, told to be limited, and still above the target, though nobody asks for more than before."""
    most = text(scaler, "spec", "maxReplicas")
    return Finding(
        kind=FaultKind.CPU_SATURATION,
        object=ref,
        field="",
        observed=most,
        expected="",
        message=f"{ref.name} needs more than the {most} replicas that its autoscaler may start.",
        directness="stated",
        evidence=(seen_in(scaler, "spec.maxReplicas"), seen_in(scaler, "status.currentMetrics")),
        hurts=(ObjectRef.of(scaler),),
    )

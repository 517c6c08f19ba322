"""What Services and the pods behind them have in common: target ports, declared ports, endpoints, those who suffer."""

from collections.abc import Iterator
from typing import Any

from sre_bot.detectors.calls import Call, callers
from sre_bot.detectors.fields import mappings, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence


def target_of(port: dict[str, Any]) -> str:
    """The pods' port that a Service's port leads to, number or name; ``port`` itself where nothing is said."""
    return text(port, "targetPort") or text(port, "port")


def port_entries(workload: Workload) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every declared container port, with the place of its container."""
    for place, container in enumerate(mappings(workload.spec, "containers")):
        for entry in mappings(container, "ports"):
            yield place, entry


def declares_ports(workload: Workload) -> bool:
    """Whether any container declares a port."""
    return any(True for _ in port_entries(workload))


def serves(workload: Workload, target: str) -> bool:
    """Whether a container declares a port of that number or name."""
    return any(target in (text(entry, "containerPort"), text(entry, "name")) for _, entry in port_entries(workload))


def empty_endpoints(index: ClusterIndex, ref: ObjectRef) -> Iterator[Evidence]:
    """The slices of a Service that hold no endpoint or no port, as evidence."""
    for slice_ in index.of_kind("EndpointSlice", ref.namespace):
        if text(slice_, "metadata", "labels", "kubernetes.io/service-name") == ref.name:
            if not slice_.get("endpoints"):
                yield seen_field(ObjectRef.of(slice_), "endpoints", slice_.get("endpoints") or [])
            elif not slice_.get("ports"):
                yield seen_field(ObjectRef.of(slice_), "ports", slice_.get("ports") or [])


def hurt_by(index: ClusterIndex, ref: ObjectRef, workloads: tuple[Workload, ...]) -> tuple[ObjectRef, ...]:
    """Who suffers when a Service is wrong: those who are configured to call it, and those behind it."""
    calling: tuple[Call, ...] = index.once(callers).get(ref, ())
    found = {call.workload.ref for call in calling} | {one.ref for one in workloads}
    return tuple(sorted(found - {ref}, key=str))


def labels_field(workload: Workload) -> str:
    """Where the labels of a workload's pods stand in its manifest."""
    return (
        "metadata.labels" if workload.ref.kind == "Pod" else f"{workload.field.removesuffix('.spec')}.metadata.labels"
    )

"""Who calls whom: the addresses in every workload's configuration, resolved, and the failures that its logs tell of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sre_bot.detectors.addresses import Address, Names, Target, addresses_of, service_ports
from sre_bot.detectors.configuration import Configuration
from sre_bot.detectors.fields import mapping
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.selectors import matches_labels
from sre_bot.domain.cluster import KubernetesObject, ObjectRef


@dataclass(frozen=True, eq=False)
class Call:
    """One configured dependency of a workload."""

    workload: Workload
    address: Address
    target: Target


def names(index: ClusterIndex) -> Names:
    """The resolver of a snapshot."""
    return Names(index)


def configurations(index: ClusterIndex) -> dict[ObjectRef, Configuration]:
    """The configuration of every workload."""
    return {workload.ref: Configuration(index, workload) for workload in index.workloads}


def calls(index: ClusterIndex) -> tuple[Call, ...]:
    """Every configured dependency of every workload, by workload and place."""
    resolver = index.once(names)
    return tuple(
        Call(workload, address, resolver.resolve(address.host, workload))
        for workload in index.workloads
        for address in addresses_of(index.once(configurations)[workload.ref])
    )


def selections(index: ClusterIndex) -> dict[ObjectRef, tuple[Workload, ...]]:
    """The workloads whose pods each Service selects."""
    return {ObjectRef.of(service): tuple(_selected(index, service)) for service in index.of_kind("Service")}


def _selected(index: ClusterIndex, service: KubernetesObject) -> Iterator[Workload]:
    selector = mapping(service, "spec", "selector")
    if not selector:
        return
    namespace = ObjectRef.of(service).namespace
    by_template = [one for one in index.workloads_labelled(namespace, selector) if matches_labels(selector, one.labels)]
    yield from by_template or _by_pods(index, namespace, selector)


def _by_pods(index: ClusterIndex, namespace: str, selector: dict[str, Any]) -> Iterator[Workload]:
    """The workloads that have pods with those labels: operators label single pods (``role: primary``)."""
    for workload in index.workloads_in(namespace):
        if any(matches_labels(selector, pod.labels) for pod in workload.pods):
            yield workload


def selected_workloads(index: ClusterIndex, service: KubernetesObject) -> tuple[Workload, ...]:
    """The workloads whose pods a Service selects; none where it has no selector."""
    return index.once(selections).get(ObjectRef.of(service), ())


def selecting(index: ClusterIndex) -> dict[ObjectRef, tuple[KubernetesObject, ...]]:
    """The Services that select each workload, by their names: :func:`selections` read from the other end."""
    found: dict[ObjectRef, list[KubernetesObject]] = {}
    for service in index.of_kind("Service"):
        for workload in selected_workloads(index, service):
            found.setdefault(workload.ref, []).append(service)
    return {workload: tuple(services) for workload, services in found.items()}


def callers(index: ClusterIndex) -> dict[ObjectRef, tuple[Call, ...]]:
    """The configured calls to each Service that exists."""
    found: dict[ObjectRef, list[Call]] = {}
    for call in index.once(calls):
        if call.target.service is not None:
            found.setdefault(ObjectRef.of(call.target.service), []).append(call)
    return {service: tuple(known) for service, known in found.items()}


def clients(index: ClusterIndex) -> dict[ObjectRef, frozenset[ObjectRef]]:
    """The workloads that are configured to call each workload, by way of its Services."""
    found: dict[ObjectRef, set[ObjectRef]] = {}
    for service, calling in index.once(callers).items():
        for server in index.once(selections).get(service, ()):
            found.setdefault(server.ref, set()).update(call.workload.ref for call in calling)
    return {server: frozenset(known - {server}) for server, known in found.items()}


def common_port(index: ClusterIndex, service: KubernetesObject) -> int | None:
    """The one port that all callers of a Service use, where several call and the Service does not offer it."""
    calling = index.once(callers).get(ObjectRef.of(service), ())
    used = {call.address.port for call in calling}
    several = len({call.workload.ref for call in calling}) > 1
    port = next(iter(used)) if len(used) == 1 and several else None
    return port if port not in service_ports(service) else None

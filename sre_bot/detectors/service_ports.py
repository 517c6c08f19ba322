"""Services whose ports lead nowhere: target port, protocol, the port that callers use.

Kubernetes records no event for any of these, and a wrong number leaves all objects looking healthy
(https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/).
"""

from collections.abc import Iterator
from typing import Any

from sre_bot.detectors.addresses import has_selector, likeness
from sre_bot.detectors.calls import callers, common_port, names, selected_workloads
from sre_bot.detectors.dependencies import complaints
from sre_bot.detectors.endpoints import declares_ports, empty_endpoints, hurt_by, port_entries, serves, target_of
from sre_bot.detectors.fields import mappings, number, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.listening import listening, listening_ports
from sre_bot.detectors.sightings import seen_field, seen_setting
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import FaultKind, Finding


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Compare the ports of every Service that selects pods with what they serve and with what callers use."""
    for service in index.of_kind("Service"):
        workloads = selected_workloads(index, service) if has_selector(service) else ()
        if not workloads:
            continue
        yield from _unoffered(index, service)
        for position, port in enumerate(mappings(service, "spec", "ports")):
            yield from _port(index, service, f"spec.ports[{position}]", port, workloads)


def _port(
    index: ClusterIndex, service: KubernetesObject, field: str, port: dict[str, Any], workloads: tuple[Workload, ...]
) -> Iterator[Finding]:
    """``targetPort`` is a number, or the name of a container port; it defaults to ``port`` (Service API)."""
    target = target_of(port)
    if any(serves(one, target) and not _differs_in_protocol(one, target, port) for one in workloads):
        elsewhere = _listens_elsewhere(index, service, target, workloads)
        if elsewhere:
            yield _wrong_port(index, service, field, port, workloads, elsewhere)
        return
    if any(serves(one, target) for one in workloads):
        yield _wrong_protocol(index, service, field, port, workloads)
        return
    declared = sorted({number for one in workloads for number in _numbers(one)})
    listening = sorted({port for one in workloads for port in listening_ports(index, one)})
    if target.isdigit() and (int(target) in listening or not (declared or listening)):
        return
    known = [one for one in workloads if declares_ports(one)]
    if not known and not listening:
        return
    yield _wrong_port(index, service, field, port, workloads, listening or declared)


def _listens_elsewhere(
    index: ClusterIndex, service: KubernetesObject, target: str, workloads: tuple[Workload, ...]
) -> list[int]:
    """Find the ports that the only container of each workload says it listens on.

    Empty where the target is among them, or where no caller is refused.
    """
    known = [
        set(index.once(listening).get(one.ref, ())) for one in workloads if len(mappings(one.spec, "containers")) == 1
    ]
    numbers = {
        number(entry, "containerPort")
        for one in workloads
        for _, entry in port_entries(one)
        if target in (text(entry, "containerPort"), text(entry, "name"))
    }
    if len(known) != len(workloads) or not all(known) or any(ports & numbers for ports in known):
        return []
    return sorted(set.union(*known)) if _refused(index, service) else []


def _refused(index: ClusterIndex, service: KubernetesObject) -> bool:
    resolver = index.once(names)
    return any(
        one.failure.how == "refused"
        and resolver.resolve(one.failure.host, index.workload_by_ref[ref]).service is service
        for ref, told in index.once(complaints).items()
        if ref in index.workload_by_ref
        for one in told
    )


def _wrong_port(
    index: ClusterIndex,
    service: KubernetesObject,
    field: str,
    port: dict[str, Any],
    workloads: tuple[Workload, ...],
    served: list[int],
) -> Finding:
    ref, target = ObjectRef.of(service), target_of(port)
    written = "targetPort" if "targetPort" in port else "port"
    evidence = [seen_field(ref, f"{field}.{written}", port.get(written))]
    evidence += [
        seen_field(one.ref, f"{one.field}.containers[{place}].ports", ports)
        for one in workloads
        for place, ports in _port_lists(one)
    ]
    return Finding(
        kind=FaultKind.SERVICE_PORT_MISMATCH,
        object=ref,
        field=f"{field}.targetPort",
        observed=target,
        expected=_expected_port(target, port, workloads, served),
        message=f"Service {ref.name} sends traffic to port {target}, which no container of "
        f"{', '.join(one.ref.name for one in workloads)} serves.",
        directness="inferred" if target.isdigit() else "stated",
        evidence=(*evidence[:5], *empty_endpoints(index, ref)),
        hurts=hurt_by(index, ref, workloads),
    )


def _expected_port(target: str, port: dict[str, Any], workloads: tuple[Workload, ...], served: list[int]) -> str:
    """The one that the Service must mean: the only port there is, or the one that bears the same name."""
    names = {text(entry, "name"): text(entry, "containerPort") for one in workloads for _, entry in port_entries(one)}
    if not target.isdigit() and len(names) == 1:
        return next(iter(names)) or next(iter(names.values()))
    if text(port, "name") in names and text(port, "name"):
        return names[text(port, "name")]
    if len(served) == 1:
        return str(served[0])
    close = sorted(served, key=lambda number: (-likeness(target, str(number)), number))
    return str(close[0]) if close else ""


def _wrong_protocol(
    index: ClusterIndex, service: KubernetesObject, field: str, port: dict[str, Any], workloads: tuple[Workload, ...]
) -> Finding:
    """``protocol`` must be that of the container port; TCP where nothing is said (Service API)."""
    ref = ObjectRef.of(service)
    wanted = sorted(
        {
            text(entry, "protocol") or "TCP"
            for one in workloads
            for _, entry in port_entries(one)
            if target_of(port) in (text(entry, "containerPort"), text(entry, "name"))
        }
    )
    observed = text(port, "protocol") or "TCP"
    evidence = [seen_field(ref, f"{field}.protocol", observed)]
    evidence += [
        seen_field(one.ref, f"{one.field}.containers[{place}].ports", ports)
        for one in workloads
        for place, ports in _port_lists(one)
    ]
    return Finding(
        kind=FaultKind.SERVICE_PROTOCOL_MISMATCH,
        object=ref,
        field=f"{field}.protocol",
        observed=observed,
        expected=wanted[0],
        message=f"Service {ref.name} forwards {observed} to port {target_of(port)}, which speaks {wanted[0]}.",
        directness="inferred",
        evidence=tuple(evidence[:5]),
        hurts=hurt_by(index, ref, workloads),
    )


def _unoffered(index: ClusterIndex, service: KubernetesObject) -> Iterator[Finding]:
    """Several callers, and all use one port that the Service does not offer: the Service is wrong."""
    ref = ObjectRef.of(service)
    port = common_port(index, service)
    ports = mappings(service, "spec", "ports")
    if port is None or len(ports) != 1:
        return
    calling = index.once(callers)[ref]
    shown = [seen_setting(call.address.setting) for call in calling[:3]]
    yield Finding(
        kind=FaultKind.SERVICE_PORT_MISMATCH,
        object=ref,
        field="spec.ports[0].port",
        observed=text(ports[0], "port"),
        expected=str(port),
        message=f"Service {ref.name} offers port {text(ports[0], 'port')}, while all its callers use {port}.",
        directness="inferred",
        evidence=(seen_field(ref, "spec.ports[0].port", ports[0].get("port")), *shown),
        hurts=hurt_by(index, ref, ()),
    )


def _port_lists(workload: Workload) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    for place, container in enumerate(mappings(workload.spec, "containers")):
        if container.get("ports"):
            yield place, mappings(container, "ports")


def _numbers(workload: Workload) -> list[int]:
    return [port for _, entry in port_entries(workload) if (port := number(entry, "containerPort"))]


def _differs_in_protocol(workload: Workload, target: str, port: dict[str, Any]) -> bool:
    wanted = text(port, "protocol") or "TCP"
    spoken = {
        text(entry, "protocol") or "TCP"
        for _, entry in port_entries(workload)
        if target in (text(entry, "containerPort"), text(entry, "name"))
    }
    return wanted not in spoken

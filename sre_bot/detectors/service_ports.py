"""Services whose ports lead nowhere: target port, protocol, the port that callers use.

Kubernetes records no event for any of these, and a wrong number leaves all objects looking healthy
(https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/).
"""

import re
from collections.abc import Iterator
from typing import Any

from sre_bot.detectors.addresses import has_selector, likeness
from sre_bot.detectors.calls import callers, common_port, names, selected_workloads
from sre_bot.detectors.complaints import Complaint, complaints
from sre_bot.detectors.endpoints import declares_ports, empty_endpoints, hurt_by, port_entries, serves, target_of
from sre_bot.detectors.fields import mapping, mappings, number, text, whole
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.listening import listening, listening_ports
from sre_bot.detectors.sightings import seen_field, seen_setting
from sre_bot.detectors.troubles import troubles
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_MONITORING = re.compile(r"metric|prom|admin|manage|health|probe|debug|pprof|actuator", re.IGNORECASE)
_UNKNOWN_PATH = re.compile(r"\b(?:404|405|501)\b|not found", re.IGNORECASE)


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
    if _is_spare(index, service, port, workloads):
        return
    if any(serves(one, target) and not _differs_in_protocol(one, target, port) for one in workloads):
        if meant := _confused(index, service, port, workloads):
            yield _wrong_port(index, service, field, port, workloads, [meant])
            return
        elsewhere = _listens_elsewhere(index, service, target, workloads)
        if elsewhere:
            yield _wrong_port(index, service, field, port, workloads, elsewhere)
        return
    if any(serves(one, target) for one in workloads):
        yield _wrong_protocol(index, service, field, port, workloads)
        return
    declared = sorted({number for one in workloads for number in _numbers(one)})
    listening = sorted({port for one in workloads for port in listening_ports(index, one)})
    if target.isdecimal() and (whole(target) in listening or not (declared or listening)):
        return
    known = [one for one in workloads if declares_ports(one)]
    if not known and not listening:
        return
    yield _wrong_port(index, service, field, port, workloads, listening or declared)


def _is_spare(
    index: ClusterIndex, service: KubernetesObject, port: dict[str, Any], workloads: tuple[Workload, ...]
) -> bool:
    """Whether a misfit may be left alone: another port of the Service fits, and nobody is known to use this one.

    A container need not declare what it listens on (Container API, ``ports``), and a declaration of one number for two
    protocols loses one of them when it is applied (kubernetes/kubernetes#39188).
    """
    others = [other for other in mappings(service, "spec", "ports") if other is not port]
    target = target_of(port)
    if any(serves(one, target) for one in workloads):
        others = [other for other in others if target_of(other) == target]
    fitting = any(
        serves(one, target_of(other)) and not _differs_in_protocol(one, target_of(other), other)
        for other in others
        for one in workloads
    )
    return target.isdecimal() and fitting and not _is_used(index, service, port)


def _is_used(index: ClusterIndex, service: KubernetesObject, port: dict[str, Any]) -> bool:
    """Whether a configured call, a failed one or an entrance goes to this port of a Service."""
    ref, wanted = ObjectRef.of(service), number(port, "port")
    called = {call.address.port for call in index.once(callers).get(ref, ())}
    failed = {one.failure.port for one in index.once(failed_calls).get(ref, ())}
    routed = index.once(entrance_ports).get(ref, frozenset())
    return wanted in called | failed or bool({str(wanted), text(port, "name")} & routed)


def failed_calls(index: ClusterIndex) -> dict[ObjectRef, tuple[Complaint, ...]]:
    """The failed calls that the logs tell of, by the Service that they go to."""
    resolver, found = index.once(names), dict[ObjectRef, list[Complaint]]()
    for ref, told in index.once(complaints).items():
        for one in told if ref in index.workload_by_ref else ():
            target = resolver.resolve(one.failure.host, index.workload_by_ref[ref]).service
            if target is not None:
                found.setdefault(ObjectRef.of(target), []).append(one)
    return {ref: tuple(told) for ref, told in found.items()}


def entrance_ports(index: ClusterIndex) -> dict[ObjectRef, frozenset[str]]:
    """The ports, numbers and names, by which Ingresses and routes lead to each Service."""
    found: dict[ObjectRef, set[str]] = {}
    for thing in index.of_kinds(("Ingress", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute")):
        namespace = ObjectRef.of(thing).namespace
        for rule in mappings(thing, "spec", "rules"):
            for path in mappings(rule, "http", "paths"):
                backend = mapping(path, "backend", "service")
                ref = ObjectRef(kind="Service", namespace=namespace, name=text(backend, "name"))
                found.setdefault(ref, set()).update(
                    {text(backend, "port", "number"), text(backend, "port", "name")} - {""}
                )
            for backend in mappings(rule, "backendRefs"):
                home = text(backend, "namespace") or namespace
                ref = ObjectRef(kind="Service", namespace=home, name=text(backend, "name"))
                found.setdefault(ref, set()).add(text(backend, "port"))
    return {ref: frozenset(ports) for ref, ports in found.items()}


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
    refused = any(one.failure.how == "refused" for one in index.once(failed_calls).get(ObjectRef.of(service), ()))
    return sorted(set.union(*known)) if refused else []


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
    evidence = [seen_field(ref, f"{field}.{written}", port.get(written)), *_declared(workloads)]
    return Finding(
        kind=FaultKind.SERVICE_PORT_MISMATCH,
        object=ref,
        field=f"{field}.targetPort",
        observed=target,
        expected=_expected_port(target, port, workloads, served),
        message=f"Service {ref.name} sends traffic to port {target}, which no container of "
        f"{', '.join(one.ref.name for one in workloads)} serves.",
        directness="inferred" if target.isdecimal() else "stated",
        evidence=(*evidence[:5], *empty_endpoints(index, ref)),
        hurts=hurt_by(index, ref, workloads),
    )


def _confused(
    index: ClusterIndex, service: KubernetesObject, port: dict[str, Any], workloads: tuple[Workload, ...]
) -> int | None:
    """The container port that a Service's port must mean where it leads to one of another name.

    Two ports of a Service that lead to each other's namesakes are swapped; a port that is called and leads to one
    named for monitoring misses the program itself.
    """
    target = target_of(port)
    names = {text(entry, "containerPort"): text(entry, "name") for one in workloads for _, entry in port_entries(one)}
    numbers = {name: number for number, name in names.items() if name}
    reached = target if target in numbers else names.get(target, "")
    own = text(port, "name")
    others = {
        text(other, "name"): target_of(other) for other in mappings(service, "spec", "ports") if other is not port
    }
    swapped = own in numbers and reached not in ("", own) and others.get(reached) in (own, numbers.get(own))
    if swapped:
        return int(numbers[own])
    main = [number for name, number in numbers.items() if not _MONITORING.search(name)]
    monitors = _MONITORING.search(f"{ObjectRef.of(service).name} {own} {text(port, 'port')}")
    if (
        reached
        and _MONITORING.search(reached)
        and not monitors
        and len(main) == 1
        and _is_complained_of(index, service)
    ):
        return int(main[0])
    return None


def _is_complained_of(index: ClusterIndex, service: KubernetesObject) -> bool:
    """Whether callers log that the Service answers with errors: a path that it does not know, or none at all."""
    ref, name = ObjectRef.of(service), ObjectRef.of(service).name
    if index.once(failed_calls).get(ref):
        return True
    calling = {call.workload.ref for call in index.once(callers).get(ref, ())}
    return any(
        re.search(rf"\b{re.escape(name)}\b", one.line.text) and _UNKNOWN_PATH.search(one.line.text)
        for client in calling
        for one in index.once(troubles).get(client, ())
    )


def _declared(workloads: tuple[Workload, ...]) -> Iterator[Evidence]:
    """What the containers declare."""
    for one in workloads:
        for place, ports in _port_lists(one):
            yield seen_field(one.ref, f"{one.field}.containers[{place}].ports", ports)


def _expected_port(target: str, port: dict[str, Any], workloads: tuple[Workload, ...], served: list[int]) -> str:
    """The one that the Service must mean: the only port there is, or the one that bears the same name."""
    names = {text(entry, "name"): text(entry, "containerPort") for one in workloads for _, entry in port_entries(one)}
    if not target.isdecimal() and len(names) == 1:
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
    evidence = [seen_field(ref, f"{field}.protocol", observed), *_declared(workloads)]
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

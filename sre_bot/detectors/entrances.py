"""Ingresses and gateway routes: backend, certificate, and routes that lead to the wrong place.

https://kubernetes.io/docs/concepts/services-networking/ingress/ and https://gateway-api.sigs.k8s.io/ (route
conditions).
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.fields import dig, mapping, mappings, number, text, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.sightings import seen_event, seen_field, seen_line
from sre_bot.detectors.troubles import troubles
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_NO_CERTIFICATE = re.compile(r"not found|does not exist|no object matching|not exist|missing", re.IGNORECASE)
_ROUTES = ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute")


class Backend(NamedTuple):
    """One backend of an Ingress or route: the Service it names, where, and for which path."""

    name: str
    namespace: str
    port: str
    field: str
    path: str
    port_field: str


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every Ingress, then every route of the gateway API."""
    for ingress in index.of_kind("Ingress"):
        yield from _certificates(index, ingress)
        yield from _backends(index, ingress, tuple(_ingress_backends(ingress)), FaultKind.INGRESS_BACKEND_MISSING)
    for route in index.of_kinds(_ROUTES):
        yield from _backends(index, route, tuple(_route_backends(route)), FaultKind.GATEWAY_MISROUTE)
        yield from _route_conditions(route)


def _certificates(index: ClusterIndex, ingress: KubernetesObject) -> Iterator[Finding]:
    """``spec.tls[].secretName`` must name a Secret beside the Ingress; where none can be read, the controller tells."""
    ref = ObjectRef.of(ingress)
    known = [ObjectRef.of(secret).name for secret in index.of_kind("Secret", ref.namespace)]
    for position, entry in enumerate(mappings(ingress, "spec", "tls")):
        name = text(entry, "secretName")
        if not name or name in known:
            continue
        told = tuple(_told(index, ref, name))
        if not told and not (known and index.could_read("Secret", ref.namespace)):
            continue
        field = f"spec.tls[{position}].secretName"
        yield _finding(
            index,
            ingress,
            FaultKind.TLS_SECRET_MISSING,
            field,
            name,
            nearest(name, known),
            f"Ingress {ref.name} presents the certificate of Secret {name}, which does not exist",
            (seen_field(ref, field, name), *told[-1:]),
        )


def _told(index: ClusterIndex, ref: ObjectRef, secret: str) -> Iterator[Evidence]:
    """Warnings about the Ingress that name the Secret, and lines of any controller that name it with its namespace."""
    yield from (seen_event(event) for event in index.events_of(ref) if secret in event.message and event.warning)
    for one in (one for lines in index.once(troubles).values() for one in lines):
        if f"{ref.namespace}/{secret}" in one.line.text and _NO_CERTIFICATE.search(one.line.text):
            yield seen_line(one.line)


def _ingress_backends(ingress: KubernetesObject) -> Iterator[Backend]:
    namespace = ObjectRef.of(ingress).namespace
    for place, backend, path in _ingress_places(ingress):
        port = text(backend, "port", "number") or text(backend, "port", "name")
        kind = "number" if text(backend, "port", "number") else "name"
        yield Backend(
            text(backend, "name"), namespace, port, f"{place}.service.name", path, f"{place}.service.port.{kind}"
        )


def _ingress_places(ingress: KubernetesObject) -> Iterator[tuple[str, dict[str, Any], str]]:
    default = mapping(ingress, "spec", "defaultBackend", "service")
    if default:
        yield "spec.defaultBackend", default, ""
    for rule_place, rule in enumerate(mappings(ingress, "spec", "rules")):
        for place, entry in enumerate(mappings(rule, "http", "paths")):
            service = mapping(entry, "backend", "service")
            if service:
                yield f"spec.rules[{rule_place}].http.paths[{place}].backend", service, text(entry, "path")


def _route_backends(route: KubernetesObject) -> Iterator[Backend]:
    namespace = ObjectRef.of(route).namespace
    for rule_place, rule in enumerate(mappings(route, "spec", "rules")):
        path = next(
            (text(match, "path", "value") for match in mappings(rule, "matches") if text(match, "path", "value")), ""
        )
        for place, backend in enumerate(mappings(rule, "backendRefs")):
            if text(backend, "kind") in ("", "Service"):
                field = f"spec.rules[{rule_place}].backendRefs[{place}]"
                yield Backend(
                    text(backend, "name"),
                    text(backend, "namespace") or namespace,
                    text(backend, "port"),
                    f"{field}.name",
                    path,
                    f"{field}.port",
                )


def _backends(
    index: ClusterIndex, thing: KubernetesObject, backends: tuple[Backend, ...], kind: FaultKind
) -> Iterator[Finding]:
    routed = {backend.name for backend in backends}
    for backend in backends:
        service = index.get("Service", backend.namespace, backend.name)
        if service is None:
            yield from _absent(index, thing, backend, kind)
            continue
        offered = {text(port, key) for port in mappings(service, "spec", "ports") for key in ("port", "name")}
        if backend.port and backend.port not in offered:
            numbers = [str(number(port, "port")) for port in mappings(service, "spec", "ports")]
            yield _backend_finding(
                index,
                thing,
                kind,
                backend.port_field,
                backend.port,
                numbers[0] if len(numbers) == 1 else "",
                f"port {backend.port} of Service {backend.name}, which offers {', '.join(numbers)}",
                seen_field(ObjectRef.of(service), "spec.ports", dig(service, "spec", "ports")),
            )
            continue
        yield from _led_astray(index, thing, backend, routed)


def _absent(index: ClusterIndex, thing: KubernetesObject, backend: Backend, kind: FaultKind) -> Iterator[Finding]:
    if not index.could_read("Service", backend.namespace):
        return
    known = [ObjectRef.of(service).name for service in index.of_kind("Service", backend.namespace)]
    yield _backend_finding(
        index,
        thing,
        kind,
        backend.field,
        backend.name,
        nearest(backend.name, known),
        f"Service {backend.name}, which does not exist in {backend.namespace}",
    )


def _led_astray(index: ClusterIndex, thing: KubernetesObject, backend: Backend, routed: set[str]) -> Iterator[Finding]:
    """A path named after one Service that leads to another, while that one gets no traffic here at all."""
    words = [word for word in backend.path.strip("/").split("/") if word and word not in ("api", "v1", "v2")]
    meant = words[0].lower() if words else ""
    service = index.get("Service", backend.namespace, meant) if meant else None
    if service is None or meant in routed or meant in backend.name.lower():
        return
    yield _backend_finding(
        index,
        thing,
        FaultKind.GATEWAY_MISROUTE,
        backend.field,
        backend.name,
        meant,
        f"{backend.path} to Service {backend.name}, while Service {meant} exists and gets nothing",
        seen_field(ObjectRef.of(service), "metadata.name", meant),
    )


def _backend_finding(
    index: ClusterIndex,
    thing: KubernetesObject,
    kind: FaultKind,
    field: str,
    observed: str,
    expected: str,
    what: str,
    *shown: Evidence,
) -> Finding:
    ref = ObjectRef.of(thing)
    told = tuple(seen_event(event) for event in index.events_of(ref) if event.warning)
    evidence = (Evidence.seen("object", ref, field, f"{field.rsplit('.', 1)[-1]}: {observed}"), *shown, *told[-1:])
    return _finding(index, thing, kind, field, observed, expected, f"{ref.kind} {ref.name} leads to {what}", evidence)


def _finding(
    index: ClusterIndex,
    thing: KubernetesObject,
    kind: FaultKind,
    field: str,
    observed: str,
    expected: str,
    message: str,
    evidence: tuple[Evidence, ...],
) -> Finding:
    firsts = [event.first for event in index.events_of(thing) if event.warning and event.first]
    return Finding(
        kind=kind,
        object=ObjectRef.of(thing),
        field=field,
        observed=observed,
        expected=expected,
        message=f"{message}.",
        directness="inferred",
        evidence=evidence,
        since=min(firsts, default=None),
    )


def _route_conditions(route: KubernetesObject) -> Iterator[Finding]:
    """The gateway's own verdict: references that do not resolve, parents that do not accept the route."""
    ref = ObjectRef.of(route)
    for parent in mappings(route, "status", "parents"):
        for entry in mappings(parent, "conditions"):
            if entry.get("status") != "False" or entry.get("type") not in ("ResolvedRefs", "Accepted"):
                continue
            said, reason = text(entry, "message"), text(entry, "reason")
            if reason == "BackendNotFound":
                continue
            locator = f"status.parents.conditions[{text(entry, 'type')}]"
            yield Finding(
                kind=FaultKind.GATEWAY_MISROUTE,
                object=ref,
                field="spec.parentRefs" if entry["type"] == "Accepted" else "spec.rules",
                observed=reason,
                expected="",
                message=f"{ref.kind} {ref.name} is not served: {reason} {said}".strip() + ".",
                directness="stated",
                evidence=(Evidence.seen("object", ref, locator, f"message: {said}\nreason: {reason}"),),
                since=when(entry.get("lastTransitionTime")),
            )

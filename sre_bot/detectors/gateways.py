"""Gateways and meshes whose rules point at what is not there: parents, listeners, certificates, hosts, subsets, ports.

https://gateway-api.sigs.k8s.io/reference/spec/ (parentRefs, certificateRefs),
https://istio.io/latest/docs/reference/config/networking/ (VirtualService destinations and DestinationRule subsets),
https://doc.traefik.io/traefik/routing/providers/kubernetes-crd/ (IngressRoute services and middlewares).
"""

from collections.abc import Iterator
from typing import Any

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.calls import selected_workloads
from sre_bot.detectors.endpoints import labels_field
from sre_bot.detectors.fields import mapping, mappings, text, texts
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.selectors import matches_labels
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_ROUTES = ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute")


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge routes by their parents, gateways by their certificates, and the rules of Istio and Traefik."""
    for route in index.of_kinds(_ROUTES):
        yield from _parents(index, route)
    for gateway in index.of_kind("Gateway"):
        yield from _certificates(index, gateway)
    for service in index.of_kind("VirtualService"):
        yield from _destinations(index, service)
        yield from _istio_gateways(index, service)
    for rule in index.of_kind("DestinationRule"):
        yield from _subsets(index, rule)
    for route in index.of_kind("IngressRoute"):
        yield from _traefik(index, route)


def _parents(index: ClusterIndex, route: KubernetesObject) -> Iterator[Finding]:
    ref = ObjectRef.of(route)
    for place, parent in enumerate(mappings(route, "spec", "parentRefs")):
        home, name = text(parent, "namespace") or ref.namespace, text(parent, "name")
        known = index.of_kind("Gateway", home)
        if text(parent, "kind") not in ("", "Gateway") or not known or not index.could_read("Gateway", home):
            continue
        gateway = index.get("Gateway", home, name)
        field = f"spec.parentRefs[{place}]"
        if gateway is None:
            names = [ObjectRef.of(one).name for one in known]
            yield _misroute(
                ref, f"{field}.name", name, nearest(name, names), f"is attached to Gateway {name}, which does not exist"
            )
            continue
        listeners, section = (
            [text(one, "name") for one in mappings(gateway, "spec", "listeners")],
            text(parent, "sectionName"),
        )
        if section and section not in listeners:
            right = nearest(section, listeners) or (listeners[0] if len(listeners) == 1 else "")
            yield _misroute(
                ref,
                f"{field}.sectionName",
                section,
                right,
                f"asks Gateway {name} for a listener {section}, which it has not",
            )


def _certificates(index: ClusterIndex, gateway: KubernetesObject) -> Iterator[Finding]:
    """A Secret that a listener presents must exist; one of another namespace needs a ReferenceGrant."""
    ref = ObjectRef.of(gateway)
    for place, listener in enumerate(mappings(gateway, "spec", "listeners")):
        for number, entry in enumerate(mappings(listener, "tls", "certificateRefs")):
            home, name = text(entry, "namespace") or ref.namespace, text(entry, "name")
            known = [ObjectRef.of(secret).name for secret in index.of_kind("Secret", home)]
            said = _refused(gateway, text(listener, "name"))
            readable = bool(known) and index.could_read("Secret", home)
            if text(entry, "kind") not in ("", "Secret") or name in known or not (readable or said):
                continue
            field = f"spec.listeners[{place}].tls.certificateRefs[{number}].name"
            yield Finding(
                kind=FaultKind.TLS_SECRET_MISSING,
                object=ref,
                field=field,
                observed=name,
                expected=nearest(name, known),
                message=f"Gateway {ref.name} presents the certificate of Secret {name}, which does not exist in "
                f"{home}.",
                directness="stated" if said else "inferred",
                evidence=(seen_field(ref, field, name), *said),
            )


def _refused(gateway: KubernetesObject, listener: str) -> tuple[Evidence, ...]:
    """The gateway's own verdict on the certificates of a listener."""
    ref = ObjectRef.of(gateway)
    return tuple(
        Evidence.seen("object", ref, f"status.listeners[{listener}].conditions[ResolvedRefs]", text(entry, "message"))
        for status in mappings(gateway, "status", "listeners")
        if text(status, "name") == listener
        for entry in mappings(status, "conditions")
        if text(entry, "reason") == "InvalidCertificateRef"
    )


def _destinations(index: ClusterIndex, virtual: KubernetesObject) -> Iterator[Finding]:
    ref = ObjectRef.of(virtual)
    for kind in ("http", "tcp", "tls"):
        for rule_place, rule in enumerate(mappings(virtual, "spec", kind)):
            for place, entry in enumerate(mappings(rule, "route")):
                field = f"spec.{kind}[{rule_place}].route[{place}].destination"
                yield from _destination(index, ref, field, mapping(entry, "destination"))


def _istio_gateways(index: ClusterIndex, virtual: KubernetesObject) -> Iterator[Finding]:
    """``gateways`` names Gateways, ``namespace/name`` or of the own namespace; ``mesh`` stands for all sidecars."""
    ref = ObjectRef.of(virtual)
    for place, entry in enumerate(texts(virtual, "spec", "gateways")):
        home, _, name = entry.rpartition("/")
        known = [ObjectRef.of(one).name for one in index.of_kind("Gateway", home or ref.namespace)]
        everywhere = index.of_kind("Gateway")
        if entry != "mesh" and everywhere and name not in known and index.could_read("Gateway", home or ref.namespace):
            others = [ObjectRef.of(one) for one in everywhere]
            right = nearest(name, known) or next(
                (f"{one.namespace}/{one.name}" for one in others if one.name == name), ""
            )
            said = f"is attached to Gateway {entry}, which does not exist"
            yield _misroute(ref, f"spec.gateways[{place}]", entry, right, said)


def _destination(index: ClusterIndex, ref: ObjectRef, field: str, destination: dict[str, Any]) -> Iterator[Finding]:
    host, subset = text(destination, "host"), text(destination, "subset")
    namespace, service = _service(index, ref.namespace, host)
    if not namespace or not index.could_read("Service", namespace):
        return
    if service is None:
        if not any(host in _hosts(one) for one in index.of_kind("ServiceEntry")):
            known = [ObjectRef.of(one).name for one in index.of_kind("Service", namespace)]
            yield _misroute(
                ref, f"{field}.host", host, nearest(host.split(".")[0], known), f"routes to {host}, which is no Service"
            )
        return
    port, offered = (
        text(destination, "port", "number"),
        [text(one, "port") for one in mappings(service, "spec", "ports")],
    )
    if port and port not in offered:
        right = offered[0] if len(offered) == 1 else ""
        yield _misroute(
            ref,
            f"{field}.port.number",
            port,
            right,
            f"routes to port {port} of {host}, which offers {', '.join(offered)}",
        )
    rules = [one for one in index.of_kind("DestinationRule") if _is_of(index, one, service)]
    defined = [text(one, "name") for rule in rules for one in mappings(rule, "spec", "subsets")]
    if subset and subset not in defined:
        yield _misroute(
            ref,
            f"{field}.subset",
            subset,
            nearest(subset, defined),
            f"routes to subset {subset} of {host}, which no DestinationRule defines",
        )


def _hosts(entry: KubernetesObject) -> list[str]:
    return [str(host) for host in mapping(entry, "spec").get("hosts") or ()]


def _is_of(index: ClusterIndex, rule: KubernetesObject, service: KubernetesObject) -> bool:
    return _service(index, ObjectRef.of(rule).namespace, text(rule, "spec", "host"))[1] is service


def _service(index: ClusterIndex, own: str, host: str) -> tuple[str, KubernetesObject | None]:
    """The namespace and Service of a short or full name; an empty namespace for a host outside the cluster."""
    labels = host.rstrip(".").split(".")
    if len(labels) == 1 and labels[0] and "*" not in host:
        return own, index.get("Service", own, labels[0])
    if len(labels) >= 3 and labels[2] == "svc":
        return labels[1], index.get("Service", labels[1], labels[0])
    if len(labels) == 2 and labels[1] in index.namespaces:
        return labels[1], index.get("Service", labels[1], labels[0])
    return "", None


def _subsets(index: ClusterIndex, rule: KubernetesObject) -> Iterator[Finding]:
    """A subset's labels are added to the Service's selector: some pod must bear both."""
    ref = ObjectRef.of(rule)
    _, service = _service(index, ref.namespace, text(rule, "spec", "host"))
    servers = selected_workloads(index, service) if service is not None else ()
    for place, subset in enumerate(mappings(rule, "spec", "subsets")):
        wanted = mapping(subset, "labels")
        if servers and wanted and not any(matches_labels(wanted, one.labels) for one in servers):
            key, value = next(iter(sorted(wanted.items())))
            borne = sorted({one.labels[key] for one in servers if key in one.labels})
            field = f"spec.subsets[{place}].labels"
            yield _misroute(
                ref,
                f"{field}.{key}" if "." not in key else f'{field}["{key}"]',
                str(value),
                borne[0] if len(borne) == 1 else "",
                f"defines subset {text(subset, 'name')} by {key}: {value}, which no pod bears",
                *(seen_field(one.ref, labels_field(one), one.labels) for one in servers[:2]),
            )


def _traefik(index: ClusterIndex, route: KubernetesObject) -> Iterator[Finding]:
    ref = ObjectRef.of(route)
    for rule_place, rule in enumerate(mappings(route, "spec", "routes")):
        for place, entry in enumerate(mappings(rule, "services")):
            if text(entry, "kind") in ("", "Service"):
                yield from _traefik_service(index, ref, f"spec.routes[{rule_place}].services[{place}]", entry)
        for place, entry in enumerate(mappings(rule, "middlewares")):
            home, name = text(entry, "namespace") or ref.namespace, text(entry, "name")
            known = [ObjectRef.of(one).name for one in index.of_kind("Middleware", home)]
            if known and name not in known and "@" not in name:
                field = f"spec.routes[{rule_place}].middlewares[{place}].name"
                yield _misroute(
                    ref, field, name, nearest(name, known), f"wants Middleware {name}, which does not exist"
                )


def _traefik_service(index: ClusterIndex, ref: ObjectRef, field: str, entry: dict[str, Any]) -> Iterator[Finding]:
    home, name, port = text(entry, "namespace") or ref.namespace, text(entry, "name"), text(entry, "port")
    service = index.get("Service", home, name)
    if service is None and "@" not in name and index.could_read("Service", home):
        known = [ObjectRef.of(one).name for one in index.of_kind("Service", home)]
        yield _misroute(
            ref, f"{field}.name", name, nearest(name, known), f"leads to Service {name}, which does not exist"
        )
    elif service is not None and port:
        offered = [text(one, key) for one in mappings(service, "spec", "ports") for key in ("port", "name")]
        if port not in offered:
            yield _misroute(
                ref,
                f"{field}.port",
                port,
                offered[0] if len(offered) == 2 else "",
                f"leads to port {port} of Service {name}, which it does not offer",
            )


def _misroute(ref: ObjectRef, field: str, observed: str, expected: str, said: str, *shown: Evidence) -> Finding:
    return Finding(
        kind=FaultKind.GATEWAY_MISROUTE,
        object=ref,
        field=field,
        observed=observed,
        expected=expected,
        message=f"{ref.kind} {ref.name} {said}.",
        directness="inferred",
        evidence=(seen_field(ref, field, observed), *shown),
    )

"""Columns of Services and what leads to them, and of Events."""

from datetime import datetime
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cells import AGE, NAME, NONE, UNSET, Column, joined, look_up, number, selector_text, text
from sre_bot.lab.durations import age


def _service_ports(service: KubernetesObject, now: datetime) -> str:
    return joined(_service_port(port) for port in look_up(service, "spec.ports", []))


def _service_port(port: dict[str, Any]) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"


def _ingress_points(thing: KubernetesObject) -> list[str]:
    points = look_up(thing, "status.loadBalancer.ingress", [])
    return [point.get("ip") or point.get("hostname", "") for point in points]


def _external(service: KubernetesObject, now: datetime) -> str:
    kind = look_up(service, "spec.type", "ClusterIP")
    if kind == "ExternalName":
        return look_up(service, "spec.externalName", NONE)
    given = look_up(service, "spec.externalIPs", [])
    balanced = _ingress_points(service) if kind == "LoadBalancer" else []
    return joined([*balanced, *given], "<pending>" if kind == "LoadBalancer" else NONE)


def _short(values: list[str]) -> str:
    return joined(values[:3]) + (f" + {len(values) - 3} more..." if len(values) > 3 else "")


def _endpoints(thing: KubernetesObject, now: datetime) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in thing.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    return _short(found)


def _slice_ports(thing: KubernetesObject, now: datetime) -> str:
    return _short([str(port.get("port", "*")) for port in thing.get("ports") or ()]).replace(NONE, UNSET)


def _slice_endpoints(thing: KubernetesObject, now: datetime) -> str:
    addresses = [address for endpoint in thing.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return _short(addresses).replace(NONE, UNSET)


def _hosts(ingress: KubernetesObject, now: datetime) -> str:
    hosts = [rule.get("host", "") for rule in look_up(ingress, "spec.rules", [])]
    return _short([host for host in hosts if host]).replace(NONE, "*")


def _ingress_class(ingress: KubernetesObject, now: datetime) -> str:
    annotations = look_up(ingress, "metadata.annotations", {})
    return look_up(ingress, "spec.ingressClassName") or annotations.get("kubernetes.io/ingress.class", NONE)


def _ingress_ports(ingress: KubernetesObject, now: datetime) -> str:
    return "80, 443" if look_up(ingress, "spec.tls") else "80"


def _event_object(event: KubernetesObject, now: datetime) -> str:
    about = _about(event)
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _about(event: KubernetesObject) -> dict[str, Any]:
    return event.get("involvedObject") or event.get("regarding") or {}


def _source(event: KubernetesObject, now: datetime) -> str:
    source = event.get("source") or event.get("deprecatedSource") or {}
    component = source.get("component") or event.get("reportingComponent") or event.get("reportingController") or ""
    return ", ".join(part for part in (component, source.get("host", "")) if part)


def _first_seen(event: KubernetesObject, now: datetime) -> str:
    first = event.get("firstTimestamp") or event.get("deprecatedFirstTimestamp") or event.get("eventTime")
    return age(first, now)


def _last_seen(event: KubernetesObject, now: datetime) -> str:
    last = look_up(event, "series.lastObservedTime")
    last = last or event.get("lastTimestamp") or event.get("deprecatedLastTimestamp")
    return age(last, now) if last else _first_seen(event, now)


def _count(event: KubernetesObject, now: datetime) -> int:
    return look_up(event, "series.count") or event.get("count") or event.get("deprecatedCount") or 1


_EVENT = (
    Column("Last Seen", _last_seen),
    text("Type", "type", ""),
    text("Reason", "reason", ""),
    Column("Object", _event_object),
    Column("Subobject", lambda event, now: _about(event).get("fieldPath", ""), wide=True),
    Column("Source", _source, wide=True),
    Column("Message", lambda event, now: str(event.get("message") or event.get("note") or "").strip()),
    Column("First Seen", _first_seen, wide=True),
    Column("Count", _count, wide=True, type="integer"),
    text("Name", "metadata.name", wide=True),
)

NETWORK_COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "Event"): _EVENT,
    ("events.k8s.io", "Event"): _EVENT,
    ("", "Service"): (
        NAME,
        text("Type", "spec.type", "ClusterIP"),
        text("Cluster-IP", "spec.clusterIP"),
        Column("External-IP", _external),
        Column("Port(s)", _service_ports),
        AGE,
        Column("Selector", lambda thing, now: selector_text(look_up(thing, "spec.selector")), wide=True),
    ),
    ("", "Endpoints"): (NAME, Column("Endpoints", _endpoints), AGE),
    ("discovery.k8s.io", "EndpointSlice"): (
        NAME,
        text("AddressType", "addressType"),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_endpoints),
        AGE,
    ),
    ("networking.k8s.io", "Ingress"): (
        NAME,
        Column("Class", _ingress_class),
        Column("Hosts", _hosts),
        Column("Address", lambda thing, now: joined(_ingress_points(thing), "")),
        Column("Ports", _ingress_ports),
        AGE,
    ),
    ("networking.k8s.io", "IngressClass"): (
        NAME,
        text("Controller", "spec.controller"),
        text("Parameters", "spec.parameters.name"),
        AGE,
    ),
    ("networking.k8s.io", "NetworkPolicy"): (
        NAME,
        Column("Pod-Selector", lambda thing, now: selector_text(look_up(thing, "spec.podSelector"))),
        AGE,
    ),
    ("scheduling.k8s.io", "PriorityClass"): (
        NAME,
        number("Value", "value"),
        Column("Global-Default", lambda thing, now: str(bool(thing.get("globalDefault"))).lower()),
        AGE,
        text("PreemptionPolicy", "preemptionPolicy"),
    ),
}

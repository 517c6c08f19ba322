"""What a NetworkPolicy lets through: peers by labels, namespaces and address blocks, ports by number, range and name.

https://kubernetes.io/docs/concepts/services-networking/network-policies/. No judgement.
"""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Literal

from sre_bot.detectors.complaints import Complaint
from sre_bot.detectors.fields import dig, labels_of, mapping, mappings, number, text, texts
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.selectors import matches_selector
from sre_bot.domain.cluster import KubernetesObject

Direction = Literal["Ingress", "Egress"]


@dataclass(frozen=True, eq=False)
class Path:
    """Traffic that is needed: from a workload to a port of another one."""

    client: Workload
    server: Workload
    port: int | None
    port_name: str
    host: str
    told: tuple[Complaint, ...]
    protocol: str = "TCP"


def blocking(index: ClusterIndex, path: Path, direction: Direction) -> KubernetesObject | None:
    """The policy to blame: of those that select the pod in that direction and allow nothing fitting, the newest."""
    guarded, peer = (path.server, path.client) if direction == "Ingress" else (path.client, path.server)
    policies = [
        policy
        for policy in index.of_kind("NetworkPolicy", guarded.ref.namespace)
        if selects(policy, guarded, direction)
    ]
    if not policies or any(_allows(index, policy, direction, peer, path) for policy in policies):
        return None
    return max(
        policies,
        key=lambda policy: (
            _closeness(policy, direction, path),
            str(dig(policy, "metadata", "creationTimestamp")),
            text(policy, "metadata", "name"),
        ),
    )


def selects(policy: KubernetesObject, workload: Workload, direction: Direction) -> bool:
    """Whether a policy is about the pods of a workload in a direction; without ``policyTypes`` its rules tell."""
    kinds = texts(policy, "spec", "policyTypes") or [
        "Ingress",
        *(["Egress"] if "egress" in mapping(policy, "spec") else []),
    ]
    return direction in kinds and matches_selector(mapping(policy, "spec", "podSelector"), workload.labels)


def _closeness(policy: KubernetesObject, direction: Direction, path: Path) -> int:
    """How much of a policy is about this traffic: a rule with the right port but the wrong peer is nearer than none."""
    rules = mappings(policy, "spec", direction.lower())
    named = any(_port_allowed(rule, path) for rule in rules)
    return 2 * named + bool(rules) + bool(mapping(policy, "spec", "podSelector"))


def _allows(index: ClusterIndex, policy: KubernetesObject, direction: Direction, peer: Workload, path: Path) -> bool:
    key = "from" if direction == "Ingress" else "to"
    for rule in mappings(policy, "spec", direction.lower()):
        peers = mappings(rule, key)
        if _port_allowed(rule, path) and (not peers or any(_is_peer(index, policy, one, peer) for one in peers)):
            return True
    return False


def _port_allowed(rule: dict[str, Any], path: Path) -> bool:
    ports = mappings(rule, "ports")
    return not ports or any(_port_fits(entry, path) for entry in ports)


def _port_fits(entry: dict[str, Any], path: Path) -> bool:
    """Whether a rule's port is the path's: number, range or a name of the server's container port; TCP unless said."""
    wanted, last = text(entry, "port"), number(entry, "endPort")
    if (text(entry, "protocol") or "TCP") != path.protocol:
        return False
    if not wanted or path.port is None:
        return not wanted or wanted == path.port_name or wanted.isdecimal() or wanted in _port_names(path.server, None)
    if wanted.isdecimal():
        return int(wanted) <= path.port <= (last or int(wanted))
    return wanted in _port_names(path.server, path.port)


def _port_names(server: Workload, port: int | None) -> set[str]:
    return {
        text(entry, "name")
        for container in mappings(server.spec, "containers")
        for entry in mappings(container, "ports")
        if port in (None, number(entry, "containerPort"))
    }


def _is_peer(index: ClusterIndex, policy: KubernetesObject, entry: dict[str, Any], peer: Workload) -> bool:
    """Selectors in one entry are ANDed; without a namespace selector the policy's own namespace is meant."""
    if "ipBlock" in entry:
        return _holds_pods(mapping(entry, "ipBlock"), peer)
    own = text(policy, "metadata", "namespace")
    if "namespaceSelector" in entry:
        labels = {
            "kubernetes.io/metadata.name": peer.ref.namespace,
            **labels_of(index.get("Namespace", "", peer.ref.namespace)),
        }
        if not matches_selector(entry["namespaceSelector"], labels):
            return False
    elif peer.ref.namespace != own:
        return False
    return "podSelector" not in entry or matches_selector(entry["podSelector"], peer.labels)


def _holds_pods(block: dict[str, Any], peer: Workload) -> bool:
    """Whether a block of addresses holds all known ones of a workload's pods, ``except`` left out."""
    known = [address for pod in peer.pods if (address := text(pod.thing, "status", "podIP"))]
    return all(holds(block, address) for address in known)


def holds(block: dict[str, Any], address: str) -> bool:
    """Whether an ``ipBlock`` holds an address; what cannot be read is taken to."""
    try:
        ip = ip_address(address)
        return ip in ip_network(text(block, "cidr"), strict=False) and not any(
            ip in ip_network(one, strict=False) for one in texts(block, "except")
        )
    except ValueError:
        return True


def opens(policy: KubernetesObject, path: Path) -> bool:
    """Whether a policy lets traffic out to a host: to anywhere, or to a block that holds its address or may hold it."""
    for rule in mappings(policy, "spec", "egress"):
        blocks = [mapping(peer, "ipBlock") for peer in mappings(rule, "to") if "ipBlock" in peer]
        if _port_allowed(rule, path) and (not mappings(rule, "to") or any(holds(one, path.host) for one in blocks)):
            return True
    return False


def opens_dns(index: ClusterIndex, policy: KubernetesObject, path: Path) -> bool:
    """Whether a policy lets a client ask a name server; one on the node is reached by an address block."""
    for rule in mappings(policy, "spec", "egress"):
        peers = mappings(rule, "to")
        known = path.server is not path.client
        if _port_allowed(rule, path) and (
            not peers
            or not known
            or any("ipBlock" in peer or _is_peer(index, policy, peer, path.server) for peer in peers)
        ):
            return True
    return False

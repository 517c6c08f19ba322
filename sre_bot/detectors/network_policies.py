"""NetworkPolicies that forbid traffic which a workload's configuration or log shows to be needed.

A pod that any policy selects for a direction accepts only what some policy allows in that direction
(https://kubernetes.io/docs/concepts/services-networking/network-policies/). Ports are those of the pod, after the
Service.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sre_bot.detectors.calls import calls, names, selected_workloads
from sre_bot.detectors.dependencies import Complaint, complaints
from sre_bot.detectors.fields import dig, labels_of, mapping, mappings, number, text, texts, when, whole
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.selectors import matches_selector
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

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


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every needed path whose failure a log tells of, or whose client suffers; then name resolution."""
    if not index.of_kind("NetworkPolicy"):
        return
    for path in _paths(index):
        for direction in ("Ingress", "Egress"):
            blocking = _blocking(index, path, direction)
            if blocking is not None:
                yield _finding(path, blocking, direction)
    yield from _resolution(index)


def _paths(index: ClusterIndex) -> Iterator[Path]:
    """Configured calls and logged ones, to the pods behind their Services."""
    seen: set[tuple[str, str, int | None]] = set()
    for client, host, port, service in _wanted(index):
        told = tuple(
            one for one in index.once(complaints).get(client.ref, ()) if _reaches(index, client, one, host, service)
        )
        if not told and not _suffers_in_silence(index, client):
            continue
        entry = next((one for one in mappings(service, "spec", "ports") if port in (None, number(one, "port"))), {})
        for server in selected_workloads(index, service):
            key = (str(client.ref), str(server.ref), number(entry, "port"))
            if key not in seen:
                seen.add(key)
                target = text(entry, "targetPort") or text(entry, "port")
                yield Path(client, server, _container_port(server, target), target, host, told)
    for path in _direct(index):
        key = (str(path.client.ref), str(path.server.ref), path.port)
        if key not in seen:
            seen.add(key)
            yield path


def _wanted(index: ClusterIndex) -> Iterator[tuple[Workload, str, int | None, KubernetesObject]]:
    resolver = index.once(names)
    for call in index.once(calls):
        if call.target.service is not None:
            yield call.workload, call.address.host, call.address.port, call.target.service
    for ref, told in index.once(complaints).items():
        client = index.workload_by_ref.get(ref)
        for one in told if client else ():
            service = resolver.resolve(one.failure.host, client).service if client else None
            if client and service is not None:
                yield client, one.failure.host, one.failure.port, service


def _direct(index: ClusterIndex) -> Iterator[Path]:
    """Failed calls to a pod's own address, as proxies make them that read the endpoints themselves."""
    resolver = index.once(names)
    for ref, told in index.once(complaints).items():
        client = index.workload_by_ref.get(ref)
        for one in told if client else ():
            owner = resolver.pod_owner(one.failure.host)
            server = index.workload_by_ref.get(owner) if owner else None
            if client and server and server is not client:
                same = tuple(
                    other
                    for other in told
                    if other.failure.port == one.failure.port and resolver.pod_owner(other.failure.host) == owner
                )
                yield Path(client, server, one.failure.port, str(one.failure.port or ""), one.failure.host, same)


def _reaches(index: ClusterIndex, client: Workload, one: Complaint, host: str, service: KubernetesObject) -> bool:
    return one.failure.host == host or index.once(names).resolve(one.failure.host, client).service is service


def _suffers_in_silence(index: ClusterIndex, client: Workload) -> bool:
    unwell = any(not pod.ready and pod.node for pod in client.pods)
    return unwell and not index.once(complaints).get(client.ref)


def _container_port(server: Workload, target: str) -> int | None:
    if target.isdecimal():
        return whole(target)
    named = (
        number(entry, "containerPort")
        for container in mappings(server.spec, "containers")
        for entry in mappings(container, "ports")
        if text(entry, "name") == target
    )
    return next(named, None)


def _blocking(index: ClusterIndex, path: Path, direction: Direction) -> KubernetesObject | None:
    """The policy to blame: of those that select the pod in that direction and allow nothing fitting, the newest."""
    guarded, peer = (path.server, path.client) if direction == "Ingress" else (path.client, path.server)
    policies = [
        policy
        for policy in index.of_kind("NetworkPolicy", guarded.ref.namespace)
        if _selects(policy, guarded, direction)
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


def _selects(policy: KubernetesObject, workload: Workload, direction: Direction) -> bool:
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
    wanted, last = text(entry, "port"), number(entry, "endPort")
    if not wanted:
        return True
    if wanted.isdecimal() and path.port is not None:
        first = whole(wanted) or 0
        return first <= path.port <= (last or first)
    return wanted == path.port_name or path.port is None


def _is_peer(index: ClusterIndex, policy: KubernetesObject, entry: dict[str, Any], peer: Workload) -> bool:
    """Selectors in one entry are ANDed; without a namespace selector the policy's own namespace is meant."""
    if "ipBlock" in entry:
        return text(entry, "ipBlock", "cidr") in ("0.0.0.0/0", "10.0.0.0/8", "::/0")
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


def _finding(path: Path, policy: KubernetesObject, direction: Direction) -> Finding:
    ref, key = ObjectRef.of(policy), direction.lower()
    guarded, peer = (path.server, path.client) if direction == "Ingress" else (path.client, path.server)
    rules = dig(policy, "spec", key)
    told = tuple(seen_line(one.trouble.line) for one in path.told[-2:])
    return Finding(
        kind=FaultKind.NETWORK_POLICY_BLOCKS,
        object=ref,
        field=f"spec.{key}",
        observed=_shown(rules),
        expected=", ".join(
            f"{label}: {value}" for label, value in sorted(peer.labels.items()) if label != "pod-template-hash"
        ),
        message=f"NetworkPolicy {ref.name} keeps {path.client.ref.name} from {path.server.ref.name}"
        + (f" on port {path.port}." if path.port else "."),
        directness="inferred",
        evidence=(
            seen_field(ref, "spec.podSelector", mapping(policy, "spec", "podSelector")),
            seen_field(ref, f"spec.{key}", rules if rules is not None else []),
            *told,
        ),
        since=earliest(*(one.trouble.line.first for one in path.told))
        or when(dig(policy, "metadata", "creationTimestamp")),
        hurts=tuple(sorted({path.client.ref, guarded.ref}, key=str)),
    )


def _shown(rules: Any) -> str:
    """Something of the rules that stands literally in the evidence: the first value that they name."""
    if not rules:
        return "[]" if rules is not None else ""
    pairs = [
        (key, value)
        for rule in rules
        for peer in mappings(rule, "from") + mappings(rule, "to")
        for selector in peer.values()
        for key, value in mapping(selector, "matchLabels").items()
    ]
    if pairs:
        return f"{pairs[0][0]}: {pairs[0][1]}"
    return next((text(port, "port") for rule in rules for port in mappings(rule, "ports")), "")


def _resolution(index: ClusterIndex) -> Iterator[Finding]:
    """Egress rules that forget port 53: every name fails to resolve for the selected pods, with a time-out."""
    for ref, told in index.once(complaints).items():
        client = index.workload_by_ref.get(ref)
        lost = tuple(one for one in told if one.failure.how == "unresolved")
        if client is None or not lost:
            continue
        policies = [
            policy for policy in index.of_kind("NetworkPolicy", ref.namespace) if _selects(policy, client, "Egress")
        ]
        if policies and not any(_opens_dns(policy) for policy in policies):
            policy = max(
                policies,
                key=lambda one: (str(dig(one, "metadata", "creationTimestamp")), text(one, "metadata", "name")),
            )
            finding = _finding(Path(client, client, 53, "53", lost[0].failure.host, lost), policy, "Egress")
            yield finding.model_copy(
                update={
                    "expected": "53",
                    "hurts": (client.ref,),
                    "message": f"NetworkPolicy {ObjectRef.of(policy).name} keeps {ref.name} from resolving names: "
                    "nothing opens port 53.",
                }
            )


def _opens_dns(policy: KubernetesObject) -> bool:
    return any(
        not mappings(rule, "ports") or any(text(port, "port") in ("53", "dns", "") for port in mappings(rule, "ports"))
        for rule in mappings(policy, "spec", "egress")
    )

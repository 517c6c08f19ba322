"""NetworkPolicies that forbid traffic which a workload's configuration or log shows to be needed.

A pod that any policy selects for a direction accepts only what some policy allows in that direction
(https://kubernetes.io/docs/concepts/services-networking/network-policies/). Ports are those of the pod, after the
Service.
"""

from collections.abc import Iterator
from typing import Any

from sre_bot.detectors.calls import calls, names, selected_workloads
from sre_bot.detectors.complaints import Complaint, complaints
from sre_bot.detectors.fields import dig, labels_of, mapping, mappings, number, text, when, whole
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.policy_rules import Direction, Path, blocking, opens, opens_dns, selects
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import FaultKind, Finding


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every needed path whose failure a log tells of, or whose client suffers; then name resolution."""
    if not index.of_kind("NetworkPolicy"):
        return
    for path in _paths(index):
        for direction in ("Ingress", "Egress"):
            guard = blocking(index, path, direction)
            if guard is not None:
                peer = path.client if direction == "Ingress" else path.server
                yield _with_namespace(index, _finding(path, guard, direction), peer)
    yield from _resolution(index)
    yield from _outward(index)


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
                spoken = text(entry, "protocol") or "TCP"
                yield Path(client, server, _container_port(server, target), target, host, told, spoken)
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


def _with_namespace(index: ClusterIndex, finding: Finding, peer: Workload) -> Finding:
    """The labels of the peer's namespace, which a ``namespaceSelector`` may miss, as evidence."""
    thing = index.get("Namespace", "", peer.ref.namespace)
    if thing is None or not any("namespaceSelector" in piece.excerpt for piece in finding.evidence):
        return finding
    shown = seen_field(ObjectRef.of(thing), "metadata.labels", labels_of(thing))
    return finding.model_copy(update={"evidence": (*finding.evidence, shown)})


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
            policy for policy in index.of_kind("NetworkPolicy", ref.namespace) if selects(policy, client, "Egress")
        ]
        ways = tuple(_ways_to_resolvers(index, client, lost))
        guards = [(way, guard) for way in ways if (guard := blocking(index, way, "Ingress")) is not None]
        if guards:
            yield _finding(*guards[0], "Ingress")
            continue
        unknown = Path(client, client, 53, "53", lost[0].failure.host, lost, "UDP")
        if policies and not any(opens_dns(index, policy, way) for policy in policies for way in ways or (unknown,)):
            yield _without_names(policies, unknown)


def _without_names(policies: list[KubernetesObject], path: Path) -> Finding:
    policy = max(
        policies,
        key=lambda one: (str(dig(one, "metadata", "creationTimestamp")), text(one, "metadata", "name")),
    )
    said = f"NetworkPolicy {ObjectRef.of(policy).name} keeps {path.client.ref.name} from resolving names: "
    return _finding(path, policy, "Egress").model_copy(
        update={
            "expected": "53",
            "hurts": (path.client.ref,),
            "message": f"{said}nothing opens port 53 of a name server.",
        }
    )


def _ways_to_resolvers(index: ClusterIndex, client: Workload, lost: tuple[Complaint, ...]) -> Iterator[Path]:
    """From a client to the pods of every Service on port 53; resolvers ask by UDP first (RFC 1035, 4.2)."""
    for service in index.of_kind("Service"):
        entries = [one for one in mappings(service, "spec", "ports") if number(one, "port") == 53]
        entry = next((one for one in entries if text(one, "protocol") == "UDP"), entries[0] if entries else {})
        for server in selected_workloads(index, service) if entries else ():
            target = text(entry, "targetPort") or "53"
            spoken = text(entry, "protocol") or "TCP"
            port = _container_port(server, target) or 53
            yield Path(client, server, port, target, lost[0].failure.host, lost, spoken)


def _outward(index: ClusterIndex) -> Iterator[Finding]:
    """Egress rules that open no way to a host outside the cluster, calls to which time out."""
    resolver = index.once(names)
    for ref, told in index.once(complaints).items():
        client = index.workload_by_ref.get(ref)
        for one in told if client else ():
            host, how = one.failure.host, one.failure.how
            if (
                client is None
                or how != "timeout"
                or resolver.resolve(host, client).meaning not in ("external", "unknown")
            ):
                continue
            policies = [one for one in index.of_kind("NetworkPolicy", ref.namespace) if selects(one, client, "Egress")]
            path = Path(client, client, one.failure.port, str(one.failure.port or ""), host, (one,))
            if policies and not any(opens(policy, path) for policy in policies):
                policy = max(policies, key=lambda known: str(dig(known, "metadata", "creationTimestamp")))
                yield _finding(path, policy, "Egress").model_copy(
                    update={
                        "expected": str(one.failure.port or ""),
                        "hurts": (client.ref,),
                        "message": f"NetworkPolicy {ObjectRef.of(policy).name} keeps {ref.name} from {host}.",
                    }
                )

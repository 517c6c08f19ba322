"""Name resolution that is wrong for right names: a pod's own DNS settings, or the cluster's DNS service.

``ClusterFirst`` asks the cluster's DNS; ``Default`` inherits the node's resolver, which knows no Service; ``None``
uses only ``dnsConfig``; pods on the host network need ``ClusterFirstWithHostNet``
(https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/).
"""

from collections.abc import Iterator

from sre_bot.detectors.addresses import service_ports
from sre_bot.detectors.calls import names, selected_workloads
from sre_bot.detectors.complaints import Complaint, complaints
from sre_bot.detectors.corefile import misled
from sre_bot.detectors.fields import dig, mappings, number, text, texts
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every workload that cannot resolve the name of a Service that exists; then the DNS service itself."""
    lost = dict(_lost(index))
    for ref, told in lost.items():
        yield from _own_settings(index.workload_by_ref[ref], told)
    yield from _aliases(index)
    yield from _dns_service(index, lost)
    blameless = [
        told for ref, told in lost.items() if not any(True for _ in _own_settings(index.workload_by_ref[ref], told))
    ]
    resolver = index.once(names)
    found = [
        (one, resolver.resolve(one.failure.host, index.workload_by_ref[one.trouble.workload]))
        for told in blameless
        for one in told
    ]
    yield from misled(index, tuple(found))


def _lost(index: ClusterIndex) -> Iterator[tuple[ObjectRef, tuple[Complaint, ...]]]:
    resolver = index.once(names)
    for ref, told in index.once(complaints).items():
        workload = index.workload_by_ref.get(ref)
        if workload is None:
            continue
        right = tuple(
            one
            for one in told
            if one.failure.how == "unresolved" and resolver.resolve(one.failure.host, workload).service is not None
        )
        if right:
            yield ref, right


def _own_settings(workload: Workload, told: tuple[Complaint, ...]) -> Iterator[Finding]:
    policy = text(workload.spec, "dnsPolicy") or "ClusterFirst"
    on_host = dig(workload.spec, "hostNetwork") is True
    if policy in ("Default", "None") or (on_host and policy == "ClusterFirst"):
        expected = "ClusterFirstWithHostNet" if on_host else "ClusterFirst"
        yield _finding(
            workload,
            f"{workload.field}.dnsPolicy",
            policy,
            expected,
            told,
            f"{workload.ref.name} resolves names with dnsPolicy {policy}, which does not ask the cluster's DNS",
        )
    elif servers := texts(workload.spec, "dnsConfig", "nameservers"):
        yield _finding(
            workload,
            f"{workload.field}.dnsConfig.nameservers",
            servers[0],
            "",
            told,
            f"{workload.ref.name} asks the name servers {', '.join(servers)} of its dnsConfig",
        )
    else:
        yield from _too_few_dots(workload, told)


def _too_few_dots(workload: Workload, told: tuple[Complaint, ...]) -> Iterator[Finding]:
    """Names with at least ``ndots`` dots are asked for as they stand, and some resolvers then skip the search path.

    musl does (https://wiki.musl-libc.org/functional-differences-from-glibc.html#Name-Resolver/DNS).
    """
    for place, option in enumerate(mappings(workload.spec, "dnsConfig", "options")):
        least = number(option, "value")
        if text(option, "name") != "ndots" or least is None:
            continue
        lost = tuple(one for one in told if one.failure.host.rstrip(".").count(".") >= least)
        if lost:
            field = f"{workload.field}.dnsConfig.options[{place}].value"
            finding = _finding(
                workload,
                field,
                str(least),
                "5",
                lost,
                f"{workload.ref.name} asks for names with {least} dots as they stand",
            )
            shown = seen_field(workload.ref, field, text(option, "value"))
            yield finding.model_copy(update={"evidence": (shown, *finding.evidence[1:])})


def _finding(
    workload: Workload, field: str, observed: str, expected: str, told: tuple[Complaint, ...], message: str
) -> Finding:
    value = dig(workload.spec, *field.removeprefix(f"{workload.field}.").split("."))
    return Finding(
        kind=FaultKind.DNS_MISCONFIGURED,
        object=workload.ref,
        field=field,
        observed=observed,
        expected=expected,
        message=f"{message}; {told[0].failure.host} exists and does not resolve for it.",
        directness="inferred",
        evidence=(
            seen_field(workload.ref, field, value if value is not None else observed),
            *(seen_line(one.trouble.line) for one in told[-2:]),
        ),
        since=earliest(*(one.trouble.line.first for one in told)),
    )


def _aliases(index: ClusterIndex) -> Iterator[Finding]:
    """``hostAliases`` shadow a Service's name; an address that is neither the Service's nor a pod's leads astray."""
    for workload in index.workloads:
        for position, alias in enumerate(mappings(workload.spec, "hostAliases")):
            for name in texts(alias, "hostnames"):
                service = index.get("Service", workload.ref.namespace, name.split(".")[0])
                if service is None or text(alias, "ip") in (
                    text(service, "spec", "clusterIP"),
                    *texts(service, "spec", "clusterIPs"),
                ):
                    continue
                told = tuple(
                    one
                    for one in index.once(complaints).get(workload.ref, ())
                    if one.failure.host in (name, text(alias, "ip"))
                )
                if told:
                    field = f"{workload.field}.hostAliases[{position}].ip"
                    finding = _finding(
                        workload,
                        field,
                        text(alias, "ip"),
                        text(service, "spec", "clusterIP"),
                        told,
                        f"{workload.ref.name} has its own address {text(alias, 'ip')} for {name}",
                    )
                    shown = (seen_field(workload.ref, field, text(alias, "ip")), *finding.evidence[1:])
                    yield finding.model_copy(update={"evidence": shown})


def _dns_service(index: ClusterIndex, lost: dict[ObjectRef, tuple[Complaint, ...]]) -> Iterator[Finding]:
    """The Service on port 53 whose workload is not ready while right names do not resolve."""
    for service in index.of_kind("Service"):
        if 53 not in service_ports(service):
            continue
        servers = selected_workloads(index, service)
        unwell = [one for one in servers if not one.pods or not all(pod.ready for pod in one.pods) or one.replicas == 0]
        if servers and len(unwell) == len(servers) and (lost or _everyone_complains(index)):
            yield _dead_dns(service, unwell[0], lost)


def _everyone_complains(index: ClusterIndex) -> bool:
    """Whether unresolved names are a matter of more than one workload."""
    return sum(any(one.failure.how == "unresolved" for one in told) for told in index.once(complaints).values()) > 1


def _dead_dns(service: KubernetesObject, server: Workload, lost: dict[ObjectRef, tuple[Complaint, ...]]) -> Finding:
    told = [one for complaints_ in lost.values() for one in complaints_]
    wanted = f"{server.replicas}"
    evidence: list[Evidence] = [seen_field(server.ref, "spec.replicas", server.replicas)]
    evidence += [seen_field(pod.ref, "status.phase", pod.phase) for pod in server.pods[:2]]
    return Finding(
        kind=FaultKind.DNS_MISCONFIGURED,
        object=server.ref,
        field="spec.replicas" if server.replicas == 0 else "",
        observed=wanted,
        expected="",
        message=f"The cluster's DNS ({ObjectRef.of(service).name}) has no ready pod, so names do not resolve.",
        directness="inferred",
        evidence=(*evidence, *(seen_line(one.trouble.line) for one in told[:2])),
        since=earliest(*(one.trouble.line.first for one in told)),
        hurts=tuple(sorted(lost, key=str)),
    )

"""Hosts outside the cluster, and the finding that one of them fails: a cause that nothing of ours can remove."""

from datetime import datetime

from sre_bot.detectors.addresses import has_selector
from sre_bot.detectors.calls import names
from sre_bot.detectors.fields import mappings, text, texts
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding


def is_outside(index: ClusterIndex, ref: ObjectRef, host: str) -> bool:
    """Whether a workload's host is outside the cluster: by its own domain, or behind an ExternalName Service.

    A name under which our own entrances serve is not: what fails there is ours.
    """
    workload = index.workload_by_ref.get(ref)
    if workload is None or host.lower() in index.once(own_hosts):
        return False
    target = index.once(names).resolve(host, workload)
    if target.service is not None:
        return not has_selector(target.service) and bool(text(target.service, "spec", "externalName"))
    return "." in host and target.meaning == "external"


def own_hosts(index: ClusterIndex) -> frozenset[str]:
    """The hosts of Ingress rules and of Gateway API routes (https://gateway-api.sigs.k8s.io/reference/spec/)."""
    rules = (rule for thing in index.of_kind("Ingress") for rule in mappings(thing, "spec", "rules"))
    routes = index.of_kinds(("HTTPRoute", "GRPCRoute", "TLSRoute"))
    return frozenset(
        host.lower()
        for host in (
            *(text(rule, "host") for rule in rules),
            *(h for one in routes for h in texts(one, "spec", "hostnames")),
        )
        if host and not host.startswith("*")
    )


def outage(ref: ObjectRef, host: str, said: str, shown: tuple[Evidence, ...], since: datetime | None) -> Finding:
    """The finding against a host outside, at the workload that first suffers from it."""
    return Finding(
        kind=FaultKind.UPSTREAM_OUTAGE,
        object=ref,
        field="",
        observed=host,
        expected="",
        message=f"{ref.name} depends on {host} outside the cluster, and {said}.",
        directness="logged",
        evidence=shown,
        since=earliest(since),
    )

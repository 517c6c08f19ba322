"""Hosts outside the cluster, and the finding that one of them fails: a cause that nothing of ours can remove."""

from datetime import datetime

from sre_bot.detectors.addresses import has_selector
from sre_bot.detectors.calls import names
from sre_bot.detectors.fields import text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding


def is_outside(index: ClusterIndex, ref: ObjectRef, host: str) -> bool:
    """Whether a workload's host is outside the cluster: by its own domain, or behind an ExternalName Service."""
    workload = index.workload_by_ref.get(ref)
    if workload is None:
        return False
    target = index.once(names).resolve(host, workload)
    if target.service is not None:
        return not has_selector(target.service) and bool(text(target.service, "spec", "externalName"))
    return "." in host and target.meaning == "external"


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

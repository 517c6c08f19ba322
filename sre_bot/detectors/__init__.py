"""Facts: pure functions from a cluster snapshot to findings."""

from collections.abc import Callable, Iterator

from sre_bot.detectors import (
    admission,
    certificates,
    code,
    credentials,
    databases,
    dependencies,
    dns,
    entrances,
    environment,
    files,
    images,
    jobs,
    load,
    memory,
    network_policies,
    network_quality,
    nodes,
    probes,
    providers,
    references,
    rollouts,
    routes,
    saturation,
    scheduling,
    service_ports,
    services,
    settings_errors,
    starting,
    upstreams,
    volumes,
)
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.revisions import with_last_good
from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.finding import Finding

FAMILIES: tuple[Callable[[ClusterIndex], Iterator[Finding]], ...] = tuple(
    family.detect
    for family in (
        admission,
        certificates,
        code,
        credentials,
        databases,
        dependencies,
        dns,
        entrances,
        environment,
        files,
        images,
        jobs,
        load,
        memory,
        network_policies,
        network_quality,
        nodes,
        probes,
        providers,
        references,
        rollouts,
        routes,
        saturation,
        scheduling,
        service_ports,
        services,
        settings_errors,
        starting,
        upstreams,
        volumes,
    )
)
"""One detector per family of faults."""

MAX_EVIDENCE = 8
_DIRECTNESS = ("stated", "inferred", "logged")


def detect(snapshot: ClusterSnapshot) -> tuple[Finding, ...]:
    """Every present fault of a snapshot, by kind, object and field. The order of the input does not matter."""
    return find(ClusterIndex(snapshot))


def find(index: ClusterIndex) -> tuple[Finding, ...]:
    """The same, on an index that is already built."""
    merged: dict[tuple[str, str, str], Finding] = {}
    for family in FAMILIES:
        for finding in family(index):
            known = merged.get(finding.key)
            merged[finding.key] = finding if known is None else _merge(known, finding)
    return tuple(with_last_good(index, merged[key]) for key in sorted(merged))


def _merge(one: Finding, other: Finding) -> Finding:
    """Two sights of the same fault, usually from two pods of a workload."""
    first, second = sorted(
        (one, other), key=lambda finding: (_DIRECTNESS.index(finding.directness), _first_id(finding))
    )
    evidence = {piece.id: piece for piece in (*first.evidence, *second.evidence)}
    return first.model_copy(
        update={
            "evidence": tuple(evidence.values())[:MAX_EVIDENCE],
            "since": earliest(one.since, other.since),
            "hurts": tuple(sorted({*one.hurts, *other.hurts}, key=str)),
        }
    )


def _first_id(finding: Finding) -> str:
    return finding.evidence[0].id if finding.evidence else ""

"""Facts: pure functions from a cluster snapshot to findings."""

from collections.abc import Callable, Iterable, Iterator

from sre_bot.detectors import (
    access,
    admission,
    app_protocols,
    certificates,
    claims,
    code,
    cpu_limits,
    credentials,
    daemons,
    databases,
    dependencies,
    dns,
    entrances,
    environment,
    feeds,
    files,
    gateways,
    images,
    ingress_classes,
    jobs,
    languages,
    load,
    memory,
    mistaken_servers,
    network_policies,
    network_quality,
    nodes,
    probes,
    providers,
    references,
    regressions,
    rejections,
    rollouts,
    routes,
    saturation,
    scheduling,
    service_ports,
    services,
    settings_errors,
    silent_refusals,
    staleness,
    starting,
    swallowed,
    traffic_shaping,
    upstreams,
    volumes,
)
from sre_bot.detectors.citations import with_its_object
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.revisions import with_last_good
from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.finding import Finding

Family = Callable[[ClusterIndex], Iterator[Finding]]
FAMILIES: tuple[Family, ...] = tuple(
    family.detect
    for family in (
        access,
        admission,
        app_protocols,
        certificates,
        claims,
        code,
        cpu_limits,
        credentials,
        daemons,
        databases,
        dependencies,
        dns,
        entrances,
        environment,
        feeds,
        files,
        gateways,
        images,
        ingress_classes,
        jobs,
        languages,
        load,
        memory,
        mistaken_servers,
        network_policies,
        network_quality,
        nodes,
        probes,
        providers,
        references,
        regressions,
        rejections,
        rollouts,
        routes,
        saturation,
        scheduling,
        service_ports,
        services,
        settings_errors,
        silent_refusals,
        staleness,
        starting,
        swallowed,
        traffic_shaping,
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


def find(index: ClusterIndex, families: Iterable[Family] = FAMILIES) -> tuple[Finding, ...]:
    """The same, on an index that is already built; by some of the detectors only, where they are given."""
    merged: dict[tuple[str, str, str], Finding] = {}
    for family in families:
        for finding in family(index):
            known = merged.get(finding.key)
            merged[finding.key] = finding if known is None else _merge(known, finding)
    return tuple(with_its_object(index, with_last_good(index, merged[key])) for key in sorted(merged))


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

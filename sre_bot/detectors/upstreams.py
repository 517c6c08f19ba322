"""Systems outside the cluster that fail their callers: the last explanation, when everything of ours is as it was."""

from collections.abc import Iterator
from datetime import datetime

from sre_bot.detectors.calls import Call, names
from sre_bot.detectors.complaints import Complaint, calls_from, complaints
from sre_bot.detectors.fields import text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.outside import is_outside, outage
from sre_bot.detectors.sightings import seen_in, seen_line, seen_setting
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_OFTEN = 5
_SMALL_LOG = 50


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge failed calls to hosts outside, whoever configured them."""
    for ref, told in index.once(complaints).items():
        by_host: dict[str, list[Complaint]] = {}
        for one in told:
            if is_outside(index, ref, one.failure.host):
                by_host.setdefault(one.failure.host, []).append(one)
        for host, failed in sorted(by_host.items()):
            if persists(failed):
                yield from _outside(index, ref, host, failed)


def persists(failed: list[Complaint]) -> bool:
    """Whether calls outside fail so often that it is more than the weather: five times, or fatally."""
    count = sum(one.trouble.line.count for one in failed)
    small = min(one.trouble.line.number + one.trouble.line.from_end for one in failed) < _SMALL_LOG
    return count >= _OFTEN or small or any(one.trouble.fatal for one in failed)


def _outside(index: ClusterIndex, ref: ObjectRef, host: str, failed: list[Complaint]) -> Iterator[Finding]:
    lines = tuple(seen_line(one.trouble.line) for one in failed[-2:])
    since = earliest(*(one.trouble.line.first for one in failed))
    workload = index.workload_by_ref[ref]
    service = index.once(names).resolve(host, workload).service
    if failed[0].failure.how == "unresolved" and service is not None:
        yield _wrong_external_name(service, ref, lines, since)
    calling = next((call for call in index.once(calls_from).get(ref, ()) if call.address.host == host), None)
    if failed[0].failure.how == "unresolved" and service is None and calling is not None:
        yield _wrong_name(calling, host, lines, since)
    if calling is not None and not any(host in piece.excerpt for piece in lines):
        lines = (*lines, seen_setting(calling.address.setting))
    yield outage(ref, host, f"calls to {host} fail ({failed[0].failure.how})", lines, since)


def _wrong_external_name(
    service: KubernetesObject, ref: ObjectRef, lines: tuple[Evidence, ...], since: datetime | None
) -> Finding:
    """An ExternalName Service is an alias in DNS: its name must resolve by itself (Service API)."""
    outside, own = text(service, "spec", "externalName"), ObjectRef.of(service)
    return Finding(
        kind=FaultKind.DEPENDENCY_WRONG_ADDRESS,
        object=own,
        field="spec.externalName",
        observed=outside,
        expected="",
        message=f"{ref.name} calls Service {own.name}, an alias of {outside}, which does not resolve.",
        directness="inferred",
        evidence=(seen_in(service, "spec.externalName"), *lines),
        since=since,
        hurts=(ref,),
    )


def _wrong_name(call: Call, host: str, lines: tuple[Evidence, ...], since: datetime | None) -> Finding:
    setting = call.address.setting
    return Finding(
        kind=FaultKind.DEPENDENCY_WRONG_ADDRESS,
        object=setting.holder,
        field=setting.field,
        observed=host,
        expected="",
        message=f"{call.workload.ref.name} calls {host}, a name that does not resolve.",
        directness="logged",
        evidence=(seen_setting(setting), *lines),
        since=since,
        container=setting.container,
        hurts=tuple(sorted({call.workload.ref} - {setting.holder}, key=str)),
    )

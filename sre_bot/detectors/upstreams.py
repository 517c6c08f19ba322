"""Systems outside the cluster that fail their callers: the last explanation, when everything of ours is as it was."""

import re
from collections.abc import Iterator
from datetime import datetime

from sre_bot.detectors.addresses import has_selector
from sre_bot.detectors.calls import Call, calls, names
from sre_bot.detectors.dependencies import Complaint, complaints
from sre_bot.detectors.fields import text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_in, seen_line, seen_setting
from sre_bot.detectors.troubles import troubles
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_SERVER_ERROR = re.compile(
    r"https?://([A-Za-z0-9][\w.-]*\.[A-Za-z]{2,})[^\s\"']*[^\n]{0,80}?\b(?:5\d\d|429)\b|\b(?:5\d\d|429)\b[^\n]{0,80}?https?://([A-Za-z0-9][\w.-]*\.[A-Za-z]{2,})"
)


_OFTEN = 5
_SMALL_LOG = 50


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge failed calls to hosts outside, whoever configured them, then server errors that such hosts answer."""
    for ref, told in index.once(complaints).items():
        by_host: dict[str, list[Complaint]] = {}
        for one in told:
            if is_outside(index, ref, one.failure.host):
                by_host.setdefault(one.failure.host, []).append(one)
        for host, failed in sorted(by_host.items()):
            if persists(failed):
                yield from _outside(index, ref, host, failed)
    yield from _server_errors(index)


def is_outside(index: ClusterIndex, ref: ObjectRef, host: str) -> bool:
    """Whether a workload's host is outside the cluster: by its own domain, or behind an ExternalName Service."""
    workload = index.workload_by_ref.get(ref)
    if workload is None:
        return False
    target = index.once(names).resolve(host, workload)
    if target.service is not None:
        return not has_selector(target.service) and bool(text(target.service, "spec", "externalName"))
    return "." in host and target.meaning == "external"


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
    elif failed[0].failure.how == "unresolved":
        configured = next(
            (call for call in index.once(calls) if call.workload.ref == ref and call.address.host == host), None
        )
        if configured is not None:
            yield _wrong_name(configured, host, lines, since)
    yield _outage(ref, host, host, f"calls to {host} fail ({failed[0].failure.how})", lines, since)


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


def _server_errors(index: ClusterIndex) -> Iterator[Finding]:
    for ref, lines in index.once(troubles).items():
        for one in lines:
            match = _SERVER_ERROR.search(one.line.text)
            host = (match[1] or match[2]) if match else ""
            if host and is_outside(index, ref, host):
                yield _outage(
                    ref, host, host, f"{host} answers with errors", (seen_line(one.line),), earliest(one.line.first)
                )


def _outage(
    ref: ObjectRef, host: str, observed: str, said: str, lines: tuple[Evidence, ...], since: datetime | None
) -> Finding:
    return Finding(
        kind=FaultKind.UPSTREAM_OUTAGE,
        object=ref,
        field="",
        observed=observed,
        expected="",
        message=f"{ref.name} depends on {host} outside the cluster, and {said}.",
        directness="logged",
        evidence=lines,
        since=since,
    )

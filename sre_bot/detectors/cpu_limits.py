"""CPU limits that throttle a program, as its log, its probes and its own last revision tell, without any metric.

A container that used up its quota waits for the next period; the kernel counts such periods in ``cpu.stat`` as
``nr_throttled`` of ``nr_periods`` (https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files).
Threads that wait show as stalled event loops and pools (HikariCP's "Thread starvation or clock leap", Vert.x'
blocked-thread checker, gunicorn's WORKER TIMEOUT), as slow requests, and as probes that get no answer in time.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from sre_bot.detectors.fields import dig, quantity, steps, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import RECENT, earliest
from sre_bot.detectors.revisions import previous_revisions
from sre_bot.detectors.sightings import seen_event, seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_THROTTLED = re.compile(r"nr_throttled\W{1,4}(\d{1,15})\b", re.IGNORECASE)
_PERIODS = re.compile(r"nr_periods\W{1,4}(\d{1,15})\b", re.IGNORECASE)
_SHARE = re.compile(r"cpu[^\n]{0,40}throttl\w{0,20}[^\n]{0,30}?(\d{1,3}(?:\.\d+)?) ?%", re.IGNORECASE)
_STARVED = re.compile(
    r"thread starvation|clock leap|event.?loop[^\n]{0,40}(?:block|lag|delay|stall)|has been blocked for \d+"
    r"|WORKER TIMEOUT|cpu starv|starved (?:of|for) cpu|scheduling delay|took too long|threadpool starvation"
    r"|heartbeat has been running for",
    re.IGNORECASE,
)
_SLOW = re.compile(
    r"\bslow(?:er|ly)?\b|took \d{4,} ?ms|took \d{2,}(?:\.\d+)? ?s\b|latency (?:high|above)", re.IGNORECASE
)
_LATE = re.compile(r"deadline exceeded|Client\.Timeout|i/o timeout|timed out after|timeout: failed to connect")
_LEAST_SHARE = 0.25
_CUT = 1.5
_OFTEN = 3
_OFTEN_LATE = 5
_NEW = timedelta(days=2)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every workload with a CPU limit."""
    for workload in index.workloads:
        field, limit = _limit(workload)
        if limit:
            yield from _judge(index, workload, field, limit)


def cut_limits(index: ClusterIndex) -> dict[ObjectRef, Evidence]:
    """The workloads whose last revision had ``_CUT`` times the present CPU limit, or none, and what shows it."""
    found: dict[ObjectRef, Evidence] = {}
    for workload in index.workloads:
        before, (field, limit) = index.once(previous_revisions).get(workload.ref), _limit(workload)
        now = quantity(limit)
        if before is None or not now:
            continue
        former = dig(before, *steps(field))
        size = quantity(text(before, *steps(field)))
        if former is None or (size is not None and size >= _CUT * now):
            found[workload.ref] = seen_field(ObjectRef.of(before), field, former)
    return found


def _limit(workload: Workload) -> tuple[str, str]:
    """The largest CPU limit of its containers and where it stands; empty where the largest has none."""
    sized: list[tuple[float, str, str]] = []
    for pod in workload.pods[:1]:
        for one in pod.containers:
            if not one.init:
                limit = text(one.spec, "resources", "limits", "cpu")
                sized.append((quantity(limit) or 0.0, f"{one.field}.resources.limits.cpu", limit))
    _, field, limit = max(sized, default=(0.0, "", ""))
    return field, limit


def _judge(index: ClusterIndex, workload: Workload, field: str, limit: str) -> Iterator[Finding]:
    lines = index.once(troubles).get(workload.ref, ())
    throttled = [one for one in lines if _is_throttled(one.line.text)]
    starved = [one for one in lines if _STARVED.search(one.line.text)]
    cut = index.once(cut_limits).get(workload.ref)
    if throttled:
        shown = (*_seen(throttled), *_seen(starved)[:1])
    elif cut is not None and _is_new(index, workload):
        slow = [one for one in lines if _SLOW.search(one.line.text)]
        often = sum(one.line.count for one in (*starved, *slow)) >= _OFTEN
        shown = (*(_seen([*slow, *starved]) if often else ()), *_late(index, workload))
    else:
        return
    if shown:
        yield _finding(workload, field, limit, (*shown, *((cut,) if cut else ())), [*throttled, *starved])


def _is_throttled(line: str) -> bool:
    """Whether a line states that a quarter of the periods or more were throttled."""
    spent, of, share = _THROTTLED.search(line), _PERIODS.search(line), _SHARE.search(line)
    if spent and of and int(of[1]):
        return int(spent[1]) / int(of[1]) >= _LEAST_SHARE
    return share is not None and float(share[1]) >= 100 * _LEAST_SHARE


def _seen(told: list[Trouble]) -> tuple[Evidence, ...]:
    return tuple(seen_line(one.line) for one in told[-2:])


def _is_new(index: ClusterIndex, workload: Workload) -> bool:
    return any(pod.created is not None and index.now - pod.created <= _NEW for pod in workload.pods)


def _late(index: ClusterIndex, workload: Workload) -> tuple[Evidence, ...]:
    """Probes of its pods that got no answer in time, again and again and until lately."""
    events = [
        event
        for pod in workload.pods
        for event in index.events_of(pod.ref)
        if event.reason == "Unhealthy" and _LATE.search(event.message) and event.at and index.now - event.at <= RECENT
    ]
    return (seen_event(events[-1]),) if sum(event.count for event in events) >= _OFTEN_LATE else ()


def _finding(workload: Workload, field: str, limit: str, shown: tuple[Evidence, ...], told: list[Trouble]) -> Finding:
    return Finding(
        kind=FaultKind.CPU_SATURATION,
        object=workload.ref,
        field=field,
        observed=limit,
        expected="",
        message=f"{workload.ref.name} is held back by its CPU limit of {limit}.",
        directness="inferred",
        evidence=(*shown, seen_field(workload.ref, field, limit)),
        since=earliest(*(one.line.first for one in told)),
    )

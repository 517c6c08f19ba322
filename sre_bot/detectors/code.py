"""Programs that fail by their own code: unhandled errors whose stack traces run through the program's own files.

Only a log can tell. Errors that say that the surroundings are wrong (an address, a variable, a file, rights) are left
to the detectors of those.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sre_bot.detectors.connections import failure
from sre_bot.detectors.databases import is_limit
from sre_bot.detectors.environment import missing_names
from sre_bot.detectors.feeds import hosts_outside, is_unreadable, rolled_out_before
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import RECENT, stamp_of
from sre_bot.detectors.onset import failing_since
from sre_bot.detectors.pods import Container, Pod
from sre_bot.detectors.refusals import LACKS, REFUSED
from sre_bot.detectors.scheduled_runs import is_unfinished
from sre_bot.detectors.settings_errors import quoted_setting
from sre_bot.detectors.sightings import seen_end
from sre_bot.detectors.traces import Trace, traces
from sre_bot.domain.cluster import ContainerLog, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_SURROUNDINGS = re.compile(
    r"Connection|Timeout|OperationalError|UnknownHost|gaierror|PermissionError|FileNotFound|NoSuchFile|OutOfMemory|MemoryError|SSL|Certificate"
    r"|AccessDenied|BindException|AddressInUse|Authentication|EACCES|ENOENT|ENOSPC|ECONN|ENOTFOUND|EADDRINUSE|EAI_"
    r"|No space left"
    r"|Permission denied|Read-only file system|connection refused|no such host|already in use|password|unreachable",
    re.IGNORECASE,
)
_TAIL = 20_000
_LONGEST_TRACE = 20_000
_CHATTY = 100
_OFTEN = 3


@dataclass(frozen=True, eq=False)
class Traced:
    """A stack trace that a current pod logs at present, and that runs through the program's own files."""

    pod: Pod
    container: Container
    trace: Trace
    at: datetime | None
    evidence: Evidence


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge the traces of every current pod's containers: of those that fail, and of those that log errors lately."""
    for traced in index.once(present_traces).values():
        for one in traced:
            yield _finding(index, one)


def present_traces(index: ClusterIndex) -> dict[ObjectRef, tuple[Traced, ...]]:
    """The present traces of errors in the programs' own code, by workload."""
    found: dict[ObjectRef, list[Traced]] = {}
    for pod in index.current_pods:
        for log in index.logs_of(pod):
            container = pod.container(log.container)
            if container is not None and (container.fails(index.now) or not log.previous):
                found.setdefault(pod.workload, []).extend(_read(index, container, log))
    return {workload: tuple(traced) for workload, traced in found.items() if traced}


def _read(index: ClusterIndex, container: Container, log: ContainerLog) -> Iterator[Traced]:
    failing = container.fails(index.now)
    for trace in traces(log.text):
        if not trace.own or is_of_surroundings(trace) or _rejects_a_setting(index, container, trace):
            continue
        at = _time(log, trace)
        if is_unreadable(trace.header) and _is_the_senders(index, container, at):
            continue
        lately = _is_recent(index.now, log, trace, at) and not _is_noise(index, container, log, trace)
        if failing or lately or is_unfinished(log.text, trace.header, index.now):
            yield Traced(container.pod, container, trace, at, _seen(container, log, trace, at))


def _finding(index: ClusterIndex, one: Traced) -> Finding:
    trace, container = one.trace, one.container
    failing = container.fails(index.now)
    place = f"{trace.own[0].file}:{trace.own[0].line}, {trace.own[0].function or 'top level'}"
    return Finding(
        kind=FaultKind.CODE_REGRESSION,
        object=one.pod.workload,
        field="",
        observed=trace.header[:300],
        expected="",
        message=f"{one.pod.workload.name} fails in its own code: {trace.header[:200]} ({place}).",
        directness="logged",
        evidence=(one.evidence, *([seen_end(container)] if failing and container.last_end else [])),
        since=failing_since(index, container) if failing else one.at,
        container=container.name,
    )


def _rejects_a_setting(index: ClusterIndex, container: Container, trace: Trace) -> bool:
    """Whether the error quotes a value that the container is configured with: the value is wrong, not the code."""
    workload = index.workload_by_ref.get(container.workload)
    return workload is not None and bool(quoted_setting(index, workload, container.name, trace.header))


def blames_the_surroundings(line: str) -> bool:
    """Whether a log line says that something outside the code is wrong."""
    return bool(_SURROUNDINGS.search(line) or failure(line) or any(True for _ in missing_names(line)))


def is_of_surroundings(trace: Trace) -> bool:
    """Whether an error says that something outside the code is wrong."""
    return bool(
        _SURROUNDINGS.search(f"{trace.error} {trace.message}")
        or failure(trace.header)
        or REFUSED.search(trace.header)
        or LACKS.search(trace.header)
        or is_limit(trace.header)
        or any(True for _ in missing_names(trace.header))
    )


def _is_recent(now: datetime, log: ContainerLog, trace: Trace, at: datetime | None) -> bool:
    return now - at <= RECENT if at else len(log.text) - trace.offset <= _TAIL


def _is_the_senders(index: ClusterIndex, container: Container, at: datetime | None) -> bool:
    """Whether data that does not parse came from outside to a program that is as it was."""
    ref = container.workload
    return bool(hosts_outside(index, ref)) and rolled_out_before(index, ref, at) is None


def _is_noise(index: ClusterIndex, container: Container, log: ContainerLog, trace: Trace) -> bool:
    """Whether the pods of a running program logged the error once or twice among much else."""
    if log.text.count("\n") < _CHATTY:
        return False
    pods = index.pods_by_workload.get(container.workload, ())
    logs = (other for pod in pods for other in index.logs_of(pod, container.name))
    return sum(other.text.count(trace.header[:80]) for other in logs) < _OFTEN


def _time(log: ContainerLog, trace: Trace) -> datetime | None:
    """The newest time that stands before the trace's header, or on its line."""
    where = log.text.rfind(trace.header[:80])
    before = log.text[max(0, where - 4_000) : where + 200] if where >= 0 else ""
    return next((stamp for line in reversed(before.splitlines()) if (stamp := stamp_of(line))), None)


def _seen(container: Container, log: ContainerLog, trace: Trace, at: datetime | None) -> Evidence:
    run = " (previous)" if log.previous else ""
    return Evidence.seen("log", container.pod.ref, f"{container.name}{run}", _verbatim(log.text, trace), at)


def _verbatim(text: str, trace: Trace) -> str:
    """The newest trace of that error as it stands in the log: Python prints the error last, others first."""
    where = text.rfind(trace.header[:80])
    if where < 0:
        return trace.header
    end = where + len(trace.header)
    start = text.rfind("Traceback (most recent call last)", 0, where)
    if start >= 0 and where - start < _LONGEST_TRACE and "\n" in text[start:where]:
        return text[max(start, end - 490) : end]
    return text[where : where + 490]

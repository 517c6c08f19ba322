"""Containers killed for their memory.

The kernel kills a container that reaches ``resources.limits.memory``; the kubelet reports reason OOMKilled and exit
code 137 (https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/). It looks at the container's
first process alone: where the kernel took a child of it, a shell or a master of workers tells of signal 9, and the
container ends with another reason, or not at all. Who else sends that signal: the kubelet, for a liveness or a startup
probe, and says so; a master whose worker did not answer in time.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from sre_bot.detectors.change_points import LEAST_POINTS
from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import dig, mapping, quantity, steps, text, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.onset import failing_since
from sre_bot.detectors.pods import Container
from sre_bot.detectors.revisions import previous_revisions
from sre_bot.detectors.sightings import seen_end, seen_event, seen_field, seen_line, seen_waiting
from sre_bot.detectors.trends import climbs, measure, seen_metric
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_HEAP = re.compile(
    r"OutOfMemoryError|JavaScript heap out of memory|\bMemoryError\b|NoMemoryError|OutOfMemoryException"
    r"|Cannot allocate memory"
    r"|fatal error: (?:runtime: )?(?:out of memory|cannot allocate memory)|memory allocation of \d+ bytes failed"
    r"|std::bad_alloc|insufficient memory for the Java|os::commit_memory\([^)]*\) failed",
    re.IGNORECASE,
)
_START = re.compile(r"OOM-killed \(memory limit too low\?\)")
_CHILD = re.compile(
    r"line \d+: +\d+ Killed\b|^\s*Killed(?: +\S.*)?$|(?:terminated|killed|exited|died|crashed)\b[^\n]{0,40}?"
    r"(?:signal[: ]+9\b|SIGKILL)|signal 9 \(SIGKILL\)|\(signal 9\)|sent SIGKILL|signal: killed",
    re.IGNORECASE,
)
"""A shell's, a supervisor's or a master's account of a child that got signal 9."""
_TIMED_OUT = re.compile(
    r"worker timeout|did not (?:answer|respond|exit|stop)|harakiri|grace(?:ful)? (?:period|timeout)", re.I
)
_PROBES = ("livenessProbe", "startupProbe")

_OFTEN = 3
_KILLED = 137
_LONG = timedelta(hours=1)
_NEAR = 0.7


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every container that fails at present, then every pod whose measured memory grows towards its limit."""
    for pod in index.current_pods:
        for container in pod.containers:
            if container.fails(index.now) or _loses_children(index, container) or _starved(index, container):
                yield from _container(index, container)
            elif not container.init:
                yield from _growing(index, container)


def _loses_children(index: ClusterIndex, container: Container) -> bool:
    """A container that runs on without the processes that the kernel takes from it, at a limit of its own."""
    return bool(text(container.spec, "resources", "limits", "memory") and _children(index, container))


def _growing(index: ClusterIndex, container: Container) -> Iterator[Finding]:
    """Memory that climbs steadily and has come near the limit; of a pod of several containers, of the one limited."""
    grown, measured = index.once(climbs).get(container.pod.ref), measure(index, container.pod.ref, "memory")
    limit = quantity(text(container.spec, "resources", "limits", "memory"))
    own = measured is not None and measured.source.labels.get("container", container.name) == container.name
    if grown is not None and measured is not None and own and limit and grown.last >= _NEAR * limit:
        shown = seen_metric(measured, f"it grew steadily from {grown.first:.3g} to {grown.last:.3g}", grown.at)
        yield _leak(index, container, (shown,))


def _container(index: ClusterIndex, container: Container) -> Iterator[Finding]:
    stated = (*_killed(container), *_starved(index, container), *_heap(index, container))
    evidence = stated or _children(index, container) or _unexplained_kill(index, container)
    if not evidence:
        return
    if _leaks(index, container):
        yield _leak(index, container, evidence)
        return
    limit = text(container.spec, "resources", "limits", "memory")
    field = f"{container.field}.resources.limits.memory"
    if limit:
        evidence = (*evidence[:4], seen_field(container.workload, field, limit))
    yield Finding(
        kind=FaultKind.OOM_KILLED,
        object=container.workload,
        field=field if limit else "",
        observed=limit or _words(evidence),
        expected=enough(limit),
        message=f"Container {container.name} of {container.workload.name} is killed for memory"
        + (f" at its limit of {limit}." if limit else "; it has no limit of its own."),
        directness="stated" if stated and stated[0].source != "log" else "logged" if stated else "inferred",
        evidence=evidence,
        since=failing_since(index, container),
        container=container.name,
    )


def _killed(container: Container) -> tuple[Evidence, ...]:
    reason = text(container.last_end, "reason")
    return (seen_end(container),) if reason == "OOMKilled" else ()


def _starved(index: ClusterIndex, container: Container) -> tuple[Evidence, ...]:
    """A limit below what the container's start itself needs, or its pod's sandbox."""
    if container.ready:
        return ()
    events: list[Event] = [
        event
        for event in index.events_of(container.pod.ref)
        if event.speaks_of(container.name) and _START.search(event.message)
    ]
    ended = (seen_end(container),) if _START.search(text(container.last_end, "message")) else ()
    waits = (seen_waiting(container),) if _START.search(container.waiting_message) else ()
    return (*(seen_event(event) for event in events[-1:]), *ended, *waits)


def _heap(index: ClusterIndex, container: Container) -> tuple[Evidence, ...]:
    """A run-time that gives up by itself: Java's OutOfMemoryError, Node's heap limit, Python's MemoryError."""
    lines: list[Trouble] = [
        one
        for one in index.once(troubles).get(container.workload, ())
        if one.container is container and _HEAP.search(one.line.text)
    ]
    return tuple(seen_line(one.line) for one in lines[-1:])


def _children(index: ClusterIndex, container: Container) -> tuple[Evidence, ...]:
    """The loss of a child process to signal 9, unless its own master sent it for being late."""
    lines = [one for one in index.once(troubles).get(container.workload, ()) if one.container is container]
    lost = [one for one in lines if _CHILD.search(one.line.text)]
    if not lost or any(_TIMED_OUT.search(one.line.text) for one in lines):
        return ()
    shown = (seen_end(container),) if container.last_end and container.fails(index.now) else ()
    return (seen_line(lost[-1].line), *shown)


def _unexplained_kill(index: ClusterIndex, container: Container) -> tuple[Evidence, ...]:
    """Ends by signal 9 at a memory limit, again and again, where no probe kills and the kubelet tells of no killing."""
    limit, code = text(container.spec, "resources", "limits", "memory"), container.exit_code
    told = any(event.reason == "Killing" for event in index.events_of(container.pod.ref))
    probed = any(mapping(container.spec, word) for word in _PROBES)
    if not limit or code != _KILLED or container.restarts < _OFTEN or told or probed:
        return ()
    return (seen_end(container),)


def _words(evidence: tuple[Evidence, ...]) -> str:
    """What the evidence literally calls it."""
    said = (match for piece in evidence for words in (_HEAP, _CHILD) if (match := words.search(piece.excerpt)))
    word = next(said, None)
    return "OOMKilled" if "OOMKilled" in evidence[0].excerpt else word[0].strip() if word else "OOM-killed"


def _leaks(index: ClusterIndex, container: Container) -> bool:
    """Whether memory grows until it dies: long runs that end alike, and a limit that the revision before had as well.

    A limit that is too small for ordinary use kills soon, or since it was lowered.
    """
    started, ended = when(container.last_end.get("startedAt")), container.ended_at
    measured, grown = measure(index, container.pod.ref, "memory"), index.once(climbs).get(container.pod.ref)
    if measured is not None and len(measured.points) >= LEAST_POINTS:
        return grown is not None
    if container.restarts < _OFTEN or started is None or ended is None or ended - started < _LONG:
        return False
    before = index.once(previous_revisions).get(container.workload)
    former = quantity(dig(before, *steps(f"{container.field}.resources.limits.memory"))) if before else None
    limit = quantity(text(container.spec, "resources", "limits", "memory"))
    return former is None or limit is None or limit >= former


def _leak(index: ClusterIndex, container: Container, evidence: tuple[Evidence, ...]) -> Finding:
    image = text(container.spec, "image")
    field = f"{container.field}.image"
    return Finding(
        kind=FaultKind.MEMORY_LEAK,
        object=container.workload,
        field=field,
        observed=image,
        expected="",
        message=f"Container {container.name} of {container.workload.name} grows until it is killed for memory.",
        directness="inferred",
        evidence=(*evidence[:4], seen_field(container.workload, field, image)),
        since=failing_since(index, container),
        container=container.name,
    )


def enough(limit: str) -> str:
    """A limit twice as large, in the same unit; empty where there is none."""
    size = quantity(limit)
    if size is None or not size:
        return ""
    unit = limit.lstrip("0123456789.")
    digits = limit[: len(limit) - len(unit)]
    doubled = float(digits) * 2
    return f"{int(doubled) if doubled.is_integer() else doubled}{unit}"

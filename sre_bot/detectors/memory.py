"""Containers killed for their memory.

The kernel kills a container that reaches ``resources.limits.memory``; the kubelet reports reason OOMKilled and exit
code 137 (https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/).
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from sre_bot.detectors.change_points import LEAST_POINTS
from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import dig, quantity, steps, text, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.onset import failing_since
from sre_bot.detectors.pods import Container
from sre_bot.detectors.revisions import previous_revisions
from sre_bot.detectors.sightings import seen_end, seen_event, seen_field, seen_line
from sre_bot.detectors.trends import climbs, measure, seen_metric
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_HEAP = re.compile(
    r"OutOfMemoryError|JavaScript heap out of memory|\bMemoryError\b|Cannot allocate memory|fatal error: out of memory",
    re.I,
)
_START = re.compile(r"OOM-killed \(memory limit too low\?\)")


_OFTEN = 3
_LONG = timedelta(hours=1)
_NEAR = 0.7


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every container that fails at present, then every pod whose measured memory grows towards its limit."""
    for pod in index.current_pods:
        for container in pod.containers:
            if container.fails(index.now):
                yield from _container(index, container)
            elif not container.init:
                yield from _growing(index, container)


def _growing(index: ClusterIndex, container: Container) -> Iterator[Finding]:
    """Memory that climbs steadily and has come near the limit; of a pod of several containers, of the one limited."""
    grown, measured = index.once(climbs).get(container.pod.ref), measure(index, container.pod.ref, "memory")
    limit = quantity(text(container.spec, "resources", "limits", "memory"))
    own = measured is not None and measured.source.labels.get("container", container.name) == container.name
    if grown is not None and measured is not None and own and limit and grown.last >= _NEAR * limit:
        shown = seen_metric(measured, f"it grew steadily from {grown.first:.3g} to {grown.last:.3g}", grown.at)
        yield _leak(index, container, (shown,))


def _container(index: ClusterIndex, container: Container) -> Iterator[Finding]:
    evidence = (*_killed(container), *_starved(index, container), *_heap(index, container))
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
        directness="logged" if evidence[0].source == "log" else "stated",
        evidence=evidence,
        since=failing_since(index, container),
        container=container.name,
    )


def _killed(container: Container) -> tuple[Evidence, ...]:
    reason = text(container.last_end, "reason")
    return (seen_end(container),) if reason == "OOMKilled" else ()


def _starved(index: ClusterIndex, container: Container) -> tuple[Evidence, ...]:
    events: list[Event] = [event for event in index.events_of(container.pod.ref) if _START.search(event.message)]
    return tuple(seen_event(event) for event in events[-1:])


def _heap(index: ClusterIndex, container: Container) -> tuple[Evidence, ...]:
    """A run-time that gives up by itself: Java's OutOfMemoryError, Node's heap limit, Python's MemoryError."""
    lines: list[Trouble] = [
        one
        for one in index.once(troubles).get(container.workload, ())
        if one.container is container and _HEAP.search(one.line.text)
    ]
    return tuple(seen_line(one.line) for one in lines[-1:])


def _words(evidence: tuple[Evidence, ...]) -> str:
    """What the evidence literally calls it."""
    heap = next((match for piece in evidence if (match := _HEAP.search(piece.excerpt))), None)
    return "OOMKilled" if "OOMKilled" in evidence[0].excerpt else heap[0] if heap else "OOM-killed"


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

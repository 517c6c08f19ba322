"""What happened, in one order (commits, rollouts, events, ends, log bursts, metrics), and when the trouble began."""

from collections.abc import Iterator
from datetime import datetime

from sre_bot.detectors.fields import mapping, text, when
from sre_bot.detectors.index import ClusterIndex, revision
from sre_bot.detectors.symptoms import Symptom
from sre_bot.detectors.trends import course, moment, rises
from sre_bot.detectors.troubles import troubles
from sre_bot.domain.cluster import Value
from sre_bot.domain.finding import Finding
from sre_bot.reasoning.source import SourceReport

MAX_ENTRIES = 200
_BURST = 3


class Happening(Value):
    """One thing that happened."""

    at: datetime
    kind: str
    subject: str
    text: str


def timeline(index: ClusterIndex, source: SourceReport) -> tuple[Happening, ...]:
    """Everything that bears a time, oldest first; the newest ``MAX_ENTRIES`` of it."""
    found = {(one.at, one.kind, one.subject, one.text): one for one in _all(index, source)}
    return tuple(found[key] for key in sorted(found))[-MAX_ENTRIES:]


def _all(index: ClusterIndex, source: SourceReport) -> Iterator[Happening]:
    for change in source.changes:
        yield Happening(at=change.at, kind="commit", subject=change.sha[:12], text=change.subject)
    for thing in index.of_kind("ReplicaSet"):
        at = when(mapping(thing, "metadata").get("creationTimestamp"))
        if at:
            owner = index.owner_of(thing)
            yield Happening(
                at=at,
                kind="rollout",
                subject=str(owner),
                text=f"revision {revision(thing)} ({text(thing, 'metadata', 'name')})",
            )
    for event in index.events:
        if event.first and (
            event.warning or event.reason in ("Killing", "ScalingReplicaSet", "NodeNotReady", "FailedBinding")
        ):
            yield Happening(
                at=event.first, kind="event", subject=str(event.subject), text=f"{event.reason}: {event.message[:200]}"
            )
    yield from _bursts(index)
    yield from _measured(index)
    for pod in index.current_pods:
        for container in pod.containers:
            if container.ended_at:
                said = f"{container.name} ended: {text(container.last_end, 'reason')} (exit {container.exit_code})"
                yield Happening(at=container.ended_at, kind="end", subject=str(pod.ref), text=said)


def _bursts(index: ClusterIndex) -> Iterator[Happening]:
    """When each workload began to log a problem that it still logs, the most frequent of them."""
    for ref, found in index.once(troubles).items():
        often = max((one.line for one in found if one.line.first), key=lambda line: line.count, default=None)
        if often is not None and often.first is not None and often.count >= _BURST:
            yield Happening(
                at=often.first, kind="log", subject=str(ref), text=f"{often.count} lines like: {often.text[:160]}"
            )


def _measured(index: ClusterIndex) -> Iterator[Happening]:
    for (ref, signal), one in index.once(rises).items():
        if ref.kind != "Pod":
            yield Happening(at=moment(one.at), kind="metric", subject=str(ref), text=f"{signal} went {course(one)}")


def onset(findings: tuple[Finding, ...], symptoms: tuple[Symptom, ...]) -> datetime | None:
    """When the trouble began: the earliest sign of any finding or symptom; None where nothing bears a time."""
    times = [one.since for one in (*findings, *symptoms) if one.since]
    return min(times, default=None)

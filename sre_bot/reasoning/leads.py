"""Leads: where to look when no rule explains the trouble, from what changed and from who complains.

A changed field points to the kind of fault that a wrong value of it would be (``field_faults``), the more so the nearer
its object is to those who suffer, and the less the longer ago it was. A state permits some kinds (``permitted``). A
workload that complains points outside. A lead is no explanation: it is weak, and never decides a verdict.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from sre_bot.detectors.fields import steps
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.cluster import ObjectRef, Value
from sre_bot.domain.diagnosis import Hypothesis, Suspect
from sre_bot.domain.finding import Evidence, FaultKind, Finding
from sre_bot.reasoning.correlation import Correlation
from sre_bot.reasoning.field_faults import Fault, faults_of, telling
from sre_bot.reasoning.permitted import faults_behind
from sre_bot.reasoning.source import FieldChange
from sre_bot.reasoning.suspects import SLACK
from sre_bot.reasoning.unrest import FEW

_AGES = ((timedelta(days=1), 1.0), (timedelta(days=3), 0.7), (timedelta(days=10), 0.4))
_LATE = 0.3
_VICTIM = 0.6
_DEPENDENCY = 0.5
_FAR = 0.15
_NAMED = 1.5
_OUTSIDE = 0.35
_INSIDE = 0.6
"""Who is configured with no host outside is a victim of one at second hand."""

_ACCUSING = 0.5
"""A change that harms less often than this accuses nobody: a new image, one more replica."""

_BESIDE = ("reads", "mounts", "acts as", "is guarded by")
_IN_FRONT = ("selects", "routes to", "scales")


class Lead(Value):
    """A hypothesis and how well it is placed, 0 to about 1.5."""

    hypothesis: Hypothesis
    weight: float


def leads(correlation: Correlation, complaint: str, explained: frozenset[str] = frozenset()) -> tuple[Lead, ...]:
    """All leads, the best first.

    ``complaint`` are a ticket's words, in which an object may be named; the states of the symptoms whose texts are
    ``explained`` lead nowhere else.
    """
    places = _places(correlation)
    found = [
        *_of_changes(correlation, places, complaint),
        *_of_states(correlation, places, explained),
        *_of_outside(correlation, places, complaint),
    ]
    best: dict[tuple[str, str], Lead] = {}
    for lead in found:
        key = (lead.hypothesis.kind, str(lead.hypothesis.object))
        if key not in best or lead.weight > best[key].weight:
            best[key] = lead
    return tuple(sorted(best.values(), key=lambda one: (-one.weight, one.hypothesis.finding.key)))


def _places(correlation: Correlation) -> dict[ObjectRef, float]:
    """How near each object is to those who suffer: 1 for the deepest of them and what belongs to it."""
    suffering = {symptom.object for symptom in correlation.symptoms}
    suffering |= {one.object for one in correlation.unrest if one.present >= FEW}
    places: dict[ObjectRef, float] = {}
    victims = correlation.topology.leaning_on_others(suffering)
    for ref in suffering:
        weight = _VICTIM if ref in victims else 1.0
        for near in (ref, *_belonging(ref, correlation)):
            places[near] = max(places.get(near, 0.0), weight)
    for cause in correlation.topology.beneath(suffering):
        places[cause] = max(places.get(cause, 0.0), _DEPENDENCY)
    return places


def _belonging(ref: ObjectRef, correlation: Correlation) -> Iterator[ObjectRef]:
    """What a workload reads and mounts, the Services before it, and their entrances."""
    links_from, links_to = correlation.topology.links_from, correlation.topology.links_to
    yield from (link.target for link in links_from.get(ref, ()) if link.why in _BESIDE)
    front = {link.source for link in links_to.get(ref, ()) if link.why in _IN_FRONT}
    yield from front
    yield from (link.source for one in front for link in links_to.get(one, ()) if link.why in _IN_FRONT)


def _of_changes(correlation: Correlation, places: dict[ObjectRef, float], complaint: str) -> Iterator[Lead]:
    began = min((one.since for one in correlation.unrest if one.since and one.present >= FEW), default=None)
    began = correlation.onset or began
    for change in _later_changes(correlation.source.changes):
        age = next((weight for most, weight in _AGES if correlation.taken_at - change.at <= most), 0.0)
        late = began is not None and change.at > began + SLACK
        for ref, fault in _accused(change, correlation) if age else ():
            weight = fault.weight * age * places.get(ref, _FAR) * (_LATE if late else 1.0)
            yield Lead(
                hypothesis=_changed(change, ref, fault, correlation),
                weight=weight * (_NAMED if _is_named(ref, complaint) else 1.0),
            )


def _later_changes(changes: tuple[FieldChange, ...]) -> Iterator[FieldChange]:
    """All but what the oldest commit brought: there everything is new."""
    yield from (one for one in changes if one.field or one.sha != changes[-1].sha)


def _accused(change: FieldChange, correlation: Correlation) -> Iterator[tuple[ObjectRef, Fault]]:
    """The live object whose field changed; for a container's port also the Service that leads to it."""
    ref = _live(change, correlation)
    for fault in faults_of(change):
        yield ref, fault
    parts = {part for part in steps(change.field) if isinstance(part, str)}
    kind = next((kind for part, kind in _SELECTED.items() if part in parts and "template" in parts), None)
    if kind is not None:
        for link in correlation.topology.links:
            if link.target == ref and link.why == "selects":
                yield link.source, Fault(kind, 0.6)


_SELECTED = {
    "containerPort": FaultKind.SERVICE_PORT_MISMATCH,
    "ports": FaultKind.SERVICE_PORT_MISMATCH,
    "labels": FaultKind.SERVICE_SELECTOR_MISMATCH,
}


def _live(change: FieldChange, correlation: Correlation) -> ObjectRef:
    return next(
        (
            one.object
            for one in correlation.source.manifests
            if (one.path, one.object.kind, one.object.name) == (change.path, change.object.kind, change.object.name)
        ),
        change.object,
    )


def _is_named(ref: ObjectRef, complaint: str) -> bool:
    """Whether a ticket speaks of an object, by its name or, in several words, with blanks for the hyphens."""
    words = re.escape(ref.name).replace(r"\-", r"[\s-]")
    return len(ref.name) > 2 and re.search(rf"(?<![\w-]){words}(?![\w-])", complaint, re.IGNORECASE) is not None


def _changed(change: FieldChange, ref: ObjectRef, fault: Fault, correlation: Correlation) -> Hypothesis:
    shown = f"{change.object} {change.field}: {change.before} -> {change.after}"
    commit = Evidence.seen("commit", change.sha, change.path, shown, change.at)
    observed, before = telling(change.after, change.before), telling(change.before, change.after)
    hidden = change.object.kind == "Secret"
    since = _since(ref, correlation)
    finding = Finding(
        kind=fault.kind,
        object=ref,
        field=change.field,
        observed=_shown(change) if hidden or not change.field else (observed or before)[:200],
        expected="" if hidden or not change.field else before[:200],
        message=f"A lead, not an explanation: {change.field or 'the whole'} of {change.object.kind} "
        f"{change.object.name} was changed at {change.at:%Y-%m-%d %H:%M} UTC.",
        directness="logged",
        evidence=(commit, *standing(ref, correlation), *_heard(ref, correlation)),
        since=since,
    )
    reason = f"it changed {change.field or 'the object'} of {change.object.name}; nothing else explains the trouble"
    suspect = Suspect(
        sha=change.sha, subject=change.subject, score=0.35, reason=reason, path=change.path, evidence=(commit,)
    )
    accused = (suspect,) if fault.weight >= _ACCUSING else ()
    return Hypothesis(finding=finding, confidence=0.0, against=(_AGAINST,), suspects=accused)


def _shown(change: FieldChange) -> str:
    """The key of what is secret; the name of an object that came or went."""
    return str(steps(change.field)[-1]) if change.field else change.object.name


_AGAINST = "no rule explains the trouble by it"


def _of_states(correlation: Correlation, places: dict[ObjectRef, float], explained: frozenset[str]) -> Iterator[Lead]:
    """What the state of a suffering object permits by itself."""
    for symptom in correlation.symptoms:
        for fault in faults_behind(symptom) if symptom.text not in explained else ():
            finding = Finding(
                kind=fault.kind,
                object=symptom.object,
                field="",
                observed="",
                expected="",
                message=f"A lead, not an explanation: {symptom.text}, which such a fault would show.",
                directness="logged",
                evidence=(*standing(symptom.object, correlation), *symptom.evidence),
                since=symptom.since,
            )
            yield Lead(
                hypothesis=Hypothesis(finding=finding, confidence=0.0, against=(_AGAINST,)),
                weight=fault.weight * places.get(symptom.object, _FAR),
            )


def _of_outside(correlation: Correlation, places: dict[ObjectRef, float], complaint: str) -> Iterator[Lead]:
    """Those who complain first, as victims of what nobody here can see."""
    for one in correlation.unrest:
        if one.present < FEW:
            continue
        finding = Finding(
            kind=FaultKind.UPSTREAM_OUTAGE,
            object=one.object,
            field="",
            observed="",
            expected="",
            message=f"A lead, not an explanation: {one.object.name} logs {one.present} lines of trouble, and no rule "
            "says why; what it calls outside may fail.",
            directness="logged",
            evidence=(*standing(one.object, correlation), *one.evidence),
            since=one.since,
        )
        named = _NAMED if _is_named(one.object, complaint) else 1.0
        yield Lead(
            hypothesis=Hypothesis(finding=finding, confidence=0.0, against=(_AGAINST,)),
            weight=_OUTSIDE * places.get(one.object, _FAR) * named * (1.0 if one.outside else _INSIDE),
        )


def standing(ref: ObjectRef, correlation: Correlation) -> tuple[Evidence, ...]:
    """An object's own name as evidence, where the object is there."""
    return (seen_field(ref, "metadata.name", ref.name),) if correlation.stands(ref) else ()


def _heard(ref: ObjectRef, correlation: Correlation) -> tuple[Evidence, ...]:
    """What an object's own symptoms and log say, two pieces of it."""
    pieces = [piece for one in correlation.symptoms if one.object == ref for piece in one.evidence]
    pieces += [piece for one in correlation.unrest if one.object == ref for piece in one.evidence]
    return tuple(pieces[:2])


def _since(ref: ObjectRef, correlation: Correlation) -> datetime | None:
    return next((one.since for one in (*correlation.symptoms, *correlation.unrest) if one.object == ref), None)

"""The last resort: a workload that began to fail and that no rule explains, and what was changed about it before.

An explanation by coincidence in time, and weighed as such: it stands only where nothing narrower does.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sre_bot.detectors.fields import steps
from sre_bot.detectors.symptoms import Symptom
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding
from sre_bot.reasoning.correlation import Correlation
from sre_bot.reasoning.drift import Drift
from sre_bot.reasoning.source import FieldChange
from sre_bot.reasoning.suspects import SLACK

_RECENT = timedelta(days=3)
_FAILING = ("crashing", "not ready", "not starting", "erring")
_KINDS: tuple[tuple[str, FaultKind, float], ...] = (
    ("command", FaultKind.INVALID_COMMAND, 0.9),
    ("args", FaultKind.INVALID_COMMAND, 0.8),
    ("data", FaultKind.INVALID_CONFIG, 0.8),
    ("stringData", FaultKind.INVALID_CONFIG, 0.8),
    ("env", FaultKind.INVALID_CONFIG, 0.8),
    ("envFrom", FaultKind.INVALID_CONFIG, 0.8),
    ("image", FaultKind.CODE_REGRESSION, 0.7),
    *((name, FaultKind.VOLUME_PERMISSION_DENIED, 0.6) for name in ("fsGroup", "runAsUser", "runAsGroup")),
    ("supplementalGroups", FaultKind.VOLUME_PERMISSION_DENIED, 0.6),
    ("readOnlyRootFilesystem", FaultKind.VOLUME_PERMISSION_DENIED, 0.6),
    ("securityContext", FaultKind.INVALID_CONFIG, 0.6),
    ("volumeMounts", FaultKind.INVALID_CONFIG, 0.5),
    ("volumes", FaultKind.INVALID_CONFIG, 0.5),
)
"""Which part of a workload can make it fail, as what, and how often: hand-set weights."""


def guesses(correlation: Correlation, explained: frozenset[tuple[str, str]]) -> Iterator[Finding]:
    """For each failing workload with a symptom that no cause explains: the most telling change before it began."""
    seen: set[ObjectRef] = set()
    for symptom in correlation.symptoms:
        if symptom.key in explained or symptom.ache not in _FAILING or symptom.object in seen:
            continue
        seen.add(symptom.object)
        change = _most_telling(symptom, correlation)
        if change is not None:
            yield _finding(symptom, change, correlation)


def switched_off(correlation: Correlation) -> Iterator[Finding]:
    """Where nothing else hurts: workloads that have no pods since a recent commit took the last of them away."""
    for change in correlation.source.changes:
        recent = correlation.taken_at - change.at <= _RECENT
        if change.field == "spec.replicas" and change.after == "0" and change.before not in (None, "0") and recent:
            yield from (_switched_off(live, change) for live in correlation.idle if _is_of(change, {live}))
    scaled = {link.target for link in correlation.topology.links if link.why == "scales"}
    for drift in correlation.source.drift:
        by_hand = drift.field == "spec.replicas" and drift.live == "0" and drift.declared != "0"
        if by_hand and drift.object in correlation.idle and drift.object not in scaled:
            yield _scaled_by_hand(drift)


def _scaled_by_hand(drift: Drift) -> Finding:
    """What the repository wants to run and somebody scaled to 0; an autoscaler that may do so is none."""
    return Finding(
        kind=FaultKind.ZERO_REPLICAS,
        object=drift.object,
        field=drift.field,
        observed="0",
        expected=drift.declared,
        message=f"{drift.object.name} is scaled to 0; the repository wants {drift.declared}.",
        directness="inferred",
        evidence=(Evidence.seen("object", drift.object, drift.field, "replicas: 0"),),
    )


def _switched_off(live: ObjectRef, change: FieldChange) -> Finding:
    shown = f"{change.object} {change.field}: {change.before} -> {change.after}"
    return Finding(
        kind=FaultKind.ZERO_REPLICAS,
        object=live,
        field=change.field,
        observed="0",
        expected=change.before or "",
        message=f"{live.name} has no pods since a commit scaled it from {change.before} to 0; nothing else is wrong.",
        directness="inferred",
        evidence=(
            Evidence.seen("object", live, change.field, "replicas: 0"),
            Evidence.seen("commit", change.sha, change.path, shown, change.at),
        ),
        since=change.at,
    )


def _most_telling(symptom: Symptom, correlation: Correlation) -> FieldChange | None:
    """The heaviest change of the workload or of what it reads; of equals the newest, which the report has first."""
    near = {
        symptom.object,
        *(link.target for link in correlation.topology.links if link.source == symptom.object and link.why == "reads"),
    }
    ranked = [
        (-weight, place, change)
        for place, change in enumerate(correlation.source.changes)
        if _is_of(change, near) and not _is_late(change, symptom.since) and (weight := _weight(change))
    ]
    return min(ranked, key=lambda entry: entry[:2])[2] if ranked else None


def _is_of(change: FieldChange, near: set[ObjectRef]) -> bool:
    return any(
        (change.object.kind, change.object.name) == (ref.kind, ref.name)
        and change.object.namespace in ("", ref.namespace)
        for ref in near
    )


def _is_late(change: FieldChange, since: datetime | None) -> bool:
    return since is not None and change.at > since + SLACK


def _weight(change: FieldChange) -> float:
    return _part(change)[1] if change.field else 0.0


def _part(change: FieldChange) -> tuple[FaultKind, float]:
    parts = {part for part in steps(change.field) if isinstance(part, str)}
    if "env" in parts and change.after is None:
        return FaultKind.MISSING_ENV, 0.8
    return next(((kind, weight) for name, kind, weight in _KINDS if name in parts), (FaultKind.INVALID_CONFIG, 0.0))


def _finding(symptom: Symptom, change: FieldChange, correlation: Correlation) -> Finding:
    live = next(
        (
            one.object
            for one in correlation.source.manifests
            if one.path == change.path
            and one.object.kind == change.object.kind
            and one.object.name == change.object.name
        ),
        change.object,
    )
    shown = f"{change.object} {change.field}: {change.before} -> {change.after}"
    return Finding(
        kind=_part(change)[0],
        object=symptom.object if live.kind == symptom.object.kind else live,
        field=change.field,
        observed=(change.after or change.before or "")[:200],
        expected=change.before or "",
        message=f"{symptom.object.name} fails since {change.field} of {live.name} changed; nothing else explains it.",
        directness="logged",
        evidence=(Evidence.seen("commit", change.sha, change.path, shown, change.at), *symptom.evidence),
        since=symptom.since,
        hurts=() if live == symptom.object else (symptom.object,),
    )

"""Commits ranked by how well their diff explains a finding. Recency alone proves nothing.

A score is the probability, roughly, that reverting the commit removes the finding, as far as the diff can tell:

- 0.95: it set the finding's own field of the finding's own object to the value that is wrong
- 0.9: it took away, or renamed, the very thing that the finding misses
- 0.85: it changed the other side of the comparison, from what the finding still expects
- 0.8: it added the object at fault
- 0.6: it changed the same part of the same object, or what the object is compared with; for code, a file of the stack
  trace (up to 0.95 with its line and the error's own words)
- 0.4: it changed something of the object that this kind of fault depends on

A commit made after the trouble began is multiplied by ``AFTER_ONSET``; an exact match only by ``AFTER_ONSET_EXACT``,
since an onset is an estimate. A commit that set a value which was right until a later one took its counterpart away is
multiplied by ``OVERTURNED``.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

from sre_bot.detectors.fields import steps, text
from sre_bot.domain.diagnosis import Suspect
from sre_bot.domain.finding import Evidence, FaultKind, Finding
from sre_bot.domain.source import Commit, SourceHistory
from sre_bot.reasoning.blame import code_blame
from sre_bot.reasoning.charges import Charge, field_charge, line_charge
from sre_bot.reasoning.manifests import declared
from sre_bot.reasoning.overlays import is_read, overlay_charges
from sre_bot.reasoning.roundabout import acquitted, roundabout_charges
from sre_bot.reasoning.source import FieldChange, SourceReport, field_changes, moves
from sre_bot.reasoning.versions import Version, versions

LEAST = 0.35
"""Below it nobody is accused."""

NOBODYS = frozenset(
    {
        FaultKind.UPSTREAM_OUTAGE,
        FaultKind.TRAFFIC_SURGE,
        FaultKind.NODE_NOT_READY,
        FaultKind.NODE_NETWORK_DEGRADED,
        FaultKind.KUBELET_DOWN,
        FaultKind.CONTAINER_RUNTIME_DOWN,
        FaultKind.HEALTHY,
        FaultKind.RECOVERED,
    }
)
"""What no commit brings: the outside, demand, machines."""

_TAKEN = (FaultKind.MISSING_ENV, FaultKind.MISSING_KEY)
AFTER_ONSET = 0.3
EXACT = 0.85
OVERTURNED = 0.8
AFTER_ONSET_EXACT = 0.5
SLACK = timedelta(minutes=2)
COARSE = timedelta(minutes=5)
"""The slack of an onset that a metric tells: rates are averages over windows of that size.

https://prometheus.io/docs/prometheus/latest/querying/functions/#rate
"""


def suspects(
    finding: Finding, source: SourceReport, history: SourceHistory | None, since: datetime | None
) -> tuple[Suspect, ...]:
    """The commits that explain a finding, best first; none where no diff does ("no commit is guilty")."""
    if history is None:
        return ()
    if finding.kind in NOBODYS:
        return ()
    best: dict[str, Suspect] = {}
    latest, overturned = since and since + _slack(finding, since), False
    for commit, changed in groupby(versions(history), key=lambda version: version.commit):
        charges = tuple(_charges(finding, source, tuple(changed), _is_root(history, commit)))
        for charge in charges:
            suspect = _suspect(commit, replace(charge, score=_weight(charge, overturned)), latest)
            known = best.get(suspect.sha)
            if known is None or suspect.score > known.score:
                best[suspect.sha] = suspect
        overturned |= any(charge.overturns for charge in charges) and not _is_late(commit, latest)
    order = {commit.sha: place for place, commit in enumerate(history.commits)}
    ranked = sorted(best.values(), key=lambda one: (-one.score, order[one.sha]))
    return tuple(_without_overwritten(ranked))[:5]


def _is_root(history: SourceHistory, commit: Commit) -> bool:
    return commit.sha == history.commits[-1].sha


def _without_overwritten(ranked: list[Suspect]) -> Iterator[Suspect]:
    for suspect in ranked:
        if suspect.score >= LEAST:
            yield suspect


def _slack(finding: Finding, since: datetime) -> timedelta:
    """How much later than the onset a commit may be and still have brought it: an onset is an estimate."""
    measured = any(piece.source == "metric" and piece.at == since for piece in finding.evidence)
    return COARSE if measured else SLACK


def _weight(charge: Charge, overturned: bool) -> float:
    """What a charge counts: whoever set a value that was right until a later commit is hardly guilty."""
    return charge.score * OVERTURNED if overturned and not charge.overturns else charge.score


def _is_late(commit: Commit, latest: datetime | None) -> bool:
    return latest is not None and commit.authored_at > latest


def _suspect(commit: Commit, charge: Charge, latest: datetime | None) -> Suspect:
    late = _is_late(commit, latest)
    score = charge.score * (1.0 if not late else AFTER_ONSET_EXACT if charge.score >= EXACT else AFTER_ONSET)
    reason = charge.reason + (" (but only after the trouble began)" if late else "")
    evidence = (Evidence.seen("commit", commit.sha, charge.path, charge.excerpt, commit.authored_at),)
    return Suspect(
        sha=commit.sha,
        subject=commit.subject,
        score=round(score, 3),
        reason=reason,
        path=charge.path,
        evidence=evidence,
    )


def _charges(finding: Finding, source: SourceReport, changed: tuple[Version, ...], root: bool) -> Iterator[Charge]:
    """What speaks against one commit. An object that it moved from one file to another is neither added nor removed."""
    kept = tuple(one for one in changed if not (root and one.change.status == "added"))
    found = {version.path: tuple(field_changes(version)) for version in kept}
    moved = moves(kept)
    for change in (*(one for some in found.values() for one in some), *moved):
        only_moved = not change.field and any(change.object == other.object for other in moved)
        innocent = only_moved or change.before == change.after or acquitted(finding, change)
        if not innocent and not _stood_otherwise(finding, change, kept):
            yield from field_charge(finding, change)
            yield from roundabout_charges(finding, change)
    for version in kept:
        if finding.kind == FaultKind.CODE_REGRESSION:
            yield from code_blame(finding, source, version)
        if not found[version.path] and is_read(version):
            yield from overlay_charges(finding, version)
        if (not found[version.path] and not is_read(version)) or finding.kind in _TAKEN:
            yield from line_charge(finding, version)


def _stood_otherwise(finding: Finding, change: FieldChange, changed: tuple[Version, ...]) -> bool:
    """Whether an object was added with another value than the one that is wrong: then the adding was innocent."""
    if change.field or change.before is not None or not finding.field:
        return False
    things = (
        one.thing
        for version in changed
        if version.path == change.path
        for one in declared(version.path, version.after or "")
        if one.ref == change.object and change.object.name == finding.object.name
    )
    values = [text(thing, *steps(finding.field)) for thing in things if change.object.kind == finding.object.kind]
    return any(value and finding.observed not in value for value in values)

"""From an examination to a report: chosen, related, and freed of everything that acts."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice, zip_longest

from sre_bot.cli.examination import Examination, Remedy
from sre_bot.cli.report.contents import Cause, Change, Dependency, Moment, Piece, Proposal, Relation, Report
from sre_bot.cli.report.inert import inert, line
from sre_bot.domain.diagnosis import Hypothesis, Suspect
from sre_bot.domain.finding import Evidence
from sre_bot.domain.source import Commit
from sre_bot.reasoning.timeline import Happening
from sre_bot.reasoning.topology import Topology
from sre_bot.reasoning.verdict import CALM

MOST_LINKS = 24
MOST_STEPS = 3
"""How far from the cause those who suffer from it are followed."""
_INDEPENDENT = 0.5
"""From this confidence on, a cause that explains what the others leave unexplained is a second fault, no guess."""


def report_of(examination: Examination, top: int) -> Report:
    """The report, with no more than ``top`` causes."""
    judgement, snapshot = examination.judgement, examination.snapshot
    hypotheses = judgement.diagnosis.hypotheses
    held = tuple(one for one in hypotheses if not one.tentative)
    return Report(
        source=line(examination.source),
        namespaces=tuple(map(line, snapshot.namespaces)),
        taken_at=snapshot.taken_at,
        repository=_repository(examination),
        verdict=judgement.diagnosis.verdict,
        healthy=examination.healthy,
        summary=line(judgement.diagnosis.summary, 4_000),
        onset=None if examination.healthy else judgement.correlation.onset,
        causes=tuple(_causes(examination, top)),
        possible=tuple(_cause(examination, one, "possible", Remedy()) for one in hypotheses if one.tentative),
        more=max(0, len(held) - top),
        unseen=tuple(line(one) for one in snapshot.unseen),
        timeline=tuple(_moments(judgement.correlation.timeline, held[:1])),
        topology=tuple(_around(judgement.correlation.topology, held[:1])),
        objects=len(snapshot.objects),
        events=len(snapshot.events),
        logs=len(snapshot.logs),
    )


def _repository(examination: Examination) -> str:
    history = examination.history
    if history is None:
        return ""
    return line(f"{history.repository} at {history.tree.sha[:9]}, folder {history.path or '/'}")


def _causes(examination: Examination, top: int) -> Iterator[Cause]:
    before: list[Hypothesis] = []
    hypotheses = examination.judgement.diagnosis.hypotheses
    paired = zip_longest(hypotheses, examination.remedies, fillvalue=Remedy())
    held = ((one, remedy) for one, remedy in paired if isinstance(one, Hypothesis) and not one.tentative)
    for hypothesis, remedy in islice(held, top):
        yield _cause(examination, hypothesis, _relation(hypothesis, before), remedy)
        before.append(hypothesis)


def _relation(hypothesis: Hypothesis, before: list[Hypothesis]) -> Relation:
    if hypothesis.kind in CALM:
        return "calm"
    if not before:
        return "cause"
    told = {symptom for one in before for symptom in one.explains}
    own = bool(hypothesis.explains) and told.isdisjoint(hypothesis.explains)
    return "independent" if own and hypothesis.confidence >= _INDEPENDENT else "alternative"


def _cause(examination: Examination, hypothesis: Hypothesis, relation: Relation, remedy: Remedy) -> Cause:
    finding = hypothesis.finding
    onset = finding.since or examination.judgement.correlation.onset
    commits = {commit.sha: commit for commit in examination.history.commits} if examination.history else {}
    return Cause(
        relation=relation,
        kind=finding.kind.value,
        object=line(str(finding.object)),
        container=line(finding.container),
        field=line(finding.field),
        observed=line(finding.observed),
        expected=line(finding.expected),
        message=line(finding.message, 1_000),
        confidence=hypothesis.confidence,
        since=finding.since,
        explains=tuple(map(line, hypothesis.explains)),
        unexplained=tuple(map(line, hypothesis.unexplained)),
        against=tuple(map(line, hypothesis.against)),
        hurts=tuple(line(str(ref)) for ref in finding.hurts),
        evidence=tuple(map(_piece, finding.evidence)),
        changes=tuple(_change(one, commits.get(one.sha), onset) for one in hypothesis.suspects),
        proposal=_proposal(remedy),
    )


def _piece(evidence: Evidence) -> Piece:
    return Piece(
        id=line(evidence.id),
        source=evidence.source,
        subject=line(evidence.subject),
        locator=line(evidence.locator),
        excerpt=inert(evidence.excerpt),
        at=evidence.at,
    )


def _change(suspect: Suspect, commit: Commit | None, onset: datetime | None) -> Change:
    at = commit.authored_at if commit else None
    return Change(
        sha=line(suspect.sha[:12]),
        subject=line(suspect.subject),
        author=line(commit.author) if commit else "",
        at=at,
        when=apart(at, onset),
        score=suspect.score,
        reason=line(suspect.reason),
        path=line(suspect.path),
        evidence=tuple(map(_piece, suspect.evidence)),
    )


def apart(at: datetime | None, onset: datetime | None) -> str:
    """How long before or after the onset something was, in words; empty where either is unknown."""
    if at is None or onset is None:
        return ""
    length = abs(onset - at)
    return f"{rough(length)} {'before' if at <= onset else 'after'} it began"


def rough(length: timedelta) -> str:
    """A length of time in its largest unit."""
    minutes = int(length.total_seconds()) // 60
    if minutes < 1:
        return "less than a minute"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 60 // 24} days"


def _proposal(remedy: Remedy) -> Proposal:
    if remedy.fix is None:
        return Proposal(why_not=line(remedy.why_not, 1_000))
    return Proposal(
        title=line(remedy.fix.title),
        explanation=line(remedy.fix.explanation, 2_000),
        risk=line(remedy.fix.risk, 1_000),
        diff=inert(remedy.fix.diff),
        checks=tuple(map(line, remedy.validation.checks)) if remedy.validation else (),
    )


def _moments(timeline: Iterable[Happening], best: tuple[Hypothesis, ...]) -> Iterator[Moment]:
    subjects = {str(one.object) for one in best} | {piece.subject for one in best for piece in one.finding.evidence}
    guilty = {suspect.sha[:12] for one in best for suspect in one.suspects[:1]}
    for one in timeline:
        telling = one.subject in guilty if one.kind == "commit" else one.subject in subjects
        yield Moment(at=one.at, kind=one.kind, subject=line(one.subject), text=line(one.text), telling=telling)


def _around(topology: Topology, best: tuple[Hypothesis, ...]) -> Iterator[Dependency]:
    """The arrows between the first cause and those who suffer from it, nearest first; none where nothing is wrong."""
    troubled = [one for one in best if one.kind not in CALM]
    if not troubled:
        return
    cause, *hurt = map(str, (troubled[0].object, *troubled[0].finding.hurts))
    arrows = {(one, cause): "is hurt by" for one in hurt if one != cause}
    arrows |= {(str(one.source), str(one.target)): one.why for one in topology.links}
    links = [(*ends, why) for ends, why in arrows.items()]
    reached, given = {cause}, 0
    for _ in range(MOST_STEPS):
        wave = [link for link in links if link[1] in reached and link[0] not in reached]
        reached |= {source for source, _, _ in wave}
        for source, target, why in wave[: max(0, MOST_LINKS - given)]:
            yield Dependency(source=line(source), target=line(target), why=line(why))
            given += 1

"""Comparing how an incident ended with what its folder expects. The only reader of ``expect``."""

from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel

from sre_bot.domain.states import Outcome
from sre_bot.evals.harness import Run
from sre_bot.lab.recording import Cause, Expectation, Recording

ENDS: dict[str, frozenset[Outcome]] = {
    "fix": frozenset({Outcome.RESOLVED}),
    "no_action": frozenset({Outcome.NO_ACTION_NEEDED}),
    "needs_human": frozenset({Outcome.NEEDS_HUMAN, Outcome.ESCALATED}),
}
A_PERSON = frozenset({Outcome.NEEDS_HUMAN, Outcome.ESCALATED})


class Score(BaseModel):
    """One incident's result. ``safe`` is whether it ended as expected or with a person; None where nothing applies."""

    incident: str
    outcome: str
    expected_verdict: str
    as_expected: bool
    safe: bool
    kind_right: bool | None
    object_right: bool | None
    culprit_right: bool | None
    decoy_hit: bool | None
    named_kind: str
    named_object: str
    confidence: float
    seconds: float
    problem: str = ""


def score(recording: Recording, run: Run) -> Score:
    """How a run compares with the expectation."""
    expect, outcome = recording.incident.expect, run.state.outcome
    results: dict[str, Any] = run.state.context.get("analysis_results") or {}
    culprit = (results.get("culprit") or {}).get("subject", "none")
    faulty = expect.verdict != "no_action"
    named_kind, named_object = str(results.get("kind", "")), str(results.get("object", ""))
    return Score(
        incident=recording.folder.name,
        outcome=str(outcome),
        expected_verdict=expect.verdict,
        as_expected=outcome in ENDS[expect.verdict],
        safe=outcome in ENDS[expect.verdict] | A_PERSON,
        kind_right=_kind_right(expect, named_kind) if faulty else None,
        object_right=_object_right(expect, named_object) if faulty else None,
        culprit_right=culprit == expect.culprit if faulty and recording.incident.repository else None,
        decoy_hit=culprit in expect.decoys if expect.decoys else None,
        named_kind=named_kind,
        named_object=named_object,
        confidence=float(results.get("confidence", 0.0)),
        seconds=round(run.seconds, 2),
        problem=str(run.errors[-1]["message"]) if run.errors else "",
    )


def _kind_right(expect: Expectation, kind: str) -> bool:
    return any(kind in (cause.kind, *cause.kind_also) for cause in expect.root_cause)


def _object_right(expect: Expectation, named: str) -> bool:
    return any(fnmatchcase(named, pattern) for cause in expect.root_cause for pattern in _patterns(cause))


def _patterns(cause: Cause) -> tuple[str, ...]:
    return (cause.object,) if isinstance(cause.object, str) else cause.object

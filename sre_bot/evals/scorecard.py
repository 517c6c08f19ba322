"""One answer against one expectation: a mark for each question that applies."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from sre_bot.evals.answers import Answer, Claim
from sre_bot.evals.incidents import Expected
from sre_bot.evals.matching import Owners, kind_matches, object_matches
from sre_bot.lab.recording import Cause

FEW = 3
"""How many hypotheses ``both_at_3`` looks at."""


class Scorecard(BaseModel):
    """The marks of one answer; None where a question does not apply.

    ``kind_at_1``, ``object_at_1``: about the first hypothesis, where a cause is expected; of several expected causes
    any counts. ``both_at_1``, ``both_at_3``: kind and object of one cause together. ``all_at_3``: each of several
    causes is among the first three; None where there are not several. ``culprit_at_1``: the blamed commit, or nobody,
    as expected; where there is a repository and something to blame it for. ``decoy_hit``: a decoy is blamed.
    ``false_alarm``: the verdict is ``fix`` where it must not be.
    """

    model_config = ConfigDict(frozen=True)

    kind_at_1: bool | None = None
    object_at_1: bool | None = None
    both_at_1: bool | None = None
    both_at_3: bool | None = None
    all_at_3: bool | None = None
    culprit_at_1: bool | None = None
    decoy_hit: bool | None = None
    verdict_right: bool
    false_alarm: bool | None = None
    confidence: float | None = None
    grounded: bool | None = None


def mark(answer: Answer, expected: Expected, owners: Owners) -> Scorecard:
    """Score one answer."""
    expect, first = expected.expect, answer.first
    causes = expect.root_cause

    def named(matches: Callable[[Claim, Cause], bool], most: int) -> bool | None:
        return any(matches(claim, cause) for claim in answer.hypotheses[:most] for cause in causes) if causes else None

    def of_object(claim: Claim, cause: Cause) -> bool:
        return object_matches(claim, cause, owners)

    def of_both(claim: Claim, cause: Cause) -> bool:
        return kind_matches(claim, cause) and of_object(claim, cause)

    blamable = expected.repository is not None and expect.verdict != "no_action"
    return Scorecard(
        kind_at_1=named(kind_matches, 1),
        object_at_1=named(of_object, 1),
        both_at_1=named(of_both, 1),
        both_at_3=named(of_both, FEW),
        all_at_3=_all(answer, causes, of_both) if len(causes) > 1 else None,
        culprit_at_1=answer.culprit == expect.culprit if blamable else None,
        decoy_hit=answer.culprit in expect.decoys if expect.decoys else None,
        verdict_right=answer.verdict == expect.verdict,
        false_alarm=answer.verdict == "fix" if expect.verdict != "fix" else None,
        confidence=first.confidence if first and causes else None,
        grounded=first.grounded if first else None,
    )


def _all(answer: Answer, causes: tuple[Cause, ...], matches: Callable[[Claim, Cause], bool]) -> bool:
    return all(any(matches(claim, cause) for claim in answer.hypotheses[:FEW]) for cause in causes)

"""Proposing a fix: strategies in order, the first candidate whose condition holds."""

from collections.abc import Iterator

from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.finding import FaultKind
from sre_bot.domain.fix import Fix
from sre_bot.domain.review import Decision
from sre_bot.domain.source import SourceHistory
from sre_bot.repair.case import Case
from sre_bot.repair.drift import drift
from sre_bot.repair.proof import guard_of
from sre_bot.repair.requests import answered
from sre_bot.repair.strategies import strategies_for, why_not_ours


def propose_fix(
    hypothesis: Hypothesis,
    history: SourceHistory,
    *,
    request: Decision | None = None,
    previous: Fix | None = None,
    problems: tuple[str, ...] = (),
) -> Fix:
    """The smallest safe change that removes the cause.

    ``request`` is a review that asks for changes to ``previous``; ``problems`` are what validation found wrong with
    ``previous``, so that the next candidate is wanted. Raises ``NoSafeFix`` that says what was tried, ``BadManifest``
    when the file to be edited is malformed.
    """
    case = Case(hypothesis, history)
    if request is not None and previous is not None:
        return answered(case, request, previous, problems)
    if said := drift(case):
        raise NoSafeFix(said)
    reasons: list[str] = []
    candidates = _candidates(case, reasons)
    if previous is not None and problems:
        candidates = _after(candidates, previous)
    fix = next(candidates, None)
    if fix is None:
        raise NoSafeFix(_refusal(case, reasons, problems))
    return fix


def _candidates(case: Case, reasons: list[str]) -> Iterator[Fix]:
    """Every candidate that removes the fault from the tree; why the others do not is appended to ``reasons``."""
    for strategy in strategies_for(case.finding.kind):
        try:
            for fix in strategy(case):
                left = _objection(case, fix)
                if not left:
                    yield fix
                else:
                    reasons.append(f"{fix.title}: {left}")
        except NoSafeFix as error:
            reasons.append(str(error))


def _objection(case: Case, fix: Fix) -> str:
    """Why a candidate does not do; empty where the fault's condition holds after it."""
    guard = guard_of(case, fix)
    if fix.reverts and not guard.telling and case.finding.kind is not FaultKind.CODE_REGRESSION:
        return "nothing in the tree proves that this commit is the cause"
    return next(iter(guard.problems(fix.applied_to(case.history.tree.files), case.history.path)), "")


def _after(candidates: Iterator[Fix], tried: Fix) -> Iterator[Fix]:
    """The candidates that come after the one that was tried; all of them where it came from elsewhere."""
    found = list(candidates)
    at = next((index for index, fix in enumerate(found) if fix.edits == tried.edits), -1)
    return iter(found[at + 1 :])


def _refusal(case: Case, reasons: list[str], problems: tuple[str, ...]) -> str:
    what = f"no safe fix for {case.finding.kind} of {case.finding.object}"
    tried = list(dict.fromkeys((*problems, *reasons)))
    unknown = why_not_ours(case.finding.kind) or "no strategy covers it and its history shows no good value"
    return f"{what}: {'; '.join(tried) or unknown}"

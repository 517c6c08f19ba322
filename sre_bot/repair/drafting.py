"""A fix that has passed every check that needs no sandbox, or the reason why there is none. Pure."""

from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.fix import Fix, Validation
from sre_bot.domain.source import SourceHistory
from sre_bot.repair.proposal import propose_fix
from sre_bot.repair.validation import validate


def draft_fix(
    hypothesis: Hypothesis, history: SourceHistory, *, rounds: int, forbidden: tuple[str, ...] = ()
) -> tuple[Fix, Validation]:
    """The first valid fix of at most ``rounds`` proposals, each made knowing what was wrong with the one before.

    ``forbidden`` are path patterns that no fix may touch. Raises ``NoSafeFix`` and ``BadManifest``.
    """
    fix, problems = None, ()
    for _ in range(rounds):
        fix = propose_fix(hypothesis, history, previous=fix, problems=problems)
        validation = validate(fix, hypothesis, history, forbidden=forbidden)
        if validation.verdict == "valid":
            return fix, validation
        problems = validation.problems
    raise NoSafeFix(f"{rounds} fixes were tried and none was valid: {'; '.join(problems)}")

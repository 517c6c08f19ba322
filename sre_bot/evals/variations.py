"""The same incident told differently must get the same answer: under other names, or in another order."""

import asyncio
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sre_bot.evals.answers import Answer, agrees
from sre_bot.evals.case import Case, read_case
from sre_bot.evals.diagnosing import diagnose
from sre_bot.evals.renaming import Renaming, rename
from sre_bot.evals.shuffling import shuffle


class Variation(BaseModel):
    """One retelling and its answer, in the names of the retelling. ``wanted`` is the original answer in them."""

    model_config = ConfigDict(frozen=True)

    sort: Literal["rename", "shuffle"]
    seed: int
    same: bool
    wanted: str
    answered: str


def renamed(folder: Path, answer: Answer, fix_threshold: float, seed: int) -> Variation:
    """Diagnose a renamed copy of the folder. Raises ``BadRecording`` where it cannot be renamed."""
    with tempfile.TemporaryDirectory(prefix="sre-bot-renamed-") as data:
        target = Path(data) / folder.name
        renaming = rename(folder, target, seed)
        case = asyncio.run(read_case(target))
    return _compared("rename", seed, _under(renaming, answer), _answer(case, fix_threshold))


def shuffled(case: Case, answer: Answer, fix_threshold: float, seed: int) -> Variation:
    """Diagnose the case in another order."""
    return _compared("shuffle", seed, answer, _answer(shuffle(case, seed), fix_threshold))


def _answer(case: Case, fix_threshold: float) -> Answer:
    return Answer.of(diagnose(case, fix_threshold))


def _under(renaming: Renaming, answer: Answer) -> Answer:
    claims = tuple(
        claim.model_copy(update={"object": renaming.object(claim.object), "culprit": renaming.subject(claim.culprit)})
        for claim in answer.hypotheses
    )
    return answer.model_copy(update={"hypotheses": claims})


def _compared(sort: Literal["rename", "shuffle"], seed: int, wanted: Answer, answered: Answer) -> Variation:
    same = agrees(wanted, answered)
    return Variation(sort=sort, seed=seed, same=same, wanted=_in_words(wanted), answered=_in_words(answered))


def _in_words(answer: Answer) -> str:
    named = f"{answer.first.kind} {answer.first.object}" if answer.first else "nothing named"
    return f"{answer.verdict}: {named}, culprit {answer.culprit}"

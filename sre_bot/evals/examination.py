"""One incident examined: read, diagnosed, played to its end where asked, and scored. Runs in a process of its own."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sre_bot.domain.errors import SreBotError
from sre_bot.evals.answers import Answer, agrees
from sre_bot.evals.baselines import BASELINES
from sre_bot.evals.case import Case, read_case
from sre_bot.evals.degrading import degraded
from sre_bot.evals.diagnosing import diagnose
from sre_bot.evals.ending import Ending, answer_of, ending_of
from sre_bot.evals.grounding import Folder, ungrounded
from sre_bot.evals.harness import Pace, play, staged
from sre_bot.evals.incidents import Expected, Split
from sre_bot.evals.matching import owners_of
from sre_bot.evals.scorecard import Scorecard, mark
from sre_bot.evals.variations import Variation, renamed, shuffled
from sre_bot.lab.recording import Cause, Recording

Stage = Literal["diagnosis", "full"]


class Degraded(BaseModel):
    """The forecast from a retelling with something left out: what, the stated confidence, and whether it was right."""

    model_config = ConfigDict(frozen=True)

    left_out: str
    confidence: float
    right: bool


class BaselineResult(BaseModel):
    """A baseline's answer to one incident."""

    model_config = ConfigDict(frozen=True)

    answer: Answer
    marks: Scorecard
    seconds: None = None
    healed: None = None
    harmed: None = None
    regression_valid: None = None


class Result(BaseModel):
    """Everything about one incident, as the JSON has it.

    ``seconds`` is the time from snapshot to diagnosis; in the full stage from ticket to end. ``ending`` is None where
    the incident was diagnosed only. ``as_in_parts``: the whole bot answered what its parts do, called one by one.
    """

    model_config = ConfigDict(frozen=True)

    incident: str
    folder: str
    split: Split
    family: str
    expected_verdict: str
    expected: tuple[Cause, ...]
    expected_culprit: str
    decoys: tuple[str, ...]
    answer: Answer
    marks: Scorecard
    baselines: dict[str, BaselineResult]
    seconds: float
    reading_seconds: float
    ending: Ending | None = None
    as_in_parts: bool | None = None
    variations: tuple[Variation, ...] = ()
    degraded: tuple[Degraded, ...] = ()

    @property
    def healed(self) -> bool | None:
        """Whether the cluster recovered."""
        return self.ending.healed if self.ending else None

    @property
    def harmed(self) -> bool | None:
        """Whether anything deployed did harm."""
        return self.ending.harmed if self.ending else None

    @property
    def regression_valid(self) -> bool | None:
        """Whether the regression test fails before and passes after."""
        return self.ending.regression_valid if self.ending else None


class Unscored(BaseModel):
    """A folder that could not be scored, and why."""

    model_config = ConfigDict(frozen=True)

    incident: str
    folder: str
    problem: str


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with a folder. ``fix_threshold`` is the setting of that name.

    ``database_url`` is the Postgres server on which the full stage makes a database for the incident. ``rename`` and
    ``shuffle`` are the seeds of a retelling that is diagnosed too. ``degrade`` also diagnoses a tuned incident with
    less to see, for fitting the confidence.
    """

    folder: Path
    stage: Stage
    fix_threshold: float
    database_url: str = ""
    rename: int | None = None
    shuffle: int | None = None
    degrade: bool = False


def examine(order: Order) -> Result | Unscored:
    """Examine one folder. A folder that cannot be read is told, not raised."""
    try:
        return _examined(order)
    except (SreBotError, OSError) as error:
        return Unscored(incident=order.folder.name, folder=str(order.folder), problem=" ".join(str(error).split()))


def _examined(order: Order) -> Result:
    expected = Expected.read(order.folder)
    begun = time.perf_counter()
    case = asyncio.run(read_case(order.folder))
    read = time.perf_counter()
    diagnosis = diagnose(case, order.fix_threshold)
    seconds = time.perf_counter() - read
    folder = Folder(Recording.load(order.folder), case.history)
    answer = Answer.of(diagnosis, lambda finding: ungrounded(finding, folder))
    result = _scored(order.folder, expected, case, answer)
    result = result.model_copy(
        update={
            "seconds": round(seconds, 4),
            "reading_seconds": round(read - begun, 4),
            "variations": tuple(_varied(order, case, answer)),
            "degraded": tuple(_degraded(order, case, expected)),
        }
    )
    return result if order.stage == "diagnosis" else asyncio.run(_played(order, result, expected, case))


def _varied(order: Order, case: Case, answer: Answer) -> Iterator[Variation]:
    if order.rename is not None:
        yield renamed(order.folder, answer, order.fix_threshold, order.rename)
    if order.shuffle is not None:
        yield shuffled(case, answer, order.fix_threshold, order.shuffle)


def _degraded(order: Order, case: Case, expected: Expected) -> Iterator[Degraded]:
    if not order.degrade or expected.split != "tuned":
        return
    owners = owners_of(case.snapshot.objects)
    for left_out, diagnosis in degraded(case, order.fix_threshold):
        marks = mark(Answer.of(diagnosis), expected, owners)
        if marks.confidence is not None:
            yield Degraded(left_out=left_out, confidence=marks.confidence, right=bool(marks.both_at_1))


def _scored(folder: Path, expected: Expected, case: Case, answer: Answer) -> Result:
    owners = owners_of(case.snapshot.objects)
    trivial = {name: give(case) for name, give in BASELINES.items()}
    return Result(
        incident=folder.name,
        folder=str(folder),
        split=expected.split,
        family=expected.family,
        expected_verdict=expected.expect.verdict,
        expected=expected.expect.root_cause,
        expected_culprit=expected.expect.culprit,
        decoys=expected.expect.decoys,
        answer=answer,
        marks=mark(answer, expected, owners),
        baselines={
            name: BaselineResult(answer=one, marks=mark(one, expected, owners)) for name, one in trivial.items()
        },
        seconds=0.0,
        reading_seconds=0.0,
    )


async def _played(order: Order, result: Result, expected: Expected, case: Case) -> Result:
    """The result with the whole bot's own answer first, and how it ended."""
    async with staged(order.folder, order.database_url, Pace(), fix_threshold=order.fix_threshold) as stage:
        run = await play(stage)
    whole, ending = answer_of(run), ending_of(run, expected.expect)
    same = agrees(whole, result.answer)
    answer = whole if not same else whole.model_copy(update={"hypotheses": result.answer.hypotheses})
    marks = mark(answer, expected, owners_of(case.snapshot.objects))
    changes = {"answer": answer, "marks": marks, "ending": ending, "as_in_parts": same, "seconds": ending.seconds}
    return result.model_copy(update=changes)

"""What was answered about one incident, by the bot or by a baseline, in the form in which it is scored and printed."""

from collections.abc import Callable
from typing import Self

from pydantic import BaseModel, ConfigDict

from sre_bot.domain.diagnosis import Diagnosis, Hypothesis, Verdict
from sre_bot.domain.finding import Finding

MOST_CLAIMS = 5
NOBODY = "none"
"""The culprit where no commit is blamed, as ``incident.yaml`` writes it."""


class Claim(BaseModel):
    """One hypothesis. ``evidence`` holds ids; ``grounded`` is None where nobody looked, ``ungrounded`` says why not."""

    model_config = ConfigDict(frozen=True)

    kind: str
    object: str
    confidence: float
    field: str = ""
    observed: str = ""
    evidence: tuple[str, ...] = ()
    culprit: str = NOBODY
    grounded: bool | None = None
    ungrounded: str = ""

    @classmethod
    def of(cls, hypothesis: Hypothesis, complaint: str | None = None) -> Self:
        """The claim that a hypothesis makes. ``complaint`` is why it is not grounded, empty where it is."""
        finding = hypothesis.finding
        return cls(
            kind=finding.kind.value,
            object=str(finding.object),
            confidence=hypothesis.confidence,
            field=finding.field,
            observed=finding.observed,
            evidence=tuple(dict.fromkeys(piece.id for piece in finding.evidence)),
            culprit=hypothesis.culprit.subject if hypothesis.culprit else NOBODY,
            grounded=None if complaint is None else not complaint,
            ungrounded=complaint or "",
        )


class Answer(BaseModel):
    """A verdict and the claims behind it, best first, at most ``MOST_CLAIMS``."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    hypotheses: tuple[Claim, ...] = ()

    @classmethod
    def of(cls, diagnosis: Diagnosis, look: Callable[[Finding], str | None] = lambda _: None) -> Self:
        """The answer that a diagnosis gives. ``look`` says why a finding is not grounded, None if it did not look."""
        claims = tuple(Claim.of(one, look(one.finding)) for one in diagnosis.hypotheses[:MOST_CLAIMS])
        return cls(verdict=diagnosis.verdict, hypotheses=claims)

    @property
    def first(self) -> Claim | None:
        """The first hypothesis, None where nothing is named."""
        return self.hypotheses[0] if self.hypotheses else None

    @property
    def culprit(self) -> str:
        """The subject of the blamed commit, ``none`` where no commit is blamed."""
        return self.first.culprit if self.first else NOBODY


def agrees(one: Answer, other: Answer) -> bool:
    """Whether two answers say the same: verdict, kind and object of the first hypothesis, and culprit."""
    return _said(one) == _said(other)


def _said(answer: Answer) -> tuple[str, str, str, str]:
    first = answer.first
    return (answer.verdict, first.kind if first else "", first.object if first else "", answer.culprit)

"""Judgement: hypotheses about the cause, suspects among the commits, a verdict."""

from typing import Literal

from sre_bot.domain.cluster import ObjectRef, Value
from sre_bot.domain.finding import Evidence, FaultKind, Finding

Verdict = Literal["fix", "no_action", "needs_human"]


class Suspect(Value):
    """A commit and how well its diff explains a finding. ``score`` is 0 to 1; ``reason`` is a sentence for people."""

    sha: str
    subject: str
    score: float
    reason: str
    path: str = ""
    evidence: tuple[Evidence, ...] = ()


class Hypothesis(Value):
    """One possible cause, for and against. ``confidence`` is the probability that kind and object are right.

    ``tentative`` marks what is only listed as possible, since the evidence permits it or something changed: no rule
    holds it, nobody is to act on it.
    """

    finding: Finding
    confidence: float
    against: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()
    refuted_by: str = ""
    suspects: tuple[Suspect, ...] = ()
    tentative: bool = False

    @property
    def kind(self) -> FaultKind:
        """The cause's kind."""
        return self.finding.kind

    @property
    def object(self) -> ObjectRef:
        """Where the wrong value stands."""
        return self.finding.object

    @property
    def culprit(self) -> Suspect | None:
        """The commit that best explains it; None where no commit is guilty."""
        return self.suspects[0] if self.suspects else None


class Diagnosis(Value):
    """The answer: a verdict, the hypotheses best first, and a summary for people in Markdown-free prose."""

    verdict: Verdict
    hypotheses: tuple[Hypothesis, ...]
    summary: str

    @property
    def best(self) -> Hypothesis | None:
        """The first hypothesis, None where nothing is wrong."""
        return self.hypotheses[0] if self.hypotheses else None

    @property
    def causes(self) -> tuple[Hypothesis, ...]:
        """The hypotheses that a rule or a model holds, best first; what is only possible apart."""
        return tuple(one for one in self.hypotheses if not one.tentative)

    @property
    def confidence(self) -> float:
        """The confidence of the first hypothesis; 0 without one."""
        return self.best.confidence if self.best else 0.0

"""The root cause: the rules always argue; a model, where configured, argues over the same evidence and is checked."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, Field

from sre_bot.agents.conversation import ask
from sre_bot.agents.prompts import prompt
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.errors import ModelError
from sre_bot.domain.finding import Evidence, FaultKind, Finding
from sre_bot.domain.source import SourceHistory
from sre_bot.domain.ticket import Ticket
from sre_bot.reasoning import Correlation, propose

NO_CAUSE = (FaultKind.HEALTHY, FaultKind.RECOVERED)


class Claim(BaseModel):
    """One cause as the model claims it."""

    kind: FaultKind
    object: str = Field(description="Kind/namespace/name")
    field: str = Field("", description="path of the wrong field, empty where there is none")
    observed: str
    expected: str
    evidence_ids: list[str] = Field(min_length=1)
    why: str


class Opinion(BaseModel):
    """The causes that the model sees, most likely first."""

    causes: list[Claim] = Field(max_length=3)


@dataclass(frozen=True, slots=True)
class RootCauseAgent:
    """Proposes causes. Without a model the rules alone speak."""

    model: BaseChatModel | None
    calls: int

    async def propose(
        self, ticket: Ticket, correlation: Correlation, history: SourceHistory | None
    ) -> tuple[Hypothesis, ...]:
        """The hypotheses of the rules, with the model's as far as they stand up. A model that fails changes nothing."""
        rules = await asyncio.to_thread(propose, correlation, history)
        if self.model is None:
            return rules
        evidence = {one.id: one for finding in correlation.findings for one in finding.evidence}
        try:
            question = await asyncio.to_thread(_question, ticket, evidence.values(), rules, history)
            opinion = await ask(self.model, question, Opinion, self.calls)
        except ModelError as error:
            return (
                tuple(rule.model_copy(update={"against": (*rule.against, str(error))}) for rule in rules[:1])
                + rules[1:]
            )
        claims = [claim for claim in opinion.causes if stands_up(claim, evidence)]
        return argued(rules, claims, evidence)


def stands_up(claim: Claim, evidence: dict[str, Evidence]) -> bool:
    """Whether a claim may be heard: it cites only known evidence, and what it observed stands in it literally."""
    cited = [evidence[one] for one in claim.evidence_ids if one in evidence]
    well_formed = claim.object.count("/") >= 2
    quoted = any(claim.observed.strip() and claim.observed.strip() in one.excerpt for one in cited)
    return well_formed and quoted and len(cited) == len(claim.evidence_ids) and claim.kind not in NO_CAUSE


def argued(rules: tuple[Hypothesis, ...], claims: list[Claim], evidence: dict[str, Evidence]) -> tuple[Hypothesis, ...]:
    """The rules' hypotheses with the model's dissent noted, followed by what only the model saw.

    The model can add a hypothesis and cast doubt; it cannot remove one or raise its own confidence.
    """
    known = {(rule.kind, str(rule.object)) for rule in rules}
    first = (claims[0].kind, claims[0].object) if claims else None
    noted = tuple(
        rule.model_copy(update={"against": (*rule.against, f"the model names {first[0]} at {first[1]} instead")})
        if index == 0 and first and first != (rule.kind, str(rule.object))
        else rule
        for index, rule in enumerate(rules)
    )
    added = tuple(_hypothesis(claim, evidence) for claim in claims if (claim.kind, claim.object) not in known)
    return (*noted, *added)


def _hypothesis(claim: Claim, evidence: dict[str, Evidence]) -> Hypothesis:
    finding = Finding(
        kind=claim.kind,
        object=ObjectRef.parse(claim.object),
        field=claim.field,
        observed=claim.observed,
        expected=claim.expected,
        message=claim.why[:500],
        directness="logged",
        evidence=tuple(evidence[one] for one in claim.evidence_ids),
    )
    return Hypothesis(finding=finding, confidence=0.0, against=("only the model argues for it",))


def _question(
    ticket: Ticket, evidence: Iterable[Evidence], rules: tuple[Hypothesis, ...], history: SourceHistory | None
) -> str:
    commits = history.commits[:15] if history else ()
    return prompt(
        "root_cause",
        kinds=", ".join(kind for kind in FaultKind if kind not in NO_CAUSE),
        ticket=f"{ticket.summary}\n{ticket.description}",
        evidence="\n".join(f"[{one.id}] {one.subject} {one.locator}: {one.excerpt}" for one in evidence),
        hypotheses="\n".join(f"- {rule.kind} at {rule.object}: {rule.finding.message}" for rule in rules),
        commits="\n".join(f"- {one.sha[:12]} {one.authored_at:%Y-%m-%d %H:%M} {one.subject}" for one in commits),
    )

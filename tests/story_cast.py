"""Who appears in the stories about workflows: the record on its stage, what the model knows, news on its way."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sre_bot.domain.states import IDLE, LAW, Outcome, Position
from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence.database import Database
from tests.law_graph import ACCEPTANCE, ANALYSIS, REMEDIATION, WHOLE_WAY

T = TypeVar("T")
Json = dict[str, Any]

NOBODY = "http://127.0.0.1:9"
"""Where nobody answers: nothing in these stories asks Jira or GitHub."""

POSITIONS = sorted({edge.source for edge in LAW} | {edge.target for edge in LAW}, key=str)
NEWS = ("assignment", "review", "deadline", "deadline")
TRIGGERS = ("", "whatever", *(outcome.value for outcome in Outcome))
TO_REVIEW = ACCEPTANCE + ANALYSIS + REMEDIATION + ("awaiting_review", "review_in_progress")
PLANS = {
    "resolved": WHOLE_WAY,
    "fix_rejected": (*TO_REVIEW, "rejected"),
    "ticket_rejected": ("validating_ticket", "ticket_rejected"),
    "needs_human": ACCEPTANCE + ANALYSIS,
}


@dataclass
class Stage:
    """The record under test, and the loop that all stories of one test run on."""

    runner: asyncio.Runner
    database: Database

    def do(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return self.runner.run(awaited())


@dataclass
class Known:
    """What the model knows of one workflow that a program outside drives."""

    workflow_id: str
    position: Position = IDLE
    ended: bool = False
    context: Json = field(default_factory=dict[str, Any])
    version: int = 1
    changed_at: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class News:
    """Something that happened and that the bot has not heard of yet; ``seen`` is the workflow as it was then."""

    kind: str
    ticket: str
    seen: WorkflowState

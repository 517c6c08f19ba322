"""What people are told while a workflow waits for them: that time runs out, that two fixes touch the same lines.

A notice is an effect like any other, so it needs the workflow's lease for a moment; who runs meanwhile is told later.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sre_bot.domain.deadlines import spent
from sre_bot.domain.errors import LeaseHeld, Paused, ServiceError
from sre_bot.domain.fix import FileEdit
from sre_bot.domain.states import DetailedState
from sre_bot.domain.workflow import WorkflowState
from sre_bot.graph import messages
from sre_bot.graph.markup import markdown, wiki
from sre_bot.graph.outward import Outward
from sre_bot.graph.state import Case
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.workflows import Claim, Workflows
from sre_bot.repair.overlaps import overlaps
from sre_bot.worker.configuration import config_of

log = logging.getLogger(__name__)

SHARES = (90, 50)
"""At which per cent of a time limit people are reminded, the latest first."""

WAITS_FOR_PEOPLE = {DetailedState.AWAITING_REVIEW: "the review of", DetailedState.APPROVED: "the deployment of"}


@dataclass(frozen=True, slots=True)
class Notices:
    """Reminders and warnings about live workflows."""

    database: Database
    workflows: Workflows
    effects: Effects
    outward: Outward
    owner: str
    lease: timedelta

    async def reminders(self) -> int:
        """Remind people of every deadline that is half or nearly over, once for each; returns how many."""
        now = await self.database.now()
        return sum([await self._remind(state, now) for state in await self.workflows.live() if _waits(state)])

    async def overlapping(self) -> int:
        """Link live workflows whose fixes touch the same lines, and tell both; returns how many pairs are new."""
        return sum([await self._warned(one, other) for one, other in await self.workflows.same_files()])

    async def _remind(self, state: WorkflowState, now: datetime) -> bool:
        assert state.timeout_at is not None and state.detailed_state is not None
        over = 100 * spent(state.position, state.timeout_at, now)
        share = next((share for share in SHARES if over >= share), None)
        if share is None or over >= 100:
            return False
        name = f"reminder_{share}:{str(state.context.get('pr_head', ''))[:12]}"
        if await self._was_told(state, name):
            return False
        what = f"{WAITS_FOR_PEOPLE[state.detailed_state]} {state.context.get('pr_url', 'the fix')}"
        text = messages.reminder(what, share, (state.timeout_at - now) / timedelta(hours=1))
        return await self._under_claim(state, lambda claim: self.outward.tell(claim, state.ticket_id, 0, name, text))

    async def _warned(self, one: str, other: str) -> bool:
        first, second = await self.workflows.get(one), await self.workflows.get(other)
        found = overlaps(await self._edits(first), await self._edits(second))
        places = [f"{path}:{lines[0]}" for path, lines in found.items()]
        told = places and [await self._warn(first, second, places), await self._warn(second, first, places)]
        if not told or not all(told):
            return False
        await self.workflows.link(one, other, "overlaps")
        return True

    async def _warn(self, state: WorkflowState, other: WorkflowState, places: list[str]) -> bool:
        """Tell one of two; True once it knows."""
        name = f"overlap:{other.workflow_id}"
        if await self._was_told(state, name):
            return True

        def said(escaped: Callable[[str], str]) -> str:
            return messages.overlapping(other.ticket_id, places, str(other.context.get("pr_url", "")), escaped)

        async def tell(claim: Claim) -> None:
            case = cast(Case, {"scope": {"repository": state.context["repository"]}, "round": 0})
            number = int(state.context["pr_number"])
            await self.outward.comment_pull_request(case, config_of(claim), number, name, said(markdown))
            await self.outward.tell(claim, state.ticket_id, 0, name, said(wiki))

        return "pr_number" in state.context and await self._under_claim(state, tell)

    async def _was_told(self, state: WorkflowState, name: str) -> bool:
        done = await self.effects.of(state.workflow_id)
        return any(effect["name"] == f"ticket_comment:{name}" and effect["status"] == "done" for effect in done)

    async def _edits(self, state: WorkflowState) -> tuple[FileEdit, ...]:
        effects = await self.effects.of(state.workflow_id)
        commits = [effect for effect in effects if effect["name"] == "commit:fix" and effect["status"] == "done"]
        return _summed(edit for commit in commits for edit in commit["request"]["edits"])

    async def _under_claim(self, state: WorkflowState, tell: Callable[[Claim], Awaitable[None]]) -> bool:
        """Do it while nobody runs the parked workflow; False when somebody does, or when it cannot be told now."""
        if state.due_at is not None:
            return False
        try:
            claim = await self.workflows.claim(state.workflow_id, self.owner, self.lease)
        except (LeaseHeld, Paused):
            return False
        try:
            await tell(claim)
        except (ServiceError, Paused) as error:
            log.warning("workflow %s: %s", state.workflow_id, error)
            return False
        finally:
            await self.workflows.release(claim)
        return True


def _waits(state: WorkflowState) -> bool:
    ours = state.driver == "graph" and state.runner == "worker"
    return ours and state.detailed_state in WAITS_FOR_PEOPLE and state.timeout_at is not None and state.due_at is None


def _summed(edits: Iterable[dict[str, Any]]) -> tuple[FileEdit, ...]:
    """One edit for each path, from what the first round found to what the last one left."""
    summed: dict[str, FileEdit] = {}
    for edit in map(FileEdit.model_validate, edits):
        first = summed.get(edit.path, edit)
        summed[edit.path] = FileEdit(path=edit.path, before=first.before, after=edit.after)
    return tuple(summed.values())

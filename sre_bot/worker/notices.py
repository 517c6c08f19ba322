"""What people are told while a workflow waits for them: that time runs out, that two fixes touch the same lines.

A notice is an effect like any other, so it needs the workflow's lease for a moment; who runs meanwhile is told later.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sre_bot.domain.deadlines import limit_of
from sre_bot.domain.errors import LeaseHeld, Paused, ServiceError
from sre_bot.domain.fix import FileEdit
from sre_bot.domain.states import DetailedState, Position
from sre_bot.domain.workflow import WorkflowState
from sre_bot.graph import messages
from sre_bot.graph.markup import markdown, wiki
from sre_bot.graph.outward import Outward
from sre_bot.graph.state import Case
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.watching import Watch
from sre_bot.persistence.workflows import Claim, Workflows
from sre_bot.repair.overlaps import overlaps
from sre_bot.worker.configuration import config_of

log = logging.getLogger(__name__)

SHARES = (90, 50)
"""At which per cent of a time limit people are reminded, the latest first."""

REMINDER = "reminder_"

WAITS_FOR_PEOPLE = {DetailedState.AWAITING_REVIEW: "the review of", DetailedState.APPROVED: "the deployment of"}


@dataclass(slots=True)
class Notices:
    """Reminders and warnings about live workflows."""

    database: Database
    workflows: Workflows
    effects: Effects
    outward: Outward
    watch: Watch
    owner: str
    lease: timedelta
    compared_to: datetime | None = None
    """Until when all fixes are compared with each other; None before the first time."""

    async def reminders(self) -> int:
        """Remind people of every deadline that is half or nearly over, once for each; returns how many."""
        return sum([await self._remind_all(state, share) for state in WAITS_FOR_PEOPLE for share in SHARES])

    async def overlapping(self) -> int:
        """Link live workflows whose fixes touch the same lines, and tell both; returns how many pairs are new.

        A fix is compared with all that there are when it is new, and again as long as somebody could not be told. New
        is what was settled up to a lease before the last look: what was on its way into the record could not be seen.
        """
        began = await self.database.now()
        pairs = await self.watch.same_files(self.compared_to)
        warned = [await self._warned(one, other) for one, other in pairs]
        if None not in warned:
            self.compared_to = began - self.lease
        return sum(map(bool, warned))

    async def _remind_all(self, waiting_in: DetailedState, share: int) -> int:
        """Remind those of whose limit ``share`` per cent are over and of the next share not yet."""
        limit, told = limit_of(Position.working(waiting_in)), f"{REMINDER}{share}:"
        following = min((later for later in SHARES if later > share), default=100)
        found = self.watch.to_remind(
            waiting_in,
            more_than=limit * (100 - following) / 100,
            at_most=limit * (100 - share) / 100,
            told=f"ticket_comment:{told}",
        )
        now = await self.database.now()
        return sum([await self._remind(state, share, told, now) async for state in found])

    async def _remind(self, state: WorkflowState, share: int, told: str, now: datetime) -> bool:
        assert state.timeout_at is not None and state.detailed_state is not None
        name = f"{told}{str(state.context.get('pr_head', ''))[:12]}"
        what = f"{WAITS_FOR_PEOPLE[state.detailed_state]} {state.context.get('pr_url', 'the fix')}"
        text = messages.reminder(what, share, (state.timeout_at - now) / timedelta(hours=1))
        return await self._under_claim(state, lambda claim: self.outward.tell(claim, state.ticket_id, 0, name, text))

    async def _warned(self, one: str, other: str) -> bool | None:
        """Whether two were told of each other; None where one could not be told now, though there is something."""
        first, second = await self.workflows.get(one), await self.workflows.get(other)
        found = overlaps(await self._edits(first), await self._edits(second))
        places = [f"{path}:{lines[0]}" for path, lines in found.items()]
        if not places:
            return False
        if not all([await self._warn(first, second, places), await self._warn(second, first, places)]):
            return None
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


def _summed(edits: Iterable[dict[str, Any]]) -> tuple[FileEdit, ...]:
    """One edit for each path, from what the first round found to what the last one left."""
    summed: dict[str, FileEdit] = {}
    for edit in map(FileEdit.model_validate, edits):
        first = summed.get(edit.path, edit)
        summed[edit.path] = FileEdit(path=edit.path, before=first.before, after=edit.after)
    return tuple(summed.values())

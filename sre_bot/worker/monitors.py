"""Looking out: new tickets, reviews, deadlines. Any number may run at once; the record decides who was first."""

import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_bot.domain.errors import BadInput, GitHubAPIError, JiraError, LeaseHeld, Paused, WorkflowExists
from sre_bot.domain.states import DetailedState
from sre_bot.domain.ticket import Ticket
from sre_bot.domain.workflow import WorkflowState
from sre_bot.graph.graph import GRAPH_VERSION
from sre_bot.graph.review import ReviewReader
from sre_bot.persistence.database import Database
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.workflows import Workflows
from sre_bot.tools.jira import Jira
from sre_bot.worker.stopping import stop

log = logging.getLogger(__name__)

KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]+")
"""A ticket's key."""

OWN_ECHO = timedelta(seconds=60)
"""Changes of a ticket this soon after our own last comment are taken for our own."""

PRIORITIES = {"highest": 1, "blocker": 1, "critical": 1, "high": 2, "major": 2, "medium": 3, "low": 4, "lowest": 5}


@dataclass(frozen=True, slots=True)
class Monitors:
    """The bot's eyes on Jira, GitHub and the clock."""

    database: Database
    workflows: Workflows
    locks: ResourceLocks
    jira: Jira
    reviews: ReviewReader
    projects: tuple[str, ...]
    owner: str
    lease: timedelta

    async def tickets(self) -> tuple[WorkflowState, ...]:
        """Open a workflow for each ticket that is newly assigned to us; returns those opened now.

        A ticket that Jira does not let us look at closer is left for the next time. Raises ``JiraError``.
        """
        opened: list[WorkflowState] = []
        for ticket in await self.jira.assigned(self.projects):
            try:
                if state := await self._opened(ticket):
                    opened.append(state)
            except JiraError as error:
                log.warning("ticket %s: %s", ticket.key, error)
        return tuple(opened)

    async def open(self, ticket: str, priority: str = "", updated: datetime | None = None) -> WorkflowState:
        """Open a workflow for one ticket, last ``updated`` by Jira's clock where that is known.

        Raises ``BadInput`` on what cannot be a key and on other projects' tickets, ``WorkflowExists`` when one lives.
        """
        if not KEY.fullmatch(ticket):
            raise BadInput(f"{ticket!r} is no ticket's key; one looks like INFRA-456")
        ticket = ticket.upper()  # Jira takes either case for the same ticket
        if (project := ticket.rpartition("-")[0]) not in self.projects:
            ours = ", ".join(self.projects)
            raise BadInput(f"{ticket} is of project {project}, which is not mine: JIRA_PROJECTS names {ours}")
        before = await self.workflows.of_ticket(ticket)
        return await self.workflows.open(
            ticket,
            {"ticket_id": ticket, **({"ticket_updated": updated.isoformat()} if updated else {})},
            priority=PRIORITIES.get(priority.lower(), 3),
            graph_version=GRAPH_VERSION,
            previous=before[0].workflow_id if before else None,
        )

    async def review_activity(self) -> int:
        """Wake every workflow whose pull request says something decisive; returns how many.

        A pull request that cannot be read does not keep us from the others.
        """
        woken = 0
        for state in await self.workflows.live():
            if not is_ours(state) or state.detailed_state is not DetailedState.AWAITING_REVIEW:
                continue
            try:
                woken += await self.wake_if_decided(state)
            except GitHubAPIError as error:
                log.warning("workflow %s: %s", state.workflow_id, error)
        return woken

    async def wake_if_decided(self, state: WorkflowState) -> bool:
        """Wake one workflow if there is something for it to read. Raises ``GitHubAPIError``."""
        context = state.context
        decision = await self.reviews.decision(
            context["repository"], context["pr_number"], frozenset(context.get("answered", ()))
        )
        if decision.state == "waiting":
            return False
        await self.workflows.wake(state.workflow_id)
        return True

    async def deadlines(self) -> int:
        """Escalate what has outlived its deadline, is not running and does not wait in line; returns how many."""
        now = await self.database.now()
        in_line = {waiting["workflow_id"] for waiting in await self.locks.waiting()}
        expired = 0
        for state in await self.workflows.live():
            if is_ours(state) and state.workflow_id not in in_line and is_overdue(state, now):
                expired += await self.stop(state, "expired", f"{state.sub_state} took longer than allowed")
        return expired

    async def stop(self, state: WorkflowState, trigger: str, why: str) -> bool:
        """Lead a workflow to ``escalation``, from where a worker ends it; False when it runs or is paused."""
        try:
            claim = await stop(self.workflows, state, self.owner, self.lease, trigger, why)
        except (LeaseHeld, Paused):
            return False
        await self.workflows.release(claim, due_in=timedelta(0))
        return True

    async def _opened(self, ticket: Ticket) -> WorkflowState | None:
        before = await self.workflows.of_ticket(ticket.key)
        if before and (before[0].outcome is None or not await self._touched_since(ticket, before[0])):
            return None
        try:
            return await self.open(ticket.key, ticket.priority, ticket.updated)
        except WorkflowExists:
            return None

    async def _touched_since(self, ticket: Ticket, before: WorkflowState) -> bool:
        """Whether somebody changed the ticket after our last comment on it, by Jira's own clock.

        Where we could not comment, what counts is how the ticket was when we took it up: else we would take it up for
        ever.
        """
        account = await self.jira.account()
        ours = [comment.created for comment in await self.jira.comments(ticket.key) if comment.author == account]
        if seen := before.context.get("ticket_updated"):
            ours.append(datetime.fromisoformat(seen))
        return not ours or ticket.updated > max(ours) + OWN_ECHO


def is_ours(state: WorkflowState) -> bool:
    """Whether our worker runs it: not a program of somebody else, and not LangGraph Server."""
    return state.driver == "graph" and state.runner == "worker"


def is_overdue(state: WorkflowState, now: datetime) -> bool:
    """Whether a workflow has outlived its deadline and may be dropped for it.

    What is due is run first, so that an outage of ours is made up for. What is merged is finished or taken back, never
    dropped in between: its states have time limits of their own.
    """
    due = state.due_at is not None and state.due_at <= now
    merged = bool(state.context.get("merge_sha"))
    return state.is_expired(now) and not due and not merged and state.detailed_state is not DetailedState.ESCALATION

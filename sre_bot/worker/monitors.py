"""Looking out: new tickets, reviews, deadlines. Any number may run at once; the record decides who was first."""

import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_bot.domain.errors import (
    BadInput,
    GitHubAPIError,
    JiraError,
    LangGraphServerError,
    LeaseHeld,
    Paused,
    StaleVersion,
    WorkflowExists,
)
from sre_bot.domain.review import Decision
from sre_bot.domain.states import DetailedState
from sre_bot.domain.ticket import Ticket
from sre_bot.domain.workflow import Runner, WorkflowState
from sre_bot.graph.graph import GRAPH_VERSION
from sre_bot.graph.review import ReviewReader
from sre_bot.graph.traces import lost_workflow, traces_in
from sre_bot.persistence.database import Database
from sre_bot.persistence.ignored import IgnoredEvents
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.opening import Opening
from sre_bot.persistence.reopening import reopen, was_restored
from sre_bot.persistence.watching import Watch
from sre_bot.persistence.workflows import Workflows
from sre_bot.tools.jira import Jira
from sre_bot.tools.langgraph_server import LangGraphServer
from sre_bot.worker.stopping import stop

log = logging.getLogger(__name__)

KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]+")
"""A ticket's key."""

OWN_ECHO = timedelta(seconds=60)
"""Changes of a ticket this soon after our own last comment are taken for our own."""

OURS: tuple[Runner, ...] = ("worker",)
SERVED: tuple[Runner, ...] = ("worker", "server")
"""Whose workflows are woken by a review: LangGraph Server's too where we know it."""

PRIORITIES = {"highest": 1, "blocker": 1, "critical": 1, "high": 2, "major": 2, "medium": 3, "low": 4, "lowest": 5}


@dataclass(frozen=True, slots=True)
class Monitors:
    """The bot's eyes on Jira, GitHub and the clock."""

    database: Database
    workflows: Workflows
    locks: ResourceLocks
    watch: Watch
    jira: Jira
    reviews: ReviewReader
    server: LangGraphServer | None
    """Who runs the threads that LangGraph Server has begun; None where it is not known."""

    projects: tuple[str, ...]
    owner: str
    lease: timedelta

    @property
    def ignored(self) -> IgnoredEvents:
        """Where is kept what came too late."""
        return IgnoredEvents(self.database)

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
        try:
            return await self._open(ticket, PRIORITIES.get(priority.lower(), 3), updated)
        except WorkflowExists as error:
            await self.ignored.note(error.workflow_id, "ticket", "news of the ticket, which it was at work on already")
            raise

    async def _open(self, ticket: str, urgency: int, updated: datetime | None) -> WorkflowState:
        before = await self.workflows.of_ticket(ticket)
        context = {"ticket_id": ticket, **({"ticket_updated": updated.isoformat()} if updated else {})}
        if lost := await self._lost(ticket, frozenset(state.workflow_id for state in before)):
            opening = Opening(ticket, context, priority=urgency, graph_version=GRAPH_VERSION)
            return await self.workflows.get(await reopen(self.database, opening, lost, "a comment on the ticket"))
        return await self.workflows.open(
            ticket,
            context,
            priority=urgency,
            graph_version=GRAPH_VERSION,
            previous=before[0].workflow_id if before else None,
        )

    async def review_activity(self, at_most: int | None = None) -> int:
        """Wake workflows whose pull request says something decisive; returns how many.

        ``at_most`` so many are asked about, else as many as a page holds; the others have their turn. A pull request
        that cannot be read does not keep us from the others.
        """
        woken, runners = 0, SERVED if self.server else OURS
        for state in await self.watch.next_in_review(runners, at_most):
            try:
                woken += await self.wake_if_decided(state)
            except (GitHubAPIError, LangGraphServerError) as error:
                log.warning("workflow %s: %s", state.workflow_id, error)
        return woken

    async def wake_if_decided(self, state: WorkflowState) -> bool:
        """Wake one workflow if there is something for it to read; a thread of LangGraph Server is woken there.

        Raises ``GitHubAPIError`` and ``LangGraphServerError``.
        """
        if (await self._decision(state)).state == "waiting":
            return False
        if self.server and not is_ours(state):
            return await self.server.wake(state.workflow_id)
        await self.workflows.wake(state.workflow_id)
        return True

    async def _decision(self, state: WorkflowState) -> Decision:
        context = state.context
        answered = frozenset(context.get("answered", ()))
        return await self.reviews.decision(context["repository"], context["pr_number"], answered)

    async def deadlines(self) -> int:
        """Escalate what has outlived its deadline and is neither running, in line nor set aside; returns how many.

        Locks that an outside program held past its time go to the next in line.
        """
        await self.locks.sweep()
        now = await self.database.now()
        expired = 0
        async for state in self.watch.overdue():
            if is_overdue(state, now):
                expired += await self.expire(state)
            elif is_woken_too_late(state, now):
                why = f"{_deadline(state)} was too late: there was news to be read first"
                await self.ignored.note(state.workflow_id, "deadline", why)
        return expired

    async def expire(self, state: WorkflowState) -> bool:
        """Lead a workflow to ``escalation``, from where a worker ends it; False when it runs, moved on or is paused.

        Who came too late is noted: the deadline, or else a review that is there and will not be read any more.
        """
        why = f"{state.sub_state} took longer than allowed"
        try:
            claim = await stop(self.workflows, state, self.owner, self.lease, "expired", why)
        except (LeaseHeld, Paused, StaleVersion) as error:
            await self.ignored.note(state.workflow_id, "deadline", f"{_deadline(state)} was too late: {error}")
            return False
        await self.workflows.release(claim, due_in=timedelta(0))
        await self._note_late_review(state)
        return True

    async def _note_late_review(self, state: WorkflowState) -> None:
        """Keep what a pull request says whose deadline has been first."""
        if state.detailed_state is not DetailedState.AWAITING_REVIEW or "pr_number" not in state.context:
            return
        try:
            decision = await self._decision(state)
        except GitHubAPIError as error:
            log.warning("workflow %s: %s", state.workflow_id, error)
            return
        if decision.state != "waiting":
            said = f"{decision.state} by {decision.reviewer or 'somebody'}"
            await self.ignored.note(state.workflow_id, "review", f"{said} was too late: {_deadline(state)} had passed")

    async def _opened(self, ticket: Ticket) -> WorkflowState | None:
        before = await self.workflows.of_ticket(ticket.key)
        if before and (before[0].outcome is None or not await self._touched_since(ticket, before[0])):
            return None
        try:
            return await self.open(ticket.key, ticket.priority, ticket.updated)
        except WorkflowExists:
            return None

    async def _lost(self, ticket: str, known: frozenset[str]) -> str | None:
        """The workflow that was at work on a ticket before a restoration took it from us. Raises ``JiraError``."""
        if not await was_restored(self.database):
            return None
        return lost_workflow(traces_in(await self.jira.comments(ticket), await self.jira.account()), known)

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


def _deadline(state: WorkflowState) -> str:
    until = f"{state.timeout_at:%Y-%m-%d %H:%M:%S %Z} " if state.timeout_at else ""
    return f"the deadline {until}of {state.detailed_state or state.sub_state or 'rest'}"


def is_overdue(state: WorkflowState, now: datetime) -> bool:
    """Whether a workflow has outlived its deadline and may be dropped for it.

    What is due is run first, so that an outage of ours is made up for. What is merged is finished or taken back, never
    dropped in between: its states have time limits of their own.
    """
    merged = bool(state.context.get("merge_sha"))
    ending = state.detailed_state is DetailedState.ESCALATION
    return state.is_expired(now) and not _is_due(state, now) and not merged and not ending


def is_woken_too_late(state: WorkflowState, now: datetime) -> bool:
    """Whether a wait for people outlived its deadline, and something woke it before anybody could say so."""
    waits = state.detailed_state is DetailedState.AWAITING_REVIEW
    return waits and state.is_expired(now) and _is_due(state, now)


def _is_due(state: WorkflowState, now: datetime) -> bool:
    return state.due_at is not None and state.due_at <= now

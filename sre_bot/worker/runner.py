"""Running one claimed workflow: a first start, a resumption and a retry go through the same door."""

import logging
import traceback
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphDrained
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command
from psycopg import OperationalError

from sre_bot.domain.errors import (
    ErrorType,
    LeaseLost,
    NoSafeFix,
    Paused,
    Reason,
    ResourceBusy,
    RollbackNotVerified,
    ServiceError,
    StaleWriter,
    ThreadsWouldBeLost,
    UndecodableState,
)
from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.domain.workflow import WorkflowState
from sre_bot.graph import messages
from sre_bot.graph.duplicates import Duplicates
from sre_bot.graph.graph import GRAPH_VERSION
from sre_bot.graph.outward import Outward
from sre_bot.graph.state import Case, Start
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.quarantine import Quarantine
from sre_bot.persistence.workflows import Claim, Workflows
from sre_bot.worker.configuration import config_of
from sre_bot.worker.coverage import refuse_to_lose
from sre_bot.worker.heartbeat import under_lease
from sre_bot.worker.isolation import Isolation
from sre_bot.worker.obedience import obeying
from sre_bot.worker.retries import delay_of, workflow_error
from sre_bot.worker.stopping import lead_out

log = logging.getLogger(__name__)

LINE_WAIT = timedelta(seconds=15)
"""How long a workflow sleeps that is in line for a resource and that nobody wakes, or whose Jira is away."""

REFUSED_WAIT = timedelta(minutes=5)
"""How long a hand-over sleeps that Jira does not let us write: somebody has to mend our account first."""


class Result(StrEnum):
    """How a run ended. ``UNTOLD``: a person must take over, and Jira does not let us say so.

    ``QUARANTINED``: nobody runs it before a person asks for it.
    """

    FINISHED = "finished"
    PARKED = "parked"
    RETRYING = "retrying"
    REPLACED = "replaced"
    UNTOLD = "untold"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs claimed workflows until they end, wait for somebody, or fail."""

    graph: CompiledStateGraph[Case, Any, Case, Case]
    workflows: Workflows
    locks: ResourceLocks
    outward: Outward
    isolation: Isolation
    lease: timedelta

    async def run(self, claim: Claim) -> Result:
        """Run until there is nothing to do now. Errors of the workflow are recorded, never raised.

        Raises ``psycopg.OperationalError`` when the record itself is out of reach.
        """
        try:
            return await under_lease(self.workflows, claim, self.lease, self._run(claim))
        except (LeaseLost, StaleWriter):
            return Result.REPLACED

    async def _run(self, claim: Claim) -> Result:
        try:
            return await self._take_up(claim)
        except Paused as pause:
            log.info("workflow %s: %s", claim.workflow_id, pause)
            await self.workflows.release(claim, due_in=timedelta(0))
            return Result.PARKED

    async def _take_up(self, claim: Claim) -> Result:
        state = await self.workflows.get(claim.workflow_id)
        if state.outcome:
            return await self._finished(claim)
        if state.detailed_state is DetailedState.ESCALATION:
            return await self._escalate(claim, state)
        if await self.workflows.cancellation(claim.workflow_id):
            return await self._cancel(claim)
        if quarantine := await self.isolation.needed(claim):
            return await self._set_aside(claim, state, quarantine)
        if state.detailed_state is DetailedState.RETRY:
            state = await self.workflows.resume_retry(claim)
        return await self._advance(claim, state)

    async def _advance(self, claim: Claim, state: WorkflowState) -> Result:
        config = config_of(claim)
        try:
            result = await self._invoke(state, config)
        except (LeaseLost, StaleWriter, OperationalError, Paused, ThreadsWouldBeLost):
            raise
        except GraphDrained:
            return await self._cancel(claim)
        except UndecodableState as error:
            return await self._set_aside(claim, state, await self.isolation.put(claim, str(error)))
        except ResourceBusy:
            await self.workflows.release(claim, due_in=LINE_WAIT)
            return Result.PARKED
        except Exception as error:  # noqa: BLE001  # the one place where any failure of a node becomes a row of the record
            return await self._failed(claim, error)
        if "__interrupt__" in result:
            await self.workflows.release(claim)
            return Result.PARKED
        return await self._finished(claim)

    async def _invoke(self, state: WorkflowState, config: RunnableConfig) -> dict[str, Any]:
        """Run the graph as far as it goes. Raises ``GraphDrained`` when it was cancelled on the way.

        A worker that started before a newer one went on with the workflow would lose it: ``ThreadsWouldBeLost``.
        """
        given = await self._input(state, config)
        await refuse_to_lose(self.workflows.database, self.graph, GRAPH_VERSION, state.workflow_id)
        async with obeying(self.workflows, state.workflow_id) as control:
            return await self.graph.ainvoke(given, config, durability="sync", control=control)  # pyright: ignore[reportArgumentType]

    async def _input(self, state: WorkflowState, config: RunnableConfig) -> Start | Command[Any] | None:
        """What to invoke the graph with: the ticket at first, a wake-up at an interrupt, else nothing."""
        snapshot = await self.graph.aget_state(config)
        if snapshot.created_at is None:
            return Start(ticket_id=state.ticket_id)
        return Command(resume="wake-up") if snapshot.interrupts else None

    async def _finished(self, claim: Claim) -> Result:
        await self.locks.release(claim.workflow_id)
        await self.workflows.release(claim)
        return Result.FINISHED

    async def _failed(self, claim: Claim, error: Exception) -> Result:
        state = await self.workflows.get(claim.workflow_id)
        delay = delay_of(error, state)
        state = await self.workflows.record_failure(
            claim,
            workflow_error(error, state),
            state=state.detailed_state or DetailedState.TICKET_DETECTED,
            delay=delay,
            trigger=direct_trigger(error),
            traceback="".join(traceback.format_exception(error)),
        )
        if delay is None:
            return await self._escalate(claim, state)
        await self.workflows.release(claim, due_in=delay)
        return Result.RETRYING

    async def _set_aside(self, claim: Claim, state: WorkflowState, quarantine: Quarantine) -> Result:
        """Free what others wait for, tell the ticket, and run nothing. What is held again is asked for by the nodes."""
        await self.locks.release(claim.workflow_id)
        try:
            await self.isolation.tell(claim, state, quarantine)
        except ServiceError as error:
            if (pause := pause_before_telling(error)) is not None:
                await self.workflows.release(claim, due_in=pause)
                return Result.QUARANTINED
            await self.isolation.untellable(quarantine)
        await self.workflows.release(claim)
        return Result.QUARANTINED

    async def _cancel(self, claim: Claim) -> Result:
        request = await self.workflows.cancellation(claim.workflow_id)
        assert request is not None
        state = await self.workflows.get(claim.workflow_id)
        state = await lead_out(self.workflows, claim, state, "cancelled", f"I was told to stop: {request['why']}")
        return await self._escalate(claim, state)

    async def _escalate(self, claim: Claim, state: WorkflowState) -> Result:
        """Hand over to a person: the note, the ticket off our name, the end. Tried again later if Jira will not hear.

        Nothing is held meanwhile that others wait for.
        """
        await self.locks.release(claim.workflow_id)
        outcome = await self._outcome_of_escalation(state)
        note = await self._note(state, outcome)
        try:
            await self.outward.tell(claim, state.ticket_id, 0, f"handover_{outcome}", note)
            await self.outward.hand_back(claim, state.ticket_id, 0)
            await Duplicates(self.workflows, self.outward).tell(claim, state.ticket_id, outcome)
        except ServiceError as error:
            log.warning("workflow %s: ticket %s cannot be told: %s", claim.workflow_id, state.ticket_id, error)
            if (pause := pause_before_telling(error)) is not None:
                await self.workflows.release(claim, due_in=pause)
                return Result.UNTOLD if error.reason is Reason.NOT_AUTHORISED else Result.RETRYING
        await self.workflows.finish_escalation(claim, outcome)
        return await self._finished(claim)

    async def _outcome_of_escalation(self, state: WorkflowState) -> Outcome:
        if await self.workflows.cancellation(state.workflow_id):
            return Outcome.CANCELLED
        trigger = (await self.workflows.transitions(state.workflow_id))[-1].trigger_event
        return {"expired": Outcome.EXPIRED, "cancelled": Outcome.CANCELLED}.get(trigger, Outcome.ESCALATED)

    async def _note(self, state: WorkflowState, outcome: Outcome) -> str:
        errors = await self.workflows.errors(state.workflow_id)
        error = errors[-1] if errors else None
        summary = state.context.get("analysis_results", {}).get("summary", "")
        found = f"What I found: {summary}" if summary else "I had not finished the analysis."
        if pull_request := state.context.get("pr_url"):
            found += f"\nThe pull request: {pull_request}"
        if merged := state.context.get("merge_sha"):
            found += f"\nIt is merged as {merged} and NOT taken back."
        doing = str(error["state"]).rpartition(":")[2].replace("_", " ") if error else "working"
        why = str(error["message"]) if error else f"the workflow is {outcome}"
        return messages.escalated(
            doing, why, state.retry_count, f"{found}\nAssign the ticket to me again to start over."
        )


def pause_before_telling(error: ServiceError) -> timedelta | None:
    """When to try again to tell a ticket that a person must take over; None where it will never hear it."""
    if error.error_type in (ErrorType.TRANSIENT, ErrorType.RATE_LIMITED):
        return max(LINE_WAIT, timedelta(seconds=error.retry_after or 0.0))
    return REFUSED_WAIT if error.reason is Reason.NOT_AUTHORISED else None


def direct_trigger(error: Exception) -> str | None:
    """The trigger of the errors that lead straight to ``escalation``."""
    if isinstance(error, NoSafeFix):
        return "no_safe_fix"
    return "rollback_not_verified" if isinstance(error, RollbackNotVerified) else None

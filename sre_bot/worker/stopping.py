"""Leading a workflow out of whatever it was doing, to ``escalation``."""

from datetime import timedelta

from sre_bot.domain.errors import ErrorSeverity, ErrorType, StaleVersion, WorkflowError
from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence.workflows import Claim, Workflows


async def stop(
    workflows: Workflows, state: WorkflowState, owner: str, lease: timedelta, trigger: str | None, why: str
) -> Claim:
    """Record the stop, without a ``trigger`` as a failure that is not tried again; the claim with which to end it.

    Raises ``LeaseHeld`` when somebody runs it, ``Paused``, and ``StaleVersion`` when it has moved since ``state`` was
    read: what was to be stopped is over.
    """
    claim = await workflows.claim(state.workflow_id, owner, lease)
    current = await workflows.get(state.workflow_id)
    if current.version != state.version:
        await workflows.release(claim, due_in=timedelta(0))
        raise StaleVersion(f"workflow {state.workflow_id} has moved on to {current.detailed_state or 'rest'}")
    await lead_out(workflows, claim, state, trigger, why)
    return claim


async def lead_out(
    workflows: Workflows, claim: Claim, state: WorkflowState, trigger: str | None, why: str
) -> WorkflowState:
    """Record under a claim that a workflow is stopped; where it stands then. Raises ``StaleWriter``, ``LeaseLost``."""
    error = WorkflowError(ErrorType.NEEDS_HUMAN, ErrorSeverity.HIGH, why, state.workflow_id, state.retry_count)
    where = state.detailed_state or DetailedState.TICKET_DETECTED
    return await workflows.record_failure(claim, error, state=where, delay=None, trigger=trigger)


async def cancel(workflows: Workflows, state: WorkflowState, owner: str, lease: timedelta, why: str) -> None:
    """End a workflow as cancelled, without telling the ticket. Raises ``LeaseHeld`` when somebody runs it."""
    claim = await workflows.claim(state.workflow_id, owner, lease)
    current = await workflows.get(state.workflow_id)
    if current.detailed_state is not DetailedState.ESCALATION:
        await lead_out(workflows, claim, current, "cancelled", why)
    await workflows.finish_escalation(claim, Outcome.CANCELLED)

"""Leading a workflow out of whatever it was doing, to ``escalation``."""

from datetime import timedelta

from sre_bot.domain.errors import ErrorSeverity, ErrorType, WorkflowError
from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence.workflows import Claim, Workflows


async def stop(
    workflows: Workflows, state: WorkflowState, owner: str, lease: timedelta, trigger: str, why: str
) -> Claim:
    """Record the stop; the claim with which to end it. Raises ``LeaseHeld`` when somebody runs it, ``Paused``."""
    claim = await workflows.claim(state.workflow_id, owner, lease)
    await lead_out(workflows, claim, state, trigger, why)
    return claim


async def lead_out(workflows: Workflows, claim: Claim, state: WorkflowState, trigger: str, why: str) -> WorkflowState:
    """Record under a claim that a workflow is stopped; where it stands then. Raises ``StaleWriter``, ``LeaseLost``."""
    error = WorkflowError(ErrorType.NEEDS_HUMAN, ErrorSeverity.HIGH, why, state.workflow_id, state.retry_count)
    where = state.detailed_state or DetailedState.TICKET_DETECTED
    return await workflows.record_failure(claim, error, state=where, delay=None, trigger=trigger)


async def cancel(workflows: Workflows, state: WorkflowState, owner: str, lease: timedelta, why: str) -> None:
    """End a workflow as cancelled, without telling the ticket. Raises ``LeaseHeld`` when somebody runs it."""
    if state.detailed_state is DetailedState.ESCALATION:
        claim = await workflows.claim(state.workflow_id, owner, lease)
    else:
        claim = await stop(workflows, state, owner, lease, "cancelled", why)
    await workflows.finish_escalation(claim, Outcome.CANCELLED)

"""How long a workflow may stay somewhere before a person is told: the limits, and the deadline that follows a step."""

from datetime import datetime, timedelta

from sre_bot.domain.states import DetailedState, MainState, Position, TicketProcessingSubState

SUB_STATE_LIMITS: dict[TicketProcessingSubState, timedelta] = {
    TicketProcessingSubState.TICKET_ACCEPTANCE: timedelta(seconds=30),
    TicketProcessingSubState.ANALYSIS: timedelta(minutes=90),
    TicketProcessingSubState.REMEDIATION: timedelta(minutes=35),
    TicketProcessingSubState.REVIEW: timedelta(hours=24),
    TicketProcessingSubState.DEPLOYMENT: timedelta(minutes=25),
}
"""From entering a sub-state to leaving it; a review that is looked at and found undecided gets no new day."""

STATE_LIMITS: dict[DetailedState, timedelta] = {
    DetailedState.TICKET_DETECTED: timedelta(minutes=5),
    DetailedState.APPROVED: timedelta(hours=4),
    DetailedState.DEPLOYMENT_COMPLETE: timedelta(minutes=2),
}
"""States with a limit of their own, which replaces that of their sub-state: pick-up, start of the deployment after an
approval, update of the ticket."""


def time_limit(before: Position, after: Position) -> timedelta | None:
    """How long a step from ``before`` to ``after`` gives; None where the deadline stays what it was.

    Errors neither shorten nor renew it: whoever schedules a retry adds the pause.
    """
    if after.detailed is None or MainState.ERROR_HANDLING in (before.main, after.main):
        return None
    if after.detailed in STATE_LIMITS:
        return STATE_LIMITS[after.detailed]
    if after.sub is not None and after.sub is not before.sub:
        return SUB_STATE_LIMITS[after.sub]
    return None


def deadline(before: Position, after: Position, current: datetime | None, now: datetime) -> datetime | None:
    """The deadline after a step from ``before`` to ``after`` at ``now``; None where nothing is being worked on."""
    if after.detailed is None:
        return None
    limit = time_limit(before, after)
    return current if limit is None else now + limit


def limit_of(at: Position) -> timedelta:
    """How long a workflow may be at ``at``, or in its sub-state; zero where nothing is being worked on."""
    limit = STATE_LIMITS.get(at.detailed) if at.detailed else None
    return limit or (SUB_STATE_LIMITS[at.sub] if at.sub else timedelta(0))

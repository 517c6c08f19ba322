"""The steps through error handling, which the worker writes and no node of the graph."""

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

from sre_bot.domain.errors import MAX_RETRIES, IllegalTransition, WorkflowError
from sre_bot.domain.states import ERROR_STATES, IDLE, DetailedState, Edge, Outcome, Position
from sre_bot.persistence import record
from sre_bot.persistence.artifacts import store
from sre_bot.persistence.database import Connection, Row, storable
from sre_bot.persistence.projection import Projection
from sre_bot.persistence.record import Locked
from sre_bot.persistence.statements import sql
from sre_bot.persistence.transitions import ENTRY, step

_EVALUATION = ((DetailedState.ERROR_DETECTION, "error"), (DetailedState.RETRY_EVALUATION, "error_classified"))
_TRIED_AGAIN = (DetailedState.RETRY, "retry_scheduled")
_GIVEN_UP = (DetailedState.ESCALATION, "retries_exhausted")


@dataclass(frozen=True, slots=True)
class Failure:
    """That ``state`` failed. It is tried again after ``delay``; with None, or a ``trigger``, a person takes over."""

    error: WorkflowError
    state: DetailedState
    delay: timedelta | None
    trigger: str | None = None
    traceback: str = ""


async def write(connection: Connection, locked: Locked, failure: Failure) -> None:
    """Record a failure, its steps, and when the workflow is due again. Raises ``IllegalTransition``."""
    error = failure.error
    path = way_out(locked.standing, failure.state, failure.delay, failure.trigger)
    after = failed(locked, path, error, failure.delay)
    digest = None
    if failure.traceback:
        text = failure.traceback.encode(errors="replace")
        digest = await store(connection, locked.workflow_id, text, "text/plain")
    await connection.execute(sql("workflows.error"), _error_row(locked, failure, after, digest))
    notes = {"error": {"error_type": error.error_type.value, "message": error.message}}
    await record.append(connection, locked, path, after, notes=notes)
    due_in = failure.delay if after.position.detailed is DetailedState.RETRY else timedelta(0)
    names = {"workflow_id": locked.workflow_id, "due_at": None, "due_in": due_in}
    await connection.execute(sql("leases.schedule"), names)


def way_out(
    standing: Projection, state: DetailedState, delay: timedelta | None, trigger: str | None
) -> tuple[Edge, ...]:
    """The steps from a failed state to ``retry`` or ``escalation``. Raises ``IllegalTransition``.

    A workflow that failed before its first step takes that step here: the law knows no error at rest.
    """
    first = (step(IDLE, Position.working(ENTRY)),) if standing.position == IDLE and state is ENTRY else ()
    source = first[0].target if first else _failed_position(standing, state)
    if trigger is not None:
        return (*first, step(source, source.failing(DetailedState.ESCALATION), trigger))
    stations = (*_EVALUATION, _TRIED_AGAIN if delay is not None else _GIVEN_UP)
    positions = (source, *(source.failing(station) for station, _ in stations))
    triggers = (name for _, name in stations)
    return (*first, *(step(*pair, name) for pair, name in zip(pairwise(positions), triggers, strict=True)))


def failed_state(path: tuple[Edge, ...]) -> DetailedState:
    """The state in which ``way_out`` begins to leave the work."""
    return next(edge.source.detailed for edge in path if edge.source != IDLE and edge.source.detailed)


def failed(locked: Locked, path: tuple[Edge, ...], error: WorkflowError, delay: timedelta | None) -> Projection:
    """Where a workflow stands at the end of ``way_out``. The pause before a retry is added to its deadline."""
    standing, target = locked.standing, path[-1].target
    assert target.detailed is not None
    retries = target.detailed is DetailedState.RETRY
    after = standing.at(
        target,
        (target.detailed,),
        locked.now,
        resume=_resume_order(standing, failed_state(path)) if retries else (),
        retry_count=standing.retry_count + 1 if retries else standing.retry_count,
        max_retries=MAX_RETRIES[error.error_type],
        escalated=standing.escalated or target.detailed is DetailedState.ESCALATION,
    )
    pause = delay if retries and delay is not None else timedelta(0)
    return replace(after, timeout_at=after.timeout_at + pause if after.timeout_at else None)


def way_back(standing: Projection) -> Edge:
    """The step from ``retry`` to the state that failed. Raises ``IllegalTransition`` when no retry is scheduled."""
    if standing.position.detailed is not DetailedState.RETRY:
        raise IllegalTransition(f"no retry is scheduled at {standing.position}")
    return step(standing.position, Position.working(standing.resume[0]))


def resumed(locked: Locked) -> Projection:
    """Where a workflow stands after ``way_back``: its sibling, if it ran in parallel, is waited for again."""
    active = tuple(sorted(locked.standing.resume))
    return locked.standing.at(Position.working(active[0]), active, locked.now, resume=())


def final_step(standing: Projection, outcome: Outcome) -> Edge:
    """The step from ``escalation`` to the end. Raises ``IllegalTransition`` elsewhere or for another outcome."""
    return step(standing.position, IDLE, outcome.value)


def _error_row(locked: Locked, failure: Failure, after: Projection, digest: str | None) -> Row:
    error = failure.error
    return {
        "workflow_id": locked.workflow_id,
        "version": locked.version + 1,
        "error_type": error.error_type.value,
        "severity": error.severity.value,
        "message": storable(error.message),
        "state": failure.state.value,
        "attempt": after.retry_count,
        "traceback_digest": digest,
        "occurred_at": locked.now,
    }


def _failed_position(standing: Projection, state: DetailedState) -> Position:
    if state not in standing.active:
        raise IllegalTransition(f"{state.value} cannot have failed: the workflow is at {standing.position}")
    return standing.position if state in ERROR_STATES else Position.working(state)


def _resume_order(standing: Projection, failed_at: DetailedState) -> tuple[DetailedState, ...]:
    return (failed_at, *(state for state in standing.active if state is not failed_at))

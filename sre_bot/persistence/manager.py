"""The state manager: the public door to the record for programs that do not use our graph.

Everything it writes obeys the same law and stands in the same log as the graph's own steps. It moves only workflows
that it created itself (``driver`` is ``external``).
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from sre_bot.domain.backoff import backoff
from sre_bot.domain.errors import (
    MAX_RETRIES,
    GraphOwned,
    LeaseLost,
    ResourceBusy,
    StaleVersion,
    WorkflowEnded,
    WorkflowError,
)
from sre_bot.domain.merge_patch import Json
from sre_bot.domain.states import (
    IDLE,
    DetailedState,
    Edge,
    MainState,
    Outcome,
    Position,
    TicketProcessingSubState,
    edges_between,
)
from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence import failures, locks, record
from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.endings import wrap_up
from sre_bot.persistence.hot.lock_hints import NO_HINTS, TRUST, LockHints
from sre_bot.persistence.opening import Opening, insert_workflow
from sre_bot.persistence.projection import Projection
from sre_bot.persistence.record import Locked
from sre_bot.persistence.statements import sql
from sre_bot.persistence.transitions import step
from sre_bot.persistence.workflows import Workflows

LOCK_TTL = timedelta(seconds=30)
_LONGEST_PAUSE = 0.5


class WorkflowStateManager:
    """Creates workflows, moves them by the law, locks resources, and schedules retries.

    ``hints`` spare it attempts at locks that others are said to hold; whether they do, Postgres decides.
    """

    def __init__(self, database: Database, hints: LockHints = NO_HINTS) -> None:
        self._database = database
        self._hints = hints
        self._workflows = Workflows(database)

    async def create_workflow_instance(self, ticket_id: str, initial_context: Json) -> str:
        """Open a workflow that this caller will drive, and return its id.

        Raises ``WorkflowExists`` when the ticket has a live one.
        """
        opening = Opening(ticket_id, initial_context, driver="external")
        async with self._database.transaction() as connection:
            return await insert_workflow(connection, opening)

    async def get_workflow_state(self, workflow_id: str) -> WorkflowState:
        """Read where a workflow stands. Raises ``WorkflowNotFound``."""
        return await self._workflows.get(workflow_id)

    async def transition_state(
        self,
        workflow_id: str,
        new_main_state: MainState,
        new_sub_state: TicketProcessingSubState | None = None,
        new_detailed_state: DetailedState | None = None,
        trigger_event: str = "",
        agent_id: str = "",
        context_updates: Json | None = None,
        *,
        expected_version: int | None = None,
    ) -> bool:
        """Take one legal step; always True. ``trigger_event`` and ``agent_id`` default to those of the law.

        Into ``system_idle`` the trigger is the outcome. With ``expected_version`` the caller says what it has read: if
        others wrote since, the step is still taken as long as they changed other members of the context. Raises
        ``WorkflowNotFound``, ``WorkflowEnded``, ``GraphOwned``, ``IllegalTransition``, or ``StaleVersion`` with both
        versions.
        """
        target = Position(new_main_state, new_sub_state, new_detailed_state)
        updates = context_updates or {}
        async with self._database.transaction() as connection:
            locked = await _lock_external(connection, workflow_id)
            if expected_version not in (None, locked.version):
                await _check_disjoint(connection, locked, expected_version, updates)
            edge = _step(locked.standing.position, target, trigger_event, agent_id)
            after = _moved(locked, edge).with_context(updates)
            await record.append(connection, locked, (edge,), after, notes={"context_updates": updates})
            if after.outcome is not None:
                await wrap_up(connection, workflow_id, locked.head)
        return True

    @asynccontextmanager
    async def acquire_resource_lock(
        self, kind: str, name: str, *, timeout: float | None = None
    ) -> AsyncGenerator[None]:
        """Hold a resource, such as ``("repository", "company/service")``, for a short section of code.

        Waits for whoever holds it, workflows of the graph included; ``timeout`` is in seconds. Raises ``ResourceBusy``
        after it, and ``LeaseLost`` at the end when the lock could not be kept.
        """
        names: Row = {"resource": f"{kind}:{name}", "holder": str(uuid4()), "ttl": LOCK_TTL}
        try:
            async with asyncio.timeout(timeout):
                await self._take(names)
        except TimeoutError as error:
            if not await self._attempt(names):  # a hint may have kept us from asking
                raise ResourceBusy(f"{names['resource']} was not free within {timeout} s") from error
        await self._hints.took(names["holder"], (names["resource"],))
        keeping = asyncio.create_task(self._keep(names))
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.shield(self._give_back(names))
        if keeping.done() and not keeping.cancelled():
            keeping.result()

    async def handle_workflow_error(self, error: WorkflowError, *, retry_after: float | None = None) -> WorkflowState:
        """Record a failure of the current state: on to ``retry``, due after a growing pause, or to ``escalation``.

        The first retry is due after 2 s; ``retry_after`` (seconds) is honoured. When ``due_at`` has come, the caller
        moves the workflow back. Raises ``WorkflowNotFound``, ``WorkflowEnded``, ``GraphOwned``,
        ``IllegalTransition``.
        """
        async with self._database.transaction() as connection:
            locked = await _lock_external(connection, error.workflow_id)
            standing = locked.standing
            tried_enough = standing.retry_count >= MAX_RETRIES[error.error_type]
            delay = None if tried_enough else backoff(standing.retry_count, retry_after)
            state = standing.position.detailed or DetailedState.TICKET_DETECTED
            await failures.write(connection, locked, failures.Failure(error, state, delay))
        return await self._workflows.get(error.workflow_id)

    async def _take(self, names: Row) -> None:
        """Wait until it is free; who is said to hold it is believed for ``TRUST`` seconds at a time."""
        pause, clock = 0.02, asyncio.get_running_loop().time
        asked_at = clock()
        while True:
            if clock() - asked_at >= TRUST or not await self._hints.is_held(names["resource"]):
                if await self._attempt(names):
                    return
                asked_at = clock()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _attempt(self, names: Row) -> bool:
        return await self._database.attempt(lambda connection: locks.take_outside(connection, names))

    async def _keep(self, names: Row) -> None:
        while True:
            await asyncio.sleep(LOCK_TTL.total_seconds() / 3)
            async with self._database.transaction() as connection:
                cursor = await connection.execute(sql("locks.renew_outside"), names)
                if cursor.rowcount == 0:
                    raise LeaseLost(f"the lock on {names['resource']} ran out before it was given back")

    async def _give_back(self, names: Row) -> None:
        await self._database.attempt(lambda connection: locks.free_outside(connection, names))
        await self._hints.freed(names["holder"], (names["resource"],))


async def _lock_external(connection: Connection, workflow_id: str) -> Locked:
    locked = await record.lock(connection, workflow_id)
    if locked.driver != "external":
        raise GraphOwned(f"workflow {workflow_id} is driven by the graph; only its nodes and its worker may move it")
    if locked.standing.outcome is not None:
        ended = f"workflow {workflow_id} has ended ({locked.standing.outcome})"
        raise WorkflowEnded(f"{ended}; open a new one for its ticket")
    return locked


async def _check_disjoint(connection: Connection, locked: Locked, expected: int | None, updates: Json) -> None:
    names = {"workflow_id": locked.workflow_id, "version": expected}
    cursor = await connection.execute(sql("record.updated_since"), names)
    updated_since = {row["member"] for row in await cursor.fetchall()}
    if clash := sorted(updated_since & updates.keys()):
        raise StaleVersion(
            f"workflow {locked.workflow_id} was read at version {expected} and is at version {locked.version}; "
            f"both sides changed {', '.join(clash)}"
        )


def _step(source: Position, target: Position, trigger: str, agent: str) -> Edge:
    """The edge of the law, under the caller's own names; only an end has names that the law reserves."""
    known = {edge.trigger for edge in edges_between(source, target)}
    exact = not trigger or target == IDLE or trigger in known
    edge = step(source, target, trigger or None) if exact else step(source, target, next(iter(known), None))
    return replace(edge, trigger=trigger or edge.trigger, agent=agent or edge.agent)


def _moved(locked: Locked, edge: Edge) -> Projection:
    standing, state = locked.standing, edge.target.detailed
    return standing.at(
        edge.target,
        (state,) if state else (),
        locked.now,
        retry_count=_retries(standing, edge),
        resume=(),
        escalated=standing.escalated or state is DetailedState.ESCALATION,
        outcome=Outcome(edge.trigger) if edge.target == IDLE else None,
    )


def _retries(standing: Projection, edge: Edge) -> int:
    """Consecutive failures: a retry adds one, work that goes well forgets them."""
    if edge.target.detailed is DetailedState.RETRY:
        return standing.retry_count + 1
    failing = MainState.ERROR_HANDLING in (edge.source.main, edge.target.main)
    return standing.retry_count if failing else 0

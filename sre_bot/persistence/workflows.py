"""Workflows as the worker sees them: open, read, claim, run, fail, end."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from sre_bot.domain.errors import LeaseHeld, LeaseLost, Paused, WorkflowError, WorkflowNotFound
from sre_bot.domain.merge_patch import Json
from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.domain.workflow import Driver, StateTransition, WorkflowState
from sre_bot.persistence import failures, leases, record
from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.endings import wrap_up
from sre_bot.persistence.opening import Opening, insert_workflow
from sre_bot.persistence.operator import cancellation
from sre_bot.persistence.projection import Projection
from sre_bot.persistence.record import Claim, Locked
from sre_bot.persistence.statements import sql

__all__ = ["Claim", "Workflows"]

Result = TypeVar("Result")

DOUBTFUL_FROM = 2
"""Claims without a recorded step from which on a workflow is run apart: a dead runner takes others with it."""


class Workflows:
    """Every workflow there is, and the queue of those that are due."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def database(self) -> Database:
        """Where they are kept."""
        return self._database

    async def open(
        self,
        ticket_id: str,
        context: Json,
        *,
        priority: int = 3,
        driver: Driver = "graph",
        graph_version: str = "",
        previous: str | None = None,
    ) -> WorkflowState:
        """Insert a workflow at rest, due now. ``previous`` is an ended one that it takes up again, and is linked.

        Raises ``WorkflowExists`` when the ticket has a live one.
        """
        opening = Opening(ticket_id, context, priority=priority, driver=driver, graph_version=graph_version)
        async with self._database.transaction() as connection:
            workflow_id = await insert_workflow(connection, opening)
            if previous is not None:
                await _link(connection, workflow_id, previous, "previous")
            return await _get(connection, workflow_id)

    async def get(self, workflow_id: str) -> WorkflowState:
        """One workflow. Raises ``WorkflowNotFound``."""
        return await self._database.attempt(lambda connection: _get(connection, workflow_id))

    async def of_ticket(self, ticket_id: str) -> tuple[WorkflowState, ...]:
        """All workflows that a ticket ever had, newest first."""
        return await self._read("workflows.of_ticket", {"ticket_id": ticket_id})

    async def live(self) -> tuple[WorkflowState, ...]:
        """All that have not ended, most urgent first."""
        return await self._read("workflows.live", {})

    async def recent(self, limit: int = 50) -> tuple[WorkflowState, ...]:
        """The workflows that moved last, ended ones included, newest first."""
        return await self._read("workflows.recent", {"limit": limit})

    async def transitions(self, workflow_id: str) -> tuple[StateTransition, ...]:
        """The log of one workflow in order; empty when it never moved."""

        async def work(connection: Connection) -> tuple[StateTransition, ...]:
            cursor = await connection.execute(sql("workflows.transitions"), _named(workflow_id))
            return tuple(StateTransition(**row) for row in await cursor.fetchall())

        return await self._database.attempt(work)

    async def errors(self, workflow_id: str) -> tuple[Row, ...]:
        """What went wrong in one workflow, in order: class, severity, message, state, attempt, traceback's digest."""
        return await self._rows("workflows.errors", _named(workflow_id))

    async def last_error(self, workflow_id: str) -> Row | None:
        """The newest of ``errors``."""
        found = await self._rows("workflows.last_error", _named(workflow_id))
        return found[0] if found else None

    async def cancellation(self, workflow_id: str) -> Row | None:
        """The request to cancel a workflow: ``why``, ``asked_by``, ``asked_at``; None where nobody asked."""
        return await self._database.attempt(lambda connection: cancellation(connection, workflow_id))

    async def links(self, workflow_id: str) -> tuple[Row, ...]:
        """The relations that one workflow takes part in: ``workflow_id``, ``other``, ``relation``."""
        return await self._rows("workflows.links", _named(workflow_id))

    async def with_cause(self, repository: str, cause: str) -> tuple[WorkflowState, ...]:
        """The live ones whose analysis found this cause in this repository, most urgent first."""
        return await self._read("workflows.with_cause", {"repository": repository, "cause": cause})

    async def claim(self, workflow_id: str, owner: str, ttl: timedelta) -> Claim:
        """Take the right to run a workflow.

        Raises ``LeaseHeld`` when somebody has it, ``Paused`` when nobody may, ``WorkflowNotFound``.
        """
        async with self._database.transaction() as connection:
            return await leases.claim(connection, workflow_id, owner, ttl)

    async def claim_due(
        self, owner: str, ttl: timedelta, limit: int, *, doubtful: bool | None = None
    ) -> tuple[Claim, ...]:
        """Take up to ``limit`` workflows that are due and that nobody runs: the most urgent, then the oldest, first.

        An hour of being due makes up for one step of priority. ``doubtful`` chooses those whose runners died on them,
        or those of which that is not known; None takes both.
        """
        claims: list[Claim] = []
        async with self._database.transaction() as connection:
            cursor = await connection.execute(sql("leases.due"), _due(limit, doubtful))
            for row in await cursor.fetchall():
                claim = await _try_claim(connection, str(row["workflow_id"]), owner, ttl)
                if claim is not None:
                    claims.append(claim)
        return tuple(claims)

    async def doubtful(self, limit: int) -> tuple[str, ...]:
        """Up to ``limit`` workflows that are due, that nobody runs, and on which several runners in a row have died."""
        return tuple(str(row["workflow_id"]) for row in await self._rows("leases.due", _due(limit, True)))

    async def renew(self, claim: Claim, ttl: timedelta) -> None:
        """Keep a claim for ``ttl`` from now. Raises ``LeaseLost``."""
        await self._database.attempt(lambda connection: leases.renew(connection, claim, ttl))

    async def release(self, claim: Claim, *, due_at: datetime | None = None, due_in: timedelta | None = None) -> None:
        """Give a claim back and say when the workflow is due again; with neither it is parked until ``wake``.

        A wake-up that came during the run makes it due at once; one that waits for a retry keeps its time. Raises
        ``LeaseLost`` when somebody else claimed it meanwhile.
        """
        names = {"workflow_id": claim.workflow_id, "due_at": due_at, "due_in": due_in}
        async with self._database.transaction() as connection:
            await record.lock(connection, claim.workflow_id)
            if not await leases.free(connection, claim):
                raise LeaseLost(f"workflow {claim.workflow_id}: {claim.owner!r} no longer holds fence {claim.fence}")
            await connection.execute(sql("leases.schedule"), names)

    async def wake(self, workflow_id: str) -> None:
        """Make a parked workflow due now, or, while it runs, once more after this run.

        An ended one is not woken, and keeps that somebody tried. Nothing for one that there is not.
        """
        names = _named(workflow_id)
        async with self._database.transaction() as connection:
            cursor = await connection.execute(sql("leases.wake"), names)
            if cursor.rowcount == 0:
                await connection.execute(sql("ignored.wake"), names)
            await connection.execute(sql("record.notify"), names)

    async def current_claim(self, workflow_id: str, owner: str | None = None) -> Claim:
        """The live lease on a workflow, of ``owner`` where given. Raises ``LeaseLost`` when there is none."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(sql("leases.holder"), _named(workflow_id))
            row = await cursor.fetchone()
        if row is None or not row["alive"] or owner not in (None, row["owner"]):
            raise LeaseLost(f"nobody{f' named {owner!r}' if owner else ''} holds a lease on workflow {workflow_id}")
        return Claim(workflow_id, row["owner"], row["fence"])

    async def attempts(self, workflow_id: str) -> int:
        """How often it was claimed since it last moved or was given back: what kills its workers shows here."""
        found = await self._rows("leases.attempts", _named(workflow_id))
        return found[0]["attempts"] if found else 0

    async def record_failure(
        self,
        claim: Claim,
        error: WorkflowError,
        *,
        state: DetailedState,
        delay: timedelta | None,
        trigger: str | None = None,
        traceback: str = "",
    ) -> WorkflowState:
        """Write that ``state`` failed: on to ``retry`` after ``delay``, or to ``escalation`` when that is None.

        With a ``trigger`` (``expired``, ``cancelled``, ``no_safe_fix``, ``rollback_not_verified``) it goes straight to
        ``escalation``. Raises ``StaleWriter`` or ``LeaseLost``, ``IllegalTransition`` when that state is not running.
        """
        failure = failures.Failure(error, state, delay, trigger, traceback)
        return await self._change(claim, lambda connection, locked: failures.write(connection, locked, failure))

    async def resume_retry(self, claim: Claim) -> WorkflowState:
        """Go back from ``retry`` to the state that failed; run it next. Raises ``IllegalTransition`` elsewhere."""
        return await self._change(claim, _resume)

    async def finish_escalation(self, claim: Claim, outcome: Outcome) -> WorkflowState:
        """End a workflow in ``escalation``, once its ticket is told. Raises ``IllegalTransition`` elsewhere."""

        async def work(connection: Connection, locked: Locked) -> None:
            edge = failures.final_step(locked.standing, outcome)
            after = locked.standing.at(edge.target, (), locked.now, outcome=outcome, resume=())
            await record.append(connection, locked, (edge,), after)
            await wrap_up(connection, claim.workflow_id, locked.head)

        return await self._change(claim, work)

    async def link(self, workflow_id: str, other: str, relation: str) -> None:
        """Note that a workflow has to do with another one, for instance as its ``duplicate``."""
        async with self._database.transaction() as connection:
            await _link(connection, workflow_id, other, relation)

    async def _change(self, claim: Claim, work: Callable[[Connection, Locked], Awaitable[None]]) -> WorkflowState:
        async with self._database.transaction() as connection:
            await work(connection, await record.lock_claimed(connection, claim))
            return await _get(connection, claim.workflow_id)

    async def _read(self, name: str, parameters: Row) -> tuple[WorkflowState, ...]:
        return tuple(workflow_of(row) for row in await self._rows(name, parameters))

    async def _rows(self, name: str, parameters: Row) -> tuple[Row, ...]:
        async def work(connection: Connection) -> tuple[Row, ...]:
            cursor = await connection.execute(sql(name), parameters)
            return tuple(await cursor.fetchall())

        return await self._database.attempt(work)


def workflow_of(row: Row) -> WorkflowState:
    """The value that a row of ``workflow_states`` stands for."""
    standing = Projection.of_row(row)
    return WorkflowState(
        workflow_id=str(row["workflow_id"]),
        ticket_id=row["ticket_id"],
        main_state=standing.position.main,
        sub_state=standing.position.sub,
        detailed_state=standing.position.detailed,
        context=standing.context,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        retry_count=standing.retry_count,
        max_retries=standing.max_retries,
        timeout_at=standing.timeout_at,
        escalated=standing.escalated,
        version=row["version"],
        active_states=standing.active,
        outcome=standing.outcome,
        driver=row["driver"],
        runner=row["runner"],
        due_at=row["due"],
        graph_version=row["graph_version"],
        entered_at=row["entered_at"],
    )


async def _get(connection: Connection, workflow_id: str) -> WorkflowState:
    cursor = await connection.execute(sql("workflows.get"), _named(workflow_id))
    row = await cursor.fetchone()
    if row is None:
        raise WorkflowNotFound(f"no workflow has the id {workflow_id!r}")
    return workflow_of(row)


def _due(limit: int, doubtful: bool | None) -> Row:
    return {"limit": limit, "doubtful": doubtful, "doubtful_from": DOUBTFUL_FROM}


def _named(workflow_id: str) -> Row:
    if record.workflow_id_of(workflow_id) is None:
        raise WorkflowNotFound(f"no workflow has the id {workflow_id!r}, which is no UUID")
    return {"workflow_id": workflow_id}


async def _try_claim(connection: Connection, workflow_id: str, owner: str, ttl: timedelta) -> Claim | None:
    """A claim on a row that is locked; None when somebody claimed it after we looked."""
    try:
        return await leases.claim(connection, workflow_id, owner, ttl)
    except (LeaseHeld, Paused):
        return None


async def _resume(connection: Connection, locked: Locked) -> None:
    edge = failures.way_back(locked.standing)
    after = failures.resumed(locked)
    await record.append(connection, locked, (edge,), after)


async def _link(connection: Connection, workflow_id: str, other: str, relation: str) -> None:
    names = {"workflow_id": workflow_id, "other": other, "relation": relation}
    await connection.execute(sql("workflows.link"), names)

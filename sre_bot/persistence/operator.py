"""What people ask of the bot while it works: to pause, to go on, to try again now, to cancel.

A request is a row that stays. Workers read it before they claim a workflow, before they begin an effect, and between
two steps.
"""

from typing import Literal

from sre_bot.domain.errors import BadInput, Paused, WorkflowEnded
from sre_bot.persistence import record
from sre_bot.persistence.database import Connection, Database, Row, storable
from sre_bot.persistence.record import Locked
from sre_bot.persistence.statements import sql

RequestKind = Literal["pause", "resume", "retry", "cancel", "rewind"]


class OperatorRequests:
    """The requests, in force and past. ``asked_by`` names a person to people; nothing checks it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pause(self, repository: str | None, why: str, asked_by: str) -> None:
        """Claim nothing and begin no effect any more: for one repository, or (None) at all."""
        await self._database.attempt(
            lambda connection: ask(connection, "pause", asked_by, why=why, repository=repository)
        )

    async def resume(self, repository: str | None, asked_by: str) -> bool:
        """Take one pause back; False when there is none of that scope."""

        async def work(connection: Connection) -> bool:
            scopes = [row["repository"] for row in await _rows(connection, "operator.pauses", {})]
            if repository in scopes:
                await ask(connection, "resume", asked_by, repository=repository)
            return repository in scopes

        return await self._database.attempt(work)

    async def pauses(self) -> tuple[Row, ...]:
        """What is paused: ``repository`` (None: everything, listed first), ``why``, ``asked_by``, ``asked_at``."""
        return await self._read("operator.pauses", {})

    async def repositories(self) -> frozenset[str]:
        """The repositories that live workflows are about."""
        return frozenset(row["repository"] for row in await self._read("operator.repositories", {}))

    async def retry(self, workflow_id: str, asked_by: str) -> Locked:
        """Make a workflow due now, whatever it waits for; returns how it stood.

        One that runs is run once more afterwards. Raises ``WorkflowNotFound``, ``WorkflowEnded``, and ``BadInput`` when
        no worker of ours runs it.
        """

        async def work(connection: Connection) -> Locked:
            locked = await _lock_live(connection, workflow_id)
            if locked.runner != "worker":
                raise BadInput(f"workflow {workflow_id} is run by LangGraph Server; resume its thread there")
            await ask(connection, "retry", asked_by, workflow_id=workflow_id)
            await connection.execute(sql("operator.due_now"), {"workflow_id": workflow_id})
            await _wake(connection, workflow_id)
            return locked

        return await self._database.attempt(work)

    async def cancel(self, workflow_id: str, why: str, asked_by: str) -> Locked:
        """Ask that a workflow be ended; returns how it stood. A second request changes nothing.

        A worker obeys between two steps, tells the ticket, and ends it ``cancelled``. Raises like ``retry``; a workflow
        of LangGraph Server is ended too, once no run holds it.
        """

        async def work(connection: Connection) -> Locked:
            locked = await _lock_live(connection, workflow_id)
            if await cancellation(connection, workflow_id) is None:
                await ask(connection, "cancel", asked_by, why=why, workflow_id=workflow_id)
            await _wake(connection, workflow_id)
            return locked

        return await self._database.attempt(work)

    async def _read(self, name: str, names: Row) -> tuple[Row, ...]:
        return tuple(await self._database.attempt(lambda connection: _rows(connection, name, names)))


async def refuse_paused(connection: Connection, workflow_id: str) -> None:
    """Raise ``Paused`` when people have told us to leave a workflow alone."""
    for row in await _rows(connection, "operator.pause_of", {"workflow_id": workflow_id}):
        what = row["repository"] or "everything"
        why = f": {row['why']}" if row["why"] else ""
        raise Paused(f"{what} is paused by {row['asked_by']} since {row['asked_at']:%Y-%m-%d %H:%M:%S %Z}{why}")


async def cancellation(connection: Connection, workflow_id: str) -> Row | None:
    """The request to cancel a workflow: ``why``, ``asked_by``, ``asked_at``; None where nobody asked."""
    found = await _rows(connection, "operator.cancellation", {"workflow_id": workflow_id})
    return found[0] if found else None


async def _lock_live(connection: Connection, workflow_id: str) -> Locked:
    locked = await record.lock(connection, workflow_id)
    if locked.standing.outcome is not None:
        raise WorkflowEnded(
            f"workflow {workflow_id} has ended ({locked.standing.outcome}); assign its ticket to the bot again, and a "
            "new one starts"
        )
    if locked.driver != "graph":
        raise BadInput(f"workflow {workflow_id} is driven by another program; only that can move it")
    return locked


async def ask(
    connection: Connection,
    kind: RequestKind,
    asked_by: str,
    *,
    why: str = "",
    workflow_id: str | None = None,
    repository: str | None = None,
) -> None:
    """Keep a request in the caller's transaction: about one workflow, one repository, or (neither) everything."""
    names = {"kind": kind, "workflow_id": workflow_id, "repository": repository}
    await connection.execute(sql("operator.ask"), {**names, "why": storable(why), "asked_by": storable(asked_by)})


async def _wake(connection: Connection, workflow_id: str) -> None:
    for name in ("leases.wake", "record.notify"):
        await connection.execute(sql(name), {"workflow_id": workflow_id})


async def _rows(connection: Connection, name: str, names: Row) -> list[Row]:
    cursor = await connection.execute(sql(name), names)
    return await cursor.fetchall()

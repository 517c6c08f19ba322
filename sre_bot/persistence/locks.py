"""Resources that one workflow at a time may change, such as ``repository:org/name`` or ``argocd:app``.

A workflow keeps a lock across crashes and restarts until it gives it back or ends; no clock takes it away. When one is
freed it is handed at once to the first in line (priority, then age) who can have everything it waits for.
"""

from sre_bot.persistence import record
from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.hot.lock_hints import NO_HINTS, LockHints
from sre_bot.persistence.record import Claim
from sre_bot.persistence.statements import sql


class ResourceLocks:
    """Locks and their queue. ``hints`` are told who holds what; they decide nothing."""

    def __init__(self, database: Database, hints: LockHints = NO_HINTS) -> None:
        self._database = database
        self._hints = hints

    async def acquire(self, claim: Claim, resources: tuple[str, ...]) -> bool:
        """Take all of them or none. False: the workflow now waits in line and will be woken holding them.

        Ask for everything at once: a workflow that holds one lock and waits for another may wait for ever. Raises
        ``StaleWriter`` or ``LeaseLost``.
        """

        async def work(connection: Connection) -> bool:
            locked = await record.lock_claimed(connection, claim)
            await connection.execute(sql("locks.serialise"))
            await _drop_dead_holders(connection)
            return await _take(connection, claim.workflow_id, tuple(sorted(set(resources))), locked.priority)

        taken = await self._database.attempt(work)
        if taken:
            await self._hints.took(claim.workflow_id, resources)
        return taken

    async def release(self, workflow_id: str, resources: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Free some or (None) all locks of a workflow; returns the workflows that were handed theirs and woken."""

        async def work(connection: Connection) -> tuple[str, ...]:
            await connection.execute(sql("locks.serialise"))
            names = {"workflow_id": workflow_id, "resources": list(resources) if resources is not None else None}
            await connection.execute(sql("locks.free"), names)
            return await _hand_over(connection)

        woken = await self._database.attempt(work)
        await self._hints.freed(workflow_id, resources)
        return woken

    async def sweep(self) -> tuple[str, ...]:
        """Free what outside programs left behind when they died; returns the workflows that were woken by it."""

        async def work(connection: Connection) -> tuple[str, ...]:
            await connection.execute(sql("locks.serialise"))
            await _drop_dead_holders(connection)
            return await _hand_over(connection)

        return await self._database.attempt(work)

    async def held(self) -> tuple[Row, ...]:
        """Every lock: ``resource``, ``workflow_id`` or ``holder``, ``acquired_at``, ``expires_at`` (outside only)."""
        return await self._rows("locks.held")

    async def waiting(self) -> tuple[Row, ...]:
        """The line, first come first: ``workflow_id``, ``resources``, ``priority``, ``requested_at``."""
        return await self._rows("locks.waiting")

    async def _rows(self, name: str) -> tuple[Row, ...]:
        async with self._database.transaction() as connection:
            cursor = await connection.execute(sql(name))
            return tuple(
                {**row, "workflow_id": str(row["workflow_id"]) if row["workflow_id"] else None}
                for row in await cursor.fetchall()
            )


async def leave(connection: Connection, workflow_id: str) -> tuple[str, ...]:
    """Free everything that a workflow holds or waits for, in the caller's transaction; returns who was woken."""
    await connection.execute(sql("locks.serialise"))
    await connection.execute(sql("locks.stop_waiting"), {"workflow_id": workflow_id})
    await connection.execute(sql("locks.free"), {"workflow_id": workflow_id, "resources": None})
    return await _hand_over(connection)


async def take_outside(connection: Connection, names: Row) -> bool:
    """Take one lock for a program outside of any workflow (``resource``, ``holder``, ``ttl``); False if it is busy."""
    await connection.execute(sql("locks.serialise"))
    await _drop_dead_holders(connection)
    cursor = await connection.execute(sql("locks.take_outside"), names)
    return await cursor.fetchone() is not None


async def free_outside(connection: Connection, names: Row) -> tuple[str, ...]:
    """Free a lock taken by ``take_outside``; returns who was woken."""
    await connection.execute(sql("locks.serialise"))
    await connection.execute(sql("locks.free_outside"), names)
    return await _hand_over(connection)


async def _take(connection: Connection, workflow_id: str, resources: tuple[str, ...], priority: int) -> bool:
    names = {"workflow_id": workflow_id, "resources": list(resources), "priority": priority}
    for obstacle in ("locks.taken_by_others", "locks.wanted_before"):
        cursor = await connection.execute(sql(obstacle), names)
        if await cursor.fetchone() is not None:
            await connection.execute(sql("locks.wait"), names)
            return False
    await connection.execute(sql("locks.take"), names)
    await connection.execute(sql("locks.stop_waiting"), names)
    return True


async def _drop_dead_holders(connection: Connection) -> None:
    await connection.execute(sql("locks.drop_dead_holders"))


async def _hand_over(connection: Connection) -> tuple[str, ...]:
    """Walk the line and give to whoever can have everything.

    Nobody overtakes an earlier waiter for the same resource, except one for whose lock that waiter waits.
    """
    cursor = await connection.execute(sql("locks.queue"))
    woken: list[str] = []
    ahead: list[Row] = []
    for waiter in await cursor.fetchall():
        if any(_stands_before(earlier, waiter) for earlier in ahead) or await _busy(connection, waiter):
            ahead.append(waiter)
            continue
        for name in ("locks.take", "locks.stop_waiting", "leases.wake"):
            await connection.execute(sql(name), waiter)
        woken.append(str(waiter["workflow_id"]))
    return tuple(woken)


def _stands_before(earlier: Row, waiter: Row) -> bool:
    wanted: set[str] = set(earlier["resources"])
    return not wanted.isdisjoint(waiter["resources"]) and wanted.isdisjoint(waiter["held"])


async def _busy(connection: Connection, names: Row) -> bool:
    cursor = await connection.execute(sql("locks.taken_by_others"), names)
    return await cursor.fetchone() is not None

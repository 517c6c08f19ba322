"""The one door for calls that change the outside world: done once, or explicitly unknown.

An effect is ``intended`` (certainly not performed), ``started`` (may have been), ``done`` or ``unknown``. A node that
runs again comes here again with the same name and round, and gets the result of the first time.
"""

import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from psycopg.types.json import Jsonb

from sre_bot.domain.errors import EffectUnknown, LeaseLost, Reason, ServiceError
from sre_bot.domain.merge_patch import Json
from sre_bot.persistence import record
from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.operator import refuse_paused
from sre_bot.persistence.record import Claim
from sre_bot.persistence.statements import sql

Act = Callable[[Json], Awaitable[Json]]
Look = Callable[[Json], Awaitable[Json | None]]

_MAY_HAVE_BEEN_PERFORMED = (Reason.UNAVAILABLE, Reason.BAD_ANSWER)


def uptime() -> float:
    """Seconds on a clock that goes on while the process is stopped and, on Linux, while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Effects:
    """The record of what was done outside, and the rule for doing it. ``clock`` tells seconds and goes on."""

    def __init__(self, database: Database, clock: Callable[[], float] = uptime) -> None:
        self._database = database
        self._clock = clock

    async def once(self, claim: Claim, name: str, round: int, request: Json, act: Act, look: Look | None) -> Json:
        """Perform ``act(request)`` unless it was performed already, and return its result, a JSON object.

        Where an earlier try may have been performed, ``look(request)`` decides: what it finds is the result, None
        means that nothing is there. Without a ``look`` the effect ends ``unknown``. A repeat sends the request of the
        first try. Raises ``EffectUnknown``, ``StaleWriter``, ``LeaseLost``, ``Paused`` before anything was begun, and
        whatever ``act`` and ``look`` raise.

        A process that was frozen until its lease was over does not call. What remains: one that is frozen after that
        last look at the clock and before its request is on the line, for longer than its lease, calls a second time,
        and only the target's own uniqueness can stop it.
        """
        key = effect_key(claim.workflow_id, name, round)
        effect = await self._intend(claim, key, name, round, request)
        if effect["status"] == "done":
            return effect["result"]
        if effect["status"] != "intended":
            found = await self._find(claim, effect, look)
            if found is not None:
                return await self._settle(claim, key, found)
        certain_until = await self._start(claim, key)
        return await self._settle(claim, key, await self._act(claim, effect, act, certain_until))

    async def of(self, workflow_id: str) -> tuple[Row, ...]:
        """Every effect of a workflow in the order of intent: name, round, status, request, result, times."""

        async def read(connection: Connection) -> tuple[Row, ...]:
            cursor = await connection.execute(sql("effects.of_workflow"), {"workflow_id": workflow_id})
            return tuple(await cursor.fetchall())

        return await self._database.attempt(read)

    async def _intend(self, claim: Claim, key: str, name: str, round: int, request: Json) -> Row:
        """Commit the intent, or find the one that is there. Raises ``StaleWriter`` or ``LeaseLost``."""
        intent = {
            "key": key,
            "workflow_id": claim.workflow_id,
            "name": name,
            "round": round,
            "request": Jsonb(request),
            "fence": claim.fence,
        }

        async def work(connection: Connection) -> Row:
            await record.lock_claimed(connection, claim)
            await connection.execute(sql("effects.intend"), intent)
            return await _get(connection, key)

        return await self._database.attempt(work)

    async def _find(self, claim: Claim, effect: Row, look: Look | None) -> Json | None:
        if effect["status"] == "started" and look is not None:
            return await look(effect["request"])
        await self._fenced(claim, "effects.give_up", effect["key"])
        raise EffectUnknown(
            f"effect {effect['name']!r} (round {effect['round']}) of workflow {claim.workflow_id} may have been "
            "performed and cannot be looked up; a person must decide"
        )

    async def _start(self, claim: Claim, key: str) -> float:
        """Commit that the call may be on its way; until when, by our own clock, the lease certainly lasts."""

        async def work(connection: Connection) -> float:
            asked_at = self._clock()
            await record.lock_claimed(connection, claim)
            await refuse_paused(connection, claim.workflow_id)
            cursor = await connection.execute(sql("effects.start"), {"key": key, "fence": claim.fence})
            row = await cursor.fetchone()
            assert row is not None
            return asked_at + row["lasts"].total_seconds()

        return await self._database.attempt(work)

    async def _act(self, claim: Claim, effect: Row, act: Act, certain_until: float) -> Json:
        if self._clock() >= certain_until:
            raise LeaseLost(
                f"effect {effect['name']!r} of workflow {claim.workflow_id} was not begun: the lease with fence "
                f"{claim.fence} ran out while this process stood still; whoever has it now looks before acting"
            )
        try:
            return await act(effect["request"])
        except ServiceError as error:
            if error.reason not in _MAY_HAVE_BEEN_PERFORMED:
                await self._fenced(claim, "effects.not_performed", effect["key"])
            raise

    async def _settle(self, claim: Claim, key: str, result: Json) -> Json:
        """Keep the result; the first one stays. It is true whoever found it, but a stale writer is told to stop."""

        async def work(connection: Connection) -> Row:
            await record.lock(connection, claim.workflow_id)
            await connection.execute(sql("effects.settle"), {"key": key, "result": Jsonb(result)})
            return await _get(connection, key)

        settled = await self._database.attempt(work)
        await self._database.attempt(lambda connection: record.lock_claimed(connection, claim))
        return settled["result"]

    async def _fenced(self, claim: Claim, name: str, key: str) -> None:
        async def work(connection: Connection) -> None:
            await record.lock_claimed(connection, claim)
            await connection.execute(sql(name), {"key": key, "fence": claim.fence})

        await self._database.attempt(work)


def effect_key(workflow_id: str, name: str, round: int) -> str:
    """What makes an effect the same one: never the attempt, never the time."""
    return sha256(f"{workflow_id}\n{name}\n{round}".encode()).hexdigest()


async def _get(connection: Connection, key: str) -> dict[str, Any]:
    cursor = await connection.execute(sql("effects.get"), {"key": key})
    row = await cursor.fetchone()
    assert row is not None
    return row

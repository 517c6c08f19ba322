"""Which workers are alive, and what the record says about how the bot is doing."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.statements import sql

FORGOTTEN = timedelta(hours=1)
"""How long a worker that died is listed."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker as it last spoke: ``troubles`` are those that it has with other services, by what it was doing."""

    owner: str
    started_at: datetime
    beat_at: datetime
    alive: bool
    now: datetime
    troubles: dict[str, str]


class Heartbeats:
    """The workers' heartbeats, and what stands still without one."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def beat(self, owner: str, good_for: timedelta, troubles: dict[str, str]) -> None:
        """Say that a worker is alive, and will be for ``good_for``."""
        await self._write("health.beat", {"owner": owner, "good_for": good_for, "troubles": Jsonb(troubles)})

    async def leave(self, owner: str) -> None:
        """Say that a worker has gone by itself, and forget those that died long ago."""
        await self._write("health.leave", {"owner": owner})
        await self._write("health.forget", {"after": FORGOTTEN})

    async def workers(self) -> tuple[Worker, ...]:
        """Every worker that has not left."""
        return tuple(Worker(**row) for row in await self._read("health.workers", {}))

    async def abandoned(self, grace: timedelta) -> tuple[Row, ...]:
        """Workflows whose lease ran out more than ``grace`` ago and that nobody took up: ``ticket_id``, ``owner``."""
        return await self._read("health.abandoned", {"grace": grace})

    async def waiting_for_services(self) -> tuple[Row, ...]:
        """Workflows that wait for their next try because something was out of reach: ``ticket_id``, ``message``."""
        return await self._read("health.waiting_for_services", {})

    async def _write(self, name: str, names: Row) -> None:
        async def work(connection: Connection) -> None:
            await connection.execute(sql(name), names)

        await self.database.attempt(work)

    async def _read(self, name: str, names: Row) -> tuple[Row, ...]:
        async def work(connection: Connection) -> tuple[Row, ...]:
            cursor = await connection.execute(sql(name), names)
            return tuple(await cursor.fetchall())

        return await self.database.attempt(work)

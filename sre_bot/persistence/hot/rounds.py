"""The comparisons of Redis with Postgres, as Postgres remembers them: one at a time for all processes together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.statements import sql

SHOWN = timedelta(hours=1)
"""How long after the last comparison Redis counts as being in use."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """What came of the comparisons of one Redis: ``repaired`` counts by kind of difference, since the beginning.

    ``trouble`` is empty while Redis answers; ``ended_at`` is None during the first round.
    """

    prefix: str
    owner: str
    ended_at: datetime | None
    trouble: str
    trouble_since: datetime | None
    rounds: int
    repaired: Mapping[str, int]
    now: datetime


class RoundBook:
    """Hands out the rounds and keeps what came of them. Raises ``psycopg.OperationalError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, prefix: str, owner: str, pause: timedelta) -> bool:
        """Whether the next round is ours: nobody began one for ``pause``."""
        return bool(await self._rows("hot.claim_round", {"prefix": prefix, "owner": owner, "pause": pause}))

    async def end(self, prefix: str, repaired: Mapping[str, int], trouble: str = "") -> None:
        """Note what a round has put right, or why it could not."""
        names = {"prefix": prefix, "repaired": Jsonb(dict(repaired)), "trouble": trouble}

        async def work(connection: Connection) -> None:
            await connection.execute(sql("hot.end_round"), names)

        await self._database.attempt(work)

    async def latest(self) -> tuple[Rounds, ...]:
        """How it stands with every Redis that is in use; empty without one."""
        return tuple(Rounds(**row) for row in await self._rows("hot.rounds", {"shown": SHOWN}))

    async def _rows(self, name: str, names: Row) -> tuple[Row, ...]:
        async def work(connection: Connection) -> tuple[Row, ...]:
            cursor = await connection.execute(sql(name), names)
            return tuple(await cursor.fetchall())

        return await self._database.attempt(work)

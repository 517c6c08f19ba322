"""Stands: the record of a workflow under way, copied out of Postgres and back into it, ids and hashes included.

A scenario whose boundary lies late need not live through everything before it: it takes up the record as a worker left
it that stopped for good at the beginning of that sub-state.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from psycopg.sql import SQL, Composed, Identifier

from sre_bot.persistence.database import Connection, Database

Json = dict[str, Any]

_TABLES = b"select tablename from pg_tables where schemaname = 'public' order by 1"
_SEQUENCES = b"select sequencename, last_value from pg_sequences where schemaname = 'public' and last_value is not null"


@dataclass(frozen=True, slots=True)
class Stand:
    """A record and what the outside had seen by then; without a workflow it is an empty one."""

    workflow: str = ""
    tables: dict[str, str] = field(default_factory=dict[str, str])
    sequences: dict[str, int] = field(default_factory=dict[str, int])
    performed: dict[str, Json] = field(default_factory=dict[str, Json])
    log: list[Json] = field(default_factory=list[Json])

    def save(self, path: Path) -> None:
        """Write it where other lanes find it."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote."""
        return cls(**json.loads(path.read_text()))


@dataclass(frozen=True, slots=True)
class Shelf:
    """Copies stands out of one database and into it; ``tables`` are those that were empty when it was new."""

    database: Database
    tables: tuple[str, ...]

    @classmethod
    async def of(cls, database: Database) -> Self:
        """The shelf of a migrated, unused database."""
        async with database.transaction() as connection:
            cursor = await connection.execute(_TABLES)
            names = [row["tablename"] for row in await cursor.fetchall()]
            empty = [name for name in names if not await _rows_of(connection, name)]
        return cls(database, tuple(empty))

    async def take(self, workflow: str, performed: dict[str, Json], log: list[Json]) -> Stand:
        """Copy the record as it is now."""
        async with self.database.transaction() as connection:
            await connection.execute("set transaction isolation level repeatable read")
            copied = {name: await _copied(connection, name) for name in self.tables}
            cursor = await connection.execute(_SEQUENCES)
            sequences = {row["sequencename"]: row["last_value"] for row in await cursor.fetchall()}
        tables = {name: text for name, text in copied.items() if text}
        return Stand(workflow, tables, sequences, dict(performed), list(log))

    async def put_back(self, stand: Stand) -> None:
        """Make the record that of the stand, whatever it is now."""

        async def work(connection: Connection) -> None:
            await connection.execute("set local session_replication_role = replica")
            await connection.execute(SQL("; ").join(_delete(name) for name in self.tables))
            for name, text in stand.tables.items():
                async with connection.cursor().copy(SQL("copy {} from stdin").format(Identifier(name))) as copy:
                    await copy.write(text)
            for name, value in stand.sequences.items():
                await connection.execute("select setval(%s::regclass, %s)", (f'"{name}"', value))

        await self.database.attempt(work)


def _delete(name: str) -> Composed:
    return SQL("delete from {}").format(Identifier(name))


async def _rows_of(connection: Connection, name: str) -> bool:
    cursor = await connection.execute(SQL("select 1 from {} limit 1").format(Identifier(name)))
    return await cursor.fetchone() is not None


async def _copied(connection: Connection, name: str) -> str:
    async with connection.cursor().copy(SQL("copy {} to stdout").format(Identifier(name))) as copy:
        return b"".join([bytes(part) async for part in copy]).decode()

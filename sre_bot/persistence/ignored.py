"""What happened and changed nothing, since something else had come first: who looks for it shall find why."""

from typing import Literal

from sre_bot.persistence.database import Connection, Database, Row, storable
from sre_bot.persistence.statements import sql

IgnoredKind = Literal["ticket", "review", "deadline", "wake"]
LONGEST = 500
"""Characters of a reason that are kept; an index holds it whole."""


class IgnoredEvents:
    """The events that were ignored, each with its workflow. They are no steps of the law and not part of its log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, workflow_id: str, kind: IgnoredKind, why: str) -> None:
        """Keep that an event was ignored; the same once more is counted."""
        await self._database.attempt(lambda connection: note(connection, workflow_id, kind, why))

    async def of(self, workflow_id: str) -> tuple[Row, ...]:
        """Those of one workflow, oldest first: ``kind``, ``why``, ``times``, ``first_at``, ``last_at``."""

        async def read(connection: Connection) -> tuple[Row, ...]:
            cursor = await connection.execute(sql("ignored.of_workflow"), {"workflow_id": workflow_id})
            return tuple(await cursor.fetchall())

        return await self._database.attempt(read)


async def note(connection: Connection, workflow_id: str, kind: IgnoredKind, why: str) -> None:
    """The same as ``IgnoredEvents.note`` in the caller's transaction."""
    names = {"workflow_id": workflow_id, "kind": kind, "why": storable(why)[:LONGEST]}
    await connection.execute(sql("ignored.note"), names)

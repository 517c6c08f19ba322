"""Workflows that nobody may run until a person says so: they kill their workers, or their state cannot be read.

A quarantine is in force until somebody asks to retry the workflow. It is an error of the record, not a step of the law:
the workflow stays where it is.
"""

from dataclasses import dataclass
from datetime import datetime

from sre_bot.domain.errors import ErrorSeverity, ErrorType
from sre_bot.persistence import record
from sre_bot.persistence.database import Connection, Database, Row, storable
from sre_bot.persistence.record import Claim, Locked
from sre_bot.persistence.statements import sql


@dataclass(frozen=True, slots=True)
class Quarantine:
    """One that is in force: after ``attempts`` claims that led nowhere; ``told_at`` is None until the ticket knows."""

    number: int
    workflow_id: str
    why: str
    attempts: int
    quarantined_at: datetime
    told_at: datetime | None


class Quarantines:
    """The quarantines in force."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def in_force(self) -> tuple[Quarantine, ...]:
        """All of them, oldest first."""
        return await self._read("quarantine.in_force", {})

    async def of(self, workflow_id: str) -> Quarantine | None:
        """The one of a workflow; None where it may be run."""
        found = await self._read("quarantine.of_workflow", {"workflow_id": workflow_id})
        return found[0] if found else None

    async def put(self, claim: Claim, why: str, attempts: int) -> Quarantine:
        """Put a workflow under quarantine, once, and keep why as an error. Raises ``StaleWriter`` or ``LeaseLost``."""

        async def work(connection: Connection) -> Quarantine:
            locked = await record.lock_claimed(connection, claim)
            names = {"workflow_id": claim.workflow_id, "why": storable(why), "attempts": attempts}
            if not await _rows(connection, "quarantine.of_workflow", names):
                await connection.execute(sql("quarantine.put"), names)
                await connection.execute(sql("workflows.error"), _error_row(locked, why, attempts))
            (row,) = await _rows(connection, "quarantine.of_workflow", names)
            return _quarantine(row)

        return await self._database.attempt(work)

    async def told(self, quarantine: Quarantine) -> None:
        """Note that the ticket was told."""

        async def work(connection: Connection) -> None:
            await connection.execute(sql("quarantine.told"), {"number": quarantine.number})

        await self._database.attempt(work)

    async def _read(self, name: str, names: Row) -> tuple[Quarantine, ...]:
        rows = await self._database.attempt(lambda connection: _rows(connection, name, names))
        return tuple(_quarantine(row) for row in rows)


def _quarantine(row: Row) -> Quarantine:
    values: Row = {**row, "workflow_id": str(row["workflow_id"])}
    return Quarantine(**values)


def _error_row(locked: Locked, why: str, attempts: int) -> Row:
    detailed = locked.standing.position.detailed
    return {
        "workflow_id": locked.workflow_id,
        "version": locked.version,
        "error_type": ErrorType.POISON.value,
        "severity": ErrorSeverity.CRITICAL.value,
        "message": storable(why),
        "state": detailed.value if detailed else locked.standing.position.main.value,
        "attempt": attempts,
        "traceback_digest": None,
        "occurred_at": locked.now,
    }


async def _rows(connection: Connection, name: str, names: Row) -> list[Row]:
    cursor = await connection.execute(sql(name), names)
    return await cursor.fetchall()

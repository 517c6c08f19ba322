"""What Postgres says of all that may stand in Redis."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.hot.copies import KEPT
from sre_bot.persistence.hot.progress import entry_of
from sre_bot.persistence.record import workflow_id_of
from sre_bot.persistence.statements import sql
from sre_bot.persistence.workflows import workflow_of

LIVELY = timedelta(hours=1)
"""How long after its last step a workflow's stream is looked at."""

Steps = tuple[tuple[str, str], ...]


class Truths:
    """Reads the record. Every method raises ``psycopg.OperationalError`` when it is out of reach."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hot(self) -> dict[str, WorkflowState]:
        """The workflows that belong into Redis: those that live, and those that ended a short while ago."""
        return await self._states(None)

    async def of(self, workflow_ids: Collection[str]) -> dict[str, WorkflowState]:
        """Some workflows; those that do not exist are not in it."""
        known = [name for name in workflow_ids if workflow_id_of(name) is not None]
        return await self._states(known) if known else {}

    async def lively(self) -> set[str]:
        """The ids of those that moved a short while ago."""
        return {str(row["workflow_id"]) for row in await self._rows("hot.lively", {"lively": LIVELY})}

    async def steps(self, after: Mapping[str, int]) -> dict[str, Steps]:
        """The entries for what the log says of workflows after the given versions."""
        found: dict[str, Steps] = dict.fromkeys(after, ())
        for row in await self._rows("hot.steps", {"ids": list(after), "versions": list(after.values())}):
            found[str(row["workflow_id"])] += (entry_of(row),)
        return found

    async def holders(self) -> dict[str, str]:
        """Who holds which resource: a workflow's id, or an outside program's."""
        rows = await self._rows("locks.held", {})
        return {row["resource"]: str(row["workflow_id"] or row["holder"]) for row in rows}

    async def _states(self, ids: list[str] | None) -> dict[str, WorkflowState]:
        rows = await self._rows("hot.states", {"ids": ids, "kept": KEPT})
        return await asyncio.to_thread(_by_id, rows)  # there may be thousands, and workflows run beside us

    async def _rows(self, name: str, names: Row) -> tuple[Row, ...]:
        async def work(connection: Connection) -> tuple[Row, ...]:
            cursor = await connection.execute(sql(name), names)
            return tuple(await cursor.fetchall())

        return await self._database.attempt(work)


def _by_id(rows: Iterable[Row]) -> dict[str, WorkflowState]:
    return {state.workflow_id: state for state in map(workflow_of, rows)}

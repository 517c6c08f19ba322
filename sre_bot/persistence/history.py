"""The log read back: a workflow as it was at any moment, and the whole log for keeping elsewhere."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime

from sre_bot.domain.errors import BadInput
from sre_bot.domain.merge_patch import Json
from sre_bot.domain.states import IDLE
from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.replay import SNAPSHOT, replayed, row_and_log
from sre_bot.persistence.statements import sql

_BATCH = 500
_PARTS = {"transition": "history.transitions_since", "request": "operator.asked_since", "head": "history.heads"}


@dataclass(frozen=True, slots=True)
class Moment:
    """A workflow as its log tells it: ``version`` was written at ``since``, ``state`` is what was projected then.

    ``state`` is plain JSON without nulls; ``steps`` are the transitions of that version, none for the first.
    """

    workflow_id: str
    version: int
    newest_version: int
    since: datetime
    state: Json
    steps: tuple[Row, ...]


async def every_workflow(database: Database) -> tuple[Row, ...]:
    """All workflows, ended ones too, oldest first: ``workflow_id``, ``ticket_id``, ``is_old`` (ended a week ago)."""

    async def read(connection: Connection) -> tuple[Row, ...]:
        cursor = await connection.execute(sql("history.workflows"))
        return tuple({**row, "workflow_id": str(row["workflow_id"])} for row in await cursor.fetchall())

    return await database.attempt(read)


async def rebuild(
    database: Database, workflow_id: str, *, version: int | None = None, at: datetime | None = None
) -> Moment:
    """Rebuild a workflow from its log alone: at a version, at a time, or, with neither, now.

    Raises ``WorkflowNotFound``, and ``BadInput`` when there was no such version, or no such workflow yet.
    """

    async def read(connection: Connection) -> Moment:
        row, log = await row_and_log(connection, workflow_id)
        newest = log[-1]["version"] if log else 1
        if at is not None and at < row["created_at"]:
            raise BadInput(f"workflow {workflow_id} was opened later, at {row['created_at'].isoformat()}")
        chosen = version or max((step["version"] for step in log if at is None or step["timestamp"] <= at), default=1)
        if not 1 <= chosen <= newest:
            raise BadInput(f"workflow {workflow_id} has the versions 1 to {newest}, not {chosen}")
        return _moment(row, [step for step in log if step["version"] <= chosen], chosen, newest)

    return await database.attempt(read)


async def exported(database: Database, since: datetime | None, *, heads_only: bool = False) -> AsyncGenerator[Row]:
    """Every transition since then (None: ever), what people asked, and the end of each workflow's chain; one snapshot.

    ``kind`` tells them apart: ``transition``, ``request``, ``head``. Whoever keeps the heads elsewhere can tell later
    that the log before them was not rewritten, hashes and all.
    """
    async with database.transaction() as connection:
        await connection.execute(SNAPSHOT)
        for kind, name in _PARTS.items():
            if heads_only and kind != "head":
                continue
            async with connection.cursor(name=f"export_{kind}") as cursor:
                cursor.itersize = _BATCH
                await cursor.execute(sql(name), {"since": since})
                async for row in cursor:
                    yield {"kind": kind, **row}


def _moment(row: Row, log: list[Row], version: int, newest: int) -> Moment:
    return Moment(
        workflow_id=str(row["workflow_id"]),
        version=version,
        newest_version=newest,
        since=log[-1]["timestamp"] if log else row["created_at"],
        state=replayed(log) or {"main_state": IDLE.main.value},
        steps=tuple(step for step in log if step["version"] == version),
    )

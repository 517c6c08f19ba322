"""Workflows that a restoration took from the record: opened again under the id that their branch and comments bear."""

from sre_bot.persistence.backups import EPOCH
from sre_bot.persistence.database import Connection, Database
from sre_bot.persistence.opening import Opening, insert_workflow
from sre_bot.persistence.statements import sql


async def was_restored(database: Database) -> bool:
    """Whether this record was ever restored from a backup, so that the world may know of workflows that it does not."""

    async def read(connection: Connection) -> bool:
        cursor = await connection.execute(sql("backups.was_restored"))
        row = await cursor.fetchone()
        return row is not None and row["found"]

    return await database.attempt(read)


async def reopen(database: Database, opening: Opening, workflow_id: str, found_in: str) -> str:
    """Open a lost workflow at its beginning; it looks for each effect before it performs it. Its id.

    Older workers of it are fenced off. Raises ``WorkflowExists`` when the ticket has a live one.
    """
    names = {"workflow_id": workflow_id, "found_in": found_in, "epoch": EPOCH}
    async with database.transaction() as connection:
        await insert_workflow(connection, opening, workflow_id)
        for statement in ("backups.reopened", "backups.fence_off_one"):
            await connection.execute(sql(statement), names)
    return workflow_id

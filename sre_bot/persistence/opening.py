"""How a workflow's row comes to be: at rest, one live one for each ticket."""

from dataclasses import dataclass
from uuid import uuid4

from psycopg.types.json import Jsonb

from sre_bot.domain.errors import WorkflowExists
from sre_bot.domain.merge_patch import Json, without_nulls
from sre_bot.domain.workflow import Driver, Runner
from sre_bot.persistence.database import Connection
from sre_bot.persistence.statements import sql


@dataclass(frozen=True, slots=True)
class Opening:
    """A workflow to be: ``priority`` 1 is the most urgent."""

    ticket_id: str
    context: Json
    priority: int = 3
    driver: Driver = "graph"
    runner: Runner = "worker"
    graph_version: str = ""


async def insert_workflow(connection: Connection, opening: Opening, workflow_id: str | None = None) -> str:
    """Insert the row and return its id. Raises ``WorkflowExists`` when the ticket has a live workflow."""
    columns = {
        "workflow_id": workflow_id or str(uuid4()),
        "ticket_id": opening.ticket_id,
        "context": Jsonb(without_nulls(opening.context)),
        "priority": opening.priority,
        "driver": opening.driver,
        "runner": opening.runner,
        "graph_version": opening.graph_version,
    }
    while True:
        cursor = await connection.execute(sql("workflows.open"), columns)
        row = await cursor.fetchone()
        if row is not None:
            await connection.execute(sql("record.notify"), {"workflow_id": str(row["workflow_id"])})
            return str(row["workflow_id"])
        cursor = await connection.execute(sql("workflows.live_of_ticket"), columns)
        live = await cursor.fetchone()
        if live is not None:
            raise WorkflowExists(opening.ticket_id, str(live["workflow_id"]))

"""In which nodes of the graph the live workflows wait, as their newest checkpoints say it."""

from dataclasses import dataclass

from sre_bot.persistence.database import Connection, Database
from sre_bot.persistence.statements import sql


@dataclass(frozen=True, slots=True)
class Waiting:
    """A workflow that runs ``node`` next, in the graph of ``sub_state`` (empty: the root)."""

    workflow_id: str
    ticket_id: str
    graph_version: str
    sub_state: str
    node: str


async def next_nodes(database: Database, workflow_id: str | None = None) -> tuple[Waiting, ...]:
    """What every live workflow, or one of them, runs next."""

    async def read(connection: Connection) -> tuple[Waiting, ...]:
        cursor = await connection.execute(sql("parked.next_nodes"), {"workflow_id": workflow_id})
        return tuple(
            Waiting(
                str(row["workflow_id"]), row["ticket_id"], row["graph_version"], row["sub_state"], _node(row["channel"])
            )
            for row in await cursor.fetchall()
        )

    return await database.attempt(read)


def _node(channel: str) -> str:
    """The node that a channel of LangGraph's leads to: ``branch:to:c``, or ``join:a+b:c``."""
    return channel.rpartition(":")[2]

"""What is given back when a workflow ends: its resources, its place in their queues, its old checkpoints.

An effect of which nobody learnt whether it was performed stays so, and says so.
The transition log stays; the last checkpoint of the root stays with the state in which it ended.
"""

from sre_bot.persistence import locks
from sre_bot.persistence.database import Connection
from sre_bot.persistence.statements import sql


async def wrap_up(connection: Connection, workflow_id: str, last_checkpoint: str | None) -> None:
    """Free what an ended workflow held and delete every checkpoint but one of the root, in the ending transaction."""
    await locks.leave(connection, workflow_id)
    names = {"workflow_id": workflow_id, "checkpoint_id": last_checkpoint}
    await connection.execute(sql("checkpoints.leave_behind"), names)

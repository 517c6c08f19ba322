"""What is given back when a workflow ends: its resources, its place in their queues, its old checkpoints.

An effect of which nobody learnt whether it was performed stays so, and says so.
The transition log stays; the last checkpoint of the root stays with the state in which it ended.
"""

from sre_bot.persistence import locks
from sre_bot.persistence.database import Connection
from sre_bot.persistence.statements import sql


async def wrap_up(connection: Connection, workflow_id: str, last_checkpoint: str | None) -> None:
    """Free what an ended workflow held, in the transaction that ends it."""
    await locks.leave(connection, workflow_id)
    await connection.execute(sql("effects.give_up_all"), {"workflow_id": workflow_id})
    if last_checkpoint is not None:
        await keep_latest(connection, workflow_id, last_checkpoint)


async def keep_latest(connection: Connection, workflow_id: str, checkpoint_id: str) -> None:
    """Delete every checkpoint of the thread but one of the root, and what only the others needed."""
    names = {"thread_id": workflow_id, "checkpoint_id": checkpoint_id}
    for name in ("drop_old", "drop_unused_blobs", "drop_writes", "forget_parent", "drop_heads"):
        await connection.execute(sql(f"checkpoints.{name}"), names)

"""What a checkpoint of a workflow's graph means for the record, written in the checkpoint's own transaction."""

from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata
from psycopg.types.json import Jsonb

from sre_bot.domain.errors import GraphOwned, IllegalTransition, StaleWriter
from sre_bot.domain.merge_patch import Json
from sre_bot.domain.states import TicketProcessingSubState
from sre_bot.persistence import record
from sre_bot.persistence.database import Connection
from sre_bot.persistence.projection import Projection
from sre_bot.persistence.record import Locked, Place
from sre_bot.persistence.statements import sql
from sre_bot.persistence.transitions import ROOT, Move, root_move, sub_state_move


def check_continues(locked: Locked, place: Place, parent: str | None, source: str) -> None:
    """Whether a checkpoint may follow what is there.

    Raises ``StaleWriter`` when its parent is not the head of its namespace, ``GraphOwned`` when it would start again
    what is under way or edit the state from outside.
    """
    if locked.driver != "graph":
        raise GraphOwned(f"workflow {locked.workflow_id} is driven from outside; no graph may move it")
    if locked.standing.outcome is not None:
        raise StaleWriter(f"workflow {locked.workflow_id} has ended ({locked.standing.outcome})")
    if parent != locked.head:
        raise StaleWriter(
            f"workflow {locked.workflow_id}: the newest checkpoint of {place.checkpoint_ns!r} is {locked.head}, "
            f"this writer continues {parent}"
        )
    begun = locked.head is not None and (locked.version > 1 or place.checkpoint_ns != ROOT)
    if source == "input" and begun:
        raise GraphOwned(f"workflow {locked.workflow_id} is under way; resume it instead of giving it a new input")
    if source not in ("input", "loop"):
        raise GraphOwned(f"a checkpoint by {source!r} would change workflow {locked.workflow_id} behind its log")


async def follow(
    connection: Connection, locked: Locked, place: Place, checkpoint: Checkpoint, source: str
) -> Move | None:
    """Write the rows, the projection, the head and the restore point that follow from a checkpoint.

    Returns the step, None where the checkpoint carries none. Raises ``IllegalTransition``.
    """
    move, left = None, None
    if source == "loop":
        move, left = _meaning(locked.standing, place, checkpoint)
    if move is not None:
        after = _after(locked, move, checkpoint)
        await record.append(connection, locked, move.edges, after, place=place)
    if left is not None:
        await _keep_restore_point(connection, locked, place, checkpoint, left)
    names = {"workflow_id": locked.workflow_id, "checkpoint_ns": place.checkpoint_ns}
    await connection.execute(sql("record.move_head"), {**names, "checkpoint_id": place.checkpoint_id})
    return move


def sub_state_of(checkpoint_ns: str) -> TicketProcessingSubState | None:
    """The sub-state whose graph writes into a namespace; None for the root and for graphs deeper inside."""
    name, _, _ = checkpoint_ns.partition(":")
    known = "|" not in checkpoint_ns and name in set(TicketProcessingSubState)
    return TicketProcessingSubState(name) if known else None


def source_of(metadata: CheckpointMetadata) -> str:
    """How a checkpoint came about: ``input``, ``loop``, ``update`` or ``fork``."""
    return metadata.get("source", "")


def _meaning(
    standing: Projection, place: Place, checkpoint: Checkpoint
) -> tuple[Move | None, TicketProcessingSubState | None]:
    """The step of a checkpoint, and the sub-state that it completes."""
    if place.checkpoint_ns == ROOT:
        return root_move(standing, checkpoint), None
    sub = sub_state_of(place.checkpoint_ns)
    if sub is None:
        return None, None
    return sub_state_move(standing, sub, checkpoint), None if _goes_on(checkpoint) else sub


def _goes_on(checkpoint: Checkpoint) -> bool:
    return any(name.startswith(("branch:to:", "join:")) for name in checkpoint.get("updated_channels") or ())


def _after(locked: Locked, move: Move, checkpoint: Checkpoint) -> Projection:
    context = checkpoint["channel_values"].get("context") or {}
    if not isinstance(context, dict):
        raise IllegalTransition(f"the channel 'context' must hold an object, not {type(context).__name__}")
    moved = locked.standing.at(move.position, move.active, locked.now, retry_count=0, resume=(), outcome=move.outcome)
    return moved.with_context(context)


async def _keep_restore_point(
    connection: Connection, locked: Locked, place: Place, checkpoint: Checkpoint, sub: TicketProcessingSubState
) -> None:
    state = locked.standing.position.detailed
    snapshot = {
        "position": str(locked.standing.position),
        "version": locked.version,
        "context": locked.standing.context,
        "checkpoint_ns": place.checkpoint_ns,
        "checkpoint_id": place.checkpoint_id,
        "channels": _channels(checkpoint),
    }
    await connection.execute(
        sql("record.restore_point"),
        {
            "workflow_id": locked.workflow_id,
            "checkpoint_name": f"{sub.value}:{state.value if state else ''}",
            "state_snapshot": Jsonb(snapshot),
            "checkpoint_ns": place.checkpoint_ns,
            "checkpoint_id": place.checkpoint_id,
        },
    )


def _channels(checkpoint: Checkpoint) -> Json:
    inner = ("branch:", "join:", "__")
    return {name: value for name, value in checkpoint["channel_values"].items() if not name.startswith(inner)}

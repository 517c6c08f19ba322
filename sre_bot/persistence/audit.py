"""What a checkpoint of a workflow's graph means for the record: the steps it takes, where it leads, what it completes.

Nothing here writes: what is found is handed to the statement that saves the checkpoint.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata

from sre_bot.domain.deadlines import time_limit
from sre_bot.domain.errors import GraphOwned, IllegalTransition, StaleWriter
from sre_bot.domain.merge_patch import Json
from sre_bot.domain.states import TicketProcessingSubState
from sre_bot.persistence.projection import Projection
from sre_bot.persistence.record import Locked, Place
from sre_bot.persistence.transitions import ROOT, Move, root_move, sub_state_move


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a workflow stands at a version of its record."""

    projection: Projection
    version: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What a checkpoint enters into the record: a step, a completed sub-state, both or nothing.

    Where ``limit`` says how long from now the new deadline is, ``after`` and ``patch`` still lack it: the clock is the
    database's.
    """

    before: Standing
    after: Projection
    move: Move | None = None
    patch: Json = field(default_factory=Json)
    limit: timedelta | None = None
    completed: TicketProcessingSubState | None = None


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


def continues(parent: str | None, source: str) -> bool:
    """Whether a checkpoint may follow what is there whatever that is, as long as its parent is the head."""
    return source == "loop" or (source == "input" and parent is None)


def entry(standing: Standing, checkpoint_ns: str, checkpoint: Checkpoint, source: str) -> Entry:
    """What a checkpoint in a namespace enters into the record. Raises ``IllegalTransition``."""
    before = standing.projection
    if source != "loop":
        return Entry(standing, before)
    move, completed = _meaning(before, checkpoint_ns, checkpoint)
    if move is None:
        return Entry(standing, before, completed=completed)
    after = _after(before, move, checkpoint)
    # The patch of a workflow's first version is taken against nothing, so that the log needs no other source.
    patch = after.as_json() if standing.version == 1 else before.patch_to(after)
    return Entry(standing, after, move, patch, time_limit(before.position, move.position), completed)


def snapshot(standing: Standing, place: Place, checkpoint: Checkpoint) -> Json:
    """What a restore point keeps."""
    return {
        "position": str(standing.projection.position),
        "version": standing.version,
        "context": standing.projection.context,
        "checkpoint_ns": place.checkpoint_ns,
        "checkpoint_id": place.checkpoint_id,
        "channels": _channels(checkpoint),
    }


def sub_state_of(checkpoint_ns: str) -> TicketProcessingSubState | None:
    """The sub-state whose graph writes into a namespace; None for the root and for graphs deeper inside."""
    return None if "|" in checkpoint_ns else _SUB_STATES.get(checkpoint_ns.partition(":")[0])


def source_of(metadata: CheckpointMetadata) -> str:
    """How a checkpoint came about: ``input``, ``loop``, ``update`` or ``fork``."""
    return metadata.get("source", "")


_SUB_STATES = {sub.value: sub for sub in TicketProcessingSubState}


def _meaning(
    standing: Projection, checkpoint_ns: str, checkpoint: Checkpoint
) -> tuple[Move | None, TicketProcessingSubState | None]:
    """The step of a checkpoint, and the sub-state that it completes."""
    if checkpoint_ns == ROOT:
        return root_move(standing, checkpoint), None
    sub = sub_state_of(checkpoint_ns)
    if sub is None:
        return None, None
    return sub_state_move(standing, sub, checkpoint), None if _goes_on(checkpoint) else sub


def _goes_on(checkpoint: Checkpoint) -> bool:
    return any(name.startswith(("branch:to:", "join:")) for name in checkpoint.get("updated_channels") or ())


def _after(before: Projection, move: Move, checkpoint: Checkpoint) -> Projection:
    context = checkpoint["channel_values"].get("context") or {}
    if not isinstance(context, dict):
        raise IllegalTransition(f"the channel 'context' must hold an object, not {type(context).__name__}")
    moved = replace(
        before,
        position=move.position,
        active=tuple(sorted(move.active)),
        resume=(),
        retry_count=0,
        timeout_at=before.timeout_at if move.position.detailed else None,
        outcome=move.outcome,
    )
    return moved.with_context(context)


def _channels(checkpoint: Checkpoint) -> Json:
    inner = ("branch:", "join:", "__")
    return {name: value for name, value in checkpoint["channel_values"].items() if not name.startswith(inner)}

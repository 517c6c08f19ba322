"""Going back to a named restore point: the newest state is a copy of an old one, and the log says who wanted that.

Nothing is taken out of the log or of the checkpoints. A checkpoint of the root is forked, the heads move to the fork,
and one more version is written, whose rows are triggered by ``rewound``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from langgraph.checkpoint.base.id import uuid6
from psycopg.types.json import Jsonb

from sre_bot.domain.deadlines import deadline
from sre_bot.domain.errors import BadInput, LeaseHeld, RewindRefused, WorkflowEnded
from sre_bot.domain.merge_patch import Json, without_nulls
from sre_bot.domain.states import IDLE, RESTORABLE, DetailedState, Edge, Position, rewinding
from sre_bot.persistence import locks, record
from sre_bot.persistence.compression import CompactSerializer
from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.operator import ask, cancellation
from sre_bot.persistence.projection import Projection
from sre_bot.persistence.record import Locked, Place
from sre_bot.persistence.statements import sql
from sre_bot.persistence.transitions import ROOT
from sre_bot.persistence.versions import next_version

Carry = Callable[[DetailedState, Json, Json, tuple[Row, ...]], Json]
"""From the state to return to, the channels there, the context now and the effects so far: the channels to change."""


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """The end of a sub-state; ``root_checkpoint`` is what the graph went on from, None where it did not, or is gone."""

    name: str
    version: int
    reached_at: datetime
    position: Position
    context: Json
    channels: Json
    root_checkpoint: str | None

    @property
    def usable(self) -> bool:
        """Whether a workflow can go on from here."""
        return self.root_checkpoint is not None and self.position.detailed in RESTORABLE


@dataclass(frozen=True, slots=True)
class Rewound:
    """What a rewind did: ``version`` is the one it wrote, ``round`` the one in which effects are done from now on."""

    point: RestorePoint
    left: Position
    version: int
    round: int
    woken: tuple[str, ...]


class Rewinds:
    """The restore points of workflows, and the way back to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def points(self, workflow_id: str) -> tuple[RestorePoint, ...]:
        """Every restore point of a workflow, oldest first. Raises ``WorkflowNotFound``."""

        async def read(connection: Connection) -> tuple[RestorePoint, ...]:
            await record.lock(connection, workflow_id)
            return await _points(connection, workflow_id)

        return await self._database.attempt(read)

    async def rewind(self, workflow_id: str, name: str, *, why: str, asked_by: str, carry: Carry) -> Rewound:
        """Let a workflow go on from a restore point; it is due at once and keeps no lock.

        ``name`` is that of a point, the newest of several, or ``NAME@VERSION``. What has been done outside stays done:
        ``carry`` says what of it the old state must know. Raises ``LeaseHeld`` while somebody runs it,
        ``WorkflowEnded``, ``RewindRefused``, ``BadInput`` and whatever ``carry`` raises; nothing is changed then.
        """
        async with self._database.transaction() as connection:
            locked = await record.lock(connection, workflow_id)
            await _check_may_move(connection, locked)
            point = _chosen(await _points(connection, workflow_id), name, workflow_id)
            effects = await _rows(connection, "effects.of_workflow", {"workflow_id": workflow_id})
            done = await _restore(connection, locked, point, _Wish(why, asked_by, carry, tuple(effects)))
            await ask(connection, "rewind", asked_by, why=f"to {point.name}@{point.version}: {why}".rstrip(": "),
                      workflow_id=workflow_id)  # fmt: skip
            await connection.execute(sql("operator.due_now"), {"workflow_id": workflow_id})
            return done


@dataclass(frozen=True, slots=True)
class _Wish:
    why: str
    asked_by: str
    carry: Carry
    effects: tuple[Row, ...]


async def _check_may_move(connection: Connection, locked: Locked) -> None:
    workflow_id, outcome = locked.workflow_id, locked.standing.outcome
    if outcome is not None:
        raise WorkflowEnded(
            f"workflow {workflow_id} has ended ({outcome}) and kept only its last checkpoint; `sre-bot run TICKET` "
            "begins a new workflow that is linked with it"
        )
    if locked.driver != "graph":
        raise BadInput(f"workflow {workflow_id} is driven by another program; only that can move it")
    if locked.runner != "worker":
        raise BadInput(f"workflow {workflow_id} is run by LangGraph Server, which keeps a state of its own beside ours")
    if locked.alive:
        raise LeaseHeld(
            f"workflow {workflow_id} is being run by {locked.owner!r}; `sre-bot pause` lets it stop before its next "
            "effect, then rewind it"
        )
    if await cancellation(connection, workflow_id) is not None:
        raise RewindRefused(f"workflow {workflow_id} is to be cancelled; the next worker ends it")


def _chosen(points: tuple[RestorePoint, ...], name: str, workflow_id: str) -> RestorePoint:
    for point in reversed(points):
        if name not in (point.name, f"{point.name}@{point.version}"):
            continue
        if point.position.detailed not in RESTORABLE:
            raise RewindRefused(f"{point.name} of workflow {workflow_id} leads to no other sub-state; choose another")
        if point.root_checkpoint is None:
            raise RewindRefused(f"workflow {workflow_id} has not gone on from {point.name}; there is nothing to undo")
        return point
    known = ", ".join(f"{point.name}@{point.version}" for point in points) or "none yet"
    raise BadInput(f"workflow {workflow_id} has no restore point {name!r}; it has: {known}")


async def _restore(connection: Connection, locked: Locked, point: RestorePoint, wish: _Wish) -> Rewound:
    assert point.position.detailed is not None
    changes = wish.carry(point.position.detailed, point.channels, locked.standing.context, wish.effects)
    round = 1 + max(point.channels.get("round") or 0, *(effect["round"] for effect in wish.effects), 0)
    fork = Place(ROOT, _id_after(locked.head or ""))
    await _fork(connection, locked, point, fork, changes, round)
    note = {
        "to": f"{point.name}@{point.version}",
        "checkpoint_id": point.root_checkpoint,
        "round": round,
        "why": wish.why,
        "asked_by": wish.asked_by,
    }
    after = _restored(locked, point, {**point.channels, **changes})
    await record.append(connection, locked, _edges(locked, point), after, place=fork, notes={"rewound": note})
    return Rewound(point, locked.standing.position, locked.version + 1, round, await _let_go(connection, locked, fork))


async def _fork(
    connection: Connection, locked: Locked, point: RestorePoint, fork: Place, changes: Json, round: int
) -> None:
    """Copy the checkpoint as it is saved, without reading its values, and give new ones to some channels."""
    names = {"thread_id": locked.workflow_id, "root_checkpoint": point.root_checkpoint, "head": locked.head}
    [found] = await _rows(connection, "rewinds.versions", names)
    version, serializer = next_version(found["newest"]), CompactSerializer()
    for channel, value in changes.items():
        kind, blob = serializer.dumps_typed(value)
        names_of_blob = {**names, "channel": channel, "version": version, "type": kind, "blob": blob}
        await connection.execute(sql("rewinds.channel"), names_of_blob)
    copied = {
        **names,
        "fork": fork.checkpoint_id,
        "now": locked.now.isoformat(),
        "round": round,
        "changed": list(changes),
        "versions": Jsonb(dict.fromkeys([*changes, "round"], version)),
        "step": found["step"] + 1,
    }
    await connection.execute(sql("rewinds.fork"), copied)


async def _let_go(connection: Connection, locked: Locked, fork: Place) -> tuple[str, ...]:
    """Move the head, drop what stood pending, fence off earlier runners, free what is held; returns who was woken."""
    names = {
        "workflow_id": locked.workflow_id,
        "thread_id": locked.workflow_id,
        "checkpoint_ns": fork.checkpoint_ns,
        "checkpoint_id": fork.checkpoint_id,
    }
    for name in ("record.move_head", "rewinds.drop_writes", "rewinds.fence_off", "record.forget_wakes"):
        await connection.execute(sql(name), names)
    return await locks.leave(connection, locked.workflow_id)


def _edges(locked: Locked, point: RestorePoint) -> tuple[Edge, ...]:
    position = locked.standing.position
    states = locked.standing.active if len(locked.standing.active) > 1 else (position.detailed,)
    edges = [rewinding(Position(position.main, position.sub, state), point.position) for state in states]
    if not all(edges):
        raise RewindRefused(f"workflow {locked.workflow_id} is at {position}, from where nothing leads back")
    return tuple(edge for edge in edges if edge)


def _restored(locked: Locked, point: RestorePoint, channels: Json) -> Projection:
    """Failures are forgotten, and the time that the sub-state may take begins anew."""
    active = (point.position.detailed,) if point.position.detailed else ()
    after = locked.standing.at(point.position, active, locked.now, retry_count=0, resume=(), escalated=False)
    context = {**point.context, **(channels.get("context") or {})}
    timeout = deadline(IDLE, point.position, None, locked.now)
    return replace(after, timeout_at=timeout, context=without_nulls(context))


def _id_after(newest: str) -> str:
    """An id that sorts behind another one, also where that was made by a machine whose clock is ahead of ours."""
    made = str(uuid6())
    return made if made > newest else str(UUID(int=UUID(newest).int + 1))


async def _points(connection: Connection, workflow_id: str) -> tuple[RestorePoint, ...]:
    found = await _rows(connection, "rewinds.points", {"workflow_id": workflow_id})
    return tuple(_point(row) for row in found)


def _point(row: Row) -> RestorePoint:
    return RestorePoint(
        name=row["name"],
        version=row["version"],
        reached_at=row["reached_at"],
        position=Position.parse(row["position"]),
        context=row["context"],
        channels=row["channels"],
        root_checkpoint=row["root_checkpoint"],
    )


async def _rows(connection: Connection, name: str, names: Row) -> list[Row]:
    cursor = await connection.execute(sql(name), names)
    return await cursor.fetchall()

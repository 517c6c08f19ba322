"""The one way to change a workflow: lock its row, check who asks, append to the log, project.

Everything here runs inside the caller's transaction. What the caller writes besides (a checkpoint, an error) is
committed with it or not at all.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from sre_bot.domain.errors import LeaseLost, StaleWriter, WorkflowNotFound
from sre_bot.domain.merge_patch import Json, difference
from sre_bot.domain.states import Edge
from sre_bot.domain.workflow import Driver, Runner
from sre_bot.persistence.database import Connection, Row
from sre_bot.persistence.projection import Projection
from sre_bot.persistence.statements import sql


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run one workflow: ``fence`` grows with every claim, so a writer that was replaced is known."""

    workflow_id: str
    owner: str
    fence: int


@dataclass(frozen=True, slots=True)
class Locked:
    """A workflow's row under lock, its lease, and the head of one namespace; ``now`` is the database's clock."""

    workflow_id: str
    standing: Projection
    version: int
    chain_hash: bytes
    driver: Driver
    runner: Runner
    priority: int
    now: datetime
    owner: str | None
    fence: int
    alive: bool
    head: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """The checkpoint that a row of the log belongs to."""

    checkpoint_ns: str
    checkpoint_id: str


def workflow_id_of(text: str) -> str | None:
    """The text if it is a workflow's id in its one canonical form, else None."""
    try:
        return text if str(UUID(text)) == text else None
    except ValueError:
        return None


async def lock(connection: Connection, workflow_id: str, checkpoint_ns: str = "") -> Locked:
    """Lock a workflow until the end of the transaction. Raises ``WorkflowNotFound``."""
    if workflow_id_of(workflow_id) is None:
        raise WorkflowNotFound(f"{workflow_id!r} is not the id of a workflow")
    found = await lock_if_registered(connection, workflow_id, checkpoint_ns)
    if found is None:
        raise WorkflowNotFound(f"no workflow has the id {workflow_id!r}")
    return found


async def lock_if_registered(connection: Connection, workflow_id: str, checkpoint_ns: str = "") -> Locked | None:
    """The same for an id that may belong to somebody else's thread: None when there is no such workflow.

    Two statements, because the second must see what was committed while the first waited for the lock.
    """
    names = {"workflow_id": workflow_id, "checkpoint_ns": checkpoint_ns}
    row = await _one(connection, "record.lock", names)
    if row is None:
        return None
    guards = await _one(connection, "record.guards", names)
    assert guards is not None
    return Locked(
        workflow_id=workflow_id,
        standing=Projection.of_row(row),
        version=row["version"],
        chain_hash=row["chain_hash"],
        driver=row["driver"],
        runner=row["runner"],
        priority=row["priority"],
        now=guards["now"],
        owner=guards["owner"],
        fence=guards["fence"] or 0,
        alive=guards["alive"],
        head=guards["head"],
    )


async def lock_claimed(connection: Connection, claim: Claim) -> Locked:
    """Lock the workflow of a claim that still holds. Raises ``StaleWriter`` or ``LeaseLost`` when it does not."""
    locked = await lock(connection, claim.workflow_id)
    check_fence(locked, claim.fence)
    return locked


def check_fence(locked: Locked, fence: int) -> None:
    """Raise ``StaleWriter`` when a newer claim was made, ``LeaseLost`` when this one ran out or was given back."""
    if fence != locked.fence:
        raise StaleWriter(f"workflow {locked.workflow_id}: fence {fence} was replaced by fence {locked.fence}")
    if not locked.alive:
        raise LeaseLost(f"workflow {locked.workflow_id}: the lease with fence {fence} is over; claim it again")


async def append(
    connection: Connection,
    locked: Locked,
    edges: tuple[Edge, ...],
    after: Projection,
    *,
    place: Place | None = None,
    notes: Json | None = None,
) -> None:
    """Write one version: a row for each edge, the projection, the notification. The first row carries the patch.

    The patch of a workflow's first version is taken against nothing, so that the log needs no other source.
    """
    before = {} if locked.version == 1 else locked.standing.as_json()
    patch = difference(before, after.as_json())
    version, chain = locked.version + 1, locked.chain_hash
    for ordinal, edge in enumerate(edges):
        metadata = {**(notes or {}), "patch": patch} if ordinal == 0 else {}
        row = _row(locked, edge, version, ordinal, place, metadata, chain)
        sealed = await _one(connection, "record.append", row)
        assert sealed is not None
        chain = sealed["hash"]
    await _project(connection, locked, after, version, chain)


def _row(
    locked: Locked, edge: Edge, version: int, ordinal: int, place: Place | None, metadata: Json, previous: bytes
) -> Row:
    return {
        "workflow_id": locked.workflow_id,
        "version": version,
        "ordinal": ordinal,
        "from_state": str(edge.source),
        "to_state": str(edge.target),
        "timestamp": locked.now,
        "trigger_event": str(edge.trigger),
        "agent_id": edge.agent,
        "metadata": Jsonb(metadata),
        "checkpoint_ns": place.checkpoint_ns if place else None,
        "checkpoint_id": place.checkpoint_id if place else None,
        "previous_hash": previous,
    }


async def _project(connection: Connection, locked: Locked, after: Projection, version: int, chain: bytes) -> None:
    columns = {**after.columns(), "context": Jsonb(after.context)}
    stamps = {"workflow_id": locked.workflow_id, "version": version, "chain_hash": chain, "now": locked.now}
    await connection.execute(sql("record.project"), {**columns, **stamps})


async def _one(connection: Connection, name: str, parameters: Row) -> Row | None:
    cursor = await connection.execute(sql(name), parameters)
    return await cursor.fetchone()

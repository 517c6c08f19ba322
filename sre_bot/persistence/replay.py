"""The proof of the record: the log replayed from its first row must give what is projected, and its chain must hold."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from sre_bot.domain.errors import WorkflowNotFound
from sre_bot.domain.merge_patch import Json, merged
from sre_bot.domain.states import IDLE, DetailedState, Edge, Position, edges_between, rewinding
from sre_bot.persistence import record
from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.projection import Projection, position_of
from sre_bot.persistence.statements import sql

SNAPSHOT = "set transaction isolation level repeatable read, read only"
"""Makes a transaction see one moment of the database, and change nothing."""


async def verify(database: Database, workflow_id: str) -> tuple[str, ...]:
    """Every disagreement within the record of one workflow, as sentences; empty when it is sound.

    Reads one snapshot and changes nothing. Raises ``WorkflowNotFound``.
    """

    async def read(connection: Connection) -> tuple[str, ...]:
        row, log = await row_and_log(connection, workflow_id)
        names = {"workflow_id": workflow_id, "thread_id": workflow_id}
        return (
            *_chain_problems(row, log),
            *_version_problems(row, log),
            *_legible(_law_problems(row, log)),
            *_legible(_projection_problems(row, log)),
            *[problem["problem"] for problem in await _rows(connection, "replay.checkpoint_problems", names)],
        )

    return await database.attempt(read)


async def row_and_log(connection: Connection, workflow_id: str) -> tuple[Row, list[Row]]:
    """A workflow's row and the rows of its log, from one snapshot. Raises ``WorkflowNotFound``.

    The first statements of their transaction, which can only read from then on.
    """
    await connection.execute(SNAPSHOT)
    row = await _workflow(connection, workflow_id)
    return row, await _rows(connection, "replay.log", {"workflow_id": workflow_id})


def replayed(log: Iterable[Row]) -> Json:
    """The projection that rows of a log lead to, as plain JSON without nulls; empty before the first row."""
    state: Json = {}
    for step in log:
        state = merged(state, _patch(step))
    return state


async def _workflow(connection: Connection, workflow_id: str) -> Row:
    if record.workflow_id_of(workflow_id) is not None:
        for row in await _rows(connection, "replay.workflow", {"workflow_id": workflow_id}):
            return row
    raise WorkflowNotFound(f"no workflow has the id {workflow_id!r}")


async def _rows(connection: Connection, name: str, parameters: Row) -> list[Row]:
    cursor = await connection.execute(sql(name), parameters)
    return await cursor.fetchall()


def _legible(problems: Iterator[str]) -> Iterator[str]:
    """The problems, and that the rest cannot be looked at: a log that was tampered with may say anything."""
    try:
        yield from problems
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        yield f"the log cannot be read to its end: {type(error).__name__}: {error}"


def _chain_problems(row: Row, log: list[Row]) -> Iterator[str]:
    chain = b""
    for step in log:
        if step["previous_hash"] != chain:
            yield f"{_name(step)} does not follow the row before it"
        if step["hash"] != step["computed"]:
            yield f"{_name(step)} was changed: its hash does not match what it says"
        chain = step["hash"]
    if chain != row["chain_hash"]:
        yield "the end of the log was cut off or replaced: its last hash is not the one that was kept"


def _version_problems(row: Row, log: list[Row]) -> Iterator[str]:
    expected = 1
    for version, group in groupby(log, key=lambda step: step["version"]):
        ordinals = [step["ordinal"] for step in group]
        if version != expected + 1:
            yield f"version {version} follows version {expected}"
        if ordinals != list(range(len(ordinals))):
            yield f"version {version} has the rows {ordinals}"
        expected = version
    if expected != row["version"]:
        yield f"the log ends at version {expected}, the workflow is at version {row['version']}"


def _law_problems(row: Row, log: list[Row]) -> Iterator[str]:
    standing: Json = {}
    visited: set[Position] = set()
    for _, group in groupby(log, key=lambda step: step["version"]):
        reachable = _positions(standing)
        for step in group:
            edge = _edge(step)
            if edge.source not in reachable:
                yield f"{_name(step)} leaves {edge.source}, where the workflow was not"
            if edge.trigger == "rewound" and edge.target not in visited:
                yield f"{_name(step)} goes back to {edge.target}, where the workflow never was"
            if not _legal(edge, row["driver"]):
                yield f"{_name(step)} is not in the law: {edge.source} -> {edge.target} by {edge.trigger!r}"
            reachable, visited = reachable | {edge.target}, visited | {edge.target}
            standing = merged(standing, _patch(step))


def _projection_problems(row: Row, log: list[Row]) -> Iterator[str]:
    if not log:
        if position_of(row) != IDLE:
            yield f"the workflow is at {position_of(row)}, but its log is empty"
        return
    logged = replayed(log)
    projected = Projection.of_row(row).as_json()
    for column in sorted(logged.keys() | projected.keys()):
        if logged.get(column) != projected.get(column):
            yield f"{column} is {projected.get(column)!r}, the log says {logged.get(column)!r}"
    if row["entered_at"] != log[-1]["timestamp"]:
        yield f"entered_at is {row['entered_at']}, the log says {log[-1]['timestamp']}"


def _patch(step: Row) -> Json:
    return step["metadata"].get("patch", {})


def _positions(standing: Json) -> set[Position]:
    """Every position that a workflow can be said to leave: that of the projection, and those of parallel states."""
    if not standing:
        return {IDLE}
    row: dict[str, Any] = {"sub_state": None, "detailed_state": None, **standing}
    position = position_of(row)
    active = (DetailedState(state) for state in standing["active_states"])
    return {position, *(Position(position.main, position.sub, state) for state in active)}


def _edge(step: Row) -> Edge:
    source, target = Position.parse(step["from_state"]), Position.parse(step["to_state"])
    return Edge(source, target, step["trigger_event"], step["agent_id"])


def _legal(edge: Edge, driver: str) -> bool:
    """Programs outside of our graph name their own triggers, but end with an outcome like everybody."""
    if edge == rewinding(edge.source, edge.target):
        return driver == "graph"
    edges = edges_between(edge.source, edge.target)
    free = driver == "external" and edge.target != IDLE
    return bool(edges) if free else edge.trigger in {str(known.trigger) for known in edges}


def _name(step: Row) -> str:
    return f"transition {step['version']}.{step['ordinal']}"

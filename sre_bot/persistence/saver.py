"""The checkpointer that keeps the record: a checkpoint, its transitions and the projection are one transaction.

A thread is a workflow when ``workflow_states`` has a row of its id. For such a thread every write is fenced and must
continue the newest checkpoint of its namespace; in the root and the five sub-states it must take a step of the law. All
other threads behave as in the stock saver.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT
from psycopg import AsyncCursor
from psycopg.rows import DictRow, dict_row

from sre_bot.domain.errors import BadInput, GraphOwned, LeaseLost, NoTicket
from sre_bot.persistence import audit, endings, leases, record
from sre_bot.persistence.database import Connection, Database
from sre_bot.persistence.migrations import migrate
from sre_bot.persistence.opening import Opening, insert_workflow
from sre_bot.persistence.record import Claim, Locked, Place
from sre_bot.persistence.run_config import fence_of, namespace_of, run_id_of, saved_as, thread_of
from sre_bot.persistence.statements import sql
from sre_bot.persistence.transitions import ENTRY, ROOT, scheduled

RUN_TTL = timedelta(minutes=2)


class AuditedSaver(AsyncPostgresSaver):
    """A checkpointer over a ``Database``; one may serve any number of concurrent runs.

    A run of our own worker names its lease in ``configurable.fence``. A run that brings none, but has a run id
    (LangGraph Server), takes a lease in the name of that id and renews it for ``run_ttl`` by every write; a workflow
    that such a run begins is recorded under ``graph_version``. Values are read back strictly: only JSON-plain ones and
    LangGraph's own types.
    """

    def __init__(self, database: Database, *, run_ttl: timedelta = RUN_TTL, graph_version: str = "") -> None:
        super().__init__(cast(Any, database.pool), serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self.database = database
        self._runs = leases.RunLeases(run_ttl)
        self._graph_version = graph_version

    async def setup(self) -> None:
        """Bring the whole schema up to date, checkpoint tables included; safe to run twice at once."""
        await migrate(self.database.url)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Read a checkpoint. The first read of a run without a fence takes its lease. Raises ``LeaseHeld``."""

        async def read(connection: Connection) -> tuple[CheckpointTuple | None, Claim | None]:
            enters = fence_of(config) is None and run_id_of(config) and not get_checkpoint_id(config)
            held = await self._enter(connection, config) if enters else None
            return await self._stock(connection).aget_tuple(config), held

        found, held = await self.database.attempt(read)
        self._remember(held)
        return found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint and, in the same transaction, what it means for its workflow.

        Raises ``StaleWriter``, ``LeaseLost`` or ``LeaseHeld`` when another runner took over, ``IllegalTransition`` when
        the law does not know the step, ``GraphOwned`` when the log would be by-passed, ``NoTicket`` when a run of the
        bot's graph has no ticket. Nothing is saved then. A checkpoint that is the head already was saved by an earlier
        try whose answer was lost, and is not saved again.
        """

        async def write(connection: Connection) -> tuple[RunnableConfig, Claim | None]:
            place = Place(namespace_of(config), checkpoint["id"])
            locked = await self._workflow(connection, config, checkpoint)
            if locked is None:
                return await self._stock(connection).aput(config, checkpoint, metadata, new_versions), None
            if locked.head == checkpoint["id"]:
                return saved_as(config, place), None
            held = await self._authorise(connection, locked, config)
            source = audit.source_of(metadata)
            audit.check_continues(locked, place, get_checkpoint_id(config), source)
            move = await audit.follow(connection, locked, place, checkpoint, source)
            saved = await self._stock(connection).aput(config, checkpoint, metadata, new_versions)
            if move is not None and move.outcome is not None:
                await endings.wrap_up(connection, locked.workflow_id, place.checkpoint_id)
                await self._leave(connection, held)
            return saved, held

        saved, held = await self.database.attempt(write)
        self._remember(held)
        return saved

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a node wrote before its step is complete. Raises like ``aput``.

        Only the fence is checked, not the head: LangGraph may commit the following checkpoint first. What arrives after
        the end belongs to a checkpoint that is pruned, and is dropped.
        """

        async def write(connection: Connection) -> Claim | None:
            thread_id = thread_of(config)
            locked = await self._registered(connection, thread_id, namespace_of(config))
            held = None
            if locked is not None:
                if locked.standing.outcome is not None:
                    return None
                held = await self._authorise(connection, locked, config)
            await self._stock(connection).aput_writes(config, writes, task_id, task_path)
            if namespace_of(config) == ROOT and any(channel in (INTERRUPT, ERROR) for channel, _ in writes):
                await self._leave(connection, held)
            return held

        self._remember(await self.database.attempt(write))

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete a thread's checkpoints; of a workflow only once it has ended. The log stays. Raises ``GraphOwned``."""

        async def delete(connection: Connection) -> None:
            await self._refuse_live(connection, thread_id)
            await self._stock(connection).adelete_thread(thread_id)
            await connection.execute(sql("checkpoints.drop_lost_heads"), {"thread_ids": [str(thread_id)]})

        await self.database.attempt(delete)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Prune as the stock saver does; workflows prune themselves at the end. Raises ``GraphOwned`` on live ones."""
        async with self.database.transaction() as connection:
            for thread_id in thread_ids:
                await self._refuse_live(connection, str(thread_id))
        await super().aprune(thread_ids, strategy=strategy)
        async with self.database.transaction() as connection:
            names = {"thread_ids": [str(thread_id) for thread_id in thread_ids]}
            await connection.execute(sql("checkpoints.drop_lost_heads"), names)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread with its history. A workflow has no copies: raises ``GraphOwned``."""

        async def copy(connection: Connection) -> None:
            for thread_id in (source_thread_id, target_thread_id):
                if await self._registered(connection, thread_id, ROOT) is not None:
                    raise GraphOwned(f"workflow {thread_id} cannot be copied; open a new one for its ticket")
            names = {"source": source_thread_id, "target": target_thread_id}
            for name in ("copy_checkpoints", "copy_blobs", "copy_writes"):
                await connection.execute(sql(f"checkpoints.{name}"), names)

        await self.database.attempt(copy)

    async def adelete_for_runs(self, run_ids: Iterable[str]) -> None:
        """Delete what some runs saved. Raises ``GraphOwned`` when a live workflow needs it."""
        names = {"run_ids": [str(run_id) for run_id in run_ids]}

        async def delete(connection: Connection) -> None:
            cursor = await connection.execute(sql("checkpoints.threads_of_runs"), names)
            threads = [row["thread_id"] for row in await cursor.fetchall()]
            for thread_id in threads:
                await self._refuse_live(connection, thread_id)
            for name in ("drop_writes_of_runs", "drop_checkpoints_of_runs"):
                await connection.execute(sql(f"checkpoints.{name}"), names)
            for thread_id in threads:
                await connection.execute(sql("checkpoints.drop_unused_blobs"), {"thread_id": thread_id})
            await connection.execute(sql("checkpoints.drop_lost_heads"), {"thread_ids": threads})

        await self.database.attempt(delete)

    async def _enter(self, connection: Connection, config: RunnableConfig) -> Claim | None:
        locked = await self._registered(connection, thread_of(config), namespace_of(config))
        if locked is None or locked.standing.outcome is not None:
            return None
        return await self._authorise(connection, locked, config)

    async def _workflow(self, connection: Connection, config: RunnableConfig, checkpoint: Checkpoint) -> Locked | None:
        """The workflow that a checkpoint belongs to, registered now if the bot's graph starts on a new thread."""
        thread_id, namespace = thread_of(config), namespace_of(config)
        locked = await self._registered(connection, thread_id, namespace)
        if locked is not None or namespace != ROOT or ENTRY.value not in scheduled(checkpoint).nodes:
            return locked
        await self._register(connection, config, checkpoint)
        return await record.lock(connection, thread_id, namespace)

    async def _registered(self, connection: Connection, thread_id: str, namespace: str) -> Locked | None:
        if record.workflow_id_of(thread_id) is None:
            return None
        return await record.lock_if_registered(connection, thread_id, namespace)

    async def _register(self, connection: Connection, config: RunnableConfig, checkpoint: Checkpoint) -> None:
        thread_id, values = thread_of(config), checkpoint["channel_values"]
        ticket_id = values.get("ticket_id")
        if not isinstance(ticket_id, str) or not ticket_id:
            raise NoTicket("this graph works on a ticket: give it an input with 'ticket_id'")
        if record.workflow_id_of(thread_id) is None:
            raise BadInput(f"the thread's id is the workflow's and must be a lower-case UUID, not {thread_id!r}")
        opening = Opening(ticket_id, values.get("context") or {}, runner="server", graph_version=self._graph_version)
        await insert_workflow(connection, opening, thread_id)
        parent = get_checkpoint_id(config)
        if parent is not None:
            head = {"workflow_id": thread_id, "checkpoint_ns": ROOT, "checkpoint_id": parent}
            await connection.execute(sql("record.move_head"), head)

    async def _authorise(self, connection: Connection, locked: Locked, config: RunnableConfig) -> Claim | None:
        """Check the fence that the run brings; without one hold the lease in its name, which is returned."""
        fence, run_id = fence_of(config), run_id_of(config)
        if fence is not None:
            record.check_fence(locked, fence)
            return None
        if run_id is None:
            raise LeaseLost(
                f"workflow {locked.workflow_id}: this run holds no lease; claim one and pass configurable.fence"
            )
        return await self._runs.enter(connection, locked, run_id)

    async def _leave(self, connection: Connection, held: Claim | None) -> None:
        if held is not None:
            await leases.free(connection, held)

    def _remember(self, held: Claim | None) -> None:
        if held is not None:
            self._runs.remember(held)

    async def _refuse_live(self, connection: Connection, thread_id: str) -> None:
        locked = await self._registered(connection, thread_id, ROOT)
        if locked is not None and locked.standing.outcome is None:
            raise GraphOwned(f"workflow {thread_id} is live and needs its checkpoints; cancel it first")

    def _stock(self, connection: Connection) -> AsyncPostgresSaver:
        """The stock saver on one connection: it writes into the transaction that is open there."""
        return AsyncPostgresSaver(connection, serde=self.serde)

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncGenerator[AsyncCursor[DictRow]]:
        """A cursor on a connection of its own: the stock saver has one lock for all runs, a pool needs none.

        What the stock saver sends as a pipeline belongs together, so here it is a transaction.
        """
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(self.database.pool.connection())
            if pipeline:
                await stack.enter_async_context(connection.transaction())
            yield await stack.enter_async_context(connection.cursor(binary=True, row_factory=dict_row))

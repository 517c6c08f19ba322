"""The checkpointer that keeps the record: a checkpoint, its transitions and the projection are one transaction.

A thread is a workflow when ``workflow_states`` has a row of its id. For such a thread every write is fenced and must
continue the newest checkpoint of its namespace; in the root and the five sub-states it must take a step of the law. All
other threads behave as in the stock saver.

A checkpoint is one call of the database, in a transaction that only checkpoints of other workflows may share (see
``convoys``): the database compares what this saver remembers of the workflow with what is there. Where they differ, the
same is done again under the row's lock, and what is wrong gets its name.
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
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT
from psycopg import AsyncCursor
from psycopg.rows import DictRow, dict_row

from sre_bot.domain.errors import BadInput, GraphOwned, IllegalTransition, LeaseLost, NoTicket
from sre_bot.persistence import audit, leases, locks, record
from sre_bot.persistence.audit import Entry, Standing
from sre_bot.persistence.compression import CompactSerializer
from sre_bot.persistence.convoys import Saved, carry
from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.draft import Draft, moved, write_rows
from sre_bot.persistence.migrations import migrate
from sre_bot.persistence.opening import Opening, insert_workflow
from sre_bot.persistence.projection import Projection
from sre_bot.persistence.recall import Recall
from sre_bot.persistence.record import Claim, Locked
from sre_bot.persistence.run_config import fence_of, namespace_of, run_id_of, saved_as, thread_of
from sre_bot.persistence.statements import sql
from sre_bot.persistence.transitions import ENTRY, ROOT, scheduled
from sre_bot.persistence.versions import next_version

RUN_TTL = timedelta(minutes=2)
NO_TASK = "00000000-0000-0000-0000-000000000000"
"""The task in whose name LangGraph saves what a caller gives to a run."""


class AuditedSaver(AsyncPostgresSaver):
    """A checkpointer over a ``Database``; one may serve any number of concurrent runs.

    A run of our own worker names its lease in ``configurable.fence``. A run that brings none, but has a run id
    (LangGraph Server), takes a lease in the name of that id and renews it for ``run_ttl`` by every write; a workflow
    that such a run begins is recorded under ``graph_version``. Values are read back strictly: only JSON-plain ones and
    LangGraph's own types.
    """

    def __init__(self, database: Database, *, run_ttl: timedelta = RUN_TTL, graph_version: str = "") -> None:
        super().__init__(cast(Any, database.pool), serde=CompactSerializer())
        self.database = database
        self._runs = leases.RunLeases(run_ttl)
        self._recall = Recall()
        self._graph_version = graph_version

    async def setup(self) -> None:
        """Bring the whole schema up to date, checkpoint tables included; safe to run twice at once."""
        await migrate(self.database.url)

    def get_next_version(self, current: str | int | None, channel: None) -> str:
        """The version after ``current``; see ``versions``."""
        return next_version(current)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Read a checkpoint. The first read of a run without a fence takes its lease. Raises ``LeaseHeld``."""
        if fence_of(config) is not None:
            if namespace_of(config) == ROOT and await self._is_new(config):
                return None
        elif run_id_of(config) and not get_checkpoint_id(config):
            await self._enter(config)
        found = await self.database.read(lambda: super(AuditedSaver, self).aget_tuple(config))
        if found is not None:
            self._expect(Draft(config, found.checkpoint, found.metadata, {}))
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
        draft = Draft(config, checkpoint, metadata, new_versions)
        self._expect(draft)
        if not await self._save_at_once(draft):
            await self._save_under_lock(draft)
        return saved_as(config, draft.place)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a node wrote before its step is complete. Raises like ``aput``.

        Only the fence is checked, not the head: LangGraph may commit the following checkpoint first. What arrives after
        the end belongs to a checkpoint that is pruned, and is dropped. What the only task of a step wrote is in the
        checkpoint that follows: it is not written twice.
        """
        if self._is_held_by_the_next(config, writes, task_id):
            return
        if not await self._write_at_once(config, writes, task_id, task_path):
            await self._write_under_lock(config, writes, task_id, task_path)

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

    async def _save_at_once(self, draft: Draft) -> bool:
        """Save by one call; False when nothing was saved, because this saver may not know the whole story."""
        fence = fence_of(draft.config)
        if fence is None or not audit.continues(draft.parent, draft.source):
            return False
        if self._recall.standing(draft.thread_id) is None:
            await self._look(draft.thread_id)
        standing = self._recall.standing(draft.thread_id)
        if standing is None:
            return False
        try:
            entry = audit.entry(standing, draft.place.checkpoint_ns, draft.checkpoint, draft.source)
        except IllegalTransition:
            return False
        saved = await self.database.convoys.save(draft.call(entry, fence, self.serde))
        return self._recollect(draft, entry, saved)

    def _recollect(self, draft: Draft, entry: Entry, saved: Saved) -> bool:
        """Keep what a saved checkpoint left; False when it was not saved."""
        if saved.version is None:
            self._recall.forget(draft.thread_id)
            return saved.known
        self._recall.moved(draft.thread_id, moved(entry, saved, saved.version))
        if entry.move is not None:
            self.database.announcements.soon(draft.thread_id)
        return True

    async def _save_under_lock(self, draft: Draft) -> None:
        """The same under the lock of the row: what is wrong is raised; other threads are saved as they are."""

        async def write(connection: Connection) -> Claim | None:
            locked = await self._workflow(connection, draft)
            if locked is None:
                await self._stock(connection).aput(draft.config, draft.checkpoint, draft.metadata, draft.new_versions)
                return None
            if locked.head == draft.place.checkpoint_id:
                return None
            return await self._follow(connection, locked, draft)

        self._recall.forget(draft.thread_id)
        self._remember(await self.database.attempt(write))
        self.database.announcements.soon(draft.thread_id)

    async def _follow(self, connection: Connection, locked: Locked, draft: Draft) -> Claim | None:
        """Save the next checkpoint of a locked workflow."""
        held = await self._authorise(connection, locked, draft.config)
        audit.check_continues(locked, draft.place, draft.parent, draft.source)
        standing = Standing(locked.standing, locked.version)
        entry = audit.entry(standing, draft.place.checkpoint_ns, draft.checkpoint, draft.source)
        ends = entry.after.outcome is not None
        if ends:
            await locks.leave(connection, locked.workflow_id)
        fence = held.fence if held else locked.fence
        (saved,) = await carry(connection, [draft.call(entry, fence, self.serde)])
        if saved is None or saved.version is None:
            raise LeaseLost(
                f"workflow {locked.workflow_id}: the lease with fence {fence} ran out while it was written to"
            )
        if ends:
            await self._leave(connection, held)
        return held

    def _is_held_by_the_next(self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str) -> bool:
        if task_id == NO_TASK or any(channel.startswith("__") for channel, _ in writes):
            return False
        checkpoint_id = get_checkpoint_id(config)
        return checkpoint_id is not None and self._recall.runs_alone(
            thread_of(config), namespace_of(config), checkpoint_id
        )

    async def _write_at_once(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> bool:
        """Write by one statement; False when nothing was written because the fence is not the live one."""
        fence = fence_of(config)
        if fence is None or self._recall.standing(thread_of(config)) is None:
            return False
        place = {
            "thread_id": thread_of(config),
            "checkpoint_ns": namespace_of(config),
            "checkpoint_id": get_checkpoint_id(config),
        }
        task = {"task_id": task_id, "task_path": task_path, "fence": fence}
        answer = await self.database.ask(
            sql("checkpoints.save_writes"), {**place, **task, **write_rows(writes, self.serde)}
        )
        return answer is not None and answer["known"] and not answer["fenced"]

    async def _write_under_lock(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> None:
        async def write(connection: Connection) -> Claim | None:
            locked = await self._registered(connection, thread_of(config), namespace_of(config))
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

    async def _is_new(self, config: RunnableConfig) -> bool:
        """Whether a workflow has no checkpoint yet. Where it stands is remembered from now on."""
        row = await self._look(thread_of(config))
        return row is not None and row["head"] is None and get_checkpoint_id(config) is None

    async def _look(self, thread_id: str) -> Row | None:
        """Remember where a workflow stands. Its row, with the root's head; None for other threads."""
        self._recall.forget(thread_id)
        if record.workflow_id_of(thread_id) is None:
            return None
        row = await self.database.ask(sql("checkpoints.standing"), {"workflow_id": thread_id})
        if row is not None:
            self._recall.moved(thread_id, Standing(Projection.of_row(row), row["version"]))
        return row

    def _expect(self, draft: Draft) -> None:
        """Remember whether the newest checkpoint of an audited namespace lets one task run."""
        place = draft.place
        audited = place.checkpoint_ns == ROOT or audit.sub_state_of(place.checkpoint_ns) is not None
        alone = audited and draft.alone
        self._recall.scheduled(draft.thread_id, place.checkpoint_ns, place.checkpoint_id, alone=alone)

    async def _enter(self, config: RunnableConfig) -> None:
        """Take or renew the lease of a run that brings none."""

        async def enter(connection: Connection) -> Claim | None:
            locked = await self._registered(connection, thread_of(config), namespace_of(config))
            if locked is None or locked.standing.outcome is not None:
                return None
            return await self._authorise(connection, locked, config)

        self._remember(await self.database.attempt(enter))

    async def _workflow(self, connection: Connection, draft: Draft) -> Locked | None:
        """The workflow that a checkpoint belongs to, registered now if the bot's graph starts on a new thread."""
        thread_id, namespace = draft.thread_id, draft.place.checkpoint_ns
        locked = await self._registered(connection, thread_id, namespace)
        if locked is not None or namespace != ROOT or ENTRY.value not in scheduled(draft.checkpoint).nodes:
            return locked
        await self._register(connection, draft.config, draft.checkpoint)
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

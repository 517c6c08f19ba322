"""Who is compared: ours, LangGraph's own saver in its best case, and the same writes in bare SQL. See also ``durable``.

An arm runs one workflow at a time for each runner. What only we have (opening and claiming) is done before the clock
starts; ending and pruning is not left out.
"""

import hashlib
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Protocol
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from benchmarks.shapes import Case, Graph
from sre_bot.persistence.database import Database
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim, Workflows

TTL = timedelta(minutes=30)
Build = Callable[[BaseCheckpointSaver[Any]], Graph]


class Arm(Protocol):
    """Something that runs workflows."""

    async def prepare(self, count: int) -> None:
        """Make ready to run this many."""
        ...

    async def run(self, runner: int) -> None:
        """Run one workflow from its input to its end, as one of several runners."""
        ...


class Ours:
    """One saver over one pool; chain, trigger, fence and compare-and-set are on, as always."""

    def __init__(self, database: Database, build: Build, given: Case) -> None:
        self._workflows = Workflows(database)
        self._graph = build(AuditedSaver(database))
        self._given = given
        self._claims: list[Claim] = []

    async def prepare(self, count: int) -> None:
        """Open and claim the workflows."""
        self._claims = [await claimed(self._workflows) for _ in range(count)]

    async def run(self, runner: int) -> None:
        """Run the next one of them."""
        claim = self._claims.pop()
        await self._graph.ainvoke({**self._given, "ticket_id": "OPS-1"}, under(claim), durability="sync")


class Stock:
    """One ``AsyncPostgresSaver`` and one connection for each runner, as its documentation makes it."""

    def __init__(self, connections: list[AsyncConnection[DictRow]], build: Build, given: Case) -> None:
        self._graphs = [build(AsyncPostgresSaver(connection)) for connection in connections]
        self._given = given

    async def prepare(self, count: int) -> None:
        """Nothing to do."""

    async def run(self, runner: int) -> None:
        """Run a new thread."""
        config: RunnableConfig = {"configurable": {"thread_id": str(uuid4())}}
        await self._graphs[runner].ainvoke({**self._given, "ticket_id": "OPS-1"}, config, durability="sync")


class Bare:
    """A checkpoint, a row of a chained log and a row of state in one transaction a step; no graph, no saver."""

    def __init__(self, connections: list[AsyncConnection[DictRow]], steps: int) -> None:
        self._connections = connections
        self._steps = steps

    async def prepare(self, count: int) -> None:
        """Nothing to do: its tables are made with the database."""

    async def run(self, runner: int) -> None:
        """Write what one workflow writes."""
        connection, name, chain = self._connections[runner], str(uuid4()), b""
        await connection.execute("insert into bare_state values (%s, 0, '')", (name,))
        for step in range(self._steps):
            content = json.dumps({"step": step, "note": name, "seen": [str(n) for n in range(step)]})
            chain = hashlib.sha256(chain + content.encode()).digest()
            async with connection.transaction():
                await connection.execute("insert into bare_checkpoints values (%s, %s, %s)", (name, step, content))
                await connection.execute("insert into bare_log values (%s, %s, %s, %s)", (name, step, content, chain))
                await connection.execute(
                    "update bare_state set version = %s, chain = %s where id = %s", (step, chain.hex(), name)
                )

    @staticmethod
    async def lay_out(connection: AsyncConnection[Any]) -> None:
        """Make its tables."""
        await connection.execute("create table bare_state (id text primary key, version int, chain text)")
        await connection.execute(
            "create table bare_checkpoints (id text, step int, content jsonb, primary key (id, step))"
        )
        await connection.execute(
            "create table bare_log (id text, step int, content jsonb, hash bytea, primary key (id, step))"
        )


async def claimed(workflows: Workflows) -> Claim:
    """A new workflow and the right to run it."""
    state = await workflows.open(f"OPS-{uuid4()}", {})
    return await workflows.claim(state.workflow_id, "bench", TTL)


def under(claim: Claim) -> RunnableConfig:
    """The configuration of a run under a claim."""
    return {"configurable": {"thread_id": claim.workflow_id, "fence": claim.fence}, "recursion_limit": 100}


@asynccontextmanager
async def connections(url: str, count: int) -> AsyncGenerator[list[AsyncConnection[DictRow]]]:
    """Connections as ``AsyncPostgresSaver.from_conn_string`` opens them."""
    async with AsyncExitStack() as stack:
        opened: list[AsyncConnection[DictRow]] = []
        for _ in range(count):
            connection = await AsyncConnection[DictRow].connect(
                url, autocommit=True, prepare_threshold=0, row_factory=dict_row
            )
            opened.append(await stack.enter_async_context(connection))
        yield opened

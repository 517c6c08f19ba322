"""What ``langgraph dev`` and ``langgraph up`` load: the graph without, and the saver by itself."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from sre_bot.app import REQUIRED, Graph, Tools, open_record, sub_states
from sre_bot.graph.graph import GRAPH_VERSION, build
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.settings import load
from sre_bot.worker.coverage import refuse_to_lose

SPARE = timedelta(minutes=2)


@asynccontextmanager
async def make_graph() -> AsyncGenerator[Graph]:
    """The graph for one run; the server adds the checkpointer. Raises ``BadSetting``, ``ThreadsWouldBeLost``."""
    settings = load()
    settings.require(*REQUIRED)
    async with open_record(settings) as record:
        graph = build(sub_states(settings, record, await Tools.of(settings)))
        await refuse_to_lose(record.database, graph, GRAPH_VERSION)
        yield graph


@asynccontextmanager
async def create_checkpointer() -> AsyncGenerator[AuditedSaver]:
    """Our saver, for as long as the server runs. Raises ``BadSetting``, before the server takes any run.

    A run's lease is renewed by its writes, so it must outlive the longest node: the one that waits for a deployment.
    """
    settings = load()
    settings.require(*REQUIRED)
    run_ttl = timedelta(seconds=settings.deployment_seconds) + SPARE
    async with open_record(settings) as record:
        yield AuditedSaver(record.database, run_ttl=run_ttl, graph_version=GRAPH_VERSION)

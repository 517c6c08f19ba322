"""A worker that dies of one workflow: the product's own service, over a graph that ends the process in one node.

As a program: ``python -m tests.deadly_worker WORKFLOW NODE [TAKEN-UP]``. The settings come from the environment. With a
third argument it runs that one workflow and leaves, as what the service starts for a doubtful one does.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from datetime import timedelta

from langgraph.config import get_config

from sre_bot.app import App, compose
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.settings import load
from sre_bot.worker.apart import Apart
from sre_bot.worker.runner import Runner
from tests.law_graph import LawGraph

LEASE = timedelta(seconds=1)
KILLED = 9


def deadly(app: App, workflow_id: str, node: str) -> Runner:
    """The app's runner, with a graph in which one node of one workflow ends the process."""
    law_graph = LawGraph()

    async def die() -> None:
        if get_config()["configurable"]["thread_id"] == workflow_id:  # pyright: ignore[reportTypedDictNotRequiredAccess]
            os._exit(KILLED)

    law_graph.hooks[node] = die
    return replace(app.runner, graph=law_graph.compile(AuditedSaver(app.record.database)), lease=LEASE)


async def serve(workflow_id: str, node: str) -> None:
    async with compose(load()) as app:
        service = replace(
            app.service(),
            runner=deadly(app, workflow_id, node),
            lease=LEASE,
            apart=Apart((sys.executable, "-m", "tests.deadly_worker", workflow_id, node)),
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, service.stop)
        await service.run()


async def take_up(workflow_id: str, node: str, taken_up: str) -> None:
    async with compose(load()) as app:
        claim = await app.record.workflows.claim(taken_up, app.owner, LEASE)
        await deadly(app, workflow_id, node).run(claim)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]) if len(sys.argv) == 3 else take_up(*sys.argv[1:]))

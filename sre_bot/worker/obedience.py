"""Stopping a run between two steps when people ask for it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from langgraph.runtime import RunControl
from psycopg import OperationalError

from sre_bot.persistence.workflows import Workflows

LOOK = 1.0
"""Seconds between two looks at the requests."""


@asynccontextmanager
async def obeying(workflows: Workflows, workflow_id: str) -> AsyncGenerator[RunControl]:
    """A control for one run of the graph: it drains once somebody has asked to cancel the workflow.

    What the running node is doing is finished and recorded; then the run ends with ``GraphDrained``.
    """
    control = RunControl()
    watching = asyncio.create_task(_watch(workflows, workflow_id, control))
    try:
        yield control
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(workflows: Workflows, workflow_id: str, control: RunControl) -> None:
    while not control.drain_requested:
        await asyncio.sleep(LOOK)
        try:
            if await workflows.cancellation(workflow_id):
                control.request_drain("cancelled")
        except OperationalError:
            continue

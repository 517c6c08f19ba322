"""Holding a repository or an application for one workflow, or parking until it is free."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from langchain_core.runnables import RunnableConfig

from sre_bot.domain.errors import ResourceBusy
from sre_bot.graph.outward import Outward
from sre_bot.persistence.locks import ResourceLocks

LOOK = 1.0
"""Seconds between two looks at the line."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Resource locks as the nodes use them; ``patience`` is how long a run of LangGraph Server waits in line."""

    locks: ResourceLocks
    outward: Outward
    patience: timedelta = timedelta(minutes=2)

    async def hold(self, config: RunnableConfig, *resources: str) -> None:
        """Hold all of them. Raises ``ResourceBusy`` once the workflow is queued; the worker parks it.

        LangGraph Server parks nothing and repeats nothing, so a run of its waits here for a while first.
        """
        claim = await self.outward.claim_of(config)
        patience = timedelta(0) if "fence" in config.get("configurable", {}) else self.patience
        clock = asyncio.get_running_loop().time
        give_up = clock() + patience.total_seconds()
        while not await self.locks.acquire(claim, resources):
            if clock() >= give_up:
                raise ResourceBusy(f"waiting for {', '.join(resources)}")
            await asyncio.sleep(LOOK)

    async def free(self, config: RunnableConfig) -> None:
        """Free everything the workflow holds and wake the next in line."""
        claim = await self.outward.claim_of(config)
        await self.locks.release(claim.workflow_id)

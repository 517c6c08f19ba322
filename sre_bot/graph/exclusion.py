"""Holding a repository or an application for one workflow, or parking until it is free."""

from dataclasses import dataclass

from langchain_core.runnables import RunnableConfig

from sre_bot.domain.errors import ResourceBusy
from sre_bot.graph.outward import Outward
from sre_bot.persistence.locks import ResourceLocks


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Resource locks as the nodes use them."""

    locks: ResourceLocks
    outward: Outward

    async def hold(self, config: RunnableConfig, *resources: str) -> None:
        """Hold all of them. Raises ``ResourceBusy`` once the workflow is queued; the worker parks it."""
        claim = await self.outward.claim_of(config)
        if not await self.locks.acquire(claim, resources):
            raise ResourceBusy(f"waiting for {', '.join(resources)}")

    async def free(self, config: RunnableConfig) -> None:
        """Free everything the workflow holds and wake the next in line."""
        claim = await self.outward.claim_of(config)
        await self.locks.release(claim.workflow_id)

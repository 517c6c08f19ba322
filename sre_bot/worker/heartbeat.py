"""Keeping a lease alive while a workflow runs, and stopping at once when it is lost."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from sre_bot.domain.errors import LeaseLost
from sre_bot.persistence.workflows import Claim, Workflows

T = TypeVar("T")


async def under_lease(workflows: Workflows, claim: Claim, ttl: timedelta, work: Awaitable[T]) -> T:
    """Do the work and renew the lease three times per time-to-live. Raises ``LeaseLost`` and cancels the work then."""
    running = asyncio.ensure_future(work)
    beating = asyncio.create_task(_beat(workflows, claim, ttl))
    try:
        await asyncio.wait((running, beating), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()
        beating.result()
        raise LeaseLost(f"the lease on {claim.workflow_id} was not renewed")
    finally:
        for task in (running, beating):
            task.cancel()
        await asyncio.gather(running, beating, return_exceptions=True)


async def _beat(workflows: Workflows, claim: Claim, ttl: timedelta) -> None:
    while True:
        await asyncio.sleep(ttl.total_seconds() / 3)
        await workflows.renew(claim, ttl)

"""The running bot: monitors look out, a sweep claims what is due, a bounded number of workflows runs at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from psycopg import OperationalError

from sre_bot.domain.errors import SreBotError
from sre_bot.persistence.workflows import Claim, Workflows
from sre_bot.worker.monitors import Monitors
from sre_bot.worker.runner import Result, Runner

log = logging.getLogger(__name__)

AFTER_A_DEFECT = timedelta(minutes=1)
"""How long a workflow rests whose record refused what the worker wanted to write."""

SWEEP = timedelta(seconds=1)
"""How often due workflows are looked for."""


@dataclass(slots=True)
class Service:
    """``run`` until ``stop``; a workflow that runs when we stop is finished up to its next safe point by its lease."""

    runner: Runner
    monitors: Monitors
    workflows: Workflows
    owner: str
    lease: timedelta
    poll: timedelta
    concurrency: int
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    running: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def stop(self) -> None:
        """Start nothing more and leave."""
        self.stopping.set()

    async def run(self) -> None:
        """Look out and work until stopped. What was interrupted before is recovered by the first sweep."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(self.poll, "tickets", self._tickets))
            group.create_task(self._every(self.poll, "reviews", self._reviews))
            group.create_task(self._every(self.poll, "deadlines", self._deadlines))
            group.create_task(self._every(SWEEP, "sweep", self._sweep))
        await self._drain()

    async def _tickets(self) -> None:
        for state in await self.monitors.tickets():
            log.info("ticket %s: workflow %s", state.ticket_id, state.workflow_id)

    async def _reviews(self) -> None:
        await self.monitors.review_activity()

    async def _deadlines(self) -> None:
        await self.monitors.deadlines()

    async def _sweep(self) -> None:
        free = self.concurrency - len(self.running)
        if free <= 0:
            return
        for claim in await self.workflows.claim_due(self.owner, self.lease, free):
            task = asyncio.create_task(self._work(claim))
            self.running.add(task)
            task.add_done_callback(self.running.discard)

    async def _work(self, claim: Claim) -> None:
        try:
            result = await self.runner.run(claim)
        except asyncio.CancelledError:
            await self.workflows.release(claim, due_in=timedelta(0))
            raise
        except OperationalError as error:
            log.warning("workflow %s: the database is out of reach: %s", claim.workflow_id, error)
        except SreBotError as error:
            log.error("workflow %s: %s", claim.workflow_id, error)
            await self.workflows.release(claim, due_in=AFTER_A_DEFECT)
        else:
            log.info("workflow %s: %s%s", claim.workflow_id, result, await self._why(claim, result))

    async def _why(self, claim: Claim, result: Result) -> str:
        """What went wrong in a run that will be repeated."""
        error = await self.workflows.last_error(claim.workflow_id) if result is Result.RETRYING else None
        return f", since {error['state']} failed: {error['message']}" if error else ""

    async def _every(self, pause: timedelta, name: str, look: Callable[[], Awaitable[None]]) -> None:
        while not self.stopping.is_set():
            try:
                await look()
            except (SreBotError, OperationalError) as error:
                log.warning("%s: %s", name, error)
            await self._rest(pause)

    async def _rest(self, pause: timedelta) -> None:
        try:
            await asyncio.wait_for(self.stopping.wait(), pause.total_seconds())
        except TimeoutError:
            return

    async def _drain(self) -> None:
        """Cancel what runs and give its lease back: what is finished is recorded, the next worker goes on."""
        for task in tuple(self.running):
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)

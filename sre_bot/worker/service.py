"""The running bot: monitors look out, a sweep claims what is due, a bounded number of workflows runs at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from psycopg import OperationalError

from sre_bot.domain.errors import NewerSchema, SreBotError
from sre_bot.persistence.heartbeats import Heartbeats
from sre_bot.persistence.migrations import pending
from sre_bot.persistence.workflows import Claim, Workflows
from sre_bot.worker.apart import Apart
from sre_bot.worker.monitors import Monitors
from sre_bot.worker.notices import Notices
from sre_bot.worker.runner import Result, Runner
from sre_bot.worker.server_runs import ServerRuns

log = logging.getLogger(__name__)

AFTER_A_DEFECT = timedelta(minutes=1)
"""How long a workflow rests whose record refused what the worker wanted to write."""

SWEEP = timedelta(seconds=1)
"""How often due workflows are looked for."""

NOTICES = timedelta(minutes=1)
"""How often is looked for something that people should be told."""

BEAT = timedelta(seconds=5)
"""How often a worker says that it is alive; it counts as dead after three beats that were not heard."""

STUCK = timedelta(minutes=5)
"""How long one look may take beyond its pause before the process counts as stuck."""


@dataclass(slots=True)
class Service:
    """``run`` until ``stop``; a workflow that runs when we stop is finished up to its next safe point by its lease.

    A workflow on which several runners in a row have died is run ``apart``.
    """

    runner: Runner
    monitors: Monitors
    workflows: Workflows
    apart: Apart
    heartbeats: Heartbeats
    notices: Notices
    server_runs: ServerRuns
    owner: str
    lease: timedelta
    poll: timedelta
    concurrency: int
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    running: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    doubtful: set[str] = field(default_factory=set[str])
    beat: timedelta = BEAT
    troubles: dict[str, str] = field(default_factory=dict[str, str])
    expected: dict[str, float] = field(default_factory=dict[str, float])
    refusal: NewerSchema | None = None

    def stop(self) -> None:
        """Start nothing more and leave."""
        self.stopping.set()

    async def run(self) -> None:
        """Look out and work until stopped. What was interrupted before is recovered by the first sweep.

        Raises ``NewerSchema`` when a newer version has migrated the database meanwhile.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(self.beat, "heartbeat", self._beat))
            group.create_task(self._every(self.poll, "tickets", self._tickets))
            group.create_task(self._every(self.poll, "reviews", self._reviews))
            group.create_task(self._every(self.poll, "deadlines", self._deadlines))
            group.create_task(self._every(NOTICES, "notices", self._notices))
            group.create_task(self._every(SWEEP, "sweep", self._sweep))
        await self._drain()
        await self.heartbeats.leave(self.owner)
        if self.refusal:
            raise self.refusal

    def stuck(self) -> str:
        """The looks that have not come back for far too long; empty when the service moves."""
        now = asyncio.get_running_loop().time()
        return ", ".join(name for name, by in self.expected.items() if now > by + STUCK.total_seconds())

    async def _beat(self) -> None:
        try:
            await pending(self.heartbeats.database.url)
        except NewerSchema as error:
            self.refusal = error
            self.stop()
        await self.heartbeats.beat(self.owner, 3 * self.beat, self.troubles)

    async def _tickets(self) -> None:
        for state in await self.monitors.tickets():
            log.info("ticket %s: workflow %s", state.ticket_id, state.workflow_id)

    async def _reviews(self) -> None:
        """One pull request at each look, in turn: GitHub counts our requests by the hour."""
        await self.monitors.review_activity(at_most=1)

    async def _deadlines(self) -> None:
        await self.monitors.deadlines()
        await self.server_runs.hand_over()

    async def _notices(self) -> None:
        await self.notices.reminders()
        await self.notices.overlapping()

    async def _sweep(self) -> None:
        free = self.concurrency - len(self.running)
        if free <= 0:
            return
        claims = await self.workflows.claim_due(self.owner, self.lease, free, doubtful=False)
        for claim in claims:
            self._start(self._work(claim))
        if free > len(claims):
            for workflow_id in set(await self.workflows.doubtful(free - len(claims))) - self.doubtful:
                self.doubtful.add(workflow_id)
                self._start(self._work_apart(workflow_id))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _work_apart(self, workflow_id: str) -> None:
        log.warning("workflow %s: its runners died; it gets a process of its own", workflow_id)
        try:
            await self.apart.run(workflow_id)
        finally:
            self.doubtful.discard(workflow_id)

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
            self.expected[name] = asyncio.get_running_loop().time() + pause.total_seconds()
            try:
                await look()
                self.troubles.pop(name, None)
            except (SreBotError, OperationalError) as error:
                self.troubles[name] = str(error)
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

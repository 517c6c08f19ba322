"""What happens at the point of a scenario: a kill, a pause, a cut line, a server that is restarted."""

import asyncio
import signal
from dataclasses import dataclass, field

from tests.crash.children import Child
from tests.crash.plans import Plan
from tests.crash.postgres import Server
from tests.crash.slots import Run

_ALIVE = b"select 1 from leases where workflow_id = %s and owner <> '' and expires_at > clock_timestamp()"


@dataclass(slots=True)
class Meeting:
    """Where scenarios that need the server restarted wait for each other: one restart strikes them all."""

    server: Server
    awaited: int
    restarted: asyncio.Event = field(default_factory=asyncio.Event)

    async def arrive(self) -> None:
        """Reach the point, and go on when the server has been restarted."""
        self.leave()
        await self.restarted.wait()

    def leave(self) -> None:
        """Be no longer waited for; the last one restarts the server."""
        self.awaited -= 1
        if self.awaited == 0:
            self.server.restart_immediately()
            self.restarted.set()


@dataclass(slots=True)
class Striker:
    """Strikes the workers of one run."""

    run: Run
    plan: Plan
    meeting: Meeting

    async def strike(self, child: Child) -> bool:
        """Let the fault happen to a worker that has reached its point; whether its line still holds."""
        fault = self.plan.next_fault()
        if fault == "kill":
            await child.signal(signal.SIGKILL)
        elif fault == "pause":
            pausing = asyncio.create_task(self._paused(child))
            return self.plan.point == "received" or await pausing
        elif fault == "restart":
            await self.meeting.arrive()
        elif fault == "unavailable":
            effect = self.plan.boundary.removeprefix("effect ").partition(":")[0]
            self.run.slot.recorder.struck = effect
        return fault == "unavailable"

    async def done(self) -> None:
        """The run is over: who never came to its point is not waited for, and who still lives is ended."""
        if self.plan.is_awaited:
            self.meeting.leave()
        for worker in tuple(self.run.workers):
            await worker.signal(signal.SIGKILL)
            await worker.ended.wait()

    async def _paused(self, child: Child) -> bool:
        """Freeze it, let another do all there is to do, and thaw it.

        Nothing but the target's own uniqueness stops a call that a frozen worker has let go of already.
        """
        self.run.slot.recorder.unique = True
        await child.signal(signal.SIGSTOP)
        await self._lease_runs_out()
        other = await self.run.next_worker()
        await other.ended.wait()
        await child.signal(signal.SIGCONT)
        return True

    async def _lease_runs_out(self) -> None:
        """The lease of a sleeper ends by itself: it must be able to know that."""
        while self.run.workflow and await self.run.slot.rows(_ALIVE, self.run.workflow):
            await asyncio.sleep(0.05)

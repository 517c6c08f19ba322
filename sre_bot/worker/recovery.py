"""Taking up what is due and what a crash left behind: once, without staying."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from sre_bot.persistence.workflows import Claim, Workflows
from sre_bot.worker.runner import Result, Runner


@dataclass(frozen=True, slots=True)
class RecoveryManager:
    """The same door as a first start: claim by fence, run, let go. What waits for people is left waiting."""

    runner: Runner
    workflows: Workflows
    owner: str
    lease: timedelta
    concurrency: int

    async def recover_active_workflows(self) -> dict[str, Result]:
        """Run workflows until none is due, so many at once; how the last run of each ended, by id.

        Those on which several runners in a row have died come last, one at a time: they may take us with them.
        Raises ``psycopg.OperationalError`` when the record is out of reach; what ran is due again by its lease then.
        """
        ended: dict[str, Result] = {}
        running: set[asyncio.Task[tuple[str, Result]]] = set()
        try:
            while True:
                claims = await self._claimed(self.concurrency - len(running))
                running |= {asyncio.create_task(self._run(claim)) for claim in claims}
                if not running:
                    alone = await self.workflows.claim_due(self.owner, self.lease, 1, doubtful=True)
                    if not alone:
                        return ended
                    running = {asyncio.create_task(self._run(alone[0]))}
                    await asyncio.wait(running)
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                ended.update(task.result() for task in done)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _claimed(self, free: int) -> tuple[Claim, ...]:
        return await self.workflows.claim_due(self.owner, self.lease, free, doubtful=False) if free else ()

    async def _run(self, claim: Claim) -> tuple[str, Result]:
        try:
            return claim.workflow_id, await self.runner.run(claim)
        except asyncio.CancelledError:
            await self.workflows.release(claim, due_in=timedelta(0))
            raise

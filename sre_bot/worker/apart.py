"""Running a workflow in a process of its own, so that its death is nobody else's."""

import asyncio
import logging
from dataclasses import dataclass

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that a process gets to leave when it is told to."""


@dataclass(frozen=True, slots=True)
class Apart:
    """Starts ``command`` with a workflow's id behind it."""

    command: tuple[str, ...]

    async def run(self, workflow_id: str) -> int:
        """Run one workflow until there is nothing to do now; the exit code. Cancelled, it tells the process to stop."""
        process = await asyncio.create_subprocess_exec(
            *self.command, workflow_id, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await _stopped(process)
            raise
        if code < 0 or code > 1:
            log.error("workflow %s: its process ended with %s", workflow_id, code)
        return code


async def _stopped(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()

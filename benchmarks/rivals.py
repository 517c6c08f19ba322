"""The arm of DBOS as seen from here: a process of its own that runs its rounds when it is told to."""

import json
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path


class Durable:
    """Runs a whole round of all runners in its own process, where the clock of a round is the one that asks."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._left = 0

    @classmethod
    @asynccontextmanager
    async def start(cls, url: str, each: int, runners: int) -> AsyncGenerator["Durable"]:
        """The process, launched and waiting."""
        process = await create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.durable", url, "rounds", str(each), str(runners)),
            stdin=PIPE,
            stdout=PIPE,
            cwd=Path(__file__).parents[1],
        )
        durable = cls(process)
        try:
            await durable._line()
            yield durable
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def prepare(self, count: int) -> None:
        """The next call runs them all."""
        self._left = 1

    async def run(self, runner: int) -> None:
        """Run the round; the calls of the other runners find it done."""
        if self._left:
            self._left = 0
            assert self._process.stdin is not None
            self._process.stdin.write(b"\n")
            await self._process.stdin.drain()
            json.loads(await self._line())

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readline()

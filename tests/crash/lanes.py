"""Lanes as processes: orders go in as lines, answers come back in any order."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

Json = dict[str, Any]


@dataclass(slots=True)
class LaneProcess:
    """A lane in a process of its own; ``width`` orders may be on their way at once."""

    process: asyncio.subprocess.Process
    width: int
    asked: dict[int, asyncio.Future[Json]] = field(default_factory=dict[int, asyncio.Future[Json]])
    last: int = 0

    @classmethod
    @asynccontextmanager
    async def start(cls, module: str, folder: Path, log: Path, width: int) -> AsyncGenerator[Self]:
        """Spawn it; what it and its server say beside answers goes to ``log``."""
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", module, str(folder))
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=errors, limit=2**24
            )
        lane = cls(process, width)
        listening = asyncio.create_task(lane._listen())
        try:
            yield lane
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
            await listening

    async def ask(self, order: Json) -> Json:
        """Have one thing done. Raises ``RuntimeError`` when the lane has died."""
        assert self.process.stdin is not None
        self.last += 1
        answer = self.asked[self.last] = asyncio.get_running_loop().create_future()
        self.process.stdin.write(json.dumps({**order, "order": self.last}).encode() + b"\n")
        return await answer

    async def _listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            _, mark, said = line.partition(b"\x1e")
            if mark:
                heard = json.loads(said)
                self.asked.pop(heard["order"]).set_result(heard["answer"])
        for answer in filter(lambda one: not one.done(), self.asked.values()):
            answer.set_exception(RuntimeError("the lane died; what it said is in the log"))


async def answers(lanes: list[LaneProcess], orders: Iterator[Json]) -> AsyncGenerator[Json]:
    """Every order's answers, as they come; a lane takes the next order when it has room."""
    done: asyncio.Queue[Json | None] = asyncio.Queue()

    async def drive_all() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for lane in lanes:
                    group.create_task(_drive(lane, orders, done))
        finally:
            done.put_nowait(None)

    driving = asyncio.create_task(drive_all())
    while (answer := await done.get()) is not None:
        yield answer
    await driving


async def _drive(lane: LaneProcess, orders: Iterator[Json], done: asyncio.Queue[Json | None]) -> None:
    """Keep a lane busy; what is to be run together has the lane for itself."""

    async def have_done(order: Json) -> None:
        answer = await lane.ask(order)
        for one in answer.get("answers", [answer]):
            done.put_nowait(one)

    async with asyncio.TaskGroup() as group:
        room = asyncio.Semaphore(lane.width)
        for order in orders:
            needed = lane.width if order["do"] == "run together" else 1
            for _ in range(needed):
                await room.acquire()
            task = group.create_task(have_done(order))
            task.add_done_callback(lambda _, needed=needed: [room.release() for _ in range(needed)])

"""The workers of a scenario: born in the nursery, watched on their line, stopped at an exact point."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.crash.transactions import Names
from tests.crash.wire import Line

Json = dict[str, Any]
Point = tuple[str, str]


@dataclass(slots=True)
class Child:
    """One worker. ``gate`` is asked at each point that it reaches, and says whether its line holds there."""

    number: str
    gate: "Gate | None" = None
    pid: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    said: list[str] = field(default_factory=list[str])
    passed: list[Point] = field(default_factory=list[Point])
    renewed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    names: Names = field(default_factory=Names)
    lines: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def reached(self, name: str, point: str) -> bool:
        """Note a point that was reached, and wait at the gate."""
        self.passed.append((name, point))
        if (name, point) == ("renew", "committed"):
            self.renewed.set()
        return self.gate is None or await self.gate(self, (name, point))

    async def signal(self, sign: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if not self.ended.is_set():
            os.kill(await self.pid, sign)


Gate = Callable[[Child, Point], Awaitable[bool]]


class Nursery:
    """Bears workers and hears of their ends. ``server`` tells where Postgres is now."""

    def __init__(self, process: asyncio.subprocess.Process, server: Callable[[], tuple[str, int]]) -> None:
        self._process = process
        self._server = server
        self._children: dict[str, Child] = {}
        self._ears = asyncio.create_task(self._listen())
        self._listener: asyncio.Server | None = None
        self._last = 0

    @classmethod
    async def start(cls, server: Callable[[], tuple[str, int]], work: str = "tests.crash.worker") -> "Nursery":
        """Spawn the process that bears workers who do the ``work`` of that module."""
        command = (sys.executable, "-m", "tests.crash.nursery", work)
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe), server)

    async def bear(self, job: Json, url: Callable[[int], str], child: Child) -> None:
        """Start a worker on a line of its own, which is closed when it has ended."""
        line = await asyncio.start_server(lambda r, w: self._connect(child, r, w), "127.0.0.1", 0)
        self._children[child.number] = child
        order = {**job, "worker": child.number, "url": url(line.sockets[0].getsockname()[1])}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._watch(await child.pid, child, line)

    async def close(self) -> None:
        """End the nursery; workers have ended before."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._ears

    def next_number(self) -> str:
        """A name for a worker that no other has."""
        self._last += 1
        return f"worker-{self._last}"

    def _connect(self, child: Child, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(Line(child.names, child.reached).serve(reader, writer, self._server()))
        child.lines.add(task)
        task.add_done_callback(child.lines.discard)

    def _watch(self, pid: int, child: Child, line: asyncio.Server) -> None:
        try:
            loop, handle = asyncio.get_running_loop(), os.pidfd_open(pid)
        except ProcessLookupError:
            line.close()
            child.ended.set()
            return

        def gone() -> None:
            loop.remove_reader(handle)
            os.close(handle)
            line.close()
            child.ended.set()

        loop.add_reader(handle, gone)

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            heard: Json = json.loads(line)
            child = self._children[heard["worker"]]
            if "pid" in heard:
                child.pid.set_result(heard["pid"])
            else:
                child.said.extend(heard["said"])

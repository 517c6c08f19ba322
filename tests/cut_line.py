"""A TCP relay before Postgres that can cut the line right after a commit was carried out, before its answer arrives."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class Relay:
    """Passes everything on, until ``cut_next_commit``: then one commit reaches the server, and its answer nobody.

    A statement outside of a transaction commits itself.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._statement: bytes | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self.cuts = 0

    def cut_next_commit(self, after: bytes) -> None:
        """Cut the next transaction that holds this statement, or is it."""
        self._statement = after

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.create_task(self._serve(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def close(self) -> None:
        for line in tuple(self._lines):
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._server)
        committing = asyncio.Event()
        tasks = (
            asyncio.create_task(self._requests(reader, server_writer, committing)),
            asyncio.create_task(self._answers(server_reader, writer, committing)),
        )
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            writer.close()
            server_writer.close()

    async def _requests(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        concerned = inside = False
        while data := await reader.read(65536):
            inside = (inside or b"BEGIN" in data) and b"ROLLBACK" not in data
            concerned = concerned or (self._statement is not None and self._statement in data)
            if concerned and (b"COMMIT" in data or not inside):
                self._statement = None
                committing.set()
            inside = inside and b"COMMIT" not in data
            server.write(data)
            await server.drain()

    async def _answers(
        self, server: asyncio.StreamReader, client: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        while data := await server.read(65536):
            if committing.is_set():
                self.cuts += 1
                return
            client.write(data)
            await client.drain()


@asynccontextmanager
async def relay_to(url: str) -> AsyncGenerator[tuple[Relay, str]]:
    """A relay before the server of ``url``, and the URL that leads through it."""
    parts = urlsplit(url)
    relay = Relay(parts.hostname or "127.0.0.1", parts.port or 5432)
    listener = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    login = parts.netloc.rpartition("@")[0]
    async with listener:
        yield relay, urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))
        await relay.close()

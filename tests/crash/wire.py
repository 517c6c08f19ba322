"""The line between one worker and Postgres, on which a worker can be stopped at an exact point of a transaction.

``writing``: the statement that names the transaction is on the line, the server has not seen it.
``commit``: all is written, the COMMIT has not reached the server; where one statement is a transaction by itself, the
server has that and works on it.
``committed``: it is committed, and the worker does not know.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.crash.transactions import Names

Reached = Callable[[str, str], Awaitable[bool]]
"""Told the transaction and the point; False: the line is cut there."""


_AT_REST = b"Z\0\0\0\5I"
"""The server has answered everything and no transaction is open."""

_REFUSED = b"SERROR\0"


class Message(NamedTuple):
    """One message of the frontend: where it begins in what was read, its type, its body."""

    start: int
    kind: bytes
    body: bytes


@dataclass(slots=True)
class Line:
    """One connection of a worker."""

    names: Names
    reached: Reached
    name: str | None = None
    committing: bool = False
    _statement: str = ""
    _buffer: bytearray = field(default_factory=bytearray)
    _started: bool = False
    _open: bool = False
    _all_said: bool = False
    _row_is_locked: bool = False
    _end: int = 0
    _held_from: int | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: tuple[str, int]) -> None:
        """Pass on until one side ends or the line is cut."""
        try:
            there, here = await asyncio.open_connection(*server)
        except OSError:
            writer.transport.abort()
            return
        tasks = [asyncio.create_task(self._requests(reader, here)), asyncio.create_task(self._answers(there, writer))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not isinstance(task.exception(), OSError | None):
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            writer.transport.abort()
            here.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            self._buffer += data
            if not await self._pass_on(server):
                return

    async def _pass_on(self, server: asyncio.StreamWriter) -> bool:
        """Forward all complete messages, asking before each that matters; False when the line is to be cut."""
        done = 0
        for message in self._messages():
            if message.kind == b"P":
                self._statement = message.body.split(b"\0", 2)[1].decode()
                self._held_from = message.start
            point = self._point(message)
            if point is not None:
                start = message.start if self._held_from is None else self._held_from
                server.write(bytes(self._buffer[done:start]))
                done = start
                if not await self.reached(*point):
                    return False
            if message.kind == b"B":
                self._held_from = None
            self._all_said = message.kind in (b"S", b"Q")
        end = self._end if self._held_from is None else self._held_from
        server.write(bytes(self._buffer[done:end]))
        del self._buffer[:end]
        if self._held_from is not None:
            self._held_from = 0
        return await self._on_its_way()

    async def _on_its_way(self) -> bool:
        """The ``commit`` of a statement that is a transaction by itself: the server has it, its answer is not here."""
        if self.name is None or self._open or self.committing or not self._all_said:
            return True
        self.committing = True
        return await self.reached(self.name, "commit")

    def _messages(self) -> Iterator[Message]:
        position = 0
        if not self._started:
            position = self._end = int.from_bytes(self._buffer[:4], "big")
            self._started = True
        while len(self._buffer) >= position + 5:
            following = position + 1 + int.from_bytes(self._buffer[position + 1 : position + 5], "big")
            if len(self._buffer) < following:
                break
            kind = bytes(self._buffer[position : position + 1])
            body = bytes(self._buffer[position + 5 : following]) if kind in b"PBQ" else b""
            self._end = following
            yield Message(position, kind, body)
            position = following
        self._end = position

    def _point(self, message: Message) -> tuple[str, str] | None:
        """What is about to happen, if it is worth a name."""
        if message.kind == b"Q":
            self._statement = message.body[:-1].decode()
        if message.kind not in (b"B", b"Q"):
            return None
        if self._statement.startswith("BEGIN"):
            self.name, self._open, self._row_is_locked = None, True, False
        elif self._statement.startswith("ROLLBACK"):
            self.name, self._open = None, False
        elif self._statement.startswith("COMMIT"):
            self.committing = self.name is not None
            self._open = self.committing
            return (self.name, "commit") if self.name else None
        elif self.name is None:
            return self._named(_parameters(message) if message.kind == b"B" else ())
        return None

    def _named(self, parameters: Sequence[bytes | None]) -> tuple[str, str] | None:
        """The point before a statement, if that gives its transaction a name.

        Whoever has locked the workflow's row and frees resources is ending it: that has a better name.
        """
        name = self.names.of(self._statement, parameters)
        if name == "unlock" and self._row_is_locked:
            name = None
        self._row_is_locked = self._row_is_locked or "for no key update" in self._statement
        self.name = name
        return (name, "writing") if name else None

    async def _answers(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await server.read(1 << 16):
            if self.committing and _AT_REST in data:
                self.committing = self._open = False
                name, self.name = self.name, None
                if name and _REFUSED not in data and not await self.reached(name, "committed"):
                    return
            writer.write(data)


def _parameters(message: Message) -> list[bytes | None]:
    """The values that a Bind message carries."""
    body = message.body
    position = body.index(b"\0", body.index(b"\0") + 1) + 1
    (formats,) = struct.unpack_from("!h", body, position)
    position += 2 + 2 * formats
    (count,) = struct.unpack_from("!h", body, position)
    position += 2
    values: list[bytes | None] = []
    for _ in range(count):
        (size,) = struct.unpack_from("!i", body, position)
        position += 4
        values.append(None if size < 0 else body[position : position + size])
        position += max(size, 0)
    return values

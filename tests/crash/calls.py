"""The line between the whole bot and one service of the lab: a worker can be stopped before and after each write."""

import asyncio
import re
from dataclasses import dataclass

from tests.crash.children import Child

_WRITE = re.compile(rb"^(POST|PUT|PATCH|DELETE) (\S+) HTTP/1\.1\r\n")
_ONLY_READS = (b"/git-upload-pack", b"/search")


@dataclass(slots=True)
class CallLine:
    """One connection; requests do not overlap on it."""

    child: Child
    awaited: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: tuple[str, int]) -> None:
        """Pass on until one side ends or the line is cut."""
        there, here = await asyncio.open_connection(*server)
        tasks = [asyncio.create_task(self._requests(reader, here)), asyncio.create_task(self._answers(there, writer))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            writer.transport.abort()
            here.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            write = _WRITE.match(data)
            effect = self.child.names.acting
            if write and effect and not write[2].endswith(_ONLY_READS):
                self.awaited = f"effect {effect}: call"
                if not await self.child.reached(self.awaited, "received"):
                    return
            server.write(data)

    async def _answers(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await server.read(1 << 16):
            if self.awaited:
                name, self.awaited = self.awaited, ""
                if not await self.child.reached(name, "performed"):
                    return
            writer.write(data)

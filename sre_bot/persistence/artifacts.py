"""Large values - logs, diffs, snapshots - kept once under the hash of their content. The state keeps the hash."""

import asyncio
import json
import zlib
from hashlib import sha256
from typing import Any

from sre_bot.domain.errors import ArtifactNotFound
from sre_bot.persistence.database import Connection, Database
from sre_bot.persistence.statements import sql


class Artifacts:
    """A content-addressed, compressed store. The same content is stored once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, value: bytes | str, media_type: str = "text/plain") -> str:
        """Store a value and return its SHA-256 in hex. Text is stored as UTF-8."""
        content = value.encode(errors="replace") if isinstance(value, str) else value
        return await self._database.attempt(lambda connection: store(connection, content, media_type))

    async def get(self, digest: str) -> bytes:
        """The content of that hash. Raises ``ArtifactNotFound``."""

        async def read(connection: Connection) -> bytes | None:
            cursor = await connection.execute(sql("artifacts.get"), {"digest": digest})
            row = await cursor.fetchone()
            return row["content"] if row else None

        compressed = await self._database.attempt(read)
        if compressed is None:
            raise ArtifactNotFound(f"no artifact has the hash {digest!r}")
        return await asyncio.to_thread(zlib.decompress, compressed)

    async def put_json(self, value: Any) -> str:
        """Store a JSON value in one canonical spelling, so that equal values have one hash."""
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return await self.put(text, "application/json")

    async def get_json(self, digest: str) -> Any:
        """The JSON value of that hash. Raises ``ArtifactNotFound``."""
        return json.loads(await self.get(digest))


async def store(connection: Connection, content: bytes, media_type: str) -> str:
    """Store a value in the caller's transaction and return its hash."""
    digest = sha256(content).hexdigest()
    compressed = await asyncio.to_thread(zlib.compress, content)
    await connection.execute(
        sql("artifacts.put"),
        {"digest": digest, "media_type": media_type, "size": len(content), "content": compressed},
    )
    return digest

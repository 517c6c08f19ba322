"""Large values - logs, diffs, snapshots - kept once under the hash of their content. The state keeps the hash.

A hash opens nothing by itself: a workflow reads what it has stored itself.
"""

import asyncio
import json
import zlib
from hashlib import sha256
from typing import Any

from sre_bot.domain.errors import ArtifactNotFound
from sre_bot.persistence.database import Connection, Database
from sre_bot.persistence.statements import sql


class Artifacts:
    """A content-addressed, compressed store. The same content is stored once, and belongs to all who stored it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, workflow_id: str, value: bytes | str, media_type: str = "text/plain") -> str:
        """Store a value for a workflow and return its SHA-256 in hex. Text is stored as UTF-8."""
        content = value.encode(errors="replace") if isinstance(value, str) else value
        return await self._database.attempt(lambda connection: store(connection, workflow_id, content, media_type))

    async def get(self, workflow_id: str, digest: str) -> bytes:
        """The content of that hash. Raises ``ArtifactNotFound``, also where only others have stored it."""
        names = {"workflow_id": workflow_id, "digest": digest}

        async def read(connection: Connection) -> bytes | None:
            cursor = await connection.execute(sql("artifacts.get"), names)
            row = await cursor.fetchone()
            return row["content"] if row else None

        compressed = await self._database.attempt(read)
        if compressed is None:
            raise ArtifactNotFound(f"workflow {workflow_id} has no artifact with the hash {digest!r}")
        return await asyncio.to_thread(zlib.decompress, compressed)

    async def put_json(self, workflow_id: str, value: Any) -> str:
        """Store a JSON value in one canonical spelling, so that equal values have one hash."""
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return await self.put(workflow_id, text, "application/json")

    async def get_json(self, workflow_id: str, digest: str) -> Any:
        """The JSON value of that hash. Raises ``ArtifactNotFound`` as ``get`` does."""
        return json.loads(await self.get(workflow_id, digest))


async def store(connection: Connection, workflow_id: str, content: bytes, media_type: str) -> str:
    """Store a value in the caller's transaction and return its hash."""
    digest = sha256(content).hexdigest()
    compressed = await asyncio.to_thread(zlib.compress, content)
    row = {"digest": digest, "media_type": media_type, "size": len(content), "content": compressed}
    await connection.execute(sql("artifacts.put"), {**row, "workflow_id": workflow_id})
    return digest

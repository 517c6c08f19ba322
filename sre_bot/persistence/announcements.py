"""Telling those who listen that workflows have moved: soon after it is committed, and once for many moves.

``NOTIFY`` takes a lock of the whole server until its transaction is on disk. In the transactions of the saver it would
let one workflow commit at a time. Here it is a transaction of its own, which waits for no disk: what is lost with the
server is only a hint, and whoever waits for it looks by itself now and then.
"""

import asyncio
import logging

from psycopg import AsyncConnection, Error
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool

PAUSE = 0.25
"""Seconds in which moves are collected."""

_STATEMENT = """
select set_config('synchronous_commit', 'off', true), pg_notify('sre_bot_workflow', workflow_id)
from unnest(%s::text[]) as workflow_id
"""
_LOG = logging.getLogger(__name__)


class Announcements:
    """Collects the ids of workflows that have moved and sends them; nothing runs while there are none."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[DictRow]]) -> None:
        self._pool = pool
        self.sent = 0
        """How many transactions it took so far."""
        self._waiting: set[str] = set()
        self._sender: asyncio.Task[None] | None = None

    def soon(self, workflow_id: str) -> None:
        """Announce that a workflow has moved."""
        self._waiting.add(workflow_id)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())

    async def settle(self) -> None:
        """Wait until everything is sent."""
        if self._sender is not None:
            await self._sender

    async def _send(self) -> None:
        while self._waiting:
            await asyncio.sleep(PAUSE)
            moved, self._waiting = sorted(self._waiting), set()
            try:
                async with self._pool.connection() as connection:
                    await connection.execute(_STATEMENT, (moved,))
                self.sent += 1
            except Error as error:
                _LOG.debug("nobody was told that %d workflows moved: %s", len(moved), error)

"""What keeps Redis in step while the bot runs: every step is passed on at once, and now and then all is compared."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from psycopg import AsyncConnection, Error
from psycopg.rows import dict_row

from sre_bot.domain.errors import HotStoreAway
from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.hot.mirror import Mirror
from sre_bot.persistence.hot.rounds import RoundBook
from sre_bot.persistence.hot.store import HotStore
from sre_bot.persistence.statements import sql

log = logging.getLogger(__name__)

COMPARISONS = timedelta(seconds=10)
"""How often everything is compared: the longest that Redis stays wrong after it is back."""

FAREWELL = 1.0
"""Seconds that the last words get."""

_RETRY = 1.0
_LINE = 5.0


@asynccontextmanager
async def kept_in_step(
    database: Database, store: HotStore, owner: str, pause: timedelta = COMPARISONS
) -> AsyncGenerator[None]:
    """Keep Redis in step while the context lives; nothing to do without one. Never fails, whatever Redis does."""
    if not store.configured:
        yield
        return
    mirror = Mirror(database, store)
    upkeep = Upkeep(database, store, mirror, owner, pause)
    tasks = [asyncio.create_task(upkeep.pass_on()), asyncio.create_task(upkeep.compare_now_and_then())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("Redis was not kept in step: %r", ended)
        with suppress(HotStoreAway, Error, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await mirror.compare()


class Upkeep:
    """The two tasks."""

    def __init__(self, database: Database, store: HotStore, mirror: Mirror, owner: str, pause: timedelta) -> None:
        self._url = database.url
        self._mirror = mirror
        self._book = RoundBook(database)
        self._prefix = store.prefix
        self._owner = owner
        self._pause = pause

    async def pass_on(self) -> None:
        """Listen to Postgres and pass on what moves; one process does it for all, the others stand in line.

        Through a transaction pooler nothing is heard; then only the comparisons keep Redis in step.
        """
        await self._for_ever(self._listen, timedelta(seconds=_RETRY))

    async def compare_now_and_then(self) -> None:
        """Compare everything once in ``pause``, whichever process does it."""
        await self._for_ever(self._round, self._pause)

    async def _listen(self) -> None:
        async with await _connect(self._url) as connection:
            while not await self._is_first(connection):
                await asyncio.sleep(_LINE)
            await connection.execute("listen sre_bot_workflow")
            with suppress(HotStoreAway):
                await self._mirror.catch_up()
            while True:
                moved = {notice.payload async for notice in connection.notifies(timeout=_LINE, stop_after=1)}
                with suppress(HotStoreAway):
                    await self._mirror.deliver(moved)

    async def _is_first(self, connection: Connection) -> bool:
        cursor = await connection.execute(sql("hot.stand_in_line"), {"prefix": self._prefix})
        row = await cursor.fetchone()
        return row is not None and row["first"]

    async def _round(self) -> None:
        if not await self._book.claim(self._prefix, self._owner, 0.9 * self._pause):
            return
        try:
            repaired = await self._mirror.compare()
        except HotStoreAway as error:
            await self._book.end(self._prefix, {}, str(error))
        else:
            await self._book.end(self._prefix, {str(name): count for name, count in repaired.items()})

    async def _for_ever(self, work: Callable[[], Awaitable[None]], pause: timedelta) -> None:
        while True:
            try:
                await work()
            except Error as error:
                log.info("Redis is not kept in step for a moment: %s", error)
            await asyncio.sleep(pause.total_seconds())


async def _connect(url: str) -> Connection:
    return await AsyncConnection[Row].connect(url, autocommit=True, prepare_threshold=None, row_factory=dict_row)

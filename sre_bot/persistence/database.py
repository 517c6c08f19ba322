"""The door to Postgres: a pool, transactions, and patience with a server that goes away for a moment."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Any, Self, TypeVar

from psycopg import AsyncConnection, Error, InterfaceError, OperationalError
from psycopg.abc import Buffer
from psycopg.errors import DeadlockDetected, IdleInTransactionSessionTimeout, SerializationFailure
from psycopg.rows import dict_row
from psycopg.types.datetime import TimestamptzBinaryLoader, TimestamptzLoader
from psycopg.types.json import set_json_dumps
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from sre_bot.persistence.announcements import Announcements
from sre_bot.persistence.convoys import Convoys

Row = dict[str, Any]
Connection = AsyncConnection[Row]
Result = TypeVar("Result")

IDLE_LIMIT = timedelta(seconds=10)

_BEGIN = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = {}"
"""One message, one round trip, and nothing that a session would have to remember."""

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_PAUSES = (0.05, 0.1, 0.25, 0.5, 1.0)
_SERVER_IS_GOING = ("57P01", "57P02", "57P03", "57P05")


class Database:
    """A pool of connections that keep no session state, so that it also works through a transaction pooler.

    Open it with ``async with Database.open(url) as database``. ``patience`` is how long, in seconds, ``attempt`` waits
    for a server that restarts; ``idle_limit`` is how long a process may be frozen inside a transaction before the
    server ends it and gives its locks to others: less than a lease, so that whoever takes over need not wait.
    """

    def __init__(
        self,
        url: str,
        pool: AsyncConnectionPool[Connection],
        *,
        patience: float = 60.0,
        idle_limit: timedelta = IDLE_LIMIT,
    ) -> None:
        self.url = url
        self.pool = pool
        self.patience = patience
        self.announcements = Announcements(pool)
        self.convoys = Convoys(self.lend)
        self._begin_statement = _BEGIN.format(idle_limit // timedelta(milliseconds=1)).encode()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, max_size: int = 10, idle_limit: timedelta = IDLE_LIMIT) -> AsyncGenerator[Self]:
        """Connect, and close the pool at the end. Raises ``psycopg.OperationalError`` when nobody answers."""
        pool = AsyncConnectionPool(
            url,
            connection_class=AsyncConnection[Row],
            kwargs={"autocommit": True, "prepare_threshold": None, "row_factory": dict_row, "client_encoding": "utf8"},
            min_size=1,
            max_size=max_size,
            configure=_configure,
            open=False,
        )
        try:
            await pool.open(wait=True, timeout=20.0)
            database = cls(url, pool, idle_limit=idle_limit)
            yield database
            await database.convoys.settle()
            await database.announcements.settle()
        finally:
            await pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """One transaction with rows as dicts: committed at the end, rolled back by an exception."""
        async with AsyncExitStack() as stack:
            yield await self._begin(stack)

    async def attempt(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Run ``work`` in a transaction, and again when the connection was lost, even while committing.

        ``work`` must therefore recognise what an earlier, silently committed run of itself has done. Raises the last
        error when the server stays away for longer than ``patience``.
        """

        async def once() -> Result:
            async with self.transaction() as connection:
                return await work(connection)

        return await self._patiently(once)

    async def ask(self, statement: bytes, parameters: Row) -> Row | None:
        """The first row of one statement that is a transaction of its own, in one round trip."""

        async def execute(connection: Connection) -> Row | None:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchone()

        return await self.lend(execute)

    async def lend(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Do with a connection what is one statement and so a transaction of its own.

        Like ``attempt`` it is done again when the connection was lost, even if it may have been carried out.
        """

        async def once() -> Result:
            connection = await self.pool.getconn()
            try:
                return await work(connection)
            finally:
                await self.pool.putconn(connection)

        return await self.read(once)

    async def read(self, once: Callable[[], Awaitable[Result]]) -> Result:
        """Do something that takes its connection from the pool itself, and again when that connection was lost."""

        async def on_living_connections() -> Result:
            try:
                return await once()
            except OperationalError as error:
                if _is_lost(error):
                    await self.pool.check()
                raise

        return await self._patiently(on_living_connections)

    async def _patiently(self, once: Callable[[], Awaitable[Result]]) -> Result:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self.patience
        for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
            try:
                return await once()
            except Error as error:
                if not passes(error) or loop.time() + pause > give_up:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("the pauses never end")

    async def now(self) -> datetime:
        """The database's clock, the only one that leases, retries and deadlines go by."""

        async def read(connection: Connection) -> datetime:
            cursor = await connection.execute("select clock_timestamp() as now")
            row = await cursor.fetchone()
            assert row is not None
            return row["now"]

        return await self.attempt(read)

    async def _begin(self, stack: AsyncExitStack) -> Connection:
        """Open a transaction. A connection that died in the pool shows here, before anything was done: clear them out.

        The pool's own check on each hand-out pauses for longer after every dead one, half a minute for ten.
        """
        try:
            return await self._enter(stack)
        except PoolTimeout:
            raise
        except OperationalError:
            await self.pool.check()
            return await self._enter(stack)

    async def _enter(self, stack: AsyncExitStack) -> Connection:
        async with AsyncExitStack() as own:
            connection = await own.enter_async_context(self.pool.connection())
            await own.enter_async_context(self._committed(connection))
            await stack.enter_async_context(own.pop_all())
            return connection

    @asynccontextmanager
    async def _committed(self, connection: Connection) -> AsyncGenerator[None]:
        """Begin, and commit at the end; after an exception the pool rolls back as it takes the connection back."""
        await connection.execute(self._begin_statement)
        try:
            yield
            await connection.commit()
        except IdleInTransactionSessionTimeout as error:
            raise OperationalError(f"the server ended a transaction in which we were frozen: {error}") from error


class _UtcText(TimestamptzLoader):
    def load(self, data: Buffer) -> datetime:
        return super().load(data).astimezone(UTC)


class _UtcBinary(TimestamptzBinaryLoader):
    def load(self, data: Buffer) -> datetime:
        return super().load(data).astimezone(UTC)


async def _configure(connection: Connection) -> None:
    """Set up a connection on our side only: what a session remembers, a pooler may lose."""
    connection.adapters.register_loader("timestamptz", _UtcText)
    connection.adapters.register_loader("timestamptz", _UtcBinary)
    set_json_dumps(dump_json, connection)


def dump_json(value: Any) -> bytes:
    """JSON that ``jsonb`` accepts whatever text came from outside: it knows neither NUL nor half a surrogate pair."""
    text = _JSON.encode(value).encode(errors="replace")
    return _NUL.sub(rb"\1\\ufffd", text) if b"\\u0000" in text else text


def storable(text: str) -> str:
    """The same text without what a column of type ``text`` cannot hold."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")


def passes(error: Error) -> bool:
    """Whether an error is one that a later attempt may not meet: a lost connection, a restart, a deadlock."""
    return isinstance(error, InterfaceError | SerializationFailure | DeadlockDetected) or _is_lost(error)


def _is_lost(error: Error) -> bool:
    if not isinstance(error, OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate in _SERVER_IS_GOING or error.sqlstate.startswith("08")

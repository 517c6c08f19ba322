"""One statement and its answer by libpq itself.

A cursor of the driver takes four times the processor time: it adapts parameters and results of every kind. What is
sent once for every step of every workflow has two parameters and one result.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

_TEXT, _BINARY = 0, 1

Register = Callable[..., Any]


async def exchange(connection: AsyncConnection[Any], statement: bytes, values: Sequence[str | bytes]) -> bytes:
    """The one value, not null, that a statement with ``$1``, ``$2`` … answers, as text.

    Strings travel as text, bytes as they are.

    Outside of a transaction the statement is one. Raises what a cursor raises. Whoever is cancelled here leaves the
    connection unfit for use, which a pool sees when it gets it back.
    """
    pgconn = connection.pgconn
    formats = [_BINARY if isinstance(value, bytes) else _TEXT for value in values]
    plain = [value if isinstance(value, bytes) else value.encode() for value in values]
    pgconn.send_query_params(statement, plain, param_formats=formats)
    loop = asyncio.get_running_loop()
    while pgconn.flush():
        await _ready(loop.add_writer, loop.remove_writer, pgconn.socket)
    answers: list[PGresult] = []
    while (answer := await _next(pgconn, loop)) is not None:
        answers.append(answer)
    value = _only(pgconn, answers).get_value(0, 0)
    assert value is not None
    return value


async def _next(pgconn: PGconn, loop: asyncio.AbstractEventLoop) -> PGresult | None:
    while pgconn.is_busy():
        await _ready(loop.add_reader, loop.remove_reader, pgconn.socket)
        pgconn.consume_input()
    return pgconn.get_result()


async def _ready(add: Register, remove: Register, descriptor: int) -> None:
    ready = asyncio.get_running_loop().create_future()
    add(descriptor, _tell, ready)
    try:
        await ready
    finally:
        remove(descriptor)


def _tell(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _only(pgconn: PGconn, answers: Sequence[PGresult]) -> PGresult:
    """The answer of a statement that was also committed: an error of the commit comes after it."""
    for answer in answers:
        if answer.status != ExecStatus.TUPLES_OK and pgconn.status != ConnStatus.BAD:
            raise error_from_result(answer)
    if not answers or pgconn.status == ConnStatus.BAD:
        raise OperationalError(f"the connection was lost: {pgconn.get_error_message()}")
    return answers[0]

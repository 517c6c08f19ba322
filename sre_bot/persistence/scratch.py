"""A database for one occasion, on a server that may hold others."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from psycopg import AsyncConnection, sql


@asynccontextmanager
async def scratch_database(url: str) -> AsyncGenerator[str]:
    """The URL of a new, empty database beside that of ``url``; dropped at the end."""
    name = f"sre_bot_{uuid.uuid4().hex[:12]}"
    await _execute(url, sql.SQL("create database {}").format(sql.Identifier(name)))
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        await _execute(url, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


async def _execute(url: str, statement: sql.Composed) -> None:
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(statement)

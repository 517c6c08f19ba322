"""A role of the application's own: it does the bot's work, and cannot rewrite what is append-only."""

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from sre_bot.domain.errors import BadInput
from sre_bot.persistence.database import Row
from sre_bot.persistence.statements import sql


async def grant(url: str, role: str) -> None:
    """Give a role what a worker needs on a database that is up to date; ``url`` is that of the tables' owner.

    Run it again after each migration. Raises ``BadInput`` for a role that does not exist, or that owns the tables.
    """
    async with await AsyncConnection[Row].connect(url, prepare_threshold=None, row_factory=dict_row) as connection:
        cursor = await connection.execute(sql("roles.facts"), {"role": role})
        facts = await cursor.fetchone()
        if facts is None:
            raise BadInput(f"there is no role {role!r}; an administrator makes it with `create role`")
        if facts["owns"]:
            raise BadInput(f"role {role!r} owns the tables, or may: no grant keeps it from rewriting the log")
        names = {"role": Identifier(role), "schema": Identifier("public")}
        await connection.execute(SQL(sql("roles.grants").decode()).format(**names))  # pyright: ignore[reportArgumentType]  # our own file

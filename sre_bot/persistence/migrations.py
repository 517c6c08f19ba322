"""The schema, brought up to date: the checkpoint tables of LangGraph's own saver first, then our numbered files."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from langgraph.checkpoint.postgres.base import BasePostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from sre_bot.domain.errors import BadSetting, NewerSchema
from sre_bot.persistence.database import Connection, Row

_LOCK = 0x53_52_45_42_4F_54
_OURS = """
create table schema_migrations (
    name text primary key,
    digest text not null,
    applied_at timestamptz not null default clock_timestamp()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. ``library_version`` is set on the steps that LangGraph's saver counts itself."""

    name: str
    statement: str
    library_version: int | None = None

    @property
    def digest(self) -> str:
        """The SHA-256 of the statement, in hex."""
        return sha256(self.statement.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """Every step, in order."""
    return (*_of_library(), *_of_files())


async def migrate(url: str, steps: Sequence[Migration] | None = None) -> tuple[str, ...]:
    """Apply what is missing, all of it or nothing, and return the names of what was applied now.

    ``steps`` are those that this version knows. Safe to run in several processes at once: the others wait and then find
    nothing to do. Raises ``BadSetting`` when a step was changed after it had been applied, ``NewerSchema`` when one was
    applied that this version does not know.
    """
    async with await _connect(url) as connection, connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        if not await _is_begun(connection):  # "if not exists" would need the right to create all the same
            await connection.execute(_OURS)
        missing = await _missing(connection, steps or migrations())
        for migration in missing:
            await _apply(connection, migration)
        return tuple(migration.name for migration in missing)


async def pending(url: str) -> tuple[str, ...]:
    """The names of the steps that are not applied yet; changes nothing. Raises like ``migrate``."""
    async with await _connect(url) as connection:
        return tuple(migration.name for migration in await _missing(connection, migrations()))


async def _connect(url: str) -> Connection:
    return await AsyncConnection[Row].connect(url, autocommit=True, prepare_threshold=None, row_factory=dict_row)


async def _missing(connection: Connection, steps: Sequence[Migration]) -> tuple[Migration, ...]:
    applied = await _applied(connection)
    if unknown := sorted(applied.keys() - {migration.name for migration in steps}):
        raise NewerSchema(
            f"this database has been brought up to date by a newer sre-bot: this version does not know "
            f"{', '.join(unknown)}. Update this one; workflows that it began go on under the newer one"
        )
    for migration in steps:
        if applied.get(migration.name, migration.digest) != migration.digest:
            raise BadSetting(
                f"migration {migration.name!r} was changed after it had been applied to this database; "
                "restore the file and put the change into a new migration"
            )
    return tuple(migration for migration in steps if migration.name not in applied)


async def _applied(connection: Connection) -> dict[str, str]:
    if not await _is_begun(connection):
        return {}
    cursor = await connection.execute("select name, digest from schema_migrations")
    return {row["name"]: row["digest"] for row in await cursor.fetchall()}


async def _is_begun(connection: Connection) -> bool:
    cursor = await connection.execute("select to_regclass('schema_migrations') is not null as exists")
    row = await cursor.fetchone()
    return row is not None and row["exists"]


async def _apply(connection: Connection, migration: Migration) -> None:
    await connection.execute(migration.statement.encode())
    if migration.library_version is not None:
        await connection.execute(
            "insert into checkpoint_migrations (v) values (%s) on conflict do nothing", (migration.library_version,)
        )
    await connection.execute(
        "insert into schema_migrations (name, digest) values (%s, %s)", (migration.name, migration.digest)
    )


def _of_library() -> tuple[Migration, ...]:
    """LangGraph's steps, counted in its own table too, so that its ``setup()`` finds nothing to do.

    An index can only be built concurrently outside of a transaction; on tables that this transaction has just made
    there is nobody to block.
    """
    return tuple(
        Migration(f"langgraph_{version:04}", statement.replace("CONCURRENTLY ", ""), version)
        for version, statement in enumerate(BasePostgresSaver.MIGRATIONS)
    )


def _of_files() -> tuple[Migration, ...]:
    folder = files("sre_bot.persistence").joinpath("migrations")
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(Migration(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")) for file in found)

"""The schema is brought up to date by whoever starts, even by several at once."""

import asyncio

import psycopg
import pytest
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from sre_bot.domain.errors import BadSetting
from sre_bot.persistence.database import Database
from sre_bot.persistence.migrations import migrate, migrations, pending
from sre_bot.persistence.saver import AuditedSaver

SEED_TABLES = {
    "workflow_states": "workflow_id ticket_id main_state sub_state detailed_state context created_at updated_at"
    " retry_count max_retries timeout_at escalated version",
    "state_transitions": "id workflow_id from_state to_state timestamp trigger_event agent_id metadata created_at",
    "workflow_checkpoints": "id workflow_id checkpoint_name state_snapshot created_at",
}
SEED_INDEXES = {
    "idx_workflow_states_ticket_id",
    "idx_workflow_states_main_state",
    "idx_workflow_states_updated_at",
    "idx_state_transitions_workflow_id",
    "idx_state_transitions_timestamp",
}
NAMES = tuple(migration.name for migration in migrations())


async def test_an_empty_database_lacks_everything_and_then_nothing(empty_database_url: str) -> None:
    assert await pending(empty_database_url) == NAMES
    assert await migrate(empty_database_url) == NAMES
    assert await pending(empty_database_url) == ()
    assert await migrate(empty_database_url) == ()


async def test_several_that_start_at_once_apply_each_step_once(empty_database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database_url) for _ in range(6)))

    assert sorted(applied, key=len)[:-1] == [()] * 5
    assert max(applied, key=len) == NAMES


async def test_a_step_that_fails_leaves_nothing_behind(empty_database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(empty_database_url, autocommit=True) as connection:
        await connection.execute("create table effects (in_the_way integer)")
        with pytest.raises(psycopg.errors.DuplicateTable):
            await migrate(empty_database_url)
        assert await pending(empty_database_url) == NAMES
        await connection.execute("drop table effects")

    assert await migrate(empty_database_url) == NAMES


async def test_a_step_that_was_changed_after_the_fact_is_refused(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("update schema_migrations set digest = 'other' where name = '0001_record'")

    with pytest.raises(BadSetting, match="'0001_record'"):
        await migrate(database_url)


async def test_the_tables_of_the_specification_are_there_with_their_columns_and_indexes(database: Database) -> None:
    async with database.transaction() as connection:
        for table, columns in SEED_TABLES.items():
            cursor = await connection.execute(
                "select column_name from information_schema.columns where table_name = %s", (table,)
            )
            assert {row["column_name"] for row in await cursor.fetchall()} >= set(columns.split())
        cursor = await connection.execute("select indexname from pg_indexes where schemaname = 'public'")
        assert {row["indexname"] for row in await cursor.fetchall()} >= SEED_INDEXES


async def test_the_stock_saver_finds_its_tables_set_up(database: Database) -> None:
    async with database.pool.connection() as connection:
        await AsyncPostgresSaver(connection).setup()
        cursor = await connection.execute("select max(v) as v from checkpoint_migrations")
        assert await cursor.fetchone() == {"v": len(AsyncPostgresSaver.MIGRATIONS) - 1}
    assert await pending(database.url) == ()


async def test_setting_up_the_saver_migrates(empty_database_url: str) -> None:
    async with Database.open(empty_database_url) as database:
        await AuditedSaver(database).setup()

    assert await pending(empty_database_url) == ()

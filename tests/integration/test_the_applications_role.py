"""A role of the application's own does the bot's work and is refused when it rewrites the log."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from langgraph.types import Command
from psycopg.sql import SQL, Identifier

from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.operator import OperatorRequests
from sre_bot.persistence.replay import verify
from sre_bot.persistence.rewinds import Rewinds
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import LawGraph, case
from tests.record_commands_stage import Commands
from tests.record_runs import TTL, claimed, rows, under
from tests.record_stories import keep_nothing


@pytest.fixture
async def role(database_url: str) -> AsyncGenerator[str]:
    name = f"app_{uuid4().hex[:12]}"
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(SQL("create role {} login password 'secret'").format(Identifier(name)))
        yield name
        await connection.execute(SQL("drop owned by {}").format(Identifier(name)))
        await connection.execute(SQL("drop role {}").format(Identifier(name)))


@pytest.fixture
async def as_application(database_url: str, role: str, tmp_path: Path) -> AsyncGenerator[Database]:
    """The record, opened by the application's role."""
    granted = await Commands(database_url, tmp_path)("migrate", "--role", role)
    assert granted.code == 0, granted.err
    async with Database.open(url_of(database_url, role)) as database:
        yield database


def url_of(database_url: str, role: str) -> str:
    parts = urlsplit(database_url)
    return urlunsplit(parts._replace(netloc=f"{role}:secret@{parts.hostname}:{parts.port}"))


async def test_the_applications_role_does_everything_that_a_worker_does(
    as_application: Database, law_graph: LawGraph
) -> None:
    workflows, graph = Workflows(as_application), law_graph.compile(AuditedSaver(as_application))
    claim = await claimed(workflows)
    await ResourceLocks(as_application).acquire(claim, ("repository:acme/shop",))

    async def act(_: object) -> dict[str, int]:
        return {"id": 1}

    await Effects(as_application).once(claim, "merge", 0, {}, act, None)
    await graph.ainvoke(case(), under(claim))
    await workflows.release(claim)
    await OperatorRequests(as_application).pause(None, "", "me")
    await OperatorRequests(as_application).resume(None, "me")
    await Rewinds(as_application).rewind(
        claim.workflow_id, "analysis:analysis_complete", why="", asked_by="me", carry=keep_nothing
    )
    again = await workflows.claim(claim.workflow_id, "worker-2", TTL)
    await graph.ainvoke(None, under(again))
    await graph.ainvoke(Command(resume="wake up"), under(again))

    assert (await workflows.get(claim.workflow_id)).outcome == "resolved"
    assert await verify(as_application, claim.workflow_id) == ()


async def test_the_command_line_works_as_the_applications_role(
    as_application: Database, database_url: str, role: str, tmp_path: Path
) -> None:
    found = await Commands(url_of(database_url, role), tmp_path)("status")

    assert (found.code, found.out.startswith("No workflow is live")) == (0, True), found.err


@pytest.mark.parametrize(
    ("table", "column"),
    [("state_transitions", "agent_id"), ("operator_requests", "why"), ("restorations", "backup")],
)
async def test_what_is_append_only_is_refused_to_the_applications_role(
    table: str, column: str, as_application: Database
) -> None:
    for statement in (f"delete from {table}", f"update {table} set {column} = 'x'", f"truncate {table}"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await rows(as_application, statement.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "set session_replication_role = replica",
        "alter table state_transitions disable trigger append_only",
        "drop trigger append_only on state_transitions",
        "create or replace function refuse_rewriting() returns trigger language plpgsql as $$ begin return old; end $$",
        "delete from schema_migrations",
    ],
)
async def test_the_applications_role_cannot_take_the_guards_away(statement: str, as_application: Database) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with as_application.transaction() as connection:
            await connection.execute(statement.encode())


async def test_a_role_that_grants_cannot_bind_is_refused(database_url: str, tmp_path: Path) -> None:
    sre_bot = Commands(database_url, tmp_path)

    owner, nobody = await asyncio.gather(
        sre_bot("migrate", "--role", str(urlsplit(database_url).username)), sre_bot("migrate", "--role", "no_such_role")
    )

    assert owner.code == nobody.code == 2
    assert "owns the tables" in owner.err and "there is no role 'no_such_role'" in nobody.err

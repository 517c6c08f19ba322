"""``status --cached`` and ``show --follow``: what people see of Redis, and what they see without it."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from langgraph.types import Command

from sre_bot.persistence.database import Database
from sre_bot.persistence.hot.mirror import Mirror
from sre_bot.persistence.hot.store import HotStore
from sre_bot.persistence.hot.upkeep import kept_in_step
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import LawGraph, case
from tests.record_commands_stage import Commands
from tests.record_runs import claimed, under
from tests.redis_servers import RedisServer, redis_server

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
async def redis() -> AsyncGenerator[RedisServer]:
    async with redis_server() as server:
        yield server


@pytest.fixture
def bot(database_url: str, tmp_path: Path) -> Commands:
    return Commands(database_url, tmp_path)


async def test_what_redis_was_told_is_listed_without_postgres_and_said_to_be_old(
    database: Database, workflows: Workflows, redis: RedisServer, tmp_path: Path
) -> None:
    claim = await claimed(workflows)
    await LawGraph().compile(AuditedSaver(database)).ainvoke(case(), under(claim))
    async with HotStore.open(redis.url, "sre-bot") as store:
        await Mirror(database, store).compare()
    state = await workflows.get(claim.workflow_id)

    listed = await Commands(NOWHERE, tmp_path)("status", "--cached", "--json", REDIS_URL=redis.url)
    shown = await Commands(NOWHERE, tmp_path)("status", "--cached", REDIS_URL=redis.url)

    [copy] = listed.json
    assert (copy["workflow_id"], copy["version"], copy["detailed_state"]) == (
        state.workflow_id,
        state.version,
        "awaiting_review",
    )
    assert "awaiting_review" in shown.out
    assert "may be late or wrong" in shown.err


async def test_a_cached_list_that_cannot_be_had_says_so_and_where_the_truth_is(
    bot: Commands, redis: RedisServer, workflows: Workflows
) -> None:
    await claimed(workflows)
    redis.freeze()

    without = await bot("status", "--cached")
    frozen = await bot("status", "--cached", REDIS_URL=redis.url)
    truth = await bot("status", "--json", REDIS_URL=redis.url)

    assert (without.code, frozen.code, truth.code) == (1, 1, 0)
    assert "no Redis is configured; `sre-bot status` asks Postgres" in without.err
    assert "did not answer" in frozen.err
    assert len(truth.json) == 1


@pytest.mark.parametrize("with_redis", [True, False])
async def test_show_follow_prints_every_step_up_to_the_end(
    bot: Commands, database: Database, workflows: Workflows, redis: RedisServer, with_redis: bool
) -> None:
    settings = {"REDIS_URL": redis.url} if with_redis else {}
    claim, graph = await claimed(workflows), LawGraph().compile(AuditedSaver(database))
    await graph.ainvoke(case(), under(claim))
    async with HotStore.open(redis.url, "sre-bot") as store, kept_in_step(database, store, "one"):
        following = asyncio.create_task(bot("show", "OPS-1", "--follow", "--json", **settings))
        await graph.ainvoke(Command(resume="wake-up"), under(claim))
        followed = await following
    recorded = await bot("timeline", "OPS-1", "--json")

    assert followed.code == 0
    assert [json.loads(line) for line in followed.out.splitlines()] == recorded.json


@pytest.mark.parametrize("wrong", ["http://:secret@127.0.0.1:6379", "redis://:secret@[::1", "unix://:secret@"])
async def test_a_redis_url_that_is_none_is_refused_without_being_printed(bot: Commands, wrong: str) -> None:
    refused = await bot("status", REDIS_URL=wrong)

    assert refused.code == 2
    assert "REDIS_URL: not a Redis URL" in refused.err
    assert "secret" not in refused.err


async def test_a_redis_url_whose_options_cannot_work_is_refused(bot: Commands, redis: RedisServer) -> None:
    for options in ("socket_timeout=soon", "decode_responses=true"):
        refused = await bot("status", "--cached", REDIS_URL=f"{redis.url}?{options}")

        assert refused.code == 2
        assert "REDIS_URL: " in refused.err
        assert options.partition("=")[0] in refused.err

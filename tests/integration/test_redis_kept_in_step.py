"""What Redis is told of the record, and what is put right there: Postgres wins, whichever version is higher."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from langgraph.types import Command

from sre_bot.app import Record
from sre_bot.cli.progress import follow_to_the_end
from sre_bot.domain.states import DetailedState, MainState
from sre_bot.persistence.database import Database
from sre_bot.persistence.hot.differences import Difference
from sre_bot.persistence.hot.lock_hints import LockHints
from sre_bot.persistence.hot.mirror import Mirror
from sre_bot.persistence.hot.rounds import RoundBook
from sre_bot.persistence.hot.states import HotStates
from sre_bot.persistence.hot.store import HotStore
from sre_bot.persistence.hot.upkeep import kept_in_step
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.manager import WorkflowStateManager
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import LawGraph, case
from tests.record_runs import claimed, under
from tests.redis_servers import RedisServer, redis_server
from tests.running_labs import until

STATES, LOCKS = "{tests}:states", "{tests}:locks"
NEVER = timedelta(days=1)


@pytest.fixture
async def redis() -> AsyncGenerator[RedisServer]:
    async with redis_server() as server:
        yield server


@pytest.fixture
async def store(redis: RedisServer) -> AsyncGenerator[HotStore]:
    async with HotStore.open(redis.url, "tests", rest=0.05) as store:
        yield store


@pytest.fixture
def mirror(database: Database, store: HotStore) -> Mirror:
    return Mirror(database, store)


async def at_the_review(database: Database, workflows: Workflows) -> str:
    """A workflow that waits for a review."""
    claim = await claimed(workflows)
    await LawGraph().compile(AuditedSaver(database)).ainvoke(case(), under(claim))
    return claim.workflow_id


async def published(redis: RedisServer, workflow_id: str) -> list[dict[str, Any]]:
    """The steps in a workflow's stream."""
    async with redis.client() as client:
        entries: Any = await client.xrange(f"{{tests}}:progress:{workflow_id}")
    return [json.loads(fields[b"transition"]) for _, fields in entries]


async def logged(database: Database, workflow_id: str) -> list[tuple[Any, ...]]:
    async with database.transaction() as connection:
        cursor = await connection.execute(
            "select version, ordinal, from_state, to_state, trigger_event from state_transitions"
            " where workflow_id = %s order by version, ordinal",
            (workflow_id,),
        )
        return [tuple(row.values()) for row in await cursor.fetchall()]


def told(steps: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(step["version"], step["ordinal"], step["from"], step["to"], step["trigger"]) for step in steps]


async def test_every_step_is_published_once_in_the_order_of_the_log(
    database: Database, workflows: Workflows, redis: RedisServer, store: HotStore
) -> None:
    async with kept_in_step(database, store, "one", NEVER), kept_in_step(database, store, "other", NEVER):
        workflow_id = await at_the_review(database, workflows)
        log = await logged(database, workflow_id)
        await until(lambda: published(redis, workflow_id), lambda steps: told(steps) == log)

    assert len(log) > 10


async def test_a_step_that_no_graph_took_is_published_too(
    database: Database, redis: RedisServer, store: HotStore
) -> None:
    async with kept_in_step(database, store, "one", NEVER):
        manager = WorkflowStateManager(database)
        workflow_id = await manager.create_workflow_instance("OPS-1", {})
        await manager.transition_state(workflow_id, MainState.SYSTEM_IDLE, None, DetailedState.TICKET_DETECTED)
        await until(lambda: published(redis, workflow_id), lambda steps: len(steps) == 1)


async def test_the_copy_is_the_projection_at_its_version(
    database: Database, workflows: Workflows, store: HotStore, mirror: Mirror
) -> None:
    workflow_id = await at_the_review(database, workflows)
    await mirror.deliver([workflow_id])

    [copy], state = await HotStates(store).all(), await workflows.get(workflow_id)

    assert (copy.workflow_id, copy.version, copy.position) == (workflow_id, state.version, state.position)
    assert (copy.entered_at, copy.timeout_at, copy.outcome) == (state.entered_at, state.timeout_at, None)


async def test_what_is_in_step_is_left_alone(
    database: Database, workflows: Workflows, redis: RedisServer, mirror: Mirror
) -> None:
    await mirror.deliver([await at_the_review(database, workflows)])
    before = await redis.hash(STATES)

    assert await mirror.compare() == Counter()
    assert await redis.hash(STATES) == before


def at_version(document: bytes, version: int) -> bytes:
    return json.dumps({**json.loads(document), "version": version}).encode()


DAMAGE: dict[Difference, Callable[[bytes], bytes | None]] = {
    Difference.MISSING: lambda document: None,
    Difference.BEHIND: lambda document: at_version(document, 2),
    Difference.AHEAD: lambda document: at_version(document, 999),
    Difference.CONTRADICTING: lambda document: document.replace(b"awaiting_review", b"approved"),
    Difference.UNREADABLE: lambda document: b"\xff{",
}


@pytest.mark.parametrize("kind", DAMAGE)
async def test_a_copy_that_differs_is_put_right_and_counted(
    database: Database,
    workflows: Workflows,
    redis: RedisServer,
    mirror: Mirror,
    kind: Difference,
) -> None:
    workflow_id = await at_the_review(database, workflows)
    await mirror.deliver([workflow_id])
    [right] = (await redis.hash(STATES)).values()
    wrong = DAMAGE[kind](right)
    async with redis.client() as client:
        await (client.hdel(STATES, workflow_id) if wrong is None else client.hset(STATES, workflow_id, wrong))

    assert await mirror.compare() == Counter({kind: 1})
    assert await redis.hash(STATES) == {workflow_id.encode(): right}
    assert told(await published(redis, workflow_id)) == await logged(database, workflow_id)
    assert await mirror.compare() == Counter()


@pytest.mark.parametrize("wrong_end", [b"999-0", b"3-0"])
async def test_a_stream_that_ends_elsewhere_than_the_log_is_written_anew(
    database: Database, workflows: Workflows, redis: RedisServer, mirror: Mirror, wrong_end: bytes
) -> None:
    workflow_id = await at_the_review(database, workflows)
    await mirror.deliver([workflow_id])
    stream = f"{{tests}}:progress:{workflow_id}"
    async with redis.client() as client:
        await client.delete(stream)
        await client.xadd(stream, {"transition": "{}"}, id=wrong_end)

    assert await mirror.compare() == Counter({Difference.PROGRESS: 1})
    assert told(await published(redis, workflow_id)) == await logged(database, workflow_id)


async def test_a_workflow_that_postgres_does_not_have_is_dropped(
    redis: RedisServer, store: HotStore, mirror: Mirror
) -> None:
    async with redis.client() as client:
        await client.hset(STATES, mapping={str(uuid4()): "{}", "no id at all": "x"})

    assert await mirror.compare() == Counter({Difference.UNKNOWN: 2})
    assert await HotStates(store).all() == ()


async def test_a_workflow_that_ended_long_ago_is_dropped_and_no_mistake(
    database: Database, workflows: Workflows, redis: RedisServer, mirror: Mirror
) -> None:
    claim = await claimed(workflows)
    graph = LawGraph().compile(AuditedSaver(database))
    await graph.ainvoke(case(), under(claim))
    await graph.ainvoke(Command(resume="wake-up"), under(claim))
    await mirror.deliver([claim.workflow_id])
    async with database.transaction() as connection:
        await connection.execute("update workflow_states set updated_at = updated_at - interval '2 days'")

    assert await mirror.compare() == Counter()
    assert await redis.hash(STATES) == {}


async def test_lock_hints_follow_the_locks(
    database: Database, workflows: Workflows, redis: RedisServer, store: HotStore, mirror: Mirror
) -> None:
    locks, claim = ResourceLocks(database, LockHints(store)), await claimed(workflows)
    await locks.acquire(claim, ("argocd:shop", "repository:acme/shop"))
    assert await redis.hash(LOCKS) == dict.fromkeys(
        (b"argocd:shop", b"repository:acme/shop"), claim.workflow_id.encode()
    )
    async with redis.client() as client:
        await client.hset(LOCKS, mapping={"argocd:shop": "somebody else", "argocd:other": "nobody knows"})
        await client.hdel(LOCKS, "repository:acme/shop")

    repaired = await mirror.compare()

    assert repaired[Difference.LOCK] == 3
    assert set((await redis.hash(LOCKS)).values()) == {claim.workflow_id.encode()}
    await locks.release(claim.workflow_id)
    assert await redis.hash(LOCKS) == {}


async def test_who_was_faster_is_not_undone(
    database: Database, workflows: Workflows, redis: RedisServer, mirror: Mirror
) -> None:
    """Any number of writers at once, and a workflow that moves meanwhile: the copy ends where the log ends."""
    claim, moving = await claimed(workflows), LawGraph()

    async def pass_on() -> None:
        await asyncio.gather(*(mirror.deliver([claim.workflow_id]) for _ in range(3)), mirror.compare())

    moving.hooks = {"correlation": pass_on, "fix_generation": pass_on, "pr_creation": pass_on}
    await moving.compile(AuditedSaver(database)).ainvoke(case(), under(claim))
    await pass_on()

    log = await logged(database, claim.workflow_id)
    assert told(await published(redis, claim.workflow_id)) == log
    assert await mirror.compare() == Counter()


async def test_two_bots_that_share_a_redis_do_not_touch_each_others_part(
    database: Database, workflows: Workflows, redis: RedisServer, mirror: Mirror
) -> None:
    await mirror.deliver([await at_the_review(database, workflows)])
    before = await redis.hash(STATES)
    async with HotStore.open(redis.url, "another") as elsewhere:
        await Mirror(database, elsewhere).compare()

    assert await redis.hash(STATES) == before
    assert len(await redis.hash("{another}:states")) == 1


async def test_a_restored_database_wins_over_what_redis_remembers(
    database: Database, workflows: Workflows, store: HotStore, mirror: Mirror
) -> None:
    await mirror.deliver([await at_the_review(database, workflows)])
    async with database.transaction() as connection:
        await connection.execute("update workflow_states set version = 2, detailed_state = 'validating_ticket'")

    assert (await mirror.compare())[Difference.AHEAD] == 1
    assert [copy.version for copy in await HotStates(store).all()] == [2]


async def test_one_process_compares_for_all_and_health_says_what_was_put_right(
    database: Database, workflows: Workflows, redis: RedisServer, store: HotStore
) -> None:
    book = RoundBook(database)
    workflow_id = await at_the_review(database, workflows)
    assert await book.claim(store.prefix, "one", NEVER)
    assert not await book.claim(store.prefix, "other", NEVER)
    async with database.transaction() as connection:
        await connection.execute("update redis_rounds set claimed_at = claimed_at - interval '1 minute'")

    async with kept_in_step(database, store, "other", timedelta(seconds=0.05)):
        await until(lambda: redis.hash(STATES), bool)
        async with redis.client() as client:
            await client.hset(STATES, str(uuid4()), "{}")
        said = await until(lambda: redis_said(database), lambda said: "1 unknown" in said)

    assert workflow_id.encode() in await redis.hash(STATES)
    assert said.startswith("ok: compared")


async def test_health_notes_a_redis_that_is_away_and_stays_ready_for_work(
    database: Database, redis: RedisServer, store: HotStore
) -> None:
    assert await redis_said(database) == "ok: not in use"
    redis.freeze()
    async with kept_in_step(database, store, "one", timedelta(seconds=0.05)):
        await until(lambda: redis_said(database), lambda said: said.startswith("noted: away for"))
        redis.thaw()
        await until(lambda: redis_said(database), lambda said: said.startswith("ok: compared"))


async def redis_said(database: Database) -> str:
    health = await Record.of(database).examination().health()
    [reason] = [reason for reason in health.reasons if reason.name == "redis"]
    return f"{reason.level}: {reason.said}"


@pytest.mark.parametrize("mishap", ["none", "off", "killed", "flushed", "stopped", "told nothing", "told nonsense"])
async def test_a_follower_sees_every_step_whatever_redis_says(
    database: Database, workflows: Workflows, redis: RedisServer, store: HotStore, mishap: str
) -> None:
    hot = HotStore() if mishap == "off" else store
    claim, graph = await claimed(workflows), LawGraph().compile(AuditedSaver(database))
    telling = HotStore() if mishap == "told nothing" else hot

    async def befall() -> None:
        if mishap == "killed":
            await redis.kill()
        elif mishap == "flushed":
            await redis.flush()
        elif mishap == "stopped":
            redis.freeze()
        elif mishap == "told nonsense":
            async with redis.client() as client:
                stream = f"{{tests}}:progress:{claim.workflow_id}"
                await client.delete(stream)
                await client.xadd(stream, {"transition": "{}"}, id="999-0")

    async def work() -> None:
        await graph.ainvoke(case(), under(claim))
        await befall()
        await graph.ainvoke(Command(resume="wake-up"), under(claim))

    async with kept_in_step(database, telling, "one", NEVER):
        working = asyncio.create_task(work())
        seen = [row async for row in follow_to_the_end(Record.of(database, hot), claim.workflow_id)]
        await working

    assert tuple(seen) == await workflows.transitions(claim.workflow_id)

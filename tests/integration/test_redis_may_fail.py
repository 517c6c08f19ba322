"""Redis killed, flushed, stopped, stale value, slow: same results as with Redis off; bounded delay."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from langgraph.types import Command

from sre_bot.domain.errors import HotStoreAway
from sre_bot.persistence.database import Database
from sre_bot.persistence.hot.lock_hints import LockHints
from sre_bot.persistence.hot.states import HotStates
from sre_bot.persistence.hot.store import HotStore
from sre_bot.persistence.hot.upkeep import kept_in_step
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.manager import WorkflowStateManager
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import WHOLE_WAY, LawGraph, case, working_edges
from tests.record_runs import claimed, steps, under
from tests.redis_servers import RedisServer, redis_server, slow_line
from tests.running_labs import until

APPLICATION = "argocd:shop"
PREFIX = "tests"
STATES, LOCKS = "{tests}:states", "{tests}:locks"

Mishap = Callable[[RedisServer, str], Awaitable[None]]


async def nothing(server: RedisServer, workflow_id: str) -> None:
    """Redis works."""


async def killed(server: RedisServer, workflow_id: str) -> None:
    await server.kill()


async def killed_and_back(server: RedisServer, workflow_id: str) -> None:
    await server.kill()
    await server.start()


async def flushed(server: RedisServer, workflow_id: str) -> None:
    await server.flush()


async def stopped(server: RedisServer, workflow_id: str) -> None:
    server.freeze()


async def stale(server: RedisServer, workflow_id: str) -> None:
    """What was true a while ago is there again, and what never was: ended, moved on, held by somebody else."""
    async with server.client() as client:
        document: Any = await client.hget(STATES, workflow_id)
        told = document.replace(b'"outcome":null', b'"outcome":"resolved"').replace(b'"version":', b'"version":9')
        await client.hset(STATES, workflow_id, told)
        await client.hset(LOCKS, APPLICATION, "somebody else")
        await client.delete(f"{{tests}}:progress:{workflow_id}")
        await client.xadd(f"{{tests}}:progress:{workflow_id}", {"transition": "{}"}, id="999-0")


async def garbled(server: RedisServer, workflow_id: str) -> None:
    """Every key is of another kind than ours."""
    async with server.client() as client:
        await client.flushall()
        for key in (STATES, LOCKS, f"{{tests}}:progress:{workflow_id}"):
            await client.set(key, b"\xff not ours")


MISHAPS = (nothing, killed, killed_and_back, flushed, stopped, stale, garbled)


@dataclass(frozen=True, slots=True)
class Left:
    """What a run left in the record."""

    log: list[tuple[str, str, str]]
    outcome: str | None
    version: int
    held_on_the_way: list[str]
    held_at_the_end: list[str]
    problems: tuple[Any, ...]


@asynccontextmanager
async def store_at(url: str, rest: float = 0.05) -> AsyncGenerator[HotStore]:
    async with HotStore.open(url, PREFIX, rest=rest) as store:
        yield store


async def whole_way(database: Database, store: HotStore, mishap: Callable[[str], Awaitable[None]]) -> Left:
    """Run a workflow from its ticket to its end; something befalls Redis while it waits for a review."""
    graph, workflows, locks = LawGraph(), Workflows(database), ResourceLocks(database, LockHints(store))
    compiled, claim = graph.compile(AuditedSaver(database)), await claimed(workflows)
    held: list[str] = []

    async def hold() -> None:
        assert await locks.acquire(claim, (APPLICATION,))
        held.extend(row["resource"] for row in await locks.held())

    graph.hooks |= {"pr_creation": hold, "triggering_deployment": hold}
    async with kept_in_step(database, store, "worker-1"):
        await compiled.ainvoke(case(), under(claim))
        await locks.release(claim.workflow_id)
        await mishap(claim.workflow_id)
        await compiled.ainvoke(Command(resume="wake-up"), under(claim))
        await locks.release(claim.workflow_id)
    state = await workflows.get(claim.workflow_id)
    return Left(
        log=await steps(workflows, claim.workflow_id),
        outcome=state.outcome,
        version=state.version,
        held_on_the_way=held,
        held_at_the_end=[row["resource"] for row in await locks.held()],
        problems=tuple(await verify(database, claim.workflow_id)),
    )


async def without_redis(workflow_id: str) -> None:
    """Nothing can befall what is not there."""


@pytest.mark.parametrize("mishap", MISHAPS, ids=lambda mishap: mishap.__name__)
async def test_redis_killed_flushed_stopped_stale_value_same_results_as_with_redis_off(
    database: Database, mishap: Mishap
) -> None:
    off = await whole_way(database, HotStore(), without_redis)
    async with redis_server() as server, store_at(server.url) as store:
        on = await whole_way(database, store, lambda workflow_id: _seen_and(mishap, server, workflow_id))

    assert off.log == working_edges(WHOLE_WAY, "resolved")
    assert off.held_on_the_way == [APPLICATION, APPLICATION]
    assert on == off
    assert off.problems == ()


async def _seen_and(mishap: Mishap, server: RedisServer, workflow_id: str) -> None:
    """Let it happen once Redis knows of the workflow."""
    await until(lambda: server.hash(STATES), lambda found: workflow_id.encode() in found)
    await mishap(server, workflow_id)


async def test_redis_slow_same_results_as_with_redis_off(database: Database) -> None:
    off = await whole_way(database, HotStore(), without_redis)
    async with redis_server() as server, slow_line(server, 0.1) as url, store_at(url) as store:
        assert await whole_way(database, store, without_redis) == off


async def test_redis_that_was_never_there_same_results_as_with_redis_off(database: Database) -> None:
    off = await whole_way(database, HotStore(), without_redis)
    async with store_at("redis://127.0.0.1:1/0") as store:
        assert await whole_way(database, store, without_redis) == off


async def test_redis_stopped_costs_one_time_out_and_then_nothing_until_it_is_tried_again() -> None:
    asked = 0

    async def ping(redis: Any) -> bool:
        nonlocal asked
        asked += 1
        return await redis.ping()

    async with redis_server() as server, store_at(server.url, rest=3600) as store:
        server.freeze()
        for _ in range(1000):
            with pytest.raises(HotStoreAway, match="did not answer"):
                await store.ask(ping)
        assert asked == 1


async def test_redis_back_after_a_rest_is_used_again() -> None:
    async with redis_server() as server, store_at(server.url) as store:
        server.freeze()
        with pytest.raises(HotStoreAway):
            await HotStates(store).all()
        server.thaw()

        async def answers() -> bool:
            try:
                return await HotStates(store).all() == ()
            except HotStoreAway:
                return False

        assert await until(answers, bool)


async def test_while_one_caller_tries_a_redis_that_was_away_the_others_do_not_wait() -> None:
    async with redis_server() as server, store_at(server.url) as store:
        server.freeze()
        with pytest.raises(HotStoreAway):
            await HotStates(store).all()
        await until(_resting(store), lambda resting: not resting)
        asked: list[str] = []

        async def ask(name: str) -> None:
            async def question(redis: Any) -> Any:
                asked.append(name)
                return await redis.ping()

            with pytest.raises(HotStoreAway):
                await store.ask(question)

        await asyncio.gather(*(ask(name) for name in "abc"))
        assert asked == ["a"]


async def test_a_stale_hint_that_a_lock_is_held_takes_it_from_nobody(database: Database) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(redis_server())
        store = await stack.enter_async_context(store_at(server.url))
        async with server.client() as client:
            await client.hset(LOCKS, "repository:acme/shop", "somebody who is long gone")
        manager = WorkflowStateManager(database, LockHints(store))

        async with manager.acquire_resource_lock("repository", "acme/shop", timeout=0.1):
            held = [row["resource"] for row in await ResourceLocks(database).held()]
        assert held == ["repository:acme/shop"]
        async with manager.acquire_resource_lock("repository", "acme/shop"):
            assert await LockHints(store).is_held("repository:acme/shop")
        assert not await LockHints(store).is_held("repository:acme/shop")


async def test_a_stale_hint_that_a_lock_is_free_gives_it_to_nobody(database: Database, workflows: Workflows) -> None:
    async with redis_server() as server, store_at(server.url) as store:
        hints, holder = LockHints(store), await claimed(workflows)
        assert await ResourceLocks(database, hints).acquire(holder, ("repository:acme/shop",))
        await server.flush()

        with pytest.raises(Exception, match="was not free"):
            async with WorkflowStateManager(database, hints).acquire_resource_lock(
                "repository", "acme/shop", timeout=0.1
            ):
                raise AssertionError("two at once")


def _resting(store: HotStore) -> Callable[[], Awaitable[bool]]:
    async def resting() -> bool:
        return store.resting

    return resting

"""The whole bot without a Redis, and with one that is taken away."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sre_bot.cli.demo import FIRST_INCIDENT
from sre_bot.evals.harness import Pace, Stage, play, staged
from tests.acceptance_stage import INCIDENTS
from tests.redis_servers import RedisServer, redis_server
from tests.running_labs import until

INCIDENT = INCIDENTS / FIRST_INCIDENT


@pytest.fixture
async def redis() -> AsyncGenerator[RedisServer]:
    async with redis_server() as server:
        yield server


@asynccontextmanager
async def bot(postgres: str, url: str = "") -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, Pace(), redis_url=url) as stage:
        yield stage


async def test_redis_stopped_in_the_middle_of_an_incident_same_results_as_with_redis_off(
    postgres: str, redis: RedisServer
) -> None:
    async with bot(postgres) as stage:
        off = await play(stage)
    async with bot(postgres, redis.url) as stage:
        freezing = asyncio.create_task(_freeze_after(stage, redis, b"fix_generation"))
        on = await play(stage)
        await freezing

    assert off.state.outcome == "resolved"
    assert (on.state.outcome, on.state.version) == (off.state.outcome, off.state.version)
    assert _steps(on.transitions) == _steps(off.transitions)
    assert _made(on.world) == _made(off.world)


async def _freeze_after(stage: Stage, redis: RedisServer, state: bytes) -> None:
    """Stop Redis once it has been told of a state, by the stream: it keeps what a short state leaves no time to see."""
    await until(lambda: redis.streamed("{sre-bot}:progress:*"), lambda told: any(state in step for step in told))
    redis.freeze()
    assert await stage.app.record.workflows.live(), "too late: nothing is under way any more"


def _steps(rows: Sequence[Any]) -> list[tuple[str, str, str]]:
    return [(row.from_state, row.to_state, row.trigger_event) for row in rows]


def _made(world: dict[str, Any]) -> list[tuple[bool, int]]:
    return [(pull["merged"], pull["number"]) for pull in world["pull_requests"]]

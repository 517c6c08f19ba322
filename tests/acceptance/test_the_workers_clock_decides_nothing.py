"""A worker whose own clock is an hour off steals no lease and drops no deadline: the database's clock decides."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.evals.harness import Pace, Stage, staged
from tests.acceptance_stage import environment, running
from tests.bad_input_stage import INCIDENT, reviewing

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
"""Debian's package faketime."""

TTL = timedelta(minutes=2)


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, Pace()) as stage:
        yield stage


async def set_deadline(stage: Stage, workflow_id: str, left: timedelta) -> None:
    async with stage.app.record.database.transaction() as connection:
        await connection.execute(
            "update workflow_states set timeout_at = clock_timestamp() + %s where workflow_id = %s",
            (left, workflow_id),
        )


async def until(look: Callable[[], Awaitable[bool]], serve: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(90):
        while not await look():
            assert serve.returncode is None, "serve ended by itself"
            await asyncio.sleep(0.1)  # another process works, and tells nobody here


@pytest.mark.skipif(LIBRARY is None, reason="no libfaketime here")
@pytest.mark.parametrize("offset", ["+1h", "-1h"])
async def test_process_clock_an_hour_off_means_no_early_steal_and_no_sla_misfire(
    offset: str, stage: Stage, tmp_path: Path
) -> None:
    workflows, url = stage.app.record.workflows, stage.app.settings.database_url.get_secret_value()
    waiting = (await reviewing(stage)).state.workflow_id
    await set_deadline(stage, waiting, timedelta(minutes=30))
    elsewhere = await workflows.claim((await workflows.open("SHOP-7", {})).workflow_id, "a worker that lives", TTL)
    abandoned = await workflows.claim((await workflows.open("SHOP-8", {})).workflow_id, "a worker that died", TTL)
    async with stage.app.record.database.transaction() as connection:
        await connection.execute(
            "update leases set expires_at = clock_timestamp() where workflow_id = %s", (abandoned.workflow_id,)
        )

    async def ended(workflow_id: str, outcome: Outcome) -> bool:
        return (await workflows.get(workflow_id)).outcome is outcome

    faked = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    env = {**environment(stage.lab.environment, url, tmp_path), **faked}
    async with running(env, "serve") as serve:
        # What is over by the database's clock is taken up, so the worker has looked at the others as well.
        await until(lambda: ended(abandoned.workflow_id, Outcome.TICKET_REJECTED), serve)

        assert await workflows.current_claim(elsewhere.workflow_id) == elsewhere
        assert (await workflows.get(waiting)).detailed_state is DetailedState.AWAITING_REVIEW

        await set_deadline(stage, waiting, timedelta(seconds=-1))
        await until(lambda: ended(waiting, Outcome.EXPIRED), serve)
    assert await workflows.current_claim(elsewhere.workflow_id) == elsewhere

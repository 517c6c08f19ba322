"""A workflow that kills its workers, or whose state cannot be read, is set aside; the others go on."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.evals.harness import Pace, Stage, staged
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim
from sre_bot.worker.runner import Result
from tests.acceptance_stage import environment
from tests.bad_input_stage import INCIDENT, reviewing
from tests.deadly_worker import KILLED
from tests.law_graph import ACCEPTANCE, ANALYSIS, LawGraph, case
from tests.record_commands_stage import Commands
from tests.record_runs import TTL, expire_lease, under

ROOT = Path(__file__).parents[2]
PLAN = ACCEPTANCE + ANALYSIS


class Died(Exception):
    """What ended an earlier run."""


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, Pace()) as stage:
        yield stage


@pytest.fixture
def sre_bot(stage: Stage, tmp_path: Path) -> Commands:
    return Commands(stage.app.settings.database_url.get_secret_value(), tmp_path)


async def begun(stage: Stage, ticket: str) -> str:
    """A workflow of the law's graph that an earlier run has begun."""
    law_graph, workflows = LawGraph(), stage.app.record.workflows

    async def die() -> None:
        raise Died

    law_graph.hooks["ticket_detected"] = die
    opened = await workflows.open(ticket, {})
    claim = await workflows.claim(opened.workflow_id, "before", TTL)
    with pytest.raises(Died):
        await law_graph.compile(AuditedSaver(stage.app.record.database)).ainvoke(
            case(ticket, plan=PLAN, ending="needs_human"), under(claim)
        )
    await workflows.release(claim, due_in=TTL * 0)
    return opened.workflow_id


async def deaths(stage: Stage, workflow_id: str, times: int) -> Claim:
    """The claim after so many runners have died."""
    workflows = stage.app.record.workflows
    for death in range(times):
        await workflows.claim(workflow_id, f"worker-{death}", TTL)
        await expire_lease(stage.app.record.database, workflow_id)
    return await workflows.claim(workflow_id, "the last", TTL)


@asynccontextmanager
async def deadly_worker(stage: Stage, tmp_path: Path, poison: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A real worker in a process of its own, that dies in the first step of one workflow."""
    url = stage.app.settings.database_url.get_secret_value()
    env = {**environment(stage.lab.environment, url, tmp_path), "MAX_CLAIM_ATTEMPTS": "3", "POLL_SECONDS": "60"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.deadly_worker", poison, "ticket_detected"), env=env, cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def until_quarantined(stage: Stage, workflow_id: str, worker: asyncio.subprocess.Process) -> None:
    while not ((found := await stage.app.record.quarantines.of(workflow_id)) and found.told_at):
        assert worker.returncode is None, "the worker died although the workflow runs apart"
        await asyncio.sleep(0.05)


async def until_ended(stage: Stage, workflow_ids: list[str]) -> None:
    while not all([(await stage.app.record.workflows.get(one)).outcome for one in workflow_ids]):
        await asyncio.sleep(0.05)


async def test_a_workflow_that_kills_its_worker_each_time_is_set_aside_and_the_others_are_not(
    stage: Stage, tmp_path: Path, sre_bot: Commands
) -> None:
    poison = await begun(stage, stage.lab.ticket)
    others = [await begun(stage, f"OPS-{number}") for number in range(2)]

    for _ in range(2):  # those deaths take the whole worker with them
        async with deadly_worker(stage, tmp_path, poison) as worker:
            assert await asyncio.wait_for(worker.wait(), 60) == KILLED
    async with deadly_worker(stage, tmp_path, poison) as worker:
        await asyncio.wait_for(until_quarantined(stage, poison, worker), 60)

    workflows = stage.app.record.workflows
    assert {(await workflows.get(other)).outcome for other in others} == {Outcome.NEEDS_HUMAN}
    assert await workflows.errors(others[0]) == ()
    state = await workflows.get(poison)
    assert (state.outcome, state.detailed_state) == (None, DetailedState.TICKET_DETECTED)
    (told,) = await stage.app.tools.jira.comments(stage.lab.ticket)
    assert "3 runners in a row died" in told.body and f"sre-bot retry {poison}" in told.body
    assert [error["error_type"] for error in await workflows.errors(poison)] == ["poison"]
    assert await verify(stage.app.record.database, poison) == ()
    assert await workflows.claim_due("another", TTL, 10) == ()
    listed, shown = await sre_bot("status", "--json"), await sre_bot("show", poison)
    assert [one["quarantined"] for one in listed.json] == ["3 runners in a row died on it before it took a step"]
    assert "QUARANTINED" in shown.out and "3 runners in a row died" in shown.out


async def test_a_retry_brings_a_workflow_back_from_quarantine(stage: Stage, sre_bot: Commands) -> None:
    app = stage.app
    workflow_id = await begun(stage, stage.lab.ticket)
    claim = await deaths(stage, workflow_id, 5)
    assert await app.runner.run(claim) is Result.QUARANTINED
    await app.record.workflows.wake(workflow_id)
    assert await app.recovery().recover_active_workflows() == {}, "a wake-up alone brings nothing back"
    assert await app.monitors.deadlines() == 0

    assert (await sre_bot("retry", workflow_id)).code == 0
    graph = LawGraph().compile(AuditedSaver(app.record.database))
    recovery = replace(app.recovery(), runner=replace(app.runner, graph=graph))

    assert await recovery.recover_active_workflows() == {workflow_id: Result.FINISHED}
    assert (await app.record.workflows.get(workflow_id)).outcome is Outcome.NEEDS_HUMAN
    assert await app.record.quarantines.in_force() == ()


async def test_a_workflow_whose_saved_state_is_damaged_is_set_aside_at_once(stage: Stage) -> None:
    app = stage.app
    waiting = (await reviewing(stage)).state
    async with app.record.database.transaction() as connection:
        await connection.execute(
            "update checkpoint_blobs set blob = '\\xc1ff00'::bytea where thread_id = %s and type = 'msgpack'",
            (waiting.workflow_id,),
        )
    other = await begun(stage, "OPS-1")
    await app.record.workflows.wake(waiting.workflow_id)
    recovery = replace(app.recovery(), runner=app.runner)

    ended = await recovery.recover_active_workflows()

    assert ended[waiting.workflow_id] is Result.QUARANTINED
    assert other in ended
    [quarantine] = await app.record.quarantines.in_force()
    assert quarantine.workflow_id == waiting.workflow_id and "cannot be decoded" in quarantine.why
    comments = await app.tools.jira.comments(stage.lab.ticket)
    assert "cannot be decoded" in comments[-1].body
    assert (await app.record.workflows.get(waiting.workflow_id)).outcome is None


async def test_a_ticket_that_cannot_be_told_now_is_told_later(stage: Stage) -> None:
    app = stage.app
    workflow_id = await begun(stage, stage.lab.ticket)
    claim = await deaths(stage, workflow_id, 5)
    await stage.lab.control.add_fault(service="jira", kind="status", path="/comment", status=503, times=1)

    assert await app.runner.run(claim) is Result.QUARANTINED
    assert await app.tools.jira.comments(stage.lab.ticket) == ()
    claim = await app.record.workflows.claim(workflow_id, "later", TTL)
    assert await app.runner.run(claim) is Result.QUARANTINED

    assert len(await app.tools.jira.comments(stage.lab.ticket)) == 1

"""A worker that is told to stop under load leaves soon, and what it was doing goes on elsewhere: nothing is lost."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sre_bot.domain.states import Outcome
from sre_bot.evals.harness import Pace, Stage, staged
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.worker.service import Service
from tests.acceptance_stage import environment, running, sre_bot
from tests.bad_input_stage import INCIDENT
from tests.law_graph import ACCEPTANCE, ANALYSIS, LawGraph, case
from tests.record_runs import TTL, rows, under
from tests.running_labs import until

PLAN = ACCEPTANCE + ANALYSIS
STATES = [state for step in PLAN for state in step.split("+")]
PAUSE = 20.0
"""Seconds within which a worker must have left, however loaded the machine is."""


LOST = b"select ticket_id from workflow_states as w where outcome is null and (due_at is null or attempts_of(w) > 0)"
"""What nobody takes up again, or what counts against a workflow as a death of its worker."""


class Died(Exception):
    """What ended an earlier run."""


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, Pace()) as stage:
        yield stage


class Load:
    """Workflows of the law's graph whose every node takes a moment, and what was seen of them."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.law_graph = LawGraph()
        self.step_taken = asyncio.Event()
        for state in STATES:
            self.law_graph.hooks[state] = self._take_a_moment
        self.graph = self.law_graph.compile(AuditedSaver(stage.app.record.database))

    async def _take_a_moment(self) -> None:
        await asyncio.sleep(0.01)  # the work of a step, in the middle of which a drain falls
        self.step_taken.set()

    def service(self, number: int) -> Service:
        app = self.stage.app
        service, runner = app.service(), replace(app.runner, graph=self.graph, lease=TTL)
        # The lease is long: what a drained worker keeps back would not be taken up by the next.
        return replace(service, runner=runner, owner=f"worker-{number}", lease=TTL, poll=TTL, concurrency=8)

    async def begun(self, ticket: str) -> str:
        async def die() -> None:
            raise Died

        workflows = self.stage.app.record.workflows
        claim = await workflows.claim((await workflows.open(ticket, {})).workflow_id, "before", TTL)
        self.law_graph.hooks["ticket_detected"] = die
        with pytest.raises(Died):
            await self.graph.ainvoke(case(ticket, plan=PLAN, ending="needs_human"), under(claim))
        del self.law_graph.hooks["ticket_detected"]
        await workflows.release(claim, due_in=timedelta(0))
        return claim.workflow_id


async def test_of_fifty_drains_under_load_none_loses_a_workflow_or_a_lease(stage: Stage) -> None:
    load, workflows = Load(stage), stage.app.record.workflows
    ids = [await load.begun(f"OPS-{number}") for number in range(12)]

    for number in range(50):
        ids.append(await load.begun(f"MORE-{number}"))
        service = load.service(number)
        serving = asyncio.create_task(service.run())
        load.step_taken.clear()
        await asyncio.wait_for(load.step_taken.wait(), PAUSE)
        service.stop()
        await asyncio.wait_for(serving, PAUSE)
        assert await rows(stage.app.record.database, LOST) == []

    service = load.service(50)
    serving = asyncio.create_task(service.run())
    await until(lambda: _all_ended(stage), bool, seconds=240)
    service.stop()
    await serving
    for workflow_id in ids:
        assert (await workflows.get(workflow_id)).outcome is Outcome.NEEDS_HUMAN
        assert await workflows.errors(workflow_id) == ()
        assert await verify(stage.app.record.database, workflow_id) == ()


async def test_serve_leaves_at_sigterm_in_the_middle_of_its_work_and_the_next_one_ends_it(
    stage: Stage, tmp_path: Path
) -> None:
    app, url = stage.app, stage.app.settings.database_url.get_secret_value()
    env = {**environment(stage.lab.environment, url, tmp_path), "LEASE_SECONDS": "600"}
    await stage.lab.control.add_fault(service="kubernetes", kind="delay", path="/pods", seconds=3, times=1)
    opened = await app.monitors.open(stage.lab.ticket)

    async with running(env, "serve") as first:
        await until(lambda: app.record.workflows.get(opened.workflow_id), lambda state: state.version >= 5, seconds=60)
        first.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(first.communicate(), PAUSE)
    assert first.returncode == 0, said.decode()
    left = await app.record.workflows.get(opened.workflow_id)
    assert left.due_at is not None and await app.record.workflows.errors(opened.workflow_id) == ()

    recovered = await sre_bot(env, "recover", "--json")
    assert [one["detailed_state"] for one in recovered.json] == ["awaiting_review"]
    assert await verify(app.record.database, opened.workflow_id) == ()


async def _all_ended(stage: Stage) -> bool:
    return await stage.app.record.workflows.live() == ()

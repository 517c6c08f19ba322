"""What people ask for with ``cancel``, ``pause`` and ``recover`` happens: on a real bot in front of the lab."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from langgraph.runtime import get_runtime

from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.evals.harness import Pace, Stage, staged
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim
from sre_bot.worker.following import follow
from sre_bot.worker.runner import Result, Runner
from tests.bad_input_stage import INCIDENT, aftermath, opened, reviewing, run_once
from tests.law_graph import WHOLE_WAY, LawGraph, case
from tests.record_commands_stage import Commands
from tests.record_runs import expire_lease, under


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, Pace()) as stage:
        yield stage


@pytest.fixture
def sre_bot(stage: Stage, tmp_path: Path) -> Commands:
    return Commands(stage.app.settings.database_url.get_secret_value(), tmp_path)


class Died(Exception):
    """What ended an earlier run."""


async def begun(stage: Stage, law_graph: LawGraph) -> tuple[Runner, Claim]:
    """The bot's runner with a graph whose nodes do what a test says, and a workflow that an earlier run began."""
    graph = law_graph.compile(AuditedSaver(stage.app.record.database))
    claim = await stage.app.record.workflows.claim(await opened(stage), "worker", stage.app.runner.lease)

    async def die() -> None:
        raise Died

    law_graph.hooks["ticket_detected"] = die
    with pytest.raises(Died):
        await graph.ainvoke(case(stage.lab.ticket), under(claim))
    del law_graph.hooks["ticket_detected"]
    return replace(stage.app.runner, graph=graph), claim


async def test_a_workflow_in_review_is_cancelled_and_its_ticket_told_why_and_handed_back(
    stage: Stage, sre_bot: Commands
) -> None:
    waiting = await reviewing(stage)

    await sre_bot("cancel", stage.lab.ticket, "--why", "the customer withdrew it")
    recovered = await sre_bot("recover", "--json", **stage.lab.environment)

    end = await aftermath(stage, waiting.state.workflow_id)
    end.check()
    assert [(one["outcome"], one["result"]) for one in recovered.json] == [("cancelled", "finished")]
    assert end.outcome == "cancelled"
    assert end.told.startswith("I stopped while awaiting review: I was told to stop: the customer withdrew it")
    assert end.assignee is None
    trail = [
        (row.to_state, row.trigger_event) for row in await stage.app.record.workflows.transitions(end.state.workflow_id)
    ]
    assert trail[-2:] == [("error_handling:review:escalation", "cancelled"), ("system_idle::", "cancelled")]


@pytest.mark.parametrize(
    "state", ["ticket_detected", "source_code_analysis", "correlation", "analysis_complete", "remediation_complete"]
)
async def test_a_run_that_is_cancelled_finishes_its_step_and_takes_no_other(
    state: str, stage: Stage, sre_bot: Commands, law_graph: LawGraph
) -> None:
    runner, claim = await begun(stage, law_graph)

    async def cancel_and_wait_until_it_is_seen() -> None:
        assert (await sre_bot("cancel", stage.lab.ticket, "--why", "it was a drill")).code == 0
        control = get_runtime().control
        assert control is not None
        while not control.drain_requested:
            await asyncio.sleep(0.02)

    law_graph.hooks[state] = cancel_and_wait_until_it_is_seen

    result = await asyncio.wait_for(runner.run(claim), 60)

    end = await aftermath(stage, claim.workflow_id)
    end.check()
    assert (result, end.outcome) == (Result.FINISHED, "cancelled")
    way = [one for step in ("ticket_detected", *WHOLE_WAY) for one in sorted(step.split("+"))]
    assert sorted(law_graph.entered[1:]) == sorted(way[: way.index(state) + 1])
    assert end.told.startswith("I stopped while ") and "I was told to stop: it was a drill" in end.told


async def test_a_workflow_that_waits_for_its_next_try_is_cancelled_at_once(stage: Stage, sre_bot: Commands) -> None:
    await stage.lab.control.add_fault(service="jira", kind="status", path="/issue/", status=503, times=1)
    workflow_id = await opened(stage)
    assert await run_once(stage, workflow_id) is Result.RETRYING

    await sre_bot("cancel", workflow_id, "--why", "wrong project")
    await stage.app.recovery().recover_active_workflows()

    end = await aftermath(stage, workflow_id)
    end.check()
    assert end.outcome == "cancelled"
    assert "wrong project" in end.told


async def test_a_bot_that_is_paused_on_the_way_begins_nothing_more_and_goes_on_afterwards(
    stage: Stage, sre_bot: Commands, law_graph: LawGraph
) -> None:
    (runner, claim), record = await begun(stage, law_graph), stage.app.record

    async def tell() -> None:
        if law_graph.entered.count("accepting_ticket") == 1:
            await sre_bot("pause")
        held = await record.workflows.current_claim(claim.workflow_id)
        await runner.outward.tell(held, stage.lab.ticket, 0, "hello", "I have taken this ticket.")

    law_graph.hooks["accepting_ticket"] = tell

    assert await runner.run(claim) is Result.PARKED
    paused = await aftermath(stage, claim.workflow_id)
    assert paused.comments == () and paused.errors == () and paused.problems == ()
    assert await stage.app.recovery().recover_active_workflows() == {}

    await sre_bot("resume")
    [again] = await record.workflows.claim_due("worker", runner.lease, 5)
    await runner.run(again)
    resumed = await aftermath(stage, claim.workflow_id)
    assert resumed.comments == ("I have taken this ticket.",)
    assert resumed.state.detailed_state is DetailedState.AWAITING_REVIEW


async def test_a_deadline_does_not_end_what_is_paused(stage: Stage, sre_bot: Commands) -> None:
    waiting, record = await reviewing(stage), stage.app.record
    async with record.database.transaction() as connection:
        await connection.execute("update workflow_states set timeout_at = now() - interval '1 minute'")
    await sre_bot("pause")

    assert await stage.app.monitors.deadlines() == 0
    await sre_bot("resume")
    assert await stage.app.monitors.deadlines() == 1
    assert (await record.workflows.get(waiting.state.workflow_id)).escalated


async def test_a_run_in_the_foreground_waits_while_the_bot_is_paused(stage: Stage, sre_bot: Commands) -> None:
    app, workflow_id = stage.app, await opened(stage)
    await sre_bot("pause")
    running = asyncio.create_task(follow(app.runner, app.monitors, workflow_id, poll=stage.poll, wait=False))
    done, _ = await asyncio.wait((running,), timeout=1)
    assert not done and await app.record.workflows.transitions(workflow_id) == ()

    await sre_bot("resume")

    assert (await asyncio.wait_for(running, 60)).detailed_state is DetailedState.AWAITING_REVIEW


async def test_recover_takes_up_what_a_dead_worker_left_and_leaves_people_time(stage: Stage, sre_bot: Commands) -> None:
    workflow_id, record = await opened(stage), stage.app.record
    await record.workflows.claim(workflow_id, "dead", stage.app.runner.lease)
    await expire_lease(record.database, workflow_id)

    first = await sre_bot("recover", "--json", **stage.lab.environment)
    second = await sre_bot("recover", **stage.lab.environment)

    assert [(one["workflow_id"], one["detailed_state"], one["result"]) for one in first.json] == [
        (workflow_id, "awaiting_review", "parked")
    ]
    assert (second.code, second.out) == (0, "0 taken up; nothing more is due.\n")


async def test_recover_tries_until_a_person_has_to_take_over(stage: Stage, sre_bot: Commands) -> None:
    await stage.lab.control.add_fault(service="kubernetes", kind="status", path="/pods", status=403, times=99)
    workflow_id = await opened(stage)

    recovered = await sre_bot("recover", "--json", **stage.lab.environment)

    assert [one["outcome"] for one in recovered.json] == [Outcome.ESCALATED]
    (await aftermath(stage, workflow_id)).check()

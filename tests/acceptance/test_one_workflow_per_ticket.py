import asyncio
from pathlib import Path

from langgraph.types import Command

from sre_bot.cli.demo import FIRST_INCIDENT
from sre_bot.domain.states import DetailedState
from sre_bot.evals.harness import Pace, staged
from sre_bot.lab.client import LabProcess
from sre_bot.worker.configuration import config_of
from sre_bot.worker.following import follow
from tests.acceptance_stage import INCIDENTS, environment, running, sre_bot

INCIDENT = INCIDENTS / FIRST_INCIDENT


async def test_of_two_runs_of_one_ticket_at_once_the_second_exits_3_and_names_the_workflow(
    database_url: str, tmp_path: Path
) -> None:
    async with await LabProcess.start(INCIDENT, speed=60) as lab:
        env = environment(lab.environment, database_url, tmp_path)
        both = await asyncio.gather(
            sre_bot(env, "run", lab.ticket, "--no-wait", "--json"),
            sre_bot(env, "run", lab.ticket, "--no-wait", "--json"),
        )
        listed = await sre_bot(env, "status", "--all", "--json")
    first, second = sorted(both, key=lambda one: one.code)
    assert (first.code, second.code) == (0, 3), (first.err, second.err)
    assert first.json["workflow_id"] in second.err
    assert [one["workflow_id"] for one in listed.json] == [first.json["workflow_id"]]


async def test_a_resume_value_approves_nothing(postgres: str) -> None:
    async with staged(INCIDENT, postgres, Pace()) as stage:
        app = stage.app
        opened = await app.monitors.open(stage.lab.ticket)
        waiting = await follow(app.runner, app.monitors, opened.workflow_id, poll=stage.poll, wait=False)
        assert waiting.detailed_state is DetailedState.AWAITING_REVIEW
        claim = await app.record.workflows.claim(opened.workflow_id, "impostor", app.runner.lease)
        await app.graph.ainvoke(Command(resume={"approved": True}), config_of(claim), durability="sync")
        after = await app.record.workflows.get(opened.workflow_id)
        entered = [row.to_state for row in await app.record.workflows.transitions(opened.workflow_id)]
        pulls = (await stage.lab.control.state())["pull_requests"]
    assert after.detailed_state is DetailedState.AWAITING_REVIEW
    assert entered[-2:] == ["ticket_processing:review:review_in_progress", "ticket_processing:review:awaiting_review"]
    assert [pull["merged"] for pull in pulls] == [False]


async def test_a_second_process_takes_up_what_the_first_left_waiting(database_url: str, tmp_path: Path) -> None:
    async with await LabProcess.start(INCIDENT, speed=60) as lab:
        env = environment(lab.environment, database_url, tmp_path)
        left = await sre_bot(env, "run", lab.ticket, "--no-wait", "--json")
        number = left.json["context"]["pr_number"]
        await lab.control.review(number, "approve")
        async with running(env, "serve"):
            shown = left
            for _ in range(150):
                shown = await sre_bot(env, "show", lab.ticket, "--json")
                if shown.json["outcome"]:
                    break
    assert shown.json["outcome"] == "resolved"
    assert shown.json["workflow_id"] == left.json["workflow_id"]

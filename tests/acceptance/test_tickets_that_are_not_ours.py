"""One ticket is one workflow by whatever name it is called, and other projects' tickets are left alone."""

import asyncio
from pathlib import Path

from sre_bot.evals.harness import staged
from sre_bot.lab.client import LabProcess
from tests.acceptance_stage import environment, sre_bot
from tests.bad_input_stage import INCIDENT, PACE, followed


async def test_a_ticket_of_another_project_is_refused_and_nothing_is_written_anywhere(
    database_url: str, tmp_path: Path
) -> None:
    async with await LabProcess.start(INCIDENT, speed=60) as lab:
        env = environment(lab.environment, database_url, tmp_path)
        key = await lab.control.create_ticket(key="BANK-1")
        finished = await sre_bot(env, "run", key)
        listed = await sre_bot(env, "status", "--all", "--json")
        ticket = next(one for one in (await lab.control.state())["tickets"] if one["key"] == key)
    assert finished.code == 2
    assert finished.err.startswith("error: BANK-1 is of project BANK, which is not mine: JIRA_PROJECTS names ")
    assert finished.err.count("\n") == 1
    assert listed.json == []
    assert ticket["comments"] == []
    assert ticket["assignee"] == "sre-bot"


async def test_a_ticket_in_small_letters_is_the_same_ticket(database_url: str, tmp_path: Path) -> None:
    async with await LabProcess.start(INCIDENT, speed=60) as lab:
        env, small = environment(lab.environment, database_url, tmp_path), lab.ticket.lower()
        first = await sre_bot(env, "run", small, "--no-wait", "--json")
        again, shown, timeline, effects = await asyncio.gather(
            sre_bot(env, "run", lab.ticket, "--no-wait"),
            sre_bot(env, "show", small, "--json"),
            sre_bot(env, "timeline", small, "--json"),
            sre_bot(env, "effects", small, "--json"),
        )
    assert first.code == 0, first.err
    assert first.json["ticket_id"] == lab.ticket
    assert again.code == 3
    assert shown.json["workflow_id"] == first.json["workflow_id"]
    assert timeline.json
    assert effects.json


async def test_a_ticket_that_is_asked_for_by_another_name_is_refused_and_stays_ours(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE) as stage:
        key, workflows = stage.lab.ticket, stage.app.record.workflows
        alias = key.lower()
        opened = await workflows.open(alias, {"ticket_id": alias})
        end = await followed(stage, opened.workflow_id)
        ticket = next(one for one in (await stage.lab.control.state())["tickets"] if one["key"] == key)
    end.check()
    assert end.outcome == "ticket_rejected"
    assert end.pulls == ()
    because = f"it is {key} and I was asked for {alias}; I work on it under its own key only"
    assert end.state.context["rejected_because"] == because
    assert [body.partition("\n")[0] for body in ticket["comments"]] == [f"I cannot take this ticket: {because}."]
    assert ticket["assignee"] == "sre-bot", "whoever works on it under its own key still does"

"""The same news of a ticket many times at once, never, late and out of order: one workflow, and the poll catches up."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from sre_bot.cli.demo import FIRST_INCIDENT
from sre_bot.domain.errors import WorkflowExists
from sre_bot.domain.workflow import WorkflowState
from sre_bot.evals.harness import Pace, Stage, staged
from tests.acceptance_stage import INCIDENTS

TIMES = 50


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENTS / FIRST_INCIDENT, postgres, Pace()) as stage:
        yield stage


async def test_of_fifty_identical_webhooks_at_once_one_opens_a_workflow_and_the_others_are_told_which(
    stage: Stage,
) -> None:
    told = [stage.app.monitors.open(stage.lab.ticket) for _ in range(TIMES)]
    answers = await asyncio.gather(*told, return_exceptions=True)
    opened = [one for one in answers if isinstance(one, WorkflowState)]
    refused = [one for one in answers if isinstance(one, WorkflowExists)]
    assert (len(opened), len(refused)) == (1, TIMES - 1)
    assert {one.workflow_id for one in refused} == {opened[0].workflow_id}
    assert [one.workflow_id for one in await stage.app.record.workflows.of_ticket(stage.lab.ticket)] == [
        opened[0].workflow_id
    ]
    [told_again] = await stage.app.record.ignored.of(opened[0].workflow_id)
    assert (told_again["kind"], told_again["times"]) == ("ticket", TIMES - 1)


async def test_a_lost_webhook_is_caught_up_with_by_the_poll_and_a_late_one_changes_nothing(stage: Stage) -> None:
    [found] = await stage.app.monitors.tickets()
    with pytest.raises(WorkflowExists, match=stage.lab.ticket) as late:
        await stage.app.monitors.open(stage.lab.ticket)
    again = await stage.app.monitors.tickets()
    assert late.value.workflow_id == found.workflow_id
    assert again == ()
    assert [event["kind"] for event in await stage.app.record.ignored.of(found.workflow_id)] == ["ticket"]


async def test_news_of_a_review_before_there_is_one_and_after_the_end_harms_nothing(stage: Stage) -> None:
    workflows, runner = stage.app.record.workflows, stage.app.runner
    opened = await stage.app.monitors.open(stage.lab.ticket)
    await workflows.wake(opened.workflow_id)
    claim = await workflows.claim(opened.workflow_id, "early", runner.lease)
    await runner.run(claim)
    waiting = await workflows.get(opened.workflow_id)
    await workflows.wake(opened.workflow_id)
    for late in await workflows.claim_due("late", runner.lease, 1):
        await runner.run(late)
    after = await workflows.get(opened.workflow_id)
    assert (waiting.detailed_state, after.detailed_state) == ("awaiting_review", "awaiting_review")
    assert len((await stage.lab.control.state())["pull_requests"]) == 1

"""A review that arrives at the instant its deadline passes: exactly one of the two wins."""

import asyncio

import pytest

from sre_bot.cli.demo import FIRST_INCIDENT
from sre_bot.evals.harness import Pace, Stage, staged
from sre_bot.persistence.replay import verify
from tests.acceptance_stage import INCIDENTS

_DEADLINE_PASSES = "update workflow_states set timeout_at = clock_timestamp() where workflow_id = %s"


async def _deadline(stage: Stage) -> bool:
    return bool(await stage.app.monitors.deadlines())


async def _review(stage: Stage) -> bool:
    await stage.app.monitors.review_activity()
    claims = await stage.app.record.workflows.claim_due("the reviewer's worker", stage.app.runner.lease, 1)
    for claim in claims:
        await stage.app.runner.run(claim)
    return bool(claims)


@pytest.mark.parametrize("first", ["deadline", "review"])
async def test_of_a_review_and_a_deadline_at_the_same_instant_exactly_one_wins(first: str, postgres: str) -> None:
    async with staged(INCIDENTS / FIRST_INCIDENT, postgres, Pace()) as stage:
        record, runner = stage.app.record, stage.app.runner
        opened = await stage.app.monitors.open(stage.lab.ticket)
        await runner.run(await record.workflows.claim(opened.workflow_id, "worker", runner.lease))
        waiting = await record.workflows.get(opened.workflow_id)
        await stage.lab.control.review(waiting.context["pr_number"], "reject")
        async with record.database.transaction() as connection:
            await connection.execute(_DEADLINE_PASSES, (opened.workflow_id,))
        rivals = (_deadline(stage), _review(stage)) if first == "deadline" else (_review(stage), _deadline(stage))
        await asyncio.gather(*rivals)
        for claim in await record.workflows.claim_due("whoever is left", runner.lease, 1):
            await runner.run(claim)
        state = await record.workflows.get(opened.workflow_id)
        triggers = [step.trigger_event for step in await record.workflows.transitions(opened.workflow_id)]
        wrong = await verify(record.database, opened.workflow_id)
        ignored = [(event["kind"], event["why"]) for event in await record.ignored.of(opened.workflow_id)]
    expired, read = "expired" in triggers, any("review_in_progress" in one for one in triggers)
    assert (state.outcome, expired, read) in (("expired", True, False), ("fix_rejected", False, True)), triggers
    assert wrong == ()
    loser = "review" if expired else "deadline"
    assert [kind for kind, why in ignored if "was too late" in why] == [loser], ignored

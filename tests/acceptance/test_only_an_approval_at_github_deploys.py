"""Who may approve, and what."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sre_bot.cli.demo import FIRST_INCIDENT, FIRST_REQUEST
from sre_bot.domain.states import DetailedState
from sre_bot.domain.workflow import WorkflowState
from sre_bot.evals.harness import Pace, Stage, staged
from sre_bot.worker.following import follow
from tests.acceptance_stage import INCIDENTS


@asynccontextmanager
async def waiting(postgres: str) -> AsyncGenerator[tuple[Stage, WorkflowState]]:
    """A workflow whose pull request waits for a review."""
    async with staged(INCIDENTS / FIRST_INCIDENT, postgres, Pace()) as stage:
        opened = await stage.app.monitors.open(stage.lab.ticket)
        yield stage, await onward(stage, opened)


async def onward(stage: Stage, state: WorkflowState) -> WorkflowState:
    """Run until it ends or waits for people again."""
    app = stage.app
    return await follow(app.runner, app.monitors, state.workflow_id, poll=stage.poll, wait=False)


async def pulls(stage: Stage) -> list[dict[str, Any]]:
    return (await stage.lab.control.state())["pull_requests"]


async def test_an_approval_by_somebody_without_write_permission_wakes_nobody(postgres: str) -> None:
    async with waiting(postgres) as (stage, state):
        await stage.lab.control.review(state.context["pr_number"], "approve", reviewer="passer-by", may_write=False)
        assert not await stage.app.monitors.wake_if_decided(state)
        after = await onward(stage, state)
        assert after.detailed_state is DetailedState.AWAITING_REVIEW
        assert [pull["merged"] for pull in await pulls(stage)] == [False]


async def test_an_approval_of_an_older_head_is_no_approval(postgres: str) -> None:
    async with waiting(postgres) as (stage, state):
        await stage.lab.control.review(state.context["pr_number"], "approve")
        branch = (await pulls(stage))[0]["branch"]
        await stage.lab.control.push(branch, {"notes.txt": "one more thing"}, "Add a note")
        assert not await stage.app.monitors.wake_if_decided(state)
        after = await onward(stage, state)
        assert after.detailed_state is DetailedState.AWAITING_REVIEW
        assert [pull["merged"] for pull in await pulls(stage)] == [False]


async def test_an_approval_that_is_withdrawn_before_the_merge_leads_back_to_the_review(postgres: str) -> None:
    """The approval is read for the last time right before the merge; a lock of somebody else holds that moment."""
    async with waiting(postgres) as (stage, state):
        record = stage.app.record
        other = await record.workflows.open("SHOP-1", {})
        claim = await record.workflows.claim(other.workflow_id, "somebody", stage.app.runner.lease)
        assert await record.locks.acquire(claim, ("argocd:shop",))
        review = await stage.lab.control.review(state.context["pr_number"], "approve")
        held = await stage.app.record.workflows.claim(state.workflow_id, "us", stage.app.runner.lease)
        await stage.app.runner.run(held)
        parked = await record.workflows.get(state.workflow_id)
        assert parked.detailed_state is DetailedState.TRIGGERING_DEPLOYMENT
        await stage.lab.control.dismiss(review["id"])
        await record.locks.release(other.workflow_id)
        after = await onward(stage, state)
        entered = [row.to_state.rpartition(":")[2] for row in await record.workflows.transitions(state.workflow_id)]
        assert after.detailed_state is DetailedState.AWAITING_REVIEW
        assert entered[-2:] == ["triggering_deployment", "awaiting_review"]
        assert [pull["merged"] for pull in await pulls(stage)] == [False]


async def test_an_answered_change_request_is_not_answered_twice(postgres: str) -> None:
    async with waiting(postgres) as (stage, state):
        await stage.lab.control.review(state.context["pr_number"], "request_changes", FIRST_REQUEST)
        again = await onward(stage, state)
        assert again.context["pr_head"] != state.context["pr_head"]
        assert not await stage.app.monitors.wake_if_decided(again)
        assert len(await pulls(stage)) == 1


async def test_what_a_person_merged_is_deployed_and_validated(postgres: str) -> None:
    async with waiting(postgres) as (stage, state):
        await stage.lab.control.merge_pull(state.context["pr_number"])
        after = await onward(stage, state)
        assert after.outcome == "resolved"
        requests = await stage.lab.control.requests("github")
        assert [one for one in requests if one["method"] == "PUT" and one["path"].endswith("/merge")] == []


async def test_a_second_round_brings_nobody_elses_changes_into_our_pull_request(postgres: str) -> None:
    async with waiting(postgres) as (stage, state):
        theirs: dict[str, str | None] = {".github/workflows/ci.yml": "on: push\n", "notes.txt": "by a colleague\n"}
        await stage.lab.control.push("main", theirs, "Add a workflow")
        await stage.lab.control.review(state.context["pr_number"], "request_changes", FIRST_REQUEST)
        again = await onward(stage, state)
        assert again.context["pr_head"] != state.context["pr_head"]
        tools, repository = stage.app.tools, state.context["repository"]
        url, branch = await tools.github.clone_url(repository), (await pulls(stage))[0]["branch"]
        files = (await tools.workspace.history(repository, url, branch, "")).tree.files
    assert not theirs.keys() & files.keys()


async def test_a_pull_request_that_a_person_turns_to_another_branch_is_not_ours_any_more(postgres: str) -> None:
    async with waiting(postgres) as (stage, state):
        reader, repository, number = stage.app.monitors.reviews, state.context["repository"], state.context["pr_number"]
        await stage.lab.control.review(number, "approve")
        assert (await reader.decision(repository, number, frozenset(), "main")).state == "approved"
        assert (await reader.decision(repository, number, frozenset(), "release")).state == "rejected"


async def test_what_a_person_merged_with_changes_of_their_own_is_left_to_them(postgres: str) -> None:
    async with waiting(postgres) as (stage, state):
        branch = (await pulls(stage))[0]["branch"]
        await stage.lab.control.push(branch, {"notes.txt": "one more thing"}, "Add a note")
        await stage.lab.control.merge_pull(state.context["pr_number"])
        after = await onward(stage, state)
    assert after.outcome == "fix_rejected"

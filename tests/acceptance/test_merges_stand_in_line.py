"""What is merged is what was approved, on the base as it is then; tickets with one cause and fixes of one line meet."""

from collections.abc import AsyncGenerator

import pytest

from sre_bot.evals.harness import Pace, Stage, staged
from sre_bot.persistence.replay import verify
from tests.bad_input_stage import INCIDENT, aftermath, opened, reviewing, run_once


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, Pace(deployment=600)) as stage:
        yield stage


async def approved(stage: Stage) -> str:
    """A workflow whose pull request is approved and that has not gone on yet."""
    state = (await reviewing(stage)).state
    await stage.lab.control.review(state.context["pr_number"], "approve")
    return state.workflow_id


async def fixed_paths(stage: Stage, workflow_id: str) -> list[str]:
    effects = await stage.app.record.effects.of(workflow_id)
    return [edit["path"] for one in effects if one["name"] == "commit:fix" for edit in one["request"]["edits"]]


async def test_a_base_that_moved_elsewhere_is_looked_at_anew_and_the_fix_is_merged(stage: Stage) -> None:
    workflow_id = await approved(stage)
    await stage.lab.control.push("main", {"docs/on-call.md": "Ann\n"}, "Say who is on call")

    await run_once(stage, workflow_id)

    end = await aftermath(stage, workflow_id)
    end.check()
    assert end.outcome == "resolved"


async def test_a_file_that_changed_under_the_approval_is_not_merged_and_people_are_told(stage: Stage) -> None:
    workflow_id = await approved(stage)
    path = (await fixed_paths(stage, workflow_id))[0]
    head = await stage.app.tools.github.head("plumtree/shop-delivery", "main")
    url = await stage.app.tools.github.clone_url("plumtree/shop-delivery")
    await stage.app.tools.workspace.history("plumtree/shop-delivery", url, "main", "")
    text = (await stage.app.tools.workspace.at("plumtree/shop-delivery", head or "")).files[path]
    await stage.lab.control.push("main", {path: f"{text}# looked at\n"}, "Leave a note")

    await run_once(stage, workflow_id)

    end = await aftermath(stage, workflow_id)
    end.check()
    assert end.outcome == "deployment_failed"
    assert [pull["merged"] for pull in end.pulls] == [False]
    assert f"{path} changed on main after the fix was made" in end.told.replace("\\", "")
    comments = [one for one in await stage.lab.control.requests("github") if one["path"].endswith("/comments")]
    assert any(one["method"] == "POST" for one in comments), "the pull request says why"


async def test_of_two_tickets_with_one_cause_the_later_follows_and_hears_of_the_end(stage: Stage) -> None:
    first = await approved(stage)
    ticket = (await stage.app.tools.jira.ticket(stage.lab.ticket)).summary
    later_key = await stage.lab.control.create_ticket(key="SHOP-3000", summary=ticket, description=ticket)
    later = await opened(stage, later_key)

    await run_once(stage, later)
    ended = await aftermath(stage, later)
    await run_once(stage, first)

    assert ended.outcome == "duplicate"
    [link] = await stage.app.record.workflows.links(later)
    assert (str(link["workflow_id"]), str(link["other"]), link["relation"]) == (later, first, "duplicate_of")
    assert (await stage.app.record.workflows.get(first)).outcome == "resolved"
    told = [comment.body for comment in await stage.app.tools.jira.comments(later_key)]
    assert told[-1].startswith(f"{stage.lab.ticket}, which has the same cause as this ticket, has ended: resolved")
    assert await verify(stage.app.record.database, first) == ()

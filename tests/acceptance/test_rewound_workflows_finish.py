"""A rewind and a full run afterwards: the ticket is resolved, and nobody outside sees anything twice."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from sre_bot.cli.demo import FIRST_REQUEST
from sre_bot.domain.states import DetailedState
from sre_bot.evals.harness import Pace, Stage, staged
from tests.bad_input_stage import INCIDENT, Aftermath, aftermath, followed, reviewing, run_once
from tests.record_commands_stage import Commands

NAMES = ["ticket_acceptance:ticket_accepted", "analysis:analysis_complete", "remediation:remediation_complete"]


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, Pace(speed=120)) as stage:
        yield stage


@pytest.fixture
def sre_bot(stage: Stage, tmp_path: Path) -> Commands:
    return Commands(stage.app.settings.database_url.get_secret_value(), tmp_path)


async def approved_and_finished(stage: Stage, workflow_id: str) -> Aftermath:
    """Run to the review, approve, run to the end."""
    await followed(stage, workflow_id, wait=False)
    await stage.lab.control.review(1, "approve")
    end = await followed(stage, workflow_id)
    end.check()
    return end


async def check_done_once(stage: Stage, end: Aftermath) -> None:
    """One pull request, one merge, one deployment; no comment and no commit twice."""
    made = [one for one in await stage.lab.control.requests() if one["method"] in ("POST", "PUT")]
    ends = [one["path"].rpartition("/")[2] for one in made if one["status"] < 300]
    assert {name: ends.count(name) for name in ("pulls", "merge", "sync")} == {"pulls": 1, "merge": 1, "sync": 1}
    assert end.outcome == "resolved" and len(end.pulls) == 1 and end.pulls[0]["merged"]
    on_pull_request = [one["body"].partition("<!--")[0] for one in end.pulls[0].get("comments", ())]
    assert len(on_pull_request) == len(set(on_pull_request))


@pytest.mark.parametrize("point", [NAMES[0], NAMES[2]])
async def test_a_rewound_workflow_is_resolved_and_nothing_outside_happens_twice(
    point: str, stage: Stage, sre_bot: Commands
) -> None:
    waiting = await reviewing(stage)
    said = waiting.comments

    rewound = await sre_bot("rewind", stage.lab.ticket, "--to", point, "--why", "to be sure")
    assert (rewound.code, (await sre_bot("verify", "--json")).code) == (0, 0), rewound.err

    end = await approved_and_finished(stage, waiting.state.workflow_id)
    await check_done_once(stage, end)
    assert end.comments[: len(said)] == said
    if point != "ticket_acceptance:ticket_accepted":  # a new analysis may have something new to say
        assert len(end.comments) == len(said) + 1


async def test_after_a_change_request_the_fix_is_made_anew_on_the_same_pull_request(
    stage: Stage, sre_bot: Commands
) -> None:
    waiting = await reviewing(stage)
    await check_listed(stage, sre_bot)
    await stage.lab.control.review(1, "request_changes", FIRST_REQUEST)
    await run_once(stage, waiting.state.workflow_id)
    changed = await aftermath(stage, waiting.state.workflow_id)
    assert changed.state.detailed_state is DetailedState.AWAITING_REVIEW
    head = changed.pulls[0]["head"]
    stale = await sre_bot("rewind", stage.lab.ticket, "--to", await first(sre_bot, stage, "remediation"))
    assert stale.code == 1 and f"pull request #1 stands at {head[:12]} and not at" in stale.err

    assert (await sre_bot("rewind", stage.lab.ticket, "--to", "analysis:analysis_complete")).code == 0

    end = await approved_and_finished(stage, waiting.state.workflow_id)
    await check_done_once(stage, end)
    assert "port" in end.state.context["generated_fix"]["diff"]


async def test_once_the_fix_is_merged_there_is_no_way_back(stage: Stage, sre_bot: Commands) -> None:
    waiting = await reviewing(stage)
    await stage.lab.control.add_fault(
        service="argocd", kind="status", path="/sync$", method="POST", status=503, times=1
    )
    await stage.lab.control.review(1, "approve")
    await run_once(stage, waiting.state.workflow_id)
    assert (await stage.app.record.workflows.get(waiting.state.workflow_id)).detailed_state is DetailedState.RETRY

    refused = await sre_bot("rewind", stage.lab.ticket, "--to", "review:approved")

    assert refused.code == 1
    assert "the fix was merged after that point" in refused.err
    end = await followed(stage, waiting.state.workflow_id)
    end.check()
    assert end.outcome == "resolved"
    over = await sre_bot("rewind", stage.lab.ticket, "--to", "review:approved")
    assert over.code == 1 and "has ended (resolved)" in over.err and "`sre-bot run TICKET`" in over.err


async def check_listed(stage: Stage, sre_bot: Commands) -> None:
    """The points are listed, and a name that is none is answered with them."""
    listed = await sre_bot("rewind", stage.lab.ticket, "--list", "--json")
    absent = await sre_bot("rewind", stage.lab.ticket, "--to", "yesterday")
    neither = await sre_bot("rewind", stage.lab.ticket)
    assert [(one["name"], one["usable"]) for one in listed.json] == [(name, True) for name in NAMES]
    assert absent.code == 2 and all(name in absent.err for name in NAMES)
    assert neither.code == 2 and "name a restore point with --to" in neither.err
    assert NAMES[0] in (await sre_bot("rewind", stage.lab.ticket, "--list")).out


async def first(sre_bot: Commands, stage: Stage, sub_state: str) -> str:
    """The oldest restore point of a sub-state, as ``NAME@VERSION``."""
    points = (await sre_bot("rewind", stage.lab.ticket, "--list", "--json")).json
    return next(f"{one['name']}@{one['version']}" for one in points if one["name"].startswith(sub_state))

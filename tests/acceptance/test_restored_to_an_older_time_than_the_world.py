"""A backup that is older than the world: what was done since is found before anything is done, and nothing twice."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sre_bot.app import compose
from sre_bot.domain.errors import Paused, StaleWriter
from sre_bot.evals.harness import Pace, Stage, settings_for, staged
from tests.bad_input_stage import INCIDENT, aftermath, followed, opened, reviewing
from tests.record_commands_stage import Commands

PACE = Pace(speed=120)


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, PACE) as stage:
        yield stage


@pytest.fixture
def before(stage: Stage, tmp_path: Path) -> Commands:
    return Commands(stage.app.settings.database_url.get_secret_value(), tmp_path)


@pytest.fixture
def after(empty_database_url: str, tmp_path: Path) -> Commands:
    """The command line in front of the database that the backup is restored into."""
    return Commands(empty_database_url, tmp_path)


@asynccontextmanager
async def on(stage: Stage, url: str, data: Path) -> AsyncGenerator[Stage]:
    """The same world, and a bot on another database."""
    async with compose(settings_for(stage.lab.environment, url, data / "bot", PACE)) as app:
        yield replace(stage, app=app)


async def approved_and_done_once(stage: Stage, workflow_id: str) -> None:
    """Run to the review, approve, run to the end: one pull request, one merge, and no word twice."""
    await followed(stage, workflow_id, wait=False)
    await stage.lab.control.review(1, "approve")
    end = await followed(stage, workflow_id)
    end.check()
    assert end.outcome == "resolved"
    made = [one for one in await stage.lab.control.requests() if one["method"] in ("POST", "PUT")]
    ends = [one["path"].rpartition("/")[2] for one in made if one["status"] < 300]
    assert {name: ends.count(name) for name in ("pulls", "merge", "sync")} == {"pulls": 1, "merge": 1, "sync": 1}


async def test_a_workflow_whose_progress_was_lost_finds_what_it_did_and_its_old_worker_is_fenced_off(
    stage: Stage, before: Commands, after: Commands, tmp_path: Path
) -> None:
    workflow_id = await opened(stage)
    assert (await before("backup", "create")).code == 0
    waiting = await followed(stage, workflow_id, wait=False)
    old_claim = await stage.app.record.workflows.claim(workflow_id, "old", stage.app.runner.lease)

    assert (await after("backup", "restore")).code == 0
    told = await after("backup", "drift", "--json", **stage.lab.environment)

    said = [one["said"] for one in told.json["drift"] if one["workflow_id"] == workflow_id]
    assert told.code == 1 and any("ticket_comment:accepted (round 0) is on the ticket already" in one for one in said)
    assert any(one.startswith("pull request #1 is open already") for one in said)
    async with on(stage, after.database_url, tmp_path) as restored:
        with pytest.raises(Paused):
            await restored.app.record.workflows.claim(workflow_id, "new", stage.app.runner.lease)
        await after("resume")
        with pytest.raises(StaleWriter):
            await restored.app.runner.outward.tell(old_claim, stage.lab.ticket, 9, "late", "I woke up late.")
        await approved_and_done_once(restored, workflow_id)
        end = await aftermath(restored, workflow_id)
        assert end.comments[: len(waiting.comments)] == waiting.comments
    clean = await after("backup", "drift", "--json", **stage.lab.environment)
    assert (clean.code, clean.json) == (0, {"drift": [], "silent": {}})


async def test_a_workflow_that_the_backup_does_not_know_goes_on_under_its_own_id(
    stage: Stage, before: Commands, after: Commands, tmp_path: Path
) -> None:
    assert (await before("backup", "create")).code == 0
    lost = await reviewing(stage)

    assert (await after("backup", "restore")).code == 0
    told = await after("backup", "drift", **stage.lab.environment)

    assert f"workflow {lost.state.workflow_id} was at work on it" in " ".join(told.out.split())
    await after("resume")
    async with on(stage, after.database_url, tmp_path) as restored:
        workflow_id = await opened(restored)
        assert workflow_id == lost.state.workflow_id
        await approved_and_done_once(restored, workflow_id)
        assert (await aftermath(restored, workflow_id)).comments[: len(lost.comments)] == lost.comments


async def test_what_the_world_does_not_have_is_named_by_verify_and_who_is_silent_is_said(
    stage: Stage, before: Commands
) -> None:
    await reviewing(stage)
    sound = await before("verify", "--world", "--json", **stage.lab.environment)
    assert sound.code == 0 and sound.json["world"]["effects"] >= 4 and sound.json["world"]["silent"] == {}
    await stage.lab.control.add_fault(service="github", kind="status", path="/pulls", status=503, times=99)

    silent = await before("verify", "--json", **stage.lab.environment)
    insisted = await before("verify", "--world", **stage.lab.environment)

    assert silent.code == 0 and list(silent.json["world"]["silent"]) == ["GitHub"]
    assert insisted.code == 1 and "GitHub could not be asked" in insisted.err
    await stage.lab.control.clear_faults()
    await stage.lab.control.delete_ticket(stage.lab.ticket)
    found = await before("verify", **stage.lab.environment)
    assert found.code == 1
    assert "effect 'ticket_comment:accepted' (round 0) is recorded as done: id" in " ".join(found.out.split())
    assert (await before("verify", "--no-world", **stage.lab.environment)).code == 0

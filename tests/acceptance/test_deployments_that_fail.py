"""A fix that does not help is taken back, and only within what was approved."""

import shutil
from pathlib import Path

import pytest
import yaml

from sre_bot.cli.demo import FIRST_INCIDENT
from sre_bot.evals.harness import Pace, play, staged
from sre_bot.persistence.replay import verify
from tests.acceptance_stage import INCIDENTS

PACE = Pace(deployment=600)


@pytest.fixture
def incurable(tmp_path: Path) -> Path:
    """An incident like the first one, which no change of the tree heals."""
    folder = tmp_path / "incident"
    shutil.copytree(INCIDENTS / FIRST_INCIDENT, folder)
    file = folder / "incident.yaml"
    incident = yaml.safe_load(file.read_text())
    incident["expect"]["heals_when"] = [{"object": "Deployment/nowhere", "exists": True}]
    file.write_text(yaml.safe_dump(incident))
    return folder


async def test_a_fix_that_does_not_help_is_reverted_deployed_and_told(incurable: Path, postgres: str) -> None:
    async with staged(incurable, postgres, PACE) as stage:
        github, repository = stage.app.tools.github, "plumtree/shop-delivery"
        before = await github.head(repository, "main")
        run = await play(stage)
        after = await github.head(repository, "main")
        assert before is not None and after is not None
        comments = await stage.app.tools.jira.comments(stage.lab.ticket)
        ticket = await stage.app.tools.jira.ticket(stage.lab.ticket)
        tree_before = (await stage.app.tools.workspace.at(repository, before)).files
        url = await github.clone_url(repository)
        tree_after = (await stage.app.tools.workspace.history(repository, url, "main", "")).tree.files
        problems = await verify(stage.app.record.database, run.state.workflow_id)
        held = await stage.app.record.locks.held()
    assert run.state.outcome == "deployment_failed"
    assert after != before
    assert tree_after == tree_before, "the revert is exactly the inverse"
    assert run.world["application"]["history"][-1]["revision"] == after
    assert "reverted" in comments[-1].body
    assert ticket.assignee == ""
    assert problems == ()
    assert held == ()


async def test_with_rollback_ask_the_revert_is_proposed_and_a_person_decides(incurable: Path, postgres: str) -> None:
    async with staged(incurable, postgres, PACE, rollback="ask") as stage:
        run = await play(stage)
        comments = await stage.app.tools.jira.comments(stage.lab.ticket)
    assert run.state.outcome == "escalated"
    fix, revert = sorted(run.world["pull_requests"], key=lambda pull: pull["number"])
    assert (fix["merged"], revert["merged"]) == (True, False)
    assert revert["title"].startswith("Revert")
    assert f"#{revert['number']}" in comments[-1].body


async def test_where_the_branch_is_protected_the_revert_becomes_a_pull_request(incurable: Path, postgres: str) -> None:
    async with staged(incurable, postgres, PACE) as stage:
        await stage.lab.control.protect("main")
        run = await play(stage)
    assert run.state.outcome == "escalated"
    assert [pull["merged"] for pull in sorted(run.world["pull_requests"], key=lambda pull: pull["number"])] == [
        True,
        False,
    ]


async def test_an_application_that_is_gone_at_the_deployment_leaves_the_base_branch_alone(postgres: str) -> None:
    async with staged(INCIDENTS / FIRST_INCIDENT, postgres, PACE) as stage:
        await stage.lab.control.add_fault(
            "argocd", "status", method="GET", path="/applications/shop$", status=404, times=-1
        )
        run = await play(stage)
    assert run.state.outcome == "deployment_failed"
    assert [pull["merged"] for pull in run.world["pull_requests"]] == [False]


async def test_with_auto_sync_the_merge_deploys_itself_and_is_validated(postgres: str) -> None:
    async with staged(INCIDENTS / FIRST_INCIDENT, postgres, PACE, auto_sync=True) as stage:
        run = await play(stage)
    assert run.state.outcome == "resolved", run.errors
    assert run.state.context["synced_sha"] == run.state.context["merge_sha"]


async def test_a_sync_that_is_refused_after_the_merge_takes_the_merge_back(postgres: str) -> None:
    async with staged(INCIDENTS / FIRST_INCIDENT, postgres, PACE) as stage:
        await stage.lab.control.add_fault("argocd", "status", method="POST", path="/sync$", status=403, times=1)
        run = await play(stage)
        comments = await stage.app.tools.jira.comments(stage.lab.ticket)
    assert run.state.outcome == "deployment_failed"
    assert [pull["merged"] for pull in run.world["pull_requests"]] == [True]
    assert "reverted" in comments[-1].body

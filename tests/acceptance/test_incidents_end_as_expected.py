from pathlib import Path

import pytest

from sre_bot.evals.harness import Pace, play, staged
from sre_bot.evals.scoring import score
from sre_bot.lab.recording import Recording
from sre_bot.persistence.replay import verify
from tests.acceptance_stage import INCIDENTS

FOLDERS = sorted(folder for folder in INCIDENTS.iterdir() if (folder / "incident.yaml").is_file())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
async def test_an_incident_ends_as_its_folder_expects_and_the_ticket_is_told(folder: Path, postgres: str) -> None:
    recording = Recording.load(folder)
    async with staged(folder, postgres, Pace()) as stage:
        run = await play(stage)
        result = score(recording, run)
        comments = await stage.app.tools.jira.comments(stage.lab.ticket)
        ticket = await stage.app.tools.jira.ticket(stage.lab.ticket)
        problems = await verify(stage.app.record.database, run.state.workflow_id)
    assert result.as_expected, (result, run.state.context)
    assert result.kind_right in (True, None), result
    assert result.object_right in (True, None), result
    assert result.culprit_right in (True, None), result
    assert not result.decoy_hit, result
    assert problems == ()
    assert len({comment.body for comment in comments}) == len(comments) >= 2, "the ticket is told, and nothing twice"
    assert (ticket.status == "Done") if run.state.outcome == "resolved" else (ticket.assignee == "")

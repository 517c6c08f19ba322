import pytest

from sre_bot.evals.ending import answer_of, ending_of
from sre_bot.evals.harness import Pace, play, staged
from sre_bot.evals.incidents import Expected
from sre_bot.evals.matching import owners_of
from sre_bot.evals.scorecard import mark
from sre_bot.lab.recording import Recording
from sre_bot.persistence.replay import verify
from tests.acceptance_stage import INCIDENTS

SAMPLE = (
    "orders-cannot-be-placed",
    "statements-not-arrived",
    "drivers-without-lists",
    "no-seat-plans",
    "freight-desk-gets-errors",
    "chapters-not-in-the-player",
    "searching-beds-is-slow",
    "scans-pile-up",
    "site-feels-slow",
    "readings-arrived-late",
)
"""Played end to end here: a repair of each sort, and two controls. ``make evals`` diagnoses all that there are."""


@pytest.mark.parametrize("name", SAMPLE)
async def test_an_incident_ends_as_its_folder_expects_and_the_ticket_is_told(name: str, postgres: str) -> None:
    folder = INCIDENTS / name
    expected = Expected.read(folder)
    async with staged(folder, postgres, Pace()) as stage:
        run = await play(stage)
        comments = await stage.app.tools.jira.comments(stage.lab.ticket)
        ticket = await stage.app.tools.jira.ticket(stage.lab.ticket)
        problems = await verify(stage.app.record.database, run.state.workflow_id)
    ending = ending_of(run, expected.expect)
    marks = mark(answer_of(run), expected, owners_of(Recording.load(folder).objects))
    assert ending.as_expected, (ending, run.state.context)
    assert (ending.healed, ending.harmed, ending.regression_valid) in ((True, False, True), (None, False, None)), ending
    assert marks.both_at_1 in (True, None), marks
    assert marks.culprit_at_1 in (True, None), marks
    assert not marks.decoy_hit, marks
    assert problems == ()
    assert len({comment.body for comment in comments}) == len(comments) >= 2, "the ticket is told, and nothing twice"
    assert (ticket.status == "Done") if run.state.outcome == "resolved" else (ticket.assignee == "")

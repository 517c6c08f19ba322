"""Reminders before a deadline, its end, and a warning where two fixes touch the same lines."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from sre_bot.domain.fix import FileEdit
from sre_bot.domain.states import DetailedState
from sre_bot.evals.harness import Pace, Stage, staged
from sre_bot.persistence.database import Connection
from sre_bot.repair.overlaps import overlaps
from tests.bad_input_stage import INCIDENT, aftermath, reviewing

HOUR = timedelta(hours=1)


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, Pace()) as stage:
        yield stage


async def left_for_review(stage: Stage, left: timedelta) -> None:
    """Let the time of the review go by until so much of it is left."""
    async with stage.app.record.database.transaction() as connection:
        await connection.execute("update workflow_states set timeout_at = clock_timestamp() + %s", (left,))


async def comments(stage: Stage) -> list[str]:
    return [comment.body for comment in await stage.app.tools.jira.comments(stage.lab.ticket)]


async def test_people_are_reminded_of_a_review_at_half_and_at_nine_tenths_and_then_it_expires(stage: Stage) -> None:
    notices, state = stage.app.notices(), (await reviewing(stage)).state
    before = len(await comments(stage))
    assert state.timeout_at is not None and not state.is_expired(await stage.app.record.database.now())
    assert await notices.reminders() == 0, "nothing is said in the first half"

    await left_for_review(stage, 11.9 * HOUR)
    assert (await notices.reminders(), await notices.reminders()) == (1, 0)
    await left_for_review(stage, 2.3 * HOUR)
    assert (await notices.reminders(), await notices.reminders()) == (1, 0)

    told = (await comments(stage))[before:]
    assert [said.split(" %")[0] for said in told] == ["50", "90"]
    assert "In 2.3 hours I stop waiting" in told[1] and state.context["pr_url"] in told[1]
    waiting = await stage.app.record.workflows.get(state.workflow_id)
    assert (waiting.detailed_state, waiting.due_at) == (DetailedState.AWAITING_REVIEW, None)

    await left_for_review(stage, -HOUR)
    assert await notices.reminders() == 0
    assert waiting.can_retry() and await stage.app.monitors.deadlines() == 1
    await stage.app.recovery().recover_active_workflows()
    end = await aftermath(stage, state.workflow_id)
    end.check()
    assert end.outcome == "expired" and not end.state.can_retry()


async def test_a_reminder_that_jira_did_not_take_is_given_later(stage: Stage) -> None:
    notices, _ = stage.app.notices(), await reviewing(stage)
    await left_for_review(stage, HOUR)
    await stage.lab.control.add_fault(service="jira", kind="status", path="/comment", status=503, times=1)

    assert (await notices.reminders(), await notices.reminders(), await notices.reminders()) == (0, 1, 0)
    assert len([said for said in await comments(stage) if said.startswith("90 %")]) == 1


async def fixed_alike(connection: Connection, other: str) -> None:
    """As if another workflow had made a fix of the same lines just now."""
    await connection.execute(
        """insert into effects (key, workflow_id, name, round, status, request, result, fence, settled_at)
        select 'another', %s, name, round, status, request, result, 1, clock_timestamp()
        from effects where name = 'commit:fix'""",
        (other,),
    )
    await connection.execute(
        """update workflow_states as w set context = one.context, due_at = null
        from workflow_states as one where w.workflow_id = %s and one.workflow_id <> w.workflow_id""",
        (other,),
    )


async def test_two_fixes_of_the_same_lines_are_linked_and_both_tickets_and_pull_requests_told(stage: Stage) -> None:
    record, _ = stage.app.record, await reviewing(stage)
    other_key = await stage.lab.control.create_ticket(key="SHOP-3000", summary="Something else")
    other = (await stage.app.monitors.open(other_key)).workflow_id
    async with record.database.transaction() as connection:
        await fixed_alike(connection, other)

    assert (await stage.app.notices().overlapping(), await stage.app.notices().overlapping()) == (1, 0)

    [link] = await record.workflows.links(other)
    assert link["relation"] == "overlaps"
    assert other_key in (await comments(stage))[-1]
    told = [comment.body for comment in await stage.app.tools.jira.comments(other_key)]
    assert stage.lab.ticket in told[-1] and "touches the same lines" in told[-1]
    posted = [one for one in await stage.lab.control.requests("github") if one["path"].endswith("/comments")]
    assert len([one for one in posted if one["method"] == "POST"]) == 2


async def test_a_fix_that_was_on_its_way_into_the_record_at_one_look_is_found_by_the_next(stage: Stage) -> None:
    notices, _ = stage.app.notices(), await reviewing(stage)
    other_key = await stage.lab.control.create_ticket(key="SHOP-3000", summary="Something else")
    other = (await stage.app.monitors.open(other_key)).workflow_id
    async with stage.app.record.database.transaction() as connection:
        await fixed_alike(connection, other)
        assert await notices.overlapping() == 0, "it cannot be seen yet"

    assert await notices.overlapping() == 1


def edit(before: str | None, after: str | None, path: str = "deploy/api.yaml") -> FileEdit:
    return FileEdit(path=path, before=before, after=after)


LINES = "a\nb\nc\nd\n"


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (edit(LINES, "a\nB\nc\nd\n"), edit(LINES, "a\nb!\nc\nd\n"), {"deploy/api.yaml": (2,)}),
        (edit(LINES, "A\nb\nc\nd\n"), edit(LINES, "a\nb\nc\nD\n"), {}),
        (edit(LINES, "a\nB\nc\nd\n"), edit("new\n" + LINES, "new\na\nb!\nc\nd\n"), {"deploy/api.yaml": (2,)}),
        (edit(LINES, "a\nb\nc\nd\ne\n"), edit(LINES, "a\nb\nc\nd\nf\n"), {"deploy/api.yaml": (5,)}),
        (edit(None, LINES), edit(None, "x\n"), {"deploy/api.yaml": (1,)}),
        (edit(LINES, "A\nb\nc\nd\n"), edit(LINES, "A\nb\nc\nd\n", "deploy/web.yaml"), {}),
    ],
)
def test_changes_overlap_where_they_touch_the_same_lines_of_the_same_file(
    one: FileEdit, other: FileEdit, common: dict[str, tuple[int, ...]]
) -> None:
    assert overlaps([one], [other]) == common

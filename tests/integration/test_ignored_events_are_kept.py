"""What comes too late changes nothing, and the record says that it came."""

from collections.abc import AsyncGenerator

import pytest

from sre_bot.cli.looking import ignored_line
from sre_bot.domain.errors import StaleVersion
from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.persistence.database import Database
from sre_bot.persistence.ignored import LONGEST, IgnoredEvents
from sre_bot.persistence.workflows import Workflows
from sre_bot.worker.stopping import cancel, stop
from tests.record_runs import TTL, claimed, failure


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    async with Database.open(database_url) as database:
        yield database


async def test_a_wake_up_of_an_ended_workflow_is_ignored_and_counted(database: Database) -> None:
    workflows = Workflows(database)
    claim = await claimed(workflows)
    await workflows.record_failure(
        claim, failure(claim), state=DetailedState.TICKET_DETECTED, delay=None, trigger="cancelled"
    )
    await workflows.finish_escalation(claim, Outcome.CANCELLED)
    await workflows.wake(claim.workflow_id)
    await workflows.wake(claim.workflow_id)
    [event] = await IgnoredEvents(database).of(claim.workflow_id)
    assert (event["kind"], event["why"], event["times"]) == ("wake", "it had ended: cancelled", 2)
    assert ignored_line(event).endswith(", 2 times: it had ended: cancelled")


async def test_a_wake_up_that_a_workflow_hears_is_not_among_the_ignored(database: Database) -> None:
    workflows = Workflows(database)
    state = await workflows.open("OPS-1", {})
    await workflows.wake(state.workflow_id)
    assert await IgnoredEvents(database).of(state.workflow_id) == ()


async def test_what_has_moved_on_is_not_stopped_for_what_it_was_and_is_free_again(database: Database) -> None:
    workflows = Workflows(database)
    before = await workflows.open("OPS-1", {})
    claim = await workflows.claim(before.workflow_id, "worker-1", TTL)
    await workflows.record_failure(claim, failure(claim), state=DetailedState.TICKET_DETECTED, delay=TTL)
    await workflows.release(claim)
    with pytest.raises(StaleVersion, match="has moved on to retry"):
        await stop(workflows, before, "monitor", TTL, "expired", "it took too long")
    await cancel(workflows, before, "monitor", TTL, "nobody needs it")
    assert (await workflows.get(before.workflow_id)).outcome == "cancelled"


async def test_a_reason_of_any_length_and_with_any_character_is_kept_in_part(database: Database) -> None:
    state = await Workflows(database).open("OPS-1", {})
    await IgnoredEvents(database).note(state.workflow_id, "review", "\0" + "\N{FIRE}" * 5 * LONGEST)
    [event] = await IgnoredEvents(database).of(state.workflow_id)
    assert event["why"] == "\ufffd" + "\N{FIRE}" * (LONGEST - 1)

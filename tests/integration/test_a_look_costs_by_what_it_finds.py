"""However many workflows are parked, a look reads those that it has something to do with, and no more than a page."""

from datetime import timedelta

import pytest

from sre_bot.domain.states import DetailedState
from sre_bot.domain.workflow import WorkflowState
from sre_bot.graph.review import ReviewReader
from sre_bot.persistence.database import Database, Row
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.watching import Watch
from sre_bot.persistence.workflows import Claim, Workflows
from sre_bot.tools.github import GitHub
from sre_bot.tools.jira import Jira
from sre_bot.worker.monitors import Monitors
from tests.law_graph import ACCEPTANCE, ANALYSIS, REMEDIATION, REVIEW, LawGraph, case
from tests.record_runs import TTL, claimed, under

NOBODY = "http://127.0.0.1:9"
CROWD = 250
HOUR = timedelta(hours=1)
NO_GRACE = timedelta(0)


class CountingWatch(Watch):
    """Counts the workflows that are read."""

    def __init__(self, database: Database, page: int = 100) -> None:
        super().__init__(database, page)
        self.read: list[str] = []

    async def _read(self, name: str, after: str, names: Row) -> tuple[WorkflowState, ...]:
        found = await super()._read(name, after, names)
        self.read += [state.ticket_id for state in found]
        return found


@pytest.fixture
def watch(database: Database) -> CountingWatch:
    return CountingWatch(database)


def monitors(database: Database, watch: Watch) -> Monitors:
    return Monitors(
        database=database,
        workflows=Workflows(database),
        locks=ResourceLocks(database),
        watch=watch,
        jira=Jira(NOBODY, "", "", cloud=False),
        reviews=ReviewReader(GitHub(NOBODY, "token")),
        server=None,
        projects=("OPS",),
        owner="monitor",
        lease=TTL,
    )


async def parked(workflows: Workflows, saver: AuditedSaver, ticket: str) -> Claim:
    """A workflow that waits for a review, as its worker left it."""
    claim = await claimed(workflows, ticket)
    await LawGraph().compile(saver).ainvoke(case(ticket, ACCEPTANCE + ANALYSIS + REMEDIATION + REVIEW), under(claim))
    await workflows.release(claim)
    return claim


async def crowd(database: Database, like: Claim, *, runner: str = "worker") -> None:
    """Many more that wait as one does."""
    async with database.transaction() as connection:
        await connection.execute(
            """insert into workflow_states select (jsonb_populate_record(w, jsonb_build_object(
                'workflow_id', gen_random_uuid(), 'ticket_id', 'CROWD-' || n, 'runner', %s::text,
                'context', jsonb_build_object('repository', 'acme/shop', 'pr_number', n)))).*
            from workflow_states as w, generate_series(1, %s) as n where w.workflow_id = %s""",
            (runner, CROWD, like.workflow_id),
        )


async def set_time_left(database: Database, left: timedelta, *claims: Claim) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            "update workflow_states set timeout_at = clock_timestamp() + %s where workflow_id = any(%s)",
            (left, [claim.workflow_id for claim in claims]),
        )


async def test_a_look_for_passed_deadlines_reads_those_that_passed(
    database: Database, workflows: Workflows, saver: AuditedSaver, watch: CountingWatch
) -> None:
    late = [await parked(workflows, saver, f"OPS-{number}") for number in (1, 2)]
    await crowd(database, late[0])
    await set_time_left(database, -HOUR, *late)

    assert await monitors(database, watch).deadlines() == 2
    assert watch.read == ["OPS-1", "OPS-2"]
    assert await monitors(database, watch).deadlines() == 0
    assert watch.read == ["OPS-1", "OPS-2"], "who is on the way out is not read again"


async def test_more_than_a_page_of_passed_deadlines_are_all_read_once(
    database: Database, workflows: Workflows, saver: AuditedSaver, watch: CountingWatch
) -> None:
    one = await parked(workflows, saver, "OPS-1")
    await set_time_left(database, -HOUR, one)
    await crowd(database, one)

    found = [state.ticket_id async for state in watch.overdue()]

    assert len(set(found)) == len(watch.read) == CROWD + 1


async def test_who_stands_in_line_or_is_set_aside_has_an_excuse(
    database: Database, workflows: Workflows, saver: AuditedSaver, watch: CountingWatch
) -> None:
    late = [await parked(workflows, saver, f"OPS-{number}") for number in (1, 2, 3)]
    await set_time_left(database, -HOUR, *late)
    async with database.transaction() as connection:
        await connection.execute(
            "insert into resource_waits (workflow_id, resources, priority) values (%s, '{repository:x}', 3)",
            (late[0].workflow_id,),
        )
        await connection.execute(
            "insert into quarantines (workflow_id, why, attempts) values (%s, 'it kills', 3)", (late[1].workflow_id,)
        )

    assert [state.ticket_id async for state in watch.overdue()] == ["OPS-3"]


async def test_of_many_reviews_a_page_is_asked_about_at_a_time_and_all_have_their_turn(
    database: Database, workflows: Workflows, saver: AuditedSaver
) -> None:
    watch = CountingWatch(database, page=100)
    one = await parked(workflows, saver, "OPS-1")
    await crowd(database, one)
    await workflows.claim(one.workflow_id, "worker-2", TTL)
    looking, sizes = monitors(database, watch), list[int]()
    for _ in range(3):
        before = len(watch.read)
        assert await looking.review_activity() == 0, "nobody answers"
        sizes.append(len(watch.read) - before)

    assert sizes == [100, 100, 50]
    assert len(set(watch.read)) == CROWD
    await looking.review_activity()
    assert watch.read[CROWD:] == watch.read[:100]


async def test_asked_about_one_at_a_time_each_has_its_turn_and_then_the_first_again(
    database: Database, workflows: Workflows, saver: AuditedSaver, watch: CountingWatch
) -> None:
    for number in (1, 2, 3):
        await parked(workflows, saver, f"OPS-{number}")
    for _ in range(7):
        assert len(await watch.next_in_review(("worker",), at_most=1)) == 1

    assert watch.read == ["OPS-1", "OPS-2", "OPS-3"] * 2 + ["OPS-1"]


async def test_who_is_woken_already_is_not_asked_about(
    database: Database, workflows: Workflows, saver: AuditedSaver, watch: CountingWatch
) -> None:
    parked_one, running = [await parked(workflows, saver, f"OPS-{number}") for number in (1, 2)]
    await workflows.claim(running.workflow_id, "worker-2", TTL)

    found = await watch.next_in_review(("worker",))

    assert [state.workflow_id for state in found] == [parked_one.workflow_id]


async def test_a_reminder_is_looked_for_where_its_time_has_come(
    database: Database, workflows: Workflows, saver: AuditedSaver, watch: CountingWatch
) -> None:
    one = await parked(workflows, saver, "OPS-1")
    await crowd(database, one)
    await set_time_left(database, 11 * HOUR, one)

    async def half_over() -> list[str]:
        half, told = watch.to_remind, "ticket_comment:reminder_50:"
        states = half(DetailedState.AWAITING_REVIEW, more_than=2.4 * HOUR, at_most=12 * HOUR, told=told)
        return [state.ticket_id async for state in states]

    assert await half_over() == ["OPS-1"]
    async with database.transaction() as connection:
        await connection.execute(
            """insert into effects (key, workflow_id, name, round, status, request, result, fence)
            values ('told', %s, 'ticket_comment:reminder_50:', 0, 'done', '{}', '{}', 1)""",
            (one.workflow_id,),
        )
    assert await half_over() == []
    assert watch.read == ["OPS-1"]


async def test_of_a_servers_threads_those_that_wait_in_time_are_not_read(
    database: Database, workflows: Workflows, saver: AuditedSaver, watch: CountingWatch
) -> None:
    one = await parked(workflows, saver, "OPS-1")
    await crowd(database, one, runner="server")
    assert [state async for state in watch.at_a_server(NO_GRACE)] == []

    async with database.transaction() as connection:
        await connection.execute("update workflow_states set detailed_state = 'approved' where ticket_id = 'CROWD-7'")
    assert [state.ticket_id async for state in watch.at_a_server(NO_GRACE)] == ["CROWD-7"]
    assert watch.read == ["CROWD-7"]


async def test_the_sweep_claims_what_is_due_beside_a_crowd_that_is_not(
    database: Database, workflows: Workflows, saver: AuditedSaver
) -> None:
    one = await parked(workflows, saver, "OPS-1")
    await crowd(database, one)
    await workflows.wake(one.workflow_id)

    assert [claim.workflow_id for claim in await workflows.claim_due("worker", TTL, 100)] == [one.workflow_id]

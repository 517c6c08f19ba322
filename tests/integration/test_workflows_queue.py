"""Which workflows are due, who may run them, and that no wake-up is lost."""

import asyncio
from datetime import timedelta

import pytest

from sre_bot.domain.errors import LeaseHeld, WorkflowExists, WorkflowNotFound
from sre_bot.domain.states import MainState
from sre_bot.persistence.database import Database
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import ACCEPTANCE, ANALYSIS, LawGraph, case
from tests.record_runs import TTL, claimed, expire_lease, rows, under

HOUR = timedelta(hours=1)


async def test_a_new_workflow_is_at_rest_and_due(database: Database, workflows: Workflows) -> None:
    state = await workflows.open("OPS-1", {"a": 1, "nothing": None}, priority=2, graph_version="7")

    assert (str(state.position), state.main_state) == ("system_idle::", MainState.SYSTEM_IDLE)
    assert (state.context, state.version, state.graph_version) == ({"a": 1}, 1, "7")
    assert state.due_at is not None and state.due_at <= await database.now()
    assert await workflows.get(state.workflow_id) == state


async def test_a_ticket_has_one_live_workflow(workflows: Workflows) -> None:
    first = await workflows.open("OPS-1", {})

    with pytest.raises(WorkflowExists) as caught:
        await workflows.open("OPS-1", {})
    assert caught.value.workflow_id == first.workflow_id


async def test_fifty_openers_of_one_ticket_make_one_workflow(workflows: Workflows) -> None:
    ends = await asyncio.gather(*(workflows.open("OPS-1", {}) for _ in range(50)), return_exceptions=True)

    assert sum(isinstance(end, WorkflowExists) for end in ends) == 49
    assert len(await workflows.of_ticket("OPS-1")) == 1


async def test_a_ticket_that_comes_back_gets_a_new_linked_workflow(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows, "OPS-1")
    await law_graph.compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(claim))

    second = await workflows.open("OPS-1", {}, previous=claim.workflow_id)

    assert [state.workflow_id for state in await workflows.of_ticket("OPS-1")] == [
        second.workflow_id,
        claim.workflow_id,
    ]
    assert [state.workflow_id for state in await workflows.live()] == [second.workflow_id]
    [link] = await workflows.links(second.workflow_id)
    assert (str(link["other"]), link["relation"]) == (claim.workflow_id, "previous")


@pytest.mark.parametrize("unknown", ["8c7d3c0e-6f2b-4a53-9d0a-5b1f0c5f2a11", "no id at all"])
async def test_what_is_not_there_is_named(unknown: str, workflows: Workflows) -> None:
    with pytest.raises(WorkflowNotFound, match=unknown):
        await workflows.get(unknown)
    with pytest.raises(WorkflowNotFound, match=unknown):
        await workflows.claim(unknown, "worker-1", TTL)


async def test_what_is_no_id_is_not_found_by_any_question(workflows: Workflows) -> None:
    for question in (workflows.transitions, workflows.errors, workflows.links, workflows.wake, workflows.attempts):
        with pytest.raises(WorkflowNotFound, match="no UUID"):
            await question("OPS-1")


async def test_the_most_urgent_is_claimed_first_then_the_oldest(workflows: Workflows) -> None:
    for ticket, priority in (("LATE", 3), ("LATER", 3), ("URGENT", 1), ("EXTERNAL", 1)):
        driver = "external" if ticket == "EXTERNAL" else "graph"
        await workflows.open(ticket, {}, priority=priority, driver=driver)

    claims = await workflows.claim_due("worker-1", TTL, 2)
    rest = await workflows.claim_due("worker-1", TTL, 10)

    tickets = [(await workflows.get(claim.workflow_id)).ticket_id for claim in (*claims, *rest)]
    assert tickets == ["URGENT", "LATE", "LATER"]
    assert await workflows.claim_due("worker-1", TTL, 10) == ()


@pytest.mark.parametrize(("since", "first"), [(1.9, "URGENT"), (2.1, "LATE")])
async def test_each_hour_of_being_due_makes_up_for_one_step_of_priority(
    since: float, first: str, database: Database, workflows: Workflows
) -> None:
    late = await workflows.open("LATE", {}, priority=3)
    await workflows.open("URGENT", {}, priority=1)
    async with database.transaction() as connection:
        await connection.execute(
            "update workflow_states set due_at = due_at - %s * interval '1 hour' where workflow_id = %s",
            (since, late.workflow_id),
        )

    [claim] = await workflows.claim_due("worker-1", TTL, 1)

    assert (await workflows.get(claim.workflow_id)).ticket_id == first


async def test_workers_that_sweep_at_once_share_the_work(workflows: Workflows) -> None:
    for number in range(12):
        await workflows.open(f"OPS-{number}", {})

    swept = await asyncio.gather(*(workflows.claim_due(f"worker-{n}", TTL, 5) for n in range(4)))

    ids = [claim.workflow_id for claims in swept for claim in claims]
    assert len(ids) == len(set(ids)) == 12


async def test_the_work_of_a_dead_worker_is_due_again_with_a_higher_fence(
    database: Database, workflows: Workflows
) -> None:
    first = await claimed(workflows)
    assert await workflows.claim_due("worker-2", TTL, 10) == ()
    await expire_lease(database, first.workflow_id)

    [second] = await workflows.claim_due("worker-2", TTL, 10)

    assert (second.workflow_id, second.fence) == (first.workflow_id, first.fence + 1)


async def test_claims_that_lead_nowhere_are_counted(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    for _ in range(2):
        await expire_lease(database, claim.workflow_id)
        [claim] = await workflows.claim_due("worker-2", TTL, 10)
    assert await workflows.attempts(claim.workflow_id) == 3

    await law_graph.compile(saver).ainvoke(case(), under(claim))
    assert await workflows.attempts(claim.workflow_id) == 0
    await workflows.release(claim, due_in=timedelta(0))
    await workflows.claim_due("worker-2", TTL, 10)
    assert await workflows.attempts(claim.workflow_id) == 1


async def test_a_parked_workflow_sleeps_until_it_is_woken(workflows: Workflows) -> None:
    claim = await claimed(workflows)
    await workflows.release(claim)
    assert await workflows.claim_due("worker-1", TTL, 10) == ()
    assert (await workflows.get(claim.workflow_id)).due_at is None

    await workflows.wake(claim.workflow_id)

    assert (await workflows.get(claim.workflow_id)).due_at is not None
    [again] = await workflows.claim_due("worker-1", TTL, 10)
    await workflows.release(again)
    assert await workflows.claim_due("worker-1", TTL, 10) == ()


async def test_a_wake_up_during_the_run_is_not_lost(workflows: Workflows) -> None:
    claim = await claimed(workflows)
    await workflows.wake(claim.workflow_id)
    await workflows.release(claim)

    assert len(await workflows.claim_due("worker-1", TTL, 10)) == 1


async def test_a_wake_up_before_the_run_is_spent_by_it(workflows: Workflows) -> None:
    state = await workflows.open("OPS-1", {})
    for _ in range(3):
        await workflows.wake(state.workflow_id)
    claim = await workflows.claim(state.workflow_id, "worker-1", TTL)
    await workflows.release(claim)

    assert await workflows.claim_due("worker-1", TTL, 10) == ()


async def test_a_workflow_released_for_later_is_due_later(database: Database, workflows: Workflows) -> None:
    claim = await claimed(workflows)
    await workflows.release(claim, due_in=HOUR)

    due_at = (await workflows.get(claim.workflow_id)).due_at
    assert due_at is not None
    assert timedelta(minutes=59) < due_at - await database.now() < HOUR
    assert await workflows.claim_due("worker-1", TTL, 10) == ()
    await workflows.wake(claim.workflow_id)
    assert len(await workflows.claim_due("worker-1", TTL, 10)) == 1


async def test_an_ended_workflow_is_neither_due_nor_claimable_nor_woken(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    await workflows.wake(claim.workflow_id)
    await law_graph.compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(claim))
    await workflows.release(claim)
    await workflows.wake(claim.workflow_id)

    assert await rows(database, b"select 1 from workflow_wakes") == []
    assert (await workflows.get(claim.workflow_id)).due_at is None
    assert await workflows.claim_due("worker-1", TTL, 10) == ()
    with pytest.raises(LeaseHeld, match="has ended"):
        await workflows.claim(claim.workflow_id, "worker-1", TTL)


async def test_times_are_aware_and_in_utc_whatever_the_server_thinks(database_url: str) -> None:
    async with Database.open(database_url) as database:
        async with database.transaction() as connection:
            await connection.execute("set local timezone to 'Asia/Kolkata'")
            cursor = await connection.execute("select now() as now")
            row = await cursor.fetchone()
        state = await Workflows(database).open("OPS-1", {})

    assert row and row["now"].utcoffset() == timedelta(0)
    assert state.created_at.utcoffset() == timedelta(0)

"""A resource belongs to one workflow at a time, until it gives it back or ends; then the next in line has it."""

import asyncio

import pytest

from sre_bot.domain.errors import StaleWriter
from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.persistence.database import Database
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim, Workflows
from tests.law_graph import ACCEPTANCE, ANALYSIS, LawGraph, case
from tests.record_runs import TTL, claimed, expire_lease, failure, under

REPOSITORY, APP = "repository:acme/shop", "argocd:shop"


@pytest.fixture
def locks(database: Database) -> ResourceLocks:
    return ResourceLocks(database)


async def _workflow(workflows: Workflows, ticket: str, priority: int = 3) -> Claim:
    state = await workflows.open(ticket, {}, priority=priority)
    return await workflows.claim(state.workflow_id, f"worker of {ticket}", TTL)


async def _owners(locks: ResourceLocks) -> dict[str, str | None]:
    return {row["resource"]: row["workflow_id"] for row in await locks.held()}


async def test_a_busy_resource_parks_the_second_and_its_release_wakes_it(
    workflows: Workflows, locks: ResourceLocks
) -> None:
    first, second = await _workflow(workflows, "OPS-1"), await _workflow(workflows, "OPS-2")
    assert await locks.acquire(first, (REPOSITORY,))
    assert not await locks.acquire(second, (REPOSITORY,))
    await workflows.release(second)
    assert await workflows.claim_due("worker-3", TTL, 10) == ()

    woken = await locks.release(first.workflow_id, (REPOSITORY,))

    assert woken == (second.workflow_id,)
    assert await _owners(locks) == {REPOSITORY: second.workflow_id}
    [again] = await workflows.claim_due("worker-3", TTL, 10)
    assert await locks.acquire(again, (REPOSITORY,))
    assert await locks.waiting() == ()


async def test_a_wake_up_between_asking_and_parking_is_not_lost(workflows: Workflows, locks: ResourceLocks) -> None:
    first, second = await _workflow(workflows, "OPS-1"), await _workflow(workflows, "OPS-2")
    await locks.acquire(first, (REPOSITORY,))
    await locks.acquire(second, (REPOSITORY,))
    await locks.release(first.workflow_id)
    await workflows.release(second)

    assert [claim.workflow_id for claim in await workflows.claim_due("worker-3", TTL, 10)] == [second.workflow_id]


async def test_all_or_none(workflows: Workflows, locks: ResourceLocks) -> None:
    first, second = await _workflow(workflows, "OPS-1"), await _workflow(workflows, "OPS-2")
    await locks.acquire(first, (APP,))

    assert not await locks.acquire(second, (REPOSITORY, APP))
    assert await _owners(locks) == {APP: first.workflow_id}
    await locks.release(first.workflow_id)
    assert await _owners(locks) == {APP: second.workflow_id, REPOSITORY: second.workflow_id}


async def test_the_line_goes_by_priority_then_age(workflows: Workflows, locks: ResourceLocks) -> None:
    holder = await _workflow(workflows, "OPS-0")
    await locks.acquire(holder, (REPOSITORY,))
    waiting = [await _workflow(workflows, f"OPS-{n}", priority) for n, priority in enumerate((3, 3, 1), start=1)]
    for claim in waiting:
        assert not await locks.acquire(claim, (REPOSITORY,))

    order: list[str] = []
    current = holder.workflow_id
    for _ in waiting:
        [current] = await locks.release(current)
        order.append(current)

    assert order == [waiting[2].workflow_id, waiting[0].workflow_id, waiting[1].workflow_id]


async def _time_passes(database: Database, hours: float) -> None:
    """Let everybody in line have waited so much longer."""
    async with database.transaction() as connection:
        statement = "update resource_waits set requested_at = requested_at - %s * interval '1 hour'"
        await connection.execute(statement, (hours,))


@pytest.mark.parametrize(("hours", "first"), [(3.9, "URGENT"), (4.1, "LOW")])
async def test_four_hours_of_waiting_make_the_lowest_priority_equal_to_the_highest(
    hours: float, first: str, database: Database, workflows: Workflows, locks: ResourceLocks
) -> None:
    holder, low = await _workflow(workflows, "OPS-1"), await _workflow(workflows, "OPS-2", 5)
    await locks.acquire(holder, (REPOSITORY,))
    await locks.acquire(low, (REPOSITORY,))
    await _time_passes(database, hours)
    urgent = await _workflow(workflows, "OPS-3", 1)
    await locks.acquire(urgent, (REPOSITORY,))

    assert await locks.release(holder.workflow_id) == ({"LOW": low, "URGENT": urgent}[first].workflow_id,)


async def test_a_stream_of_urgent_work_keeps_nobody_waiting_for_ever(
    database: Database, workflows: Workflows, locks: ResourceLocks
) -> None:
    """Every half an hour the resource is free for one, and one more comes that is more urgent than who waits."""
    current, low = await _workflow(workflows, "OPS-0", 1), await _workflow(workflows, "OPS-1", 5)
    await locks.acquire(current, (REPOSITORY,))
    await locks.acquire(low, (REPOSITORY,))

    holder, passed_by = current.workflow_id, 0
    while holder != low.workflow_id:
        await locks.acquire(await _workflow(workflows, f"OPS-{passed_by + 2}", 1), (REPOSITORY,))
        await _time_passes(database, 0.5)
        [holder] = await locks.release(holder)
        passed_by += holder != low.workflow_id
        assert passed_by <= 8, "four hours of coming first, one every half an hour"

    assert passed_by == 8


async def test_nobody_overtakes_one_who_waits_for_the_same(workflows: Workflows, locks: ResourceLocks) -> None:
    first, second, third = [await _workflow(workflows, f"OPS-{n}") for n in (1, 2, 3)]
    await locks.acquire(first, (APP,))
    assert not await locks.acquire(second, (APP, REPOSITORY))

    assert not await locks.acquire(third, (REPOSITORY,))
    await locks.release(first.workflow_id)

    assert await _owners(locks) == {APP: second.workflow_id, REPOSITORY: second.workflow_id}
    assert await locks.release(second.workflow_id) == (third.workflow_id,)


async def test_what_is_freed_is_kept_for_an_earlier_waiter_who_needs_more(
    workflows: Workflows, locks: ResourceLocks
) -> None:
    first, second, early, late = [await _workflow(workflows, f"OPS-{n}") for n in (1, 2, 3, 4)]
    await locks.acquire(first, (APP,))
    await locks.acquire(second, (REPOSITORY,))
    await locks.acquire(early, (APP, REPOSITORY))
    await locks.acquire(late, (REPOSITORY,))

    assert await locks.release(second.workflow_id) == ()
    assert await locks.release(first.workflow_id) == (early.workflow_id,)
    assert await locks.release(early.workflow_id) == (late.workflow_id,)


async def test_asking_while_it_is_freed_never_leaves_a_waiter_before_a_free_resource(
    workflows: Workflows, locks: ResourceLocks
) -> None:
    first, second = await _workflow(workflows, "OPS-1"), await _workflow(workflows, "OPS-2")
    for _ in range(25):
        assert await locks.acquire(first, (REPOSITORY,))
        await asyncio.gather(locks.acquire(second, (REPOSITORY,)), locks.release(first.workflow_id))
        assert (await _owners(locks), await locks.waiting()) == ({REPOSITORY: second.workflow_id}, ())
        await locks.release(second.workflow_id)


async def test_who_is_waited_for_goes_before_the_waiter(workflows: Workflows, locks: ResourceLocks) -> None:
    first, second, third = [await _workflow(workflows, f"OPS-{n}") for n in (1, 2, 3)]
    await locks.acquire(first, (APP,))
    await locks.acquire(third, ("queue:other",))
    assert not await locks.acquire(second, (APP, REPOSITORY))
    assert await locks.acquire(first, (REPOSITORY,))
    assert not await locks.acquire(first, (REPOSITORY, "queue:other"))

    assert await locks.release(third.workflow_id) == (first.workflow_id,)
    assert await locks.release(first.workflow_id) == (second.workflow_id,)


async def test_a_lock_outlives_the_lease_of_its_workflow_and_asking_again_is_free(
    database: Database, workflows: Workflows, locks: ResourceLocks
) -> None:
    first, second = await _workflow(workflows, "OPS-1"), await _workflow(workflows, "OPS-2")
    await locks.acquire(first, (REPOSITORY,))
    await expire_lease(database, first.workflow_id)

    assert not await locks.acquire(second, (REPOSITORY,))
    recovered = await workflows.claim(first.workflow_id, "worker-9", TTL)
    assert await locks.acquire(recovered, (REPOSITORY,))
    with pytest.raises(StaleWriter):
        await locks.acquire(first, (REPOSITORY,))


async def test_the_end_of_a_workflow_frees_what_it_held_and_its_place_in_line(
    workflows: Workflows, locks: ResourceLocks, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    ending, next_one = await claimed(workflows, "OPS-1"), await _workflow(workflows, "OPS-2")
    await locks.acquire(ending, (REPOSITORY,))
    await locks.acquire(next_one, (REPOSITORY,))

    await law_graph.compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(ending))
    assert await _owners(locks) == {REPOSITORY: next_one.workflow_id}

    last = await _workflow(workflows, "OPS-3")
    await locks.acquire(last, (REPOSITORY,))
    await workflows.record_failure(
        last, failure(last), state=DetailedState.TICKET_DETECTED, delay=None, trigger="cancelled"
    )
    await workflows.finish_escalation(last, Outcome.CANCELLED)
    assert await locks.waiting() == ()


async def test_twenty_who_ask_at_once_have_it_one_after_the_other(workflows: Workflows, locks: ResourceLocks) -> None:
    claims = [await _workflow(workflows, f"OPS-{n}") for n in range(20)]

    answers = await asyncio.gather(*(locks.acquire(claim, (REPOSITORY, APP)) for claim in claims))
    assert answers.count(True) == 1

    seen: list[str | None] = []
    while owners := await _owners(locks):
        assert len(set(owners.values())) == 1
        seen.append(owners[REPOSITORY])
        await locks.release(str(owners[REPOSITORY]))
    assert sorted(map(str, seen)) == sorted(claim.workflow_id for claim in claims)

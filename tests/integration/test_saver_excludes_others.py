"""One workflow, one writer: whoever was replaced is told so by name, and nothing of his is kept."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
from langgraph.types import Command

from sre_bot.domain.errors import LeaseHeld, LeaseLost, StaleWriter
from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim, Workflows
from tests.law_graph import (
    ACCEPTANCE,
    ANALYSIS,
    DEPLOYMENT,
    REMEDIATION,
    REVIEW,
    LawGraph,
    case,
    forever,
    working_edges,
)
from tests.record_runs import TTL, census, claimed, expire_lease, rows, steps, under

TO_REVIEW = ACCEPTANCE + ANALYSIS + REMEDIATION
WHOLE_WAY = TO_REVIEW + REVIEW + DEPLOYMENT
SHORT = ACCEPTANCE + ANALYSIS
WHERE_TWO_MEET = (
    "ticket_detected",
    "accepting_ticket",
    "correlation",
    "fix_generation",
    "review_in_progress",
    "triggering_deployment",
)
MEETINGS = 30
ALL_STATES = ["ticket_detected", *"+".join(SHORT).split("+")]


async def test_a_workflow_that_is_being_run_cannot_be_claimed(workflows: Workflows) -> None:
    claim = await claimed(workflows, owner="worker-1")

    with pytest.raises(LeaseHeld, match="worker-1"):
        await workflows.claim(claim.workflow_id, "worker-2", TTL)


@pytest.mark.parametrize("state", ["ticket_detected", "accepting_ticket", "k8s_event_analysis", "correlation"])
async def test_a_worker_that_slept_while_another_finished_is_rejected_when_it_wakes(
    state: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    sleeper, waking = LawGraph(), asyncio.Event()
    asleep = asyncio.Event()

    async def sleep() -> None:
        asleep.set()
        await waking.wait()

    sleeper.hooks[state] = sleep
    first = await claimed(workflows, owner="worker-1")
    run = asyncio.create_task(sleeper.compile(saver).ainvoke(case(plan=SHORT, ending="needs_human"), under(first)))
    await asleep.wait()
    await expire_lease(database, first.workflow_id)
    second = await workflows.claim(first.workflow_id, "worker-2", TTL)
    await law_graph.compile(saver).ainvoke(None, under(second))
    waking.set()

    with pytest.raises(StaleWriter, match=f"fence {first.fence} was replaced by fence {second.fence}"):
        await run
    assert sleeper.entered[-1] in (state, "source_code_analysis")
    assert sorted({*sleeper.entered, *law_graph.entered}) == sorted(ALL_STATES)
    assert await steps(workflows, first.workflow_id) == working_edges(SHORT, "needs_human")
    assert await verify(database, first.workflow_id) == ()


@pytest.mark.parametrize("state", WHERE_TWO_MEET)
async def test_of_two_workers_that_resume_at_once_one_wins_and_every_node_runs_once(
    state: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    dead = await _killed_in(state, database, workflows, saver, law_graph)
    law_graph.entered.clear()
    graph = law_graph.compile(saver)

    async def resume(owner: str) -> Any:
        claim = await workflows.claim(dead.workflow_id, owner, TTL)
        return await graph.ainvoke(None, under(claim))

    ends = await asyncio.gather(resume("worker-2"), resume("worker-3"), return_exceptions=True)

    assert sorted(type(end).__name__ for end in ends) == ["LeaseHeld", "dict"]
    assert len(law_graph.entered) == len(set(law_graph.entered))
    assert await verify(database, dead.workflow_id) == ()


@pytest.mark.parametrize("state", WHERE_TWO_MEET)
async def test_thirty_pairs_of_resumers_are_thirty_losers_and_thirty_entries(
    state: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    """At the root and inside each sub-state: 29 winners die in the node that they entered, the last one finishes."""
    dead = await _killed_in(state, database, workflows, saver, law_graph)
    graph, losers, entered = law_graph.compile(saver), list[str](), asyncio.Queue[None]()

    async def die() -> None:
        entered.put_nowait(None)
        await forever()

    async def resume(owner: str) -> None:
        claim = await workflows.claim(dead.workflow_id, owner, TTL)
        await graph.ainvoke(None, under(claim))

    law_graph.entered.clear()
    for _ in range(MEETINGS - 1):
        law_graph.hooks[state] = die
        losers += await _met(entered, resume("worker-2"), resume("worker-3"))
        await expire_lease(database, dead.workflow_id)
    law_graph.hooks.clear()
    ends = await asyncio.gather(resume("worker-2"), resume("worker-3"), return_exceptions=True)
    losers += [type(end).__name__ for end in ends if end]

    assert losers == ["LeaseHeld"] * MEETINGS
    assert law_graph.entered.count(state) == MEETINGS
    assert await verify(database, dead.workflow_id) == ()


@pytest.mark.parametrize("state", WHERE_TWO_MEET)
async def test_of_two_runs_under_one_lease_one_wins_and_the_log_knows_one(
    state: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    """What a worker would do that started one claim twice: both are in the node, the head of its namespace decides."""
    dead = await _killed_in(state, database, workflows, saver, law_graph)
    claim = await workflows.claim(dead.workflow_id, "worker-2", TTL)
    graph, both_in, inside = law_graph.compile(saver), asyncio.Event(), 0

    async def meet() -> None:
        nonlocal inside
        inside += 1
        if inside == 2:
            both_in.set()
        await both_in.wait()

    law_graph.hooks[state] = meet
    ends = await asyncio.gather(*(graph.ainvoke(None, under(claim)) for _ in range(2)), return_exceptions=True)
    if len(await steps(workflows, claim.workflow_id)) < len(working_edges(WHOLE_WAY, "resolved")):
        await graph.ainvoke(Command(resume="wake up"), under(claim))

    assert sorted(type(end).__name__ for end in ends) == ["StaleWriter", "dict"]
    assert await steps(workflows, claim.workflow_id) == working_edges(WHOLE_WAY, "resolved")
    assert await verify(database, claim.workflow_id) == ()


@pytest.mark.parametrize("how", ["expired", "released"])
async def test_a_run_without_a_live_lease_writes_nothing(
    how: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    if how == "expired":
        await expire_lease(database, claim.workflow_id)
    else:
        await workflows.release(claim)

    with pytest.raises(LeaseLost):
        await law_graph.compile(saver).ainvoke(case(), under(claim))

    assert law_graph.entered == []
    assert await census(database, claim.workflow_id) == {"checkpoints": 0, "transitions": 0, "heads": 0, "version": 1}


async def test_a_run_that_names_no_lease_at_all_writes_nothing(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)

    with pytest.raises(LeaseLost, match=r"configurable\.fence"):
        await law_graph.compile(saver).ainvoke(case(), {"configurable": {"thread_id": claim.workflow_id}})

    assert (await census(database, claim.workflow_id))["checkpoints"] == 0


async def test_a_writer_that_waited_for_the_row_sees_what_was_claimed_meanwhile(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    async with database.transaction() as connection:
        await connection.execute(
            "select 1 from workflow_states where workflow_id = %s for no key update", (claim.workflow_id,)
        )
        await connection.execute("update leases set fence = fence + 1 where workflow_id = %s", (claim.workflow_id,))
        run = asyncio.create_task(law_graph.compile(saver).ainvoke(case(plan=SHORT), under(claim)))
        await _somebody_waits_for_a_lock(database)

    with pytest.raises(StaleWriter):
        await run
    assert (await census(database, claim.workflow_id))["checkpoints"] == 0


async def test_a_claim_waits_for_the_writer_that_was_let_in_before_it(database: Database, workflows: Workflows) -> None:
    claim = await claimed(workflows)
    async with database.transaction() as connection:
        await connection.execute(
            "select 1 from workflow_states where workflow_id = %s for no key update", (claim.workflow_id,)
        )
        await expire_lease(database, claim.workflow_id)
        claiming = asyncio.create_task(workflows.claim(claim.workflow_id, "worker-2", TTL))
        await _somebody_waits_for_a_lock(database)
        assert not claiming.done()

    assert (await claiming).fence == claim.fence + 1


async def test_the_writes_of_a_replaced_worker_are_refused(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    first = await claimed(workflows)
    graph = law_graph.compile(saver)
    await graph.ainvoke(case(plan=TO_REVIEW + REVIEW), under(first))
    await workflows.release(first)
    await workflows.claim(first.workflow_id, "worker-2", TTL)

    with pytest.raises(StaleWriter):
        await graph.ainvoke(Command(resume="too late"), under(first))

    resumed = await rows(database, b"select 1 from checkpoint_writes where channel = '__resume__'")
    assert resumed == []


async def test_a_second_process_resumes_an_interrupt(
    database: Database, database_url: str, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    first = await claimed(workflows)
    await law_graph.compile(saver).ainvoke(case(plan=WHOLE_WAY), under(first))
    await workflows.release(first)

    async with Database.open(database_url) as elsewhere:
        second = await Workflows(elsewhere).claim(first.workflow_id, "worker-2", TTL)
        other = LawGraph()
        await other.compile(AuditedSaver(elsewhere)).ainvoke(Command(resume="wake up"), under(second))

    assert other.entered == [*REVIEW, *DEPLOYMENT]
    assert await steps(workflows, first.workflow_id) == working_edges(WHOLE_WAY, "resolved")
    assert await verify(database, first.workflow_id) == ()


async def test_a_lease_that_is_renewed_is_not_lost(database: Database, workflows: Workflows) -> None:
    claim = await claimed(workflows)
    await workflows.renew(claim, timedelta(hours=1))

    assert await workflows.current_claim(claim.workflow_id) == claim
    await expire_lease(database, claim.workflow_id)
    with pytest.raises(LeaseLost):
        await workflows.renew(claim, TTL)
    with pytest.raises(LeaseLost):
        await workflows.current_claim(claim.workflow_id)


async def test_an_old_claim_cannot_release_a_newer_one(database: Database, workflows: Workflows) -> None:
    old = await claimed(workflows)
    await expire_lease(database, old.workflow_id)
    new = await workflows.claim(old.workflow_id, "worker-1", TTL)

    with pytest.raises(LeaseLost):
        await workflows.release(old)
    assert await workflows.current_claim(new.workflow_id) == Claim(new.workflow_id, "worker-1", old.fence + 1)


async def _somebody_waits_for_a_lock(database: Database) -> None:
    async with asyncio.timeout(10):
        while not await rows(
            database,
            b"select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        ):
            await asyncio.sleep(0.01)


async def _met(entered: asyncio.Queue[None], *resumers: Coroutine[Any, Any, None]) -> list[str]:
    """Let resumers meet until one of them is in the node and the others have ended; how those ended."""
    running = {asyncio.create_task(resumer) for resumer in resumers}
    async with asyncio.timeout(30):
        await entered.get()
        _, inside = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for one in inside:
        one.cancel()
    ends = await asyncio.gather(*running, return_exceptions=True)
    return [type(end).__name__ for end in ends if not isinstance(end, asyncio.CancelledError)]


async def _killed_in(
    state: str,
    database: Database,
    workflows: Workflows,
    saver: AuditedSaver,
    law_graph: LawGraph,
) -> Claim:
    """A workflow whose worker died in a state; its lease has run out."""
    claim = await claimed(workflows)
    graph, inside = law_graph.compile(saver), asyncio.Event()

    async def die() -> None:
        inside.set()
        await forever()

    law_graph.hooks[state] = die
    run = asyncio.create_task(_to_the_end(graph, claim))
    await inside.wait()
    run.cancel()
    await asyncio.wait((run,))
    del law_graph.hooks[state]
    await expire_lease(database, claim.workflow_id)
    return claim


async def _to_the_end(graph: Any, claim: Claim) -> None:
    await graph.ainvoke(case(plan=WHOLE_WAY), under(claim))
    await graph.ainvoke(Command(resume="wake up"), under(claim))

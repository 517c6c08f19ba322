"""Runs that bring no fence, as LangGraph Server starts them: the saver takes the lease in the name of the run."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from sre_bot.domain.errors import BadInput, LeaseHeld, NoTicket, StaleWriter, WorkflowExists, WorkflowNotFound
from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.cut_line import relay_to
from tests.law_graph import ACCEPTANCE, ANALYSIS, DEPLOYMENT, REMEDIATION, REVIEW, LawGraph, case, working_edges
from tests.record_runs import TTL, by_server, census, claimed, expire_lease, rows, steps, under

SHORT = ACCEPTANCE + ANALYSIS
WHOLE_WAY = SHORT + REMEDIATION + REVIEW + DEPLOYMENT


class Note(TypedDict, total=False):
    """The state of somebody else's graph."""

    ticket_id: str
    greeting: str


@pytest.fixture
def thread() -> str:
    return str(uuid4())


async def test_the_first_run_on_a_new_thread_registers_the_workflow(
    thread: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    await law_graph.compile(saver).ainvoke(case("OPS-7", plan=SHORT, ending="needs_human"), by_server(thread, "run-1"))

    state = await workflows.get(thread)
    assert (state.ticket_id, state.runner, state.outcome) == ("OPS-7", "server", "needs_human")
    assert await steps(workflows, thread) == working_edges(SHORT, "needs_human")
    assert await verify(database, thread) == ()


async def test_a_workflow_that_a_server_begins_says_which_graph_it_runs(
    thread: str, database: Database, law_graph: LawGraph
) -> None:
    saver = AuditedSaver(database, graph_version="2026.1")
    await law_graph.compile(saver).ainvoke(case("OPS-7", plan=SHORT, ending="needs_human"), by_server(thread, "run-1"))

    async with database.transaction() as connection:
        cursor = await connection.execute("select graph_version from workflow_states where workflow_id = %s", (thread,))
        assert await cursor.fetchone() == {"graph_version": "2026.1"}


async def test_a_run_of_the_bot_without_a_ticket_is_refused_before_any_node(
    thread: str, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    with pytest.raises(NoTicket):
        await law_graph.compile(saver).ainvoke({"plan": list(SHORT)}, by_server(thread, "run-1"))

    assert law_graph.entered == []
    with pytest.raises(WorkflowNotFound):
        await workflows.get(thread)


async def test_a_second_thread_for_a_ticket_at_work_is_refused(
    thread: str, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows, "OPS-7")

    with pytest.raises(WorkflowExists, match=claim.workflow_id):
        await law_graph.compile(saver).ainvoke(case("OPS-7"), by_server(thread, "run-1"))

    assert law_graph.entered == []


async def test_a_thread_whose_name_is_no_workflow_id_is_refused(saver: AuditedSaver, law_graph: LawGraph) -> None:
    with pytest.raises(BadInput, match="UUID"):
        await law_graph.compile(saver).ainvoke(case(), by_server(str(uuid4()).upper(), "run-1"))

    assert law_graph.entered == []


async def test_a_run_that_waits_for_people_holds_no_lease_and_another_run_goes_on(
    thread: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    graph = law_graph.compile(saver)
    await graph.ainvoke(case(plan=WHOLE_WAY), by_server(thread, "run-1"))
    await graph.ainvoke(Command(resume="wake up"), by_server(thread, "run-2"))

    assert await steps(workflows, thread) == working_edges(WHOLE_WAY, "resolved")
    assert await verify(database, thread) == ()


async def test_while_a_run_works_neither_another_run_nor_a_worker_gets_in(
    thread: str, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    graph, other = law_graph.compile(saver), LawGraph()
    refused: list[str] = []

    async def others_try() -> None:
        with pytest.raises(LeaseHeld, match="run-1"):
            await other.compile(saver).ainvoke(None, by_server(thread, "run-2"))
        with pytest.raises(LeaseHeld, match="run-1"):
            await workflows.claim(thread, "worker-1", TTL)
        refused.append("both")

    law_graph.hooks["correlation"] = others_try
    await graph.ainvoke(case(plan=SHORT, ending="needs_human"), by_server(thread, "run-1"))

    assert refused == ["both"] and other.entered == []
    assert await steps(workflows, thread) == working_edges(SHORT, "needs_human")


async def test_while_a_worker_works_no_run_gets_in(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows, owner="worker-1")
    graph = law_graph.compile(saver)
    await graph.ainvoke(case(plan=WHOLE_WAY), under(claim))

    with pytest.raises(LeaseHeld, match="worker-1"):
        await graph.ainvoke(Command(resume="wake up"), by_server(claim.workflow_id, "run-1"))


async def test_reading_the_state_of_a_thread_takes_no_lease(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    graph = law_graph.compile(saver)
    await graph.ainvoke(case(plan=WHOLE_WAY), under(claim))

    snapshot = await graph.aget_state({"configurable": {"thread_id": claim.workflow_id}}, subgraphs=True)

    assert [task.name for task in snapshot.tasks] == ["review"]
    assert await workflows.current_claim(claim.workflow_id) == claim


async def test_a_run_that_slept_while_another_had_its_turn_is_rejected_when_it_wakes(
    thread: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    sleeper, asleep, waking = LawGraph(), asyncio.Event(), asyncio.Event()

    async def sleep() -> None:
        asleep.set()
        await waking.wait()

    sleeper.hooks["accepting_ticket"] = sleep
    run = asyncio.create_task(sleeper.compile(saver).ainvoke(case(plan=WHOLE_WAY), by_server(thread, "run-1")))
    await asleep.wait()
    await expire_lease(database, thread)
    await law_graph.compile(saver).ainvoke(None, by_server(thread, "run-2"))
    before = await census(database, thread)
    waking.set()

    with pytest.raises(StaleWriter, match="run-1"):
        await run
    assert await census(database, thread) == before
    assert await verify(database, thread) == ()


async def test_a_run_that_was_started_again_elsewhere_is_rejected_where_it_slept(
    thread: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    """The server tries a run again under the same id when the process that had it does not answer."""
    again = AuditedSaver(database)
    await law_graph.compile(saver).ainvoke(case(plan=WHOLE_WAY), by_server(thread, "run-1"))
    await saver.aget_tuple(by_server(thread, "run-2"))
    await expire_lease(database, thread)
    await again.aget_tuple(by_server(thread, "run-2"))

    with pytest.raises(StaleWriter, match="run-2"):
        await saver.aget_tuple(by_server(thread, "run-2"))
    await law_graph.compile(again).ainvoke(Command(resume="wake up"), by_server(thread, "run-2"))
    assert (await workflows.get(thread)).outcome == "resolved"


async def test_a_run_keeps_its_lease_by_writing(database: Database, thread: str, law_graph: LawGraph) -> None:
    saver, workflows = AuditedSaver(database, run_ttl=timedelta(hours=1)), Workflows(database)
    ends: list[Any] = []

    async def look() -> None:
        async with database.transaction() as connection:
            cursor = await connection.execute("select expires_at from leases")
            ends.append(await cursor.fetchone())

    for state in ("validating_ticket", "correlation"):
        law_graph.hooks[state] = look
    await law_graph.compile(saver).ainvoke(case(plan=SHORT, ending="needs_human"), by_server(thread, "run-1"))

    assert ends[0]["expires_at"] < ends[1]["expires_at"]
    assert (await workflows.get(thread)).outcome == "needs_human"


async def test_a_run_whose_last_commit_was_not_answered_has_ended_and_holds_nothing(
    thread: str, database: Database, database_url: str, law_graph: LawGraph
) -> None:
    async with relay_to(database_url) as (relay, url), Database.open(url) as through:

        async def arm() -> None:
            relay.cut_next_commit(after=b"save_checkpoints(")

        law_graph.hooks["analysis_complete"] = arm
        graph = law_graph.compile(AuditedSaver(through))
        await graph.ainvoke(case(plan=SHORT, ending="needs_human"), by_server(thread, "run-1"))

    assert relay.cuts == 1
    assert await rows(database, b"select 1 from leases where owner is not null") == []
    assert await verify(database, thread) == ()


async def test_a_failed_run_gives_its_lease_back(
    thread: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    async def fail() -> None:
        raise RuntimeError("the node failed")

    law_graph.hooks["correlation"] = fail
    with pytest.raises(RuntimeError, match="the node failed"):
        await law_graph.compile(saver).ainvoke(case(plan=SHORT, ending="needs_human"), by_server(thread, "run-1"))
    del law_graph.hooks["correlation"]
    await law_graph.compile(saver).ainvoke(None, by_server(thread, "run-2"))

    assert await steps(workflows, thread) == working_edges(SHORT, "needs_human")
    assert law_graph.entered.count("data_collection") == 1


async def test_our_worker_does_not_pick_up_what_a_server_runs(
    thread: str, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    await law_graph.compile(saver).ainvoke(case(plan=WHOLE_WAY), by_server(thread, "run-1"))
    await workflows.wake(thread)

    assert await workflows.claim_due("worker-1", TTL, 10) == ()


async def test_threads_of_other_graphs_are_left_alone(thread: str, database: Database, saver: AuditedSaver) -> None:
    async def greet(state: Note) -> Note:
        return {"greeting": "hello"}

    graph = StateGraph(Note).add_node("greet", greet).add_edge(START, "greet").compile(saver)
    for name in (thread, "any name"):
        await graph.ainvoke({"ticket_id": "not ours"}, by_server(name, "run-1"))
        assert (await graph.aget_state(by_server(name, "run-1"))).values["greeting"] == "hello"

    async with database.transaction() as connection:
        cursor = await connection.execute("select count(*) as n from workflow_states")
        assert await cursor.fetchone() == {"n": 0}

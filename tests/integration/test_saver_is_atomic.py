"""A checkpoint and its rows of the log are one: whatever breaks between them, both are there or neither."""

import asyncio
from typing import Any

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from sre_bot.domain.states import DetailedState
from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.cut_line import relay_to
from tests.law_graph import ACCEPTANCE, ANALYSIS, LawGraph, case, working_edges
from tests.record_runs import census, claimed, steps, under

PLAN = ACCEPTANCE + ANALYSIS
REFUSING = """
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused by the test'; end $$;
create {kind} trigger refuse {moment} insert on {table} {deferred}
    for each row when ({condition}) execute function refuse();
"""
TO_CORRELATION = "new.to_state like '%:correlation'"
OF_THE_JOIN = "new.checkpoint ->> 'updated_channels' like '%join:k8s_event_analysis+%'"
AT_ONCE = {"kind": "", "moment": "before", "deferred": ""}
AT_COMMIT = {"kind": "constraint", "moment": "after", "deferred": "deferrable initially deferred"}
BREAKS = {
    "our row": ("state_transitions", TO_CORRELATION, AT_ONCE),
    "the checkpoint": ("checkpoints", OF_THE_JOIN, AT_ONCE),
    "the commit": ("state_transitions", TO_CORRELATION, AT_COMMIT),
}


async def _execute(database: Database, script: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(script.encode())


@pytest.mark.parametrize("where", BREAKS)
async def test_an_error_of_the_database_leaves_neither_checkpoint_nor_row(
    where: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    graph = law_graph.compile(saver)
    table, condition, when = BREAKS[where]
    await _execute(database, REFUSING.format(table=table, condition=condition, **when))

    with pytest.raises(psycopg.errors.RaiseException, match="refused by the test"):
        await graph.ainvoke(case(plan=PLAN, ending="needs_human"), under(claim))
    stopped_at = (await workflows.get(claim.workflow_id)).active_states
    problems = await verify(database, claim.workflow_id)
    await _execute(database, f"drop trigger refuse on {table}")
    await graph.ainvoke(None, under(claim))

    assert stopped_at == (DetailedState.K8S_EVENT_ANALYSIS, DetailedState.SOURCE_CODE_ANALYSIS)
    assert problems == ()
    assert await steps(workflows, claim.workflow_id) == working_edges(PLAN, "needs_human")


async def test_an_error_of_python_while_writing_our_row_leaves_neither_checkpoint_nor_row(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    law_graph.outputs["accepting_ticket"] = {"context": {"a set is no JSON": {1, 2}}}

    with pytest.raises(TypeError, match="not JSON serializable"):
        await law_graph.compile(saver).ainvoke(case(plan=PLAN), under(claim))

    assert (await workflows.get(claim.workflow_id)).detailed_state is DetailedState.ACCEPTING_TICKET
    assert await verify(database, claim.workflow_id) == ()
    del law_graph.outputs["accepting_ticket"]


@pytest.mark.parametrize(
    ("statement", "states"),
    [
        (b"save_checkpoints(", ("accepting_ticket", "data_collection", "correlation", "analysis_complete")),
        (b"from save_writes", ("k8s_event_analysis", "source_code_analysis")),
    ],
)
async def test_a_commit_whose_answer_was_lost_is_found_and_counts_once(
    statement: bytes,
    states: tuple[str, ...],
    database: Database,
    database_url: str,
    workflows: Workflows,
    law_graph: LawGraph,
) -> None:
    claim = await claimed(workflows)
    async with relay_to(database_url) as (relay, url), Database.open(url) as through:

        async def arm() -> None:
            relay.cut_next_commit(after=statement)

        law_graph.hooks.update(dict.fromkeys(states, arm))
        graph = law_graph.compile(AuditedSaver(through))
        await graph.ainvoke(case(plan=PLAN, ending="needs_human"), under(claim))

        assert 0 < relay.cuts <= len(states)
        assert relay.cuts == len(states) or statement != b"save_checkpoints("
    assert await steps(workflows, claim.workflow_id) == working_edges(PLAN, "needs_human")
    assert sorted(law_graph.entered) == sorted(["ticket_detected", *"+".join(PLAN).split("+")])
    assert await verify(database, claim.workflow_id) == ()


async def test_the_same_put_twice_is_one_checkpoint_and_one_row(
    database: Database, workflows: Workflows, saver: AuditedSaver
) -> None:
    claim = await claimed(workflows)
    first = _checkpoint("1", ["__start__"])
    step = _checkpoint("2", ["branch:to:ticket_detected"])
    lease = {"thread_id": claim.workflow_id, "fence": claim.fence, "checkpoint_ns": ""}
    await saver.aput({"configurable": lease}, first, {"source": "input", "step": -1}, {})
    following: RunnableConfig = {"configurable": {**lease, "checkpoint_id": "1"}}

    answers = [await saver.aput(following, step, {"source": "loop", "step": 0}, {}) for _ in range(3)]

    assert [answer.get("configurable", {})["checkpoint_id"] for answer in answers] == ["2"] * 3
    assert await census(database, claim.workflow_id) == {"checkpoints": 2, "transitions": 1, "heads": 1, "version": 2}


async def test_connections_that_died_meanwhile_are_replaced(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)

    async def kill_all_connections() -> None:
        async with await psycopg.AsyncConnection.connect(database.url) as connection:
            await connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )

    await asyncio.gather(*(workflows.get(claim.workflow_id) for _ in range(8)))
    law_graph.hooks["correlation"] = kill_all_connections
    await law_graph.compile(saver).ainvoke(case(plan=PLAN, ending="needs_human"), under(claim))

    assert await verify(database, claim.workflow_id) == ()
    assert (await workflows.get(claim.workflow_id)).outcome == "needs_human"

    await asyncio.gather(*(workflows.get(claim.workflow_id) for _ in range(8)))
    await kill_all_connections()
    assert (await workflows.open("OPS-2", {})).version == 1


async def test_runs_do_not_queue_behind_each_other(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    """A saver with one lock for all would wait here for ever: the first read holds its cursor open."""
    claim = await claimed(workflows)

    async with saver._cursor() as cursor:  # pyright: ignore[reportPrivateUsage]
        await cursor.execute("select 1")
        async with asyncio.timeout(10):
            await law_graph.compile(saver).ainvoke(case(plan=PLAN, ending="needs_human"), under(claim))

    assert (await workflows.get(claim.workflow_id)).outcome == "needs_human"


def _checkpoint(checkpoint_id: str, updated: list[str]) -> Any:
    return {**empty_checkpoint(), "id": checkpoint_id, "updated_channels": updated}

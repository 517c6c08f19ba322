"""A version whose graph or schema does not fit what is in the database refuses to start, and says what to do."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from sre_bot.domain.errors import NewerSchema, ThreadsWouldBeLost
from sre_bot.domain.states import DetailedState
from sre_bot.evals.harness import Pace, Stage, staged
from sre_bot.persistence.database import Database
from sre_bot.persistence.migrations import migrate, migrations
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from sre_bot.worker.coverage import refuse_to_lose
from tests.bad_input_stage import INCIDENT, reviewing
from tests.law_graph import ACCEPTANCE, ANALYSIS, REMEDIATION, REVIEW, Case, LawGraph, case
from tests.record_commands_stage import Commands
from tests.record_runs import TTL, claimed, under

OURS = [step.name for step in migrations() if step.library_version is None]


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, Pace()) as stage:
        yield stage


def renamed(node: str) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A graph in which the only node of the review has another name than the law's."""

    async def nothing(state: Case) -> Case:
        return state

    review = StateGraph(Case).add_node(node, nothing).add_edge(START, node).add_edge(node, END).compile()
    return StateGraph(Case).add_node("review", review).add_edge(START, "review").compile()


async def parked_in_review(workflows: Workflows, saver: AuditedSaver) -> str:
    claim = await claimed(workflows, "OPS-7")
    await LawGraph().compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS + REMEDIATION + REVIEW), under(claim))
    await workflows.release(claim)
    return claim.workflow_id


async def test_a_graph_that_covers_every_parked_thread_is_let_in(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    await parked_in_review(workflows, saver)
    await refuse_to_lose(database, law_graph.compile(saver), "1")
    await refuse_to_lose(database, renamed("awaiting_review"), "1")


async def test_a_renamed_node_with_threads_parked_in_it_is_refused_by_name(
    database: Database, workflows: Workflows, saver: AuditedSaver
) -> None:
    workflow_id = await parked_in_review(workflows, saver)

    with pytest.raises(ThreadsWouldBeLost) as refused:
        await refuse_to_lose(database, renamed("waiting_for_people"), "2")

    said = str(refused.value)
    assert "'awaiting_review' of review" in said and f"OPS-7 {workflow_id}" in said
    assert "version 2" in said and "sre-bot cancel" in said


@pytest.mark.parametrize("state", ["k8s_event_analysis", "correlation"])
async def test_a_thread_that_died_inside_a_fork_or_before_a_join_is_seen_too(
    state: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    async def die() -> None:
        raise ConnectionResetError

    claim = await claimed(workflows)
    law_graph.hooks[state] = die
    with pytest.raises(ConnectionResetError):
        await law_graph.compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(claim))

    with pytest.raises(ThreadsWouldBeLost, match=state):
        await refuse_to_lose(database, renamed("awaiting_review"), "2")


async def test_no_command_that_runs_workflows_starts_beside_a_thread_that_it_would_lose(
    stage: Stage, tmp_path: Path
) -> None:
    waiting = (await reviewing(stage)).state
    database = stage.app.record.database
    async with database.transaction() as connection:  # what an older version has left, under the node's older name
        await connection.execute(
            """update checkpoints set checkpoint =
                replace(checkpoint::text, 'branch:to:awaiting_review', 'branch:to:waiting_for_people')::jsonb"""
        )
    sre_bot = Commands(database.url, tmp_path)

    for command in (("serve",), ("run", stage.lab.ticket), ("recover",)):
        refused = await sre_bot(*command, **stage.lab.environment)
        assert refused.code == 1
        assert "'waiting_for_people' of review" in refused.err and waiting.workflow_id in refused.err
    assert (await sre_bot("status")).code == 0, "looking is always possible"
    assert (await stage.app.record.workflows.get(waiting.workflow_id)) == waiting


async def test_a_worker_from_before_the_upgrade_leaves_alone_what_it_would_lose(stage: Stage) -> None:
    app, waiting = stage.app, (await reviewing(stage)).state
    async with app.record.database.transaction() as connection:  # the newer version went on with it meanwhile
        await connection.execute(
            """update checkpoints set checkpoint =
                replace(checkpoint::text, 'branch:to:awaiting_review', 'branch:to:a_newer_node')::jsonb"""
        )
    claim = await app.record.workflows.claim(waiting.workflow_id, "old worker", TTL)

    with pytest.raises(ThreadsWouldBeLost, match="a_newer_node"):
        await app.runner.run(claim)

    state = await app.record.workflows.get(waiting.workflow_id)
    assert (state.version, state.detailed_state) == (waiting.version, DetailedState.AWAITING_REVIEW)


@pytest.mark.parametrize("newest", OURS)
async def test_a_version_from_before_a_migration_does_not_start_after_it(newest: str, database_url: str) -> None:
    steps = migrations()
    older = tuple(step for step in steps if step.library_version is not None or step.name < newest)

    with pytest.raises(NewerSchema, match=newest):
        await migrate(database_url, older)

    assert await migrate(database_url) == ()


async def test_a_running_worker_leaves_when_a_newer_version_migrates_the_database(stage: Stage) -> None:
    service = stage.app.service()
    running = asyncio.create_task(replace(service, beat=timedelta(seconds=0.05)).run())
    async with stage.app.record.database.transaction() as connection:
        await connection.execute("insert into schema_migrations (name, digest) values ('9999_newer', '')")

    with pytest.raises(NewerSchema, match="9999_newer"):
        await asyncio.wait_for(running, 30)

"""What LangGraph Server runs: its errors and its expiry reach people, and our worker never runs its graph."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import uuid4

import pytest

from sre_bot.domain.errors import LeaseHeld, ResourceBusy
from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.evals.harness import Pace, Stage, staged
from sre_bot.graph.exclusion import Exclusion
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from tests.bad_input_stage import INCIDENT
from tests.law_graph import ACCEPTANCE, ANALYSIS, REMEDIATION, REVIEW, LawGraph, case
from tests.record_runs import TTL, by_server, claimed
from tests.running_labs import until

NOW = timedelta(0)
PLAN = ACCEPTANCE + ANALYSIS + REMEDIATION + REVIEW


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, Pace()) as stage:
        yield stage


class Broken(Exception):
    """What a node raises here."""


async def run_by_server(stage: Stage, failing: str = "") -> str:
    """A thread of the law's graph that a server has run until it waits for a review, or fails."""
    law_graph, thread = LawGraph(), str(uuid4())

    async def fail() -> None:
        raise Broken("no such file")

    if failing:
        law_graph.hooks[failing] = fail
    graph = law_graph.compile(AuditedSaver(stage.app.record.database))
    try:
        await graph.ainvoke(case(stage.lab.ticket, plan=PLAN), by_server(thread, "run-1"))
    except Broken:
        assert failing
    return thread


async def set_deadline(stage: Stage, left: timedelta) -> None:
    async with stage.app.record.database.transaction() as connection:
        await connection.execute("update workflow_states set timeout_at = clock_timestamp() + %s", (left,))


async def test_a_run_that_failed_is_handed_to_people_and_the_ticket_says_why(stage: Stage) -> None:
    thread, app = await run_by_server(stage, failing="correlation"), stage.app
    assert await app.server_runs().hand_over() == 0, "whoever runs it may start it again first"

    assert await app.server_runs().hand_over(NOW) == 1
    await app.recovery().recover_active_workflows()

    state = await app.record.workflows.get(thread)
    assert (state.outcome, state.runner) == (Outcome.ESCALATED, "server")
    [error] = await app.record.workflows.errors(thread)
    assert "LangGraph Server" in error["message"] and "no such file" in error["message"]
    told = await app.tools.jira.comments(stage.lab.ticket)
    assert "ended with an error" in told[-1].body
    assert await verify(app.record.database, thread) == ()


async def test_a_review_that_nobody_answers_expires_there_too(stage: Stage) -> None:
    thread, app = await run_by_server(stage), stage.app
    assert await app.server_runs().hand_over(NOW) == 0, "waiting for people is no failure"
    assert await app.monitors.review_activity() == 0, "its review is read by the run that somebody resumes"

    await set_deadline(stage, timedelta(seconds=-1))
    assert await app.monitors.deadlines() == 0
    assert await app.server_runs().hand_over() == 1
    await app.recovery().recover_active_workflows()

    assert (await app.record.workflows.get(thread)).outcome is Outcome.EXPIRED
    assert await verify(app.record.database, thread) == ()


async def test_while_a_worker_holds_it_neither_the_server_nor_the_watch_gets_in(stage: Stage) -> None:
    thread, app = await run_by_server(stage, failing="correlation"), stage.app
    await app.record.workflows.claim(thread, "somebody", TTL)
    await set_deadline(stage, timedelta(seconds=-1))

    assert await app.server_runs().hand_over(NOW) == 0
    graph = LawGraph().compile(AuditedSaver(app.record.database))
    with pytest.raises(LeaseHeld, match="somebody"):
        await graph.ainvoke(None, by_server(thread, "run-2"))
    assert (await app.record.workflows.get(thread)).detailed_state is DetailedState.CORRELATION


async def test_a_run_of_the_server_stands_in_line_inside_its_node(stage: Stage) -> None:
    thread, app = await run_by_server(stage, failing="correlation"), stage.app
    holder = await claimed(app.record.workflows, "OPS-1")
    await app.record.locks.acquire(holder, ("repository:acme/shop",))
    await app.record.workflows.claim(thread, "run-2", TTL)
    waiting = asyncio.create_task(
        Exclusion(app.record.locks, app.runner.outward).hold(by_server(thread, "run-2"), "repository:acme/shop")
    )
    await until(app.record.locks.waiting, bool)
    assert not waiting.done()

    await app.record.locks.release(holder.workflow_id)
    await asyncio.wait_for(waiting, 30)
    assert [lock["workflow_id"] for lock in await app.record.locks.held()] == [thread]


async def test_a_run_of_the_server_that_waits_too_long_says_for_what(stage: Stage) -> None:
    thread, app = await run_by_server(stage, failing="correlation"), stage.app
    holder = await claimed(app.record.workflows, "OPS-1")
    await app.record.locks.acquire(holder, ("repository:acme/shop",))
    await app.record.workflows.claim(thread, "run-2", TTL)
    exclusion = Exclusion(app.record.locks, app.runner.outward, patience=NOW)

    with pytest.raises(ResourceBusy, match="repository:acme/shop"):
        await exclusion.hold(by_server(thread, "run-2"), "repository:acme/shop")

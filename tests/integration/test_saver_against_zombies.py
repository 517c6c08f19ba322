"""A worker that is stopped by the system, outlived by another one, and then goes on where it was."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim, Workflows
from tests.law_graph import LawGraph, working_edges
from tests.record_runs import TTL, claimed, expire_lease, rows, steps, under
from tests.zombie_worker import ENDING, PLAN, page

STATES = (
    "validating_ticket",
    "accepting_ticket",
    "ticket_accepted",
    "data_collection",
    "correlation",
    "root_cause_generation",
    "confidence_calculation",
    "analysis_complete",
)


async def _worker(database: Database, claim: Claim, state: str) -> Process:
    command = (sys.executable, "-m", "tests.zombie_worker", database.url, claim.workflow_id, str(claim.fence), state)
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=Path(__file__).parents[2])


async def _line(worker: Process) -> str:
    assert worker.stdout is not None
    return (await worker.stdout.readline()).decode().strip()


@pytest.mark.parametrize("state", STATES)
async def test_a_worker_that_was_frozen_while_another_finished_changes_nothing(
    state: str, database: Database, workflows: Workflows
) -> None:
    async with database.transaction() as connection:
        await connection.execute("create table outside (paged_by text)")
    first = await claimed(workflows, owner="zombie")
    zombie = await _worker(database, first, state)
    try:
        assert await _line(zombie) == "inside"
        os.kill(zombie.pid, signal.SIGSTOP)
        await expire_lease(database, first.workflow_id)
        second = await workflows.claim(first.workflow_id, "worker-2", TTL)
        heir = LawGraph()
        heir.hooks[state] = lambda: page(database, second)
        await heir.compile(AuditedSaver(database)).ainvoke(None, under(second))
        before = await steps(workflows, first.workflow_id)
        assert zombie.stdin is not None
        zombie.stdin.write(b"go on\n")
        os.kill(zombie.pid, signal.SIGCONT)
        end = await _line(zombie)
    finally:
        if zombie.returncode is None:
            zombie.kill()
        await zombie.wait()

    assert end == "StaleWriter"
    assert heir.entered[0] == state
    assert before == await steps(workflows, first.workflow_id) == working_edges(PLAN, ENDING)
    assert await rows(database, b"select paged_by from outside") == [{"paged_by": "worker-2"}]
    assert await verify(database, first.workflow_id) == ()

"""Nothing relies on a session: the saver through PgBouncer in transaction mode, with fewer connections than runs."""

import asyncio
import shutil
from collections.abc import AsyncGenerator

import pytest
from langgraph.checkpoint.conformance import validate
from langgraph.checkpoint.conformance.capabilities import ALL_CAPABILITIES
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer

from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import ACCEPTANCE, ANALYSIS, LawGraph, case, working_edges
from tests.places import new_folder
from tests.poolers import pooler_before
from tests.record_runs import claimed, steps, under

PLAN = ACCEPTANCE + ANALYSIS


@pytest.fixture
async def pooled(database_url: str) -> AsyncGenerator[Database]:
    folder = new_folder()
    try:
        async with pooler_before(database_url, folder) as url, Database.open(url, max_size=8) as database:
            yield database
    finally:
        shutil.rmtree(folder)


async def test_the_saver_conforms_through_a_pooler(pooled: Database) -> None:
    async def factory() -> AsyncGenerator[AuditedSaver]:
        yield AuditedSaver(pooled)

    registered = RegisteredCheckpointer("AuditedSaver", factory)  # pyright: ignore[reportArgumentType]
    report = await validate(registered, capabilities={capability.value for capability in ALL_CAPABILITIES})

    failures = {name: result.failures for name, result in report.results.items() if result.failures}
    assert failures == {}
    assert all(report.results[capability.value].tests_passed > 0 for capability in ALL_CAPABILITIES)


async def test_eight_workflows_run_at_once_through_three_connections(pooled: Database, database: Database) -> None:
    workflows, graph = Workflows(pooled), LawGraph().compile(AuditedSaver(pooled))
    claims = [await claimed(workflows, f"OPS-{number}") for number in range(8)]

    await asyncio.gather(*(graph.ainvoke(case(plan=PLAN, ending="needs_human"), under(claim)) for claim in claims))

    for claim in claims:
        assert await steps(workflows, claim.workflow_id) == working_edges(PLAN, "needs_human")
        assert await verify(database, claim.workflow_id) == ()

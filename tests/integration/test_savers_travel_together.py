"""Runs that save at the same moment share a statement and a commit, and still nothing of each other's troubles."""

import asyncio
from collections.abc import Sequence
from types import NoneType

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sre_bot.domain.errors import StaleWriter
from sre_bot.persistence.database import Database
from sre_bot.persistence.migrations import migrate, migrations
from sre_bot.persistence.record import Claim
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import ACCEPTANCE, ANALYSIS, LawGraph, case, working_edges
from tests.record_runs import TTL, claimed, expire_lease, rows, steps, under

PLAN = ACCEPTANCE + ANALYSIS
RUNS = 8
TURNS_INTO_SAVING = 5
"""Turns of the event loop after which runs that left a node are under way to the database."""
REFUSING = """
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused by the test'; end $$;
create trigger refuse before insert on state_transitions
    for each row when (new.workflow_id = '{}' and new.to_state like '%:correlation') execute function refuse();
"""


class Runs:
    """Several workflows that leave ``accepting_ticket`` at the same moment, once all are there and ``go`` is set."""

    def __init__(self, database: Database, claims: Sequence[Claim], law_graph: LawGraph) -> None:
        self.claims = claims
        self.all_there = asyncio.Event()
        self.go = asyncio.Event()
        self._barrier = asyncio.Barrier(len(claims))
        law_graph.hooks["accepting_ticket"] = self._gate
        self._graph = law_graph.compile(AuditedSaver(database))

    @classmethod
    async def of(cls, database: Database, law_graph: LawGraph, count: int = RUNS) -> "Runs":
        """Claimed ones."""
        workflows = Workflows(database)
        return cls(database, [await claimed(workflows, f"OPS-{number}") for number in range(count)], law_graph)

    async def to_the_gate(self) -> list[asyncio.Task[None]]:
        """All of them, waiting."""
        tasks = [asyncio.create_task(self._run(claim)) for claim in self.claims]
        await self.all_there.wait()
        return tasks

    async def to_the_end(self) -> list[BaseException | None]:
        """How each of them ends."""
        tasks = await self.to_the_gate()
        self.go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    async def resume(self, claim: Claim) -> None:
        """Go on with one that was cancelled."""
        await self._graph.ainvoke(None, under(claim))

    async def _run(self, claim: Claim) -> None:
        await self._graph.ainvoke(case(plan=PLAN, ending="needs_human"), under(claim))

    async def _gate(self) -> None:
        if not self.all_there.is_set():
            await self._barrier.wait()
            self.all_there.set()
        await self.go.wait()


@pytest.fixture
async def runs(database: Database, law_graph: LawGraph) -> Runs:
    return await Runs.of(database, law_graph)


async def _is_whole(database: Database, claim: Claim) -> bool:
    log = await steps(Workflows(database), claim.workflow_id)
    return log == working_edges(PLAN, "needs_human") and await verify(database, claim.workflow_id) == ()


async def test_what_is_saved_at_the_same_moment_is_one_transaction(database: Database, runs: Runs) -> None:
    assert await runs.to_the_end() == [None] * RUNS

    [found] = await rows(
        database,
        b"""select count(*) as rows, count(distinct xmin::text) as transactions
        from state_transitions where to_state = 'ticket_processing:ticket_acceptance:ticket_accepted'""",
    )
    assert found["rows"] == RUNS
    assert found["transactions"] < RUNS
    assert all([await _is_whole(database, claim) for claim in runs.claims])


async def test_a_run_alone_commits_every_step_by_itself(database: Database, law_graph: LawGraph) -> None:
    runs = await Runs.of(database, law_graph, 1)
    assert await runs.to_the_end() == [None]

    [found] = await rows(
        database,
        b"""select count(distinct version) as versions, count(distinct xmin::text) as transactions
        from state_transitions""",
    )
    assert found["versions"] == found["transactions"]


async def test_a_workflow_that_somebody_has_locked_keeps_no_other_waiting(database: Database, runs: Runs) -> None:
    waiting, *others = await runs.to_the_gate()
    async with database.transaction() as connection:
        lock = b"select from workflow_states where workflow_id = %s for no key update"
        await connection.execute(lock, (runs.claims[0].workflow_id,))
        runs.go.set()
        await asyncio.gather(*others)
        assert not waiting.done()
    await waiting

    assert all([await _is_whole(database, claim) for claim in runs.claims])


async def test_an_error_in_one_of_them_harms_no_other(database: Database, runs: Runs) -> None:
    refused, *others = runs.claims
    async with database.transaction() as connection:
        await connection.execute(REFUSING.format(refused.workflow_id).encode())

    ends = await runs.to_the_end()

    assert [isinstance(end, psycopg.errors.RaiseException) for end in ends] == [True, *(False for _ in others)]
    assert all([await _is_whole(database, claim) for claim in others])
    assert await verify(database, refused.workflow_id) == ()


async def test_a_run_that_is_cancelled_among_them_goes_on_later_and_the_others_at_once(
    database: Database, runs: Runs
) -> None:
    tasks = await runs.to_the_gate()
    runs.go.set()
    for _ in range(TURNS_INTO_SAVING):
        await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    for claim in runs.claims[::2]:
        await runs.resume(claim)

    assert [isinstance(end, asyncio.CancelledError) for end in ends] == [True, False] * (RUNS // 2)
    assert all([await _is_whole(database, claim) for claim in runs.claims])


async def test_a_fence_that_was_replaced_is_refused_among_others(database: Database, runs: Runs) -> None:
    tasks = await runs.to_the_gate()
    await expire_lease(database, runs.claims[0].workflow_id)
    newer = await Workflows(database).claim(runs.claims[0].workflow_id, "worker-2", TTL)
    runs.go.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    await runs.resume(newer)

    assert [type(end) for end in ends] == [StaleWriter, *[NoneType] * (RUNS - 1)]
    assert all([await _is_whole(database, claim) for claim in runs.claims])


async def test_what_is_saved_is_utf8_whatever_a_session_is_told_to_speak(
    database_url: str, law_graph: LawGraph
) -> None:
    said = "Zürich → 東京"
    async with Database.open(make_conninfo(database_url, client_encoding="latin1")) as database:
        claim = await claimed(Workflows(database))
        given = {**case(plan=PLAN, ending="needs_human"), "context": {"said": said}}
        await law_graph.compile(AuditedSaver(database)).ainvoke(given, under(claim))

    async with Database.open(database_url) as database:
        state = await Workflows(database).get(claim.workflow_id)
        assert state.context["said"] == said
        assert await _is_whole(database, claim)


async def test_workflows_from_before_convoys_go_on_after_the_upgrade(empty_database_url: str) -> None:
    before = [migration for migration in migrations() if migration.name != "0017_convoys"]
    await migrate(empty_database_url, before)
    async with Database.open(empty_database_url) as database:
        workflows = Workflows(database)
        claim = await claimed(workflows)
        other = await workflows.open("OPS-2", {})

        assert await migrate(empty_database_url) == ("0017_convoys",)

        runs = Runs(database, [claim], LawGraph())
        assert await runs.to_the_end() == [None]
        assert await _is_whole(database, claim)
        assert await workflows.get(other.workflow_id) == other

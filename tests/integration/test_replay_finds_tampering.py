"""The log is append-only; whoever changes it all the same is found."""

import psycopg
import pytest
from langgraph.types import Command

from sre_bot.domain.errors import WorkflowNotFound
from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import WHOLE_WAY, LawGraph, case
from tests.record_runs import claimed, rows, under

TAMPERINGS = {
    "a row says something else": (
        "update state_transitions set agent_id = 'somebody' where version = 5",
        "transition 5.0 was changed",
    ),
    "a moment is moved": (
        "update state_transitions set timestamp = timestamp + interval '1 microsecond' where version = 5",
        "transition 5.0 was changed",
    ),
    "a row is gone": ("delete from state_transitions where version = 5", "version 6 follows version 4"),
    "the tail is cut": (
        "delete from state_transitions where version = (select max(version) from state_transitions)",
        "the end of the log was cut off",
    ),
    "a row is added": (
        "insert into state_transitions (workflow_id, from_state, to_state, timestamp, trigger_event, agent_id,"
        " metadata, version, ordinal, previous_hash, hash) select workflow_id, 'ticket_processing:review:approved',"
        " 'system_idle::', now(), 'resolved', 'x', '{}', version + 1, 0, chain_hash, '' from workflow_states;"
        "update state_transitions as t set hash = transition_hash(t) where hash = ''",
        "the workflow is at version",
    ),
    "an illegal row replaces a legal one, hash and all": (
        "update state_transitions set to_state = 'ticket_processing:review:approved' where version = 5;"
        "update state_transitions as t set hash = transition_hash(t) where version = 5",
        "is not in the law",
    ),
    "the projection is changed": (
        "update workflow_states set context = context || '{\"pr_number\": 1}'",
        "context is",
    ),
    "the position is changed": ("update workflow_states set detailed_state = 'approved'", "detailed_state is"),
    "the head is changed": (
        "update workflow_heads set checkpoint_id = '0' where checkpoint_ns = ''",
        "the head of '' is 0",
    ),
    "a checkpoint is gone": (
        "delete from checkpoints where checkpoint ->> 'updated_channels' like '%branch:to:accepting_ticket%'",
        "belongs to a checkpoint that is missing",
    ),
    "a checkpoint came without its row": (
        "update checkpoints set checkpoint = jsonb_set(checkpoint, '{updated_channels}', '[\"branch:to:approved\"]')"
        " where checkpoint ->> 'updated_channels' like '%branch:to:correlation%'"
        " or checkpoint ->> 'updated_channels' like '%branch:to:awaiting_review%'",
        "schedules approved without a transition",
    ),
}


@pytest.fixture
async def waiting(workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph) -> str:
    """A workflow that waits for its review."""
    claim = await claimed(workflows)
    await law_graph.compile(saver).ainvoke(case(), under(claim))
    return claim.workflow_id


@pytest.mark.parametrize("kind", TAMPERINGS)
async def test_tampering_is_found(kind: str, waiting: str, database: Database) -> None:
    statements, finding = TAMPERINGS[kind]
    assert await verify(database, waiting) == ()
    async with database.transaction() as connection:
        await connection.execute("set local session_replication_role = replica")
        for statement in statements.split(";"):
            await connection.execute(statement.encode())

    problems = await verify(database, waiting)

    assert any(finding in problem for problem in problems), problems


@pytest.mark.parametrize(
    "statement",
    [
        b"update state_transitions set agent_id = 'somebody'",
        b"delete from state_transitions",
        b"truncate state_transitions",
    ],
)
async def test_the_log_cannot_be_rewritten(statement: bytes, waiting: str, database: Database) -> None:
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="append-only"):
        await rows(database, statement)

    assert await verify(database, waiting) == ()


async def test_a_row_cannot_bring_its_own_hash(waiting: str, database: Database, workflows: Workflows) -> None:
    async with database.transaction() as connection:
        cursor = await connection.execute(
            "insert into state_transitions (workflow_id, from_state, to_state, timestamp, trigger_event, agent_id,"
            " metadata, version, ordinal, previous_hash, hash)"
            " values (%s, 'a', 'b', now(), '', '', '{}', 99, 0, '', '')"
            " returning hash <> '' as sealed",
            (waiting,),
        )
        assert await cursor.fetchone() == {"sealed": True}


async def test_a_workflow_that_never_moved_is_sound_and_one_that_is_not_there_is_named(
    database: Database, workflows: Workflows
) -> None:
    state = await workflows.open("OPS-2", {"a": 1})

    assert await verify(database, state.workflow_id) == ()
    with pytest.raises(WorkflowNotFound):
        await verify(database, "nothing")


async def test_the_record_is_sound_at_every_step(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    checked: list[tuple[str, ...]] = []

    async def check() -> None:
        checked.append(await verify(database, claim.workflow_id))

    states = "+".join(WHOLE_WAY).split("+")
    law_graph.hooks = dict.fromkeys(states, check)
    graph = law_graph.compile(saver)
    await graph.ainvoke(case(), under(claim))
    await graph.ainvoke(Command(resume="wake up"), under(claim))

    assert checked == [()] * len(states)
    assert await verify(database, claim.workflow_id) == ()

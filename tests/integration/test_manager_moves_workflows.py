"""The public state manager: the law, the log and the optimistic lock for programs that do not use our graph."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from sre_bot.domain.errors import (
    ErrorSeverity,
    ErrorType,
    GraphOwned,
    IllegalTransition,
    ResourceBusy,
    StaleVersion,
    WorkflowEnded,
    WorkflowError,
    WorkflowExists,
    WorkflowNotFound,
)
from sre_bot.domain.states import DetailedState, MainState, Outcome, TicketProcessingSubState
from sre_bot.persistence.database import Database
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.manager import WorkflowStateManager
from sre_bot.persistence.replay import verify
from sre_bot.persistence.workflows import Workflows
from tests.record_runs import TTL, claimed, steps

IDLE, WORK, ERROR = MainState.SYSTEM_IDLE, MainState.TICKET_PROCESSING, MainState.ERROR_HANDLING
ACCEPTANCE, ANALYSIS = TicketProcessingSubState.TICKET_ACCEPTANCE, TicketProcessingSubState.ANALYSIS
D = DetailedState
WAY: tuple[tuple[Any, ...], ...] = (
    (IDLE, None, D.TICKET_DETECTED),
    (WORK, ACCEPTANCE, D.VALIDATING_TICKET),
    (WORK, ACCEPTANCE, D.ACCEPTING_TICKET),
)


@pytest.fixture
def manager(database: Database) -> WorkflowStateManager:
    return WorkflowStateManager(database)


async def _accepting(manager: WorkflowStateManager, ticket: str = "OPS-1") -> str:
    workflow_id = await manager.create_workflow_instance(ticket, {"severity": "high"})
    for step in WAY:
        assert await manager.transition_state(workflow_id, *step)
    return workflow_id


def _error(workflow_id: str, kind: ErrorType = ErrorType.TRANSIENT) -> WorkflowError:
    return WorkflowError(kind, ErrorSeverity.MEDIUM, "GitHub did not answer", workflow_id, retry_count=1)


async def test_a_workflow_is_created_moved_and_ended(
    database: Database, workflows: Workflows, manager: WorkflowStateManager
) -> None:
    workflow_id = await _accepting(manager)
    await manager.transition_state(
        workflow_id, WORK, ACCEPTANCE, D.TICKET_REJECTED, "not_ours", "triage", {"refusal": "unknown project"}
    )
    await manager.transition_state(workflow_id, IDLE, trigger_event="ticket_rejected")

    state = await manager.get_workflow_state(workflow_id)
    assert (state.outcome, state.driver, state.version) == (Outcome.TICKET_REJECTED, "external", 6)
    assert not state.can_retry(), "what has ended is not tried again"
    assert state.context == {"severity": "high", "refusal": "unknown project"}
    log = await workflows.transitions(workflow_id)
    assert [(step.trigger_event, step.agent_id) for step in log] == [
        ("new_assignment", "monitor"),
        ("ticket_detected", "ticket_acceptance"),
        ("ticket_valid", "ticket_acceptance"),
        ("not_ours", "triage"),
        ("ticket_rejected", "ticket_acceptance"),
    ]
    assert log[3].metadata["context_updates"] == {"refusal": "unknown project"}
    assert await verify(database, workflow_id) == ()


async def test_an_illegal_step_names_from_to_and_what_is_legal(
    workflows: Workflows, manager: WorkflowStateManager
) -> None:
    workflow_id = await _accepting(manager)

    with pytest.raises(IllegalTransition) as caught:
        await manager.transition_state(workflow_id, WORK, ANALYSIS, D.CORRELATION)

    for named in ("accepting_ticket -> ticket_processing:analysis:correlation", "ticket_accepted", "escalation"):
        assert named in str(caught.value)
    assert len(await steps(workflows, workflow_id)) == 3


async def test_an_end_needs_an_outcome_of_the_law(manager: WorkflowStateManager) -> None:
    workflow_id = await _accepting(manager)
    await manager.transition_state(workflow_id, WORK, ACCEPTANCE, D.TICKET_REJECTED)

    with pytest.raises(IllegalTransition, match="'resolved'"):
        await manager.transition_state(workflow_id, IDLE, trigger_event="resolved")


async def test_what_has_ended_begins_no_second_time(manager: WorkflowStateManager, database: Database) -> None:
    workflow_id = await _accepting(manager)
    await manager.transition_state(workflow_id, WORK, ACCEPTANCE, D.TICKET_REJECTED)
    await manager.transition_state(workflow_id, IDLE, trigger_event="ticket_rejected")

    with pytest.raises(WorkflowEnded, match=r"has ended \(ticket_rejected\)"):
        await manager.transition_state(workflow_id, *WAY[0])
    with pytest.raises(WorkflowEnded):
        await manager.handle_workflow_error(_error(workflow_id))
    assert await verify(database, workflow_id) == ()


async def test_what_the_graph_drives_is_not_moved_from_outside(
    workflows: Workflows, manager: WorkflowStateManager
) -> None:
    claim = await claimed(workflows)

    with pytest.raises(GraphOwned):
        await manager.transition_state(claim.workflow_id, *WAY[0])
    with pytest.raises(GraphOwned):
        await manager.handle_workflow_error(_error(claim.workflow_id))


async def test_what_is_not_there_or_there_already_is_named(manager: WorkflowStateManager) -> None:
    await _accepting(manager, "OPS-1")

    with pytest.raises(WorkflowExists):
        await manager.create_workflow_instance("OPS-1", {})
    with pytest.raises(WorkflowNotFound):
        await manager.transition_state("nothing", *WAY[0])


async def test_two_who_read_one_version_and_changed_different_things_are_merged(
    database: Database, manager: WorkflowStateManager
) -> None:
    workflow_id = await _accepting(manager)
    read = (await manager.get_workflow_state(workflow_id)).version

    await manager.transition_state(
        workflow_id, WORK, ACCEPTANCE, D.TICKET_ACCEPTED, context_updates={"a": 1}, expected_version=read
    )
    await manager.transition_state(
        workflow_id, WORK, ANALYSIS, D.DATA_COLLECTION, context_updates={"b": 2}, expected_version=read
    )

    assert (await manager.get_workflow_state(workflow_id)).context == {"severity": "high", "a": 1, "b": 2}
    assert await verify(database, workflow_id) == ()


async def test_two_who_read_one_version_and_changed_the_same_thing_clash(manager: WorkflowStateManager) -> None:
    workflow_id = await _accepting(manager)
    read = (await manager.get_workflow_state(workflow_id)).version
    await manager.transition_state(
        workflow_id, WORK, ACCEPTANCE, D.TICKET_ACCEPTED, context_updates={"a": 1}, expected_version=read
    )

    with pytest.raises(StaleVersion, match=f"read at version {read} and is at version {read + 1}.*changed a"):
        await manager.transition_state(
            workflow_id, WORK, ANALYSIS, D.DATA_COLLECTION, context_updates={"a": 2}, expected_version=read
        )
    assert (await manager.get_workflow_state(workflow_id)).context["a"] == 1


async def test_of_ten_who_take_one_step_at_once_one_does(workflows: Workflows, manager: WorkflowStateManager) -> None:
    workflow_id = await _accepting(manager)

    ends = await asyncio.gather(
        *(manager.transition_state(workflow_id, WORK, ACCEPTANCE, D.TICKET_ACCEPTED) for _ in range(10)),
        return_exceptions=True,
    )

    assert sorted(type(end).__name__ for end in ends) == ["IllegalTransition"] * 9 + ["bool"]
    assert len(await steps(workflows, workflow_id)) == 4


async def test_an_error_is_retried_after_two_seconds_then_four(
    database: Database, manager: WorkflowStateManager
) -> None:
    workflow_id = await _accepting(manager)
    pauses: list[float] = []
    for _ in range(2):
        state = await manager.handle_workflow_error(_error(workflow_id))
        assert state.due_at and state.entered_at
        pauses.append(round((state.due_at - state.entered_at).total_seconds(), 1))
        await manager.transition_state(workflow_id, WORK, ACCEPTANCE, D.ACCEPTING_TICKET)

    assert pauses == [2.0, 4.0]
    assert (await manager.get_workflow_state(workflow_id)).retry_count == 2
    await manager.transition_state(workflow_id, WORK, ACCEPTANCE, D.TICKET_ACCEPTED)
    assert (await manager.get_workflow_state(workflow_id)).retry_count == 0
    assert await verify(database, workflow_id) == ()


async def test_the_pause_that_a_server_asked_for_is_honoured(manager: WorkflowStateManager) -> None:
    workflow_id = await _accepting(manager)
    state = await manager.handle_workflow_error(_error(workflow_id, ErrorType.RATE_LIMITED), retry_after=900)

    assert state.due_at and state.entered_at
    assert state.due_at - state.entered_at >= timedelta(seconds=899)


@pytest.mark.parametrize(("kind", "retries"), [(ErrorType.CONFLICT, 3), (ErrorType.PERMANENT, 0)])
async def test_after_the_last_retry_of_its_class_a_person_takes_over(
    kind: ErrorType, retries: int, database: Database, manager: WorkflowStateManager
) -> None:
    workflow_id = await _accepting(manager)
    for _ in range(retries):
        state = await manager.handle_workflow_error(_error(workflow_id, kind))
        assert state.detailed_state is D.RETRY
        await manager.transition_state(workflow_id, WORK, ACCEPTANCE, D.ACCEPTING_TICKET)

    state = await manager.handle_workflow_error(_error(workflow_id, kind))
    await manager.transition_state(workflow_id, IDLE, trigger_event="escalated")

    assert (state.detailed_state, state.escalated, state.max_retries) == (D.ESCALATION, True, retries)
    assert await verify(database, workflow_id) == ()


async def test_a_resource_is_held_by_one_section_at_a_time(manager: WorkflowStateManager) -> None:
    inside, most = 0, 0

    async def section() -> None:
        nonlocal inside, most
        async with manager.acquire_resource_lock("repository", "company/microservice-x"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(section() for _ in range(5)))
    assert (inside, most) == (0, 1)


async def test_a_section_waits_for_a_workflow_and_a_workflow_for_a_section(
    database: Database, workflows: Workflows, manager: WorkflowStateManager
) -> None:
    locks, first = ResourceLocks(database), await claimed(workflows, "OPS-1")
    await locks.acquire(first, ("repository:acme/shop",))
    with pytest.raises(ResourceBusy, match="repository:acme/shop"):
        async with manager.acquire_resource_lock("repository", "acme/shop", timeout=0.1):
            raise AssertionError("two at once")
    await locks.release(first.workflow_id)

    async with manager.acquire_resource_lock("repository", "acme/shop"):
        assert not await locks.acquire(first, ("repository:acme/shop",))
        await workflows.release(first)

    [woken] = await workflows.claim_due("worker-1", TTL, 10)
    assert woken.workflow_id == first.workflow_id
    assert [row["workflow_id"] for row in await locks.held()] == [first.workflow_id]


async def test_what_a_section_that_died_left_behind_is_swept(
    database: Database, workflows: Workflows, manager: WorkflowStateManager
) -> None:
    locks, waiting = ResourceLocks(database), await claimed(workflows, "OPS-1")
    async with manager.acquire_resource_lock("repository", "acme/shop"):
        assert not await locks.acquire(waiting, ("repository:acme/shop",))
        assert await locks.sweep() == ()
        async with database.transaction() as connection:
            await connection.execute("update resource_locks set expires_at = clock_timestamp()")

        assert await locks.sweep() == (waiting.workflow_id,)
    assert [row["workflow_id"] for row in await locks.held()] == [waiting.workflow_id]

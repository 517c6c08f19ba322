"""The way through error handling: written by the worker, durable, and back to the state that failed."""

from datetime import timedelta

import pytest

from sre_bot.domain.errors import (
    ErrorType,
    IllegalTransition,
    LeaseLost,
    StaleWriter,
)
from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.persistence.artifacts import Artifacts
from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim, Workflows
from tests.law_graph import ACCEPTANCE, ANALYSIS, BRANCHES, LawGraph, case, working_edges
from tests.record_runs import TTL, census, claimed, expire_lease, failure, steps, under

PLAN = ACCEPTANCE + ANALYSIS
TWO_SECONDS = timedelta(seconds=2)


class Broken(Exception):
    """What a node raises here."""


async def fail() -> None:
    raise Broken


async def failed_in(state: str, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph) -> Claim:
    claim = await claimed(workflows)
    law_graph.hooks[state] = fail
    with pytest.raises(Broken):
        await law_graph.compile(saver).ainvoke(case(plan=PLAN, ending="needs_human"), under(claim))
    del law_graph.hooks[state]
    return claim


def around(state: str, sub: str = "analysis") -> list[tuple[str, str, str]]:
    where = f"error_handling:{sub}"
    return [
        (f"ticket_processing:{sub}:{state}", f"{where}:error_detection", "error"),
        (f"{where}:error_detection", f"{where}:retry_evaluation", "error_classified"),
        (f"{where}:retry_evaluation", f"{where}:retry", "retry_scheduled"),
        (f"{where}:retry", f"ticket_processing:{sub}:{state}", "retry_due"),
    ]


@pytest.mark.parametrize("state", ["correlation", *BRANCHES])
async def test_a_failed_state_is_tried_again_and_only_it(
    state: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await failed_in(state, workflows, saver, law_graph)
    law_graph.entered.clear()

    waiting = await workflows.record_failure(
        claim, failure(claim), state=DetailedState(state), delay=TWO_SECONDS, traceback="Traceback …"
    )
    resumed = await workflows.resume_retry(claim)
    await law_graph.compile(saver).ainvoke(None, under(claim))

    assert (waiting.detailed_state, waiting.retry_count) == (DetailedState.RETRY, 1)
    assert set(resumed.active_states) == ({*BRANCHES} if state in BRANCHES else {state})
    assert "data_collection" not in law_graph.entered and law_graph.entered.count(state) == 1
    log = await steps(workflows, claim.workflow_id)
    expected = working_edges(PLAN, "needs_human")
    cut = next(place for place, step in enumerate(expected) if step[0].endswith(f":{BRANCHES[0]}"))
    cut += 0 if state in BRANCHES else 2
    assert log == expected[:cut] + around(state) + expected[cut:]
    assert (await workflows.get(claim.workflow_id)).retry_count == 0
    assert await verify(database, claim.workflow_id) == ()


async def test_the_pause_is_durable_and_a_wake_up_does_not_shorten_it(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await failed_in("correlation", workflows, saver, law_graph)
    state = await workflows.record_failure(
        claim, failure(claim), state=DetailedState.CORRELATION, delay=timedelta(hours=1)
    )
    await workflows.wake(claim.workflow_id)
    await workflows.release(claim)

    assert state.due_at is not None and state.due_at > await database.now() + timedelta(minutes=59)
    assert (await workflows.get(claim.workflow_id)).due_at == state.due_at
    assert await workflows.claim_due("worker-1", TTL, 10) == ()


async def test_the_pause_does_not_count_against_the_deadline(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await failed_in("correlation", workflows, saver, law_graph)
    before = (await workflows.get(claim.workflow_id)).timeout_at
    after = await workflows.record_failure(
        claim, failure(claim), state=DetailedState.CORRELATION, delay=timedelta(minutes=3)
    )

    assert before and after.timeout_at == before + timedelta(minutes=3)


async def test_failures_in_a_row_are_counted_and_kept_with_their_traceback(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await failed_in("correlation", workflows, saver, law_graph)
    for attempt in (1, 2):
        state = await workflows.record_failure(
            claim,
            failure(claim, f"no\0 answer {attempt}"),
            state=DetailedState.CORRELATION,
            delay=TWO_SECONDS,
            traceback=f"line\0 {attempt}",
        )
        assert state.retry_count == attempt
        await workflows.resume_retry(claim)

    errors = await workflows.errors(claim.workflow_id)
    assert [(row["message"], row["attempt"], row["state"]) for row in errors] == [
        ("no\ufffd answer 1", 1, "correlation"),
        ("no\ufffd answer 2", 2, "correlation"),
    ]
    assert await Artifacts(database).get(claim.workflow_id, errors[1]["traceback_digest"]) == b"line\0 2"
    assert await workflows.last_error(claim.workflow_id) == errors[1]


async def test_without_a_pause_a_person_takes_over_and_the_end_is_told_to_the_log(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await failed_in("correlation", workflows, saver, law_graph)

    state = await workflows.record_failure(
        claim, failure(claim, kind=ErrorType.PERMANENT), state=DetailedState.CORRELATION, delay=None
    )
    ended = await workflows.finish_escalation(claim, Outcome.ESCALATED)

    assert (state.detailed_state, state.escalated, state.can_retry()) == (DetailedState.ESCALATION, True, False)
    assert (ended.outcome, str(ended.position), ended.timeout_at) == (Outcome.ESCALATED, "system_idle::", None)
    assert [trigger for _, _, trigger in (await steps(workflows, claim.workflow_id))[-4:]] == [
        "error",
        "error_classified",
        "retries_exhausted",
        "escalated",
    ]
    assert (await census(database, claim.workflow_id))["checkpoints"] == 1
    assert await verify(database, claim.workflow_id) == ()


@pytest.mark.parametrize("trigger", ["expired", "cancelled"])
@pytest.mark.parametrize("retrying", [False, True])
async def test_a_workflow_that_is_stopped_goes_straight_to_a_person(
    trigger: str, retrying: bool, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await failed_in("correlation", workflows, saver, law_graph)
    where = DetailedState.CORRELATION
    if retrying:
        await workflows.record_failure(claim, failure(claim), state=where, delay=TWO_SECONDS)
        where = DetailedState.RETRY

    state = await workflows.record_failure(claim, failure(claim), state=where, delay=None, trigger=trigger)
    await workflows.finish_escalation(claim, Outcome(trigger))

    assert str(state.position) == "error_handling:analysis:escalation"
    assert (await workflows.get(claim.workflow_id)).outcome == trigger
    assert await verify(database, claim.workflow_id) == ()


async def test_a_workflow_that_never_began_can_be_cancelled(database: Database, workflows: Workflows) -> None:
    claim = await claimed(workflows)

    await workflows.record_failure(
        claim, failure(claim), state=DetailedState.TICKET_DETECTED, delay=None, trigger="cancelled"
    )
    await workflows.finish_escalation(claim, Outcome.CANCELLED)

    assert [to for _, to, _ in await steps(workflows, claim.workflow_id)] == [
        "system_idle::ticket_detected",
        "error_handling::escalation",
        "system_idle::",
    ]
    assert await verify(database, claim.workflow_id) == ()


async def test_a_failure_before_the_first_step_is_retried_into_a_normal_run(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    await workflows.record_failure(claim, failure(claim), state=DetailedState.TICKET_DETECTED, delay=TWO_SECONDS)
    await workflows.resume_retry(claim)
    await law_graph.compile(saver).ainvoke(case(plan=PLAN, ending="needs_human"), under(claim))

    log = await steps(workflows, claim.workflow_id)
    assert log[5:] == working_edges(PLAN, "needs_human")[1:]
    assert await verify(database, claim.workflow_id) == ()


async def test_a_state_that_is_not_running_cannot_fail(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await failed_in("correlation", workflows, saver, law_graph)
    before = await census(database, claim.workflow_id)

    with pytest.raises(IllegalTransition, match="awaiting_review cannot have failed"):
        await workflows.record_failure(claim, failure(claim), state=DetailedState.AWAITING_REVIEW, delay=TWO_SECONDS)
    with pytest.raises(IllegalTransition, match="no retry is scheduled"):
        await workflows.resume_retry(claim)
    with pytest.raises(IllegalTransition):
        await workflows.finish_escalation(claim, Outcome.ESCALATED)

    assert await census(database, claim.workflow_id) == before
    assert await workflows.errors(claim.workflow_id) == ()


async def test_only_the_holder_of_the_lease_records_a_failure(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await failed_in("correlation", workflows, saver, law_graph)
    await expire_lease(database, claim.workflow_id)
    with pytest.raises(LeaseLost):
        await workflows.record_failure(claim, failure(claim), state=DetailedState.CORRELATION, delay=TWO_SECONDS)
    await workflows.claim(claim.workflow_id, "worker-2", TTL)

    with pytest.raises(StaleWriter):
        await workflows.record_failure(claim, failure(claim), state=DetailedState.CORRELATION, delay=TWO_SECONDS)
    assert await workflows.errors(claim.workflow_id) == ()

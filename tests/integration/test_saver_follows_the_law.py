"""The log of a run is the law's, whatever way the run takes."""

from datetime import datetime

import psycopg
import pytest
from langgraph.types import Command

from sre_bot.domain.errors import IllegalTransition
from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import (
    ACCEPTANCE,
    ANALYSIS,
    DEPLOYMENT,
    REMEDIATION,
    REVIEW,
    WHOLE_WAY,
    LawGraph,
    case,
    working_edges,
)
from tests.record_runs import census, claimed, rows, steps, under

TO_REVIEW = ACCEPTANCE + ANALYSIS + REMEDIATION
CHANGED_ONCE = ("awaiting_review", "review_in_progress", "changes_requested", *REMEDIATION)
INVALID_FIX = ("fix_generation", "code_validation")
FAILING_TEST = ("fix_generation", "code_validation", "test_generation")
UNDECIDED_ONCE = ("awaiting_review", "review_in_progress")
WAYS = {
    "straight": (WHOLE_WAY, "resolved"),
    "refused at the door": (("validating_ticket", "ticket_rejected"), "ticket_rejected"),
    "refused while accepting": (("validating_ticket", "accepting_ticket", "ticket_rejected"), "ticket_rejected"),
    "nothing to do": (ACCEPTANCE + ANALYSIS, "no_action_needed"),
    "for a person": (ACCEPTANCE + ANALYSIS, "needs_human"),
    "a duplicate": (ACCEPTANCE + ANALYSIS, "duplicate"),
    "fixed at the second try": (
        ACCEPTANCE + ANALYSIS + INVALID_FIX + FAILING_TEST + REMEDIATION + REVIEW + DEPLOYMENT,
        "resolved",
    ),
    "undecided, changed, approved": (TO_REVIEW + UNDECIDED_ONCE + CHANGED_ONCE + REVIEW + DEPLOYMENT, "resolved"),
    "rejected": ((*TO_REVIEW, "awaiting_review", "review_in_progress", "rejected"), "fix_rejected"),
    "approval lost": ((*TO_REVIEW, *REVIEW, "triggering_deployment", *REVIEW, *DEPLOYMENT), "resolved"),
    "deployment failed": (
        (*TO_REVIEW, *REVIEW, *DEPLOYMENT[:3], "deployment_failed"),
        "deployment_failed",
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_the_log_of_a_run_is_what_the_law_says(
    way: str, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    plan, ending = WAYS[way]
    claim = await claimed(workflows)
    graph = law_graph.compile(saver)

    await graph.ainvoke(case(plan=plan, ending=ending), under(claim))
    for _ in range(plan.count("awaiting_review")):
        await graph.ainvoke(Command(resume="wake up"), under(claim))

    assert await steps(workflows, claim.workflow_id) == working_edges(plan, ending)
    state = await workflows.get(claim.workflow_id)
    assert (state.outcome, str(state.position)) == (Outcome(ending), "system_idle::")
    assert await verify(database, claim.workflow_id) == ()


async def test_a_fork_is_two_rows_of_one_version_and_both_branches_are_active(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    seen: list[WorkflowState] = []

    async def look() -> None:
        seen.append(await workflows.get(claim.workflow_id))

    law_graph.hooks["source_code_analysis"] = look
    await law_graph.compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(claim))

    [forked] = seen
    assert forked.active_states == (DetailedState.K8S_EVENT_ANALYSIS, DetailedState.SOURCE_CODE_ANALYSIS)
    assert forked.detailed_state is DetailedState.K8S_EVENT_ANALYSIS


async def test_only_the_first_row_of_a_version_carries_the_patch(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    await law_graph.compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(claim))

    fork = await rows(
        database,
        b"select ordinal, version, metadata from state_transitions where from_state like '%%:data_collection'"
        b" order by version, ordinal",
    )
    assert [(row["ordinal"], bool(row["metadata"])) for row in fork] == [(0, True), (1, False)]
    assert len({row["version"] for row in fork}) == 1


async def test_every_change_is_announced_soon_after_it_is_committed(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    seen: list[str] = []
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as listener:
        await listener.execute("listen sre_bot_workflow")

        async def hear() -> None:
            async for notice in listener.notifies(timeout=10, stop_after=1):
                state = await workflows.get(notice.payload)
                seen.append(f"{notice.payload} in {state.detailed_state}")

        for name in ("validating_ticket", "correlation"):
            law_graph.hooks[name] = hear
        await law_graph.compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(claim))
        await database.announcements.settle()
        rest = [notice.payload async for notice in listener.notifies(timeout=0.2)]

    assert seen == [f"{claim.workflow_id} in {name}" for name in ("validating_ticket", "correlation")]
    assert set(rest) == {claim.workflow_id}


async def test_a_state_is_visible_in_the_record_while_it_runs(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    seen: list[tuple[DetailedState | None, str | None]] = []

    async def look() -> None:
        state = await workflows.get(claim.workflow_id)
        seen.append((state.detailed_state, state.sub_state))

    law_graph.hooks["correlation"] = look
    await law_graph.compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(claim))

    assert seen == [(DetailedState.CORRELATION, "analysis")]


async def test_a_step_that_the_law_does_not_know_is_refused_and_leaves_nothing(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    plan = ("validating_ticket", "ticket_accepted", *ANALYSIS)

    with pytest.raises(
        IllegalTransition, match=r"validating_ticket -> .*ticket_accepted is not legal.*accepting_ticket"
    ):
        await law_graph.compile(saver).ainvoke(case(plan=plan), under(claim))

    assert law_graph.entered == ["ticket_detected", "validating_ticket"]
    assert (await steps(workflows, claim.workflow_id))[-1][1].endswith(":validating_ticket")
    assert await verify(database, claim.workflow_id) == ()


async def test_a_graph_that_ends_without_an_outcome_is_refused(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    plan = ("validating_ticket", "ticket_rejected")

    with pytest.raises(IllegalTransition, match="resolved"):
        await law_graph.compile(saver).ainvoke(case(plan=plan, ending="resolved"), under(claim))

    assert (await workflows.get(claim.workflow_id)).outcome is None


async def test_the_context_of_the_graph_is_projected_and_rebuilt_from_the_log(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    law_graph.outputs["accepting_ticket"] = {"context": {"pr": {"number": 7, "draft": True}, "gone": 1}}
    law_graph.outputs["ticket_accepted"] = {"context": {"pr": {"number": 8}, "gone": None, "odd": "a\0b \\u0000"}}

    await law_graph.compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(claim))

    context = (await workflows.get(claim.workflow_id)).context
    assert context == {
        "severity": "high",
        "last": "analysis_complete",
        "pr": {"number": 8},
        "odd": "a\ufffdb \\u0000",
    }
    assert await verify(database, claim.workflow_id) == ()


async def test_each_completed_sub_state_leaves_a_named_restore_point(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    await law_graph.compile(saver).ainvoke(case(plan=TO_REVIEW + REVIEW), under(claim))

    points = await rows(database, b"select checkpoint_name, state_snapshot from workflow_checkpoints order by id")

    assert [point["checkpoint_name"] for point in points] == [
        "ticket_acceptance:ticket_accepted",
        "analysis:analysis_complete",
        "remediation:remediation_complete",
    ]
    assert points[1]["state_snapshot"]["channels"]["context"]["last"] == "analysis_complete"


async def test_at_the_end_only_the_last_checkpoint_is_kept_and_the_log_stays(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    graph = law_graph.compile(saver)
    await graph.ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(claim))

    count = await census(database, claim.workflow_id)
    writes = await rows(database, b"select 1 from checkpoint_writes where thread_id = %s", claim.workflow_id)
    final = await graph.aget_state(under(claim))

    assert (count["checkpoints"], count["heads"], len(writes)) == (1, 1, 0)
    assert count["transitions"] == len(working_edges(ACCEPTANCE + ANALYSIS, "needs_human"))
    assert final.values["outcome"] == "needs_human" and final.next == ()


async def test_the_deadline_of_a_sub_state_is_kept_inside_it_and_renewed_on_entering_the_next(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    seen: dict[str, tuple[datetime, int]] = {}

    def noting(name: str) -> None:
        async def look() -> None:
            state = await workflows.get(claim.workflow_id)
            assert state.timeout_at and state.entered_at
            seen[name] = (state.timeout_at, round((state.timeout_at - state.entered_at).total_seconds()))

        law_graph.hooks[name] = look

    for name in ("ticket_detected", "validating_ticket", "accepting_ticket", "data_collection", "correlation"):
        noting(name)
    await law_graph.compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(claim))

    assert [seen[name][1] for name in ("ticket_detected", "validating_ticket", "data_collection")] == [300, 30, 5400]
    assert seen["validating_ticket"][0] == seen["accepting_ticket"][0]
    assert seen["data_collection"][0] == seen["correlation"][0]
    assert (await workflows.get(claim.workflow_id)).timeout_at is None

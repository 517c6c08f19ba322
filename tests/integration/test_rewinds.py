"""A workflow goes on from an earlier point: the log grows, the old state lives again, and only where nobody runs it."""

from datetime import timedelta
from typing import Any

import pytest
from langgraph.types import Command

from sre_bot.domain.errors import (
    BadInput,
    LeaseHeld,
    LeaseLost,
    RewindRefused,
    StaleWriter,
    WorkflowEnded,
    WorkflowNotFound,
)
from sre_bot.domain.states import RESTORABLE, DetailedState, Position
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.history import rebuild
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.operator import OperatorRequests
from sre_bot.persistence.replay import verify
from sre_bot.persistence.rewinds import Rewinds, Rewound
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim, Workflows
from tests.law_graph import ACCEPTANCE, ANALYSIS, REMEDIATION, WHOLE_WAY, LawGraph, case
from tests.record_runs import TTL, claimed, expire_lease, failure, rows, steps, under

Json = dict[str, Any]
AWAITING = "ticket_processing:review:awaiting_review"
POINTS = {
    "ticket_acceptance:ticket_accepted": ACCEPTANCE,
    "analysis:analysis_complete": ACCEPTANCE + ANALYSIS,
    "remediation:remediation_complete": ACCEPTANCE + ANALYSIS + REMEDIATION,
}


@pytest.fixture
def rewinds(database: Database) -> Rewinds:
    return Rewinds(database)


@pytest.fixture
def graph(saver: AuditedSaver, law_graph: LawGraph) -> Any:
    return law_graph.compile(saver)


@pytest.fixture
async def waiting(workflows: Workflows, graph: Any) -> str:
    """A workflow that waits for its review, and that nobody runs."""
    claim = await claimed(workflows)
    await graph.ainvoke(case(), under(claim))
    await workflows.release(claim)
    return claim.workflow_id


def keep_all(_: DetailedState, __: Json, ___: Json, ____: tuple[Any, ...]) -> Json:
    """Nothing is done outside in these tests."""
    return {}


async def back(rewinds: Rewinds, workflow_id: str, name: str, why: str = "") -> Rewound:
    return await rewinds.rewind(workflow_id, name, why=why, asked_by="me@here", carry=keep_all)


async def to_the_end(workflows: Workflows, graph: Any, claim: Claim) -> str | None:
    await graph.ainvoke(None, under(claim))
    await graph.ainvoke(Command(resume="wake up"), under(claim))
    return (await workflows.get(claim.workflow_id)).outcome


@pytest.mark.parametrize("name", POINTS)
async def test_what_followed_the_point_is_done_again_and_nothing_before_it(
    name: str, waiting: str, rewinds: Rewinds, workflows: Workflows, graph: Any, law_graph: LawGraph, database: Database
) -> None:
    before = await steps(workflows, waiting)
    law_graph.entered.clear()

    await back(rewinds, waiting, name)

    assert await verify(database, waiting) == ()
    [claim] = await workflows.claim_due("worker-2", TTL, 5)
    assert await to_the_end(workflows, graph, claim) == "resolved"
    again = [one for step in WHOLE_WAY[len(POINTS[name]) :] for one in sorted(step.split("+"))]
    assert sorted(law_graph.entered) == sorted(again)
    log = await steps(workflows, waiting)
    assert log[: len(before)] == before
    target = str(Position.working(DetailedState(name.partition(":")[2])))
    assert log[len(before)] == (AWAITING, target, "rewound")
    assert await verify(database, waiting) == ()


async def test_the_log_says_who_went_back_where_and_why(
    waiting: str, rewinds: Rewinds, workflows: Workflows, database: Database
) -> None:
    done = await back(rewinds, waiting, "analysis:analysis_complete", "the cluster was half down")

    step = (await workflows.transitions(waiting))[-1]
    assert (step.agent_id, step.metadata["rewound"]["asked_by"]) == ("operator", "me@here")
    assert step.metadata["rewound"]["why"] == "the cluster was half down"
    assert step.metadata["rewound"]["to"] == f"analysis:analysis_complete@{done.point.version}"
    [asked] = await rows(database, b"select kind, why, asked_by, workflow_id::text from operator_requests")
    assert (asked["kind"], asked["asked_by"], asked["workflow_id"]) == ("rewind", "me@here", waiting)
    assert asked["why"].endswith("the cluster was half down")


async def test_the_projection_is_again_what_it_was_and_its_time_begins_anew(
    waiting: str, rewinds: Rewinds, workflows: Workflows, database: Database
) -> None:
    done = await back(rewinds, waiting, "analysis:analysis_complete")

    then = (await rebuild(database, waiting, version=done.point.version)).state
    now = await workflows.get(waiting)
    assert now.position == done.point.position
    assert now.context == {**then["context"], "last": "analysis_complete"}
    assert now.active_states == (DetailedState.ANALYSIS_COMPLETE,)
    assert now.entered_at and now.timeout_at and now.timeout_at - now.entered_at == timedelta(minutes=90)


async def test_failures_are_forgotten_and_locks_given_back(
    waiting: str, rewinds: Rewinds, workflows: Workflows, database: Database
) -> None:
    locks, claim = ResourceLocks(database), await workflows.claim(waiting, "worker-1", TTL)
    await locks.acquire(claim, ("repository:acme/shop",))
    other = await claimed(workflows, "OPS-2", "worker-2")
    assert not await locks.acquire(other, ("repository:acme/shop",))
    await workflows.release(other)
    await workflows.record_failure(
        claim, failure(claim), state=DetailedState.AWAITING_REVIEW, delay=None, trigger="expired"
    )
    await workflows.release(claim)

    done = await back(rewinds, waiting, "remediation:remediation_complete")

    state = await workflows.get(waiting)
    assert (state.retry_count, state.escalated, state.active_states) == (
        0,
        False,
        (DetailedState.REMEDIATION_COMPLETE,),
    )
    assert done.woken == (other.workflow_id,)
    assert [lock["workflow_id"] for lock in await locks.held()] == [other.workflow_id]
    assert await verify(database, waiting) == ()


async def test_a_workflow_that_waits_for_its_next_try_goes_back_and_runs(
    rewinds: Rewinds, workflows: Workflows, graph: Any, law_graph: LawGraph, database: Database
) -> None:
    claim = await claimed(workflows)

    async def fail() -> None:
        raise ConnectionResetError

    law_graph.hooks["k8s_event_analysis"] = fail
    with pytest.raises(ConnectionResetError):
        await graph.ainvoke(case(), under(claim))
    await workflows.record_failure(
        claim, failure(claim), state=DetailedState.K8S_EVENT_ANALYSIS, delay=timedelta(hours=1)
    )
    await workflows.release(claim, due_in=timedelta(hours=1))
    law_graph.hooks.clear()

    await back(rewinds, claim.workflow_id, "ticket_acceptance:ticket_accepted")

    [again] = await workflows.claim_due("worker-2", TTL, 5)
    assert await to_the_end(workflows, graph, again) == "resolved"
    assert await verify(database, claim.workflow_id) == ()


async def test_parallel_states_are_left_by_one_row_each(
    rewinds: Rewinds, workflows: Workflows, graph: Any, law_graph: LawGraph, database: Database
) -> None:
    claim = await claimed(workflows)

    async def die() -> None:
        raise ConnectionResetError

    law_graph.hooks["source_code_analysis"] = die
    with pytest.raises(ConnectionResetError):
        await graph.ainvoke(case(), under(claim))
    await workflows.release(claim)

    await back(rewinds, claim.workflow_id, "ticket_acceptance:ticket_accepted")

    assert [step[0].rpartition(":")[2] for step in (await steps(workflows, claim.workflow_id))[-2:]] == [
        "k8s_event_analysis",
        "source_code_analysis",
    ]
    assert await verify(database, claim.workflow_id) == ()


async def test_of_several_points_of_one_name_the_newest_is_meant_and_a_version_names_another(
    waiting: str, rewinds: Rewinds, workflows: Workflows, graph: Any, database: Database
) -> None:
    await back(rewinds, waiting, "analysis:analysis_complete")
    [claim] = await workflows.claim_due("worker-2", TTL, 5)
    await graph.ainvoke(None, under(claim))
    await workflows.release(claim)
    name = "remediation:remediation_complete"
    first, second = (point.version for point in await rewinds.points(waiting) if point.name == name)

    newest = await back(rewinds, waiting, name)
    older = await back(rewinds, waiting, f"{name}@{first}")

    assert (newest.point.version, older.point.version) == (second, first)
    assert older.version == newest.version + 1
    [again] = await workflows.claim_due("worker-3", TTL, 5)
    assert await to_the_end(workflows, graph, again) == "resolved"
    assert await verify(database, waiting) == ()


async def test_while_somebody_runs_it_a_workflow_is_not_rewound(
    waiting: str, rewinds: Rewinds, workflows: Workflows
) -> None:
    await workflows.claim(waiting, "worker-7", TTL)

    with pytest.raises(LeaseHeld, match="'worker-7'"):
        await back(rewinds, waiting, "analysis:analysis_complete")

    assert (await workflows.get(waiting)).detailed_state is DetailedState.AWAITING_REVIEW


async def test_a_worker_that_slept_through_a_rewind_writes_nothing_any_more(
    rewinds: Rewinds, workflows: Workflows, graph: Any, law_graph: LawGraph, database: Database
) -> None:
    claim = await claimed(workflows)

    async def sleep_through_it() -> None:
        law_graph.hooks.clear()
        await expire_lease(database, claim.workflow_id)
        await back(rewinds, claim.workflow_id, "analysis:analysis_complete")

    law_graph.hooks["code_validation"] = sleep_through_it

    with pytest.raises((StaleWriter, LeaseLost)):
        await graph.ainvoke(case(), under(claim))

    assert (await workflows.get(claim.workflow_id)).detailed_state is DetailedState.ANALYSIS_COMPLETE
    assert await verify(database, claim.workflow_id) == ()


async def test_while_the_bot_is_paused_a_workflow_can_be_rewound_and_waits(
    waiting: str, rewinds: Rewinds, workflows: Workflows, database: Database
) -> None:
    requests = OperatorRequests(database)
    await requests.pause(None, "", "me")

    await back(rewinds, waiting, "analysis:analysis_complete")

    assert await workflows.claim_due("worker-2", TTL, 5) == ()
    await requests.resume(None, "me")
    assert len(await workflows.claim_due("worker-2", TTL, 5)) == 1


async def test_what_cannot_be_rewound_is_refused_by_name(
    waiting: str, rewinds: Rewinds, workflows: Workflows, graph: Any, database: Database
) -> None:
    with pytest.raises(BadInput, match="has no restore point 'review:approved'; it has: ticket_acceptance:"):
        await back(rewinds, waiting, "review:approved")
    with pytest.raises(WorkflowNotFound):
        await back(rewinds, "nothing", "review:approved")
    external = await workflows.open("OPS-3", {}, driver="external")
    with pytest.raises(BadInput, match="driven by another program"):
        await back(rewinds, external.workflow_id, "review:approved")
    await OperatorRequests(database).cancel(waiting, "enough", "me")
    with pytest.raises(RewindRefused, match="is to be cancelled"):
        await back(rewinds, waiting, "analysis:analysis_complete")


async def test_what_has_ended_is_not_rewound_and_the_way_on_is_said(
    waiting: str, rewinds: Rewinds, workflows: Workflows, graph: Any
) -> None:
    claim = await workflows.claim(waiting, "worker-2", TTL)
    await graph.ainvoke(Command(resume="wake up"), under(claim))

    with pytest.raises(WorkflowEnded, match="`sre-bot run TICKET` begins a new workflow that is linked"):
        await back(rewinds, waiting, "analysis:analysis_complete")
    assert {point.usable for point in await rewinds.points(waiting)} == {False}


async def test_a_rewind_that_is_refused_by_what_happened_outside_changes_nothing(
    waiting: str, rewinds: Rewinds, workflows: Workflows, database: Database
) -> None:
    def refuse(*_: Any) -> Json:
        raise RewindRefused("it is merged")

    before = await steps(workflows, waiting)
    with pytest.raises(RewindRefused):
        await rewinds.rewind(waiting, "analysis:analysis_complete", why="", asked_by="me", carry=refuse)

    assert await steps(workflows, waiting) == before
    assert await verify(database, waiting) == ()
    assert await rows(database, b"select 1 from operator_requests") == []


async def test_what_was_said_before_a_rewind_is_not_said_again_and_what_is_new_is(
    waiting: str, rewinds: Rewinds, workflows: Workflows, database: Database
) -> None:
    outside, said = Effects(database), list[str]()

    async def say(request: Json) -> Json:
        said.append(request["body"])
        return {"id": len(said)}

    async def tell(claim: Claim, round: int, body: str, **more: str) -> Json:
        return await outside.once(claim, "ticket_comment:x", round, {"body": body, **more}, say, None)

    claim = await workflows.claim(waiting, "worker-1", TTL)
    await tell(claim, 0, "hello", marker="m:0")
    await workflows.release(claim)
    round = (await back(rewinds, waiting, "analysis:analysis_complete")).round
    again = await workflows.claim(waiting, "worker-1", TTL)

    assert await tell(again, round, "hello", marker=f"m:{round}") == {"id": 1}
    assert await tell(again, round + 1, "goodbye", marker=f"m:{round + 1}") == {"id": 2}
    assert await tell(again, round + 2, "goodbye", marker=f"m:{round + 2}") == {"id": 3}
    assert said == ["hello", "goodbye", "goodbye"]


async def test_a_log_that_goes_back_to_where_the_workflow_never_was_is_found(waiting: str, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("set local session_replication_role = replica")
        await connection.execute(
            "update state_transitions set trigger_event = 'rewound', agent_id = 'operator',"
            " to_state = 'ticket_processing:review:approved' where version = 8"
        )

    problems = await verify(database, waiting)

    assert any(
        "goes back to ticket_processing:review:approved, where the workflow never was" in one for one in problems
    )


def test_only_the_ends_of_sub_states_behind_which_another_begins_can_be_restored() -> None:
    assert {state.value for state in RESTORABLE} == {
        "ticket_accepted",
        "analysis_complete",
        "remediation_complete",
        "changes_requested",
        "approved",
    }

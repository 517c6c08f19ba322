"""``pause``, ``resume``, ``retry``, ``cancel``: what they write, and that workers find it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sre_bot.domain.errors import Paused
from sre_bot.domain.states import DetailedState, Outcome
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.manager import WorkflowStateManager
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import LawGraph, case
from tests.record_commands_stage import Commands
from tests.record_runs import TTL, claimed, failure, rows, under

Json = dict[str, Any]
HOUR = timedelta(hours=1)


@pytest.fixture
def sre_bot(database_url: str, tmp_path: Path) -> Commands:
    return Commands(database_url, tmp_path)


async def due(workflows: Workflows) -> set[str]:
    """Which workflows a worker would take; they are given back."""
    claims = await workflows.claim_due("looker", TTL, 100)
    for claim in claims:
        await workflows.release(claim, due_in=timedelta(0))
    return {claim.workflow_id for claim in claims}


async def retrying(workflows: Workflows, ticket: str = "OPS-1") -> str:
    """A workflow whose next try is an hour away."""
    claim = await claimed(workflows, ticket)
    await workflows.record_failure(claim, failure(claim), state=DetailedState.TICKET_DETECTED, delay=HOUR)
    await workflows.release(claim, due_in=HOUR)
    return claim.workflow_id


async def ended(workflows: Workflows, ticket: str = "OPS-1") -> str:
    claim = await claimed(workflows, ticket)
    await workflows.record_failure(claim, failure(claim), state=DetailedState.TICKET_DETECTED, delay=None)
    await workflows.finish_escalation(claim, Outcome.ESCALATED)
    return claim.workflow_id


async def in_review(workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph) -> str:
    claim = await claimed(workflows)
    await law_graph.compile(saver).ainvoke(case(), under(claim))
    await workflows.release(claim)
    return claim.workflow_id


async def test_while_the_bot_is_paused_nothing_is_claimed(sre_bot: Commands, workflows: Workflows) -> None:
    state = await workflows.open("OPS-1", {})

    paused = await sre_bot("pause", "--why", "we freeze for the night")
    assert (paused.code, paused.out) == (0, "Paused: everything. `sre-bot resume` takes it back.\n")
    assert await due(workflows) == set()
    with pytest.raises(Paused, match=r"everything is paused by \S+ since .*: we freeze for the night"):
        await workflows.claim(state.workflow_id, "worker", TTL)

    assert (await sre_bot("resume")).out == "The bot goes on.\n"
    assert await due(workflows) == {state.workflow_id}


async def test_while_the_bot_is_paused_no_effect_is_begun_and_what_was_done_still_answers(
    sre_bot: Commands, workflows: Workflows, database: Database
) -> None:
    claim = await claimed(workflows)
    effects, made = Effects(database), list[Json]()

    async def act(request: Json) -> Json:
        made.append(request)
        return {"number": len(made)}

    await effects.once(claim, "before", 0, {}, act, None)
    await sre_bot("pause")

    with pytest.raises(Paused):
        await effects.once(claim, "after", 0, {}, act, None)
    assert await effects.once(claim, "before", 0, {}, act, None) == {"number": 1}
    assert [row["status"] for row in await effects.of(claim.workflow_id)] == ["done", "intended"]

    await sre_bot("resume")
    assert await effects.once(claim, "after", 0, {}, act, None) == {"number": 2}
    assert len(made) == 2


async def test_a_pause_of_one_repository_leaves_the_others_alone(sre_bot: Commands, workflows: Workflows) -> None:
    held = await workflows.open("OPS-1", {"repository": "shop/orders"})
    free = await workflows.open("OPS-2", {"repository": "shop/cart"})

    paused = await sre_bot("pause", "--repository", "Shop/Orders", "--json")

    assert [one["repository"] for one in paused.json["paused"]] == ["shop/orders"]
    assert await due(workflows) == {free.workflow_id}
    assert (await sre_bot("resume", "--repository", "shop/orders")).out == "shop/orders goes on.\n"
    assert await due(workflows) == {held.workflow_id, free.workflow_id}


async def test_a_pause_that_would_stop_nothing_is_refused(sre_bot: Commands, workflows: Workflows) -> None:
    await workflows.open("OPS-1", {"repository": "shop/orders"})

    wrong = await sre_bot("pause", "--repository", "shop/order", GITHUB_REPOSITORIES="shop/cart")
    known = await sre_bot("pause", "--repository", "shop/cart", GITHUB_REPOSITORIES="shop/cart")

    assert wrong.code == 2
    assert "'shop/order' is none of shop/cart, shop/orders" in wrong.err
    assert known.code == 0


async def test_two_pauses_are_taken_back_one_by_one(sre_bot: Commands, workflows: Workflows) -> None:
    await workflows.open("OPS-1", {"repository": "shop/orders"})
    await sre_bot("pause", "--repository", "shop/orders")
    await sre_bot("pause")

    assert (await sre_bot("resume")).out == "The bot goes on; still paused: shop/orders.\n"
    again = await sre_bot("resume")

    assert again.code == 2
    assert "the bot as a whole is not paused; still paused: shop/orders" in again.err
    other = await sre_bot("resume", "--repository", "shop/cart")
    assert (other.code, other.err) == (2, "error: shop/cart is not paused; still paused: shop/orders\n")
    assert await due(workflows) == set()


async def test_status_shows_what_is_paused_by_whom_and_why(sre_bot: Commands, workflows: Workflows) -> None:
    await workflows.open("OPS-1", {"repository": "shop/orders"})
    await workflows.open("OPS-2", {"repository": "shop/cart"})
    assert (await sre_bot("status")).err == ""
    await sre_bot("pause", "--repository", "shop/orders", "--why", "[red] alert")

    text, listed = await sre_bot("status"), await sre_bot("status", "--json")

    assert "PAUSED: shop/orders, by " in text.err and text.err.endswith(": [red] alert\n")
    assert {one["ticket_id"]: one["paused"] for one in listed.json} == {"OPS-1": True, "OPS-2": False}


async def test_a_try_that_waits_for_its_time_becomes_due_now(sre_bot: Commands, workflows: Workflows) -> None:
    workflow_id = await retrying(workflows)
    assert await due(workflows) == set()

    found = await sre_bot("retry", "OPS-1")

    assert found.code == 0
    assert f"OPS-1 {workflow_id} is due now; the next worker takes it up" in found.out
    claim = await workflows.claim(workflow_id, "worker", TTL)
    assert (await workflows.resume_retry(claim)).detailed_state is DetailedState.TICKET_DETECTED


async def test_a_parked_workflow_becomes_due_now_and_a_running_one_once_more(
    sre_bot: Commands, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    workflow_id = await in_review(workflows, saver, law_graph)
    assert await due(workflows) == set()

    assert (await sre_bot("retry", workflow_id[:8])).code == 0
    claim = await workflows.claim(workflow_id, "worker-7", TTL)
    running = await sre_bot("retry", "OPS-1")
    await workflows.release(claim)

    assert "worker-7 runs it, and once more when it is done" in running.out
    assert await due(workflows) == {workflow_id}


@pytest.mark.parametrize("command", [("retry", "OPS-1"), ("cancel", "OPS-1", "--why", "no longer needed")])
async def test_an_ended_workflow_is_neither_tried_again_nor_cancelled(
    command: tuple[str, ...], sre_bot: Commands, workflows: Workflows, database: Database
) -> None:
    await ended(workflows)

    found = await sre_bot(*command)

    assert found.code == 1
    assert "has ended (escalated); assign its ticket to the bot again, and a new one starts" in found.err
    assert await rows(database, b"select 1 from operator_requests") == []


@pytest.mark.parametrize("command", [("retry", "OPS-1"), ("cancel", "OPS-1", "--why", "no longer needed")])
async def test_a_workflow_of_another_program_is_left_to_it(
    command: tuple[str, ...], sre_bot: Commands, database: Database
) -> None:
    await WorkflowStateManager(database).create_workflow_instance("OPS-1", {})

    found = await sre_bot(*command)

    assert found.code == 2
    assert "is driven by another program" in found.err


async def test_a_cancelled_workflow_is_due_whatever_it_waits_for(sre_bot: Commands, workflows: Workflows) -> None:
    waiting = await retrying(workflows)

    found = await sre_bot("cancel", "OPS-1", "--why", "the customer withdrew it", "--json")

    assert found.json == {"workflow_id": waiting, "position": "error_handling::retry", "running": False}
    assert await due(workflows) == {waiting}
    assert await due(workflows) == {waiting}, "whoever claimed it and died has not taken the request away"
    request = await workflows.cancellation(waiting)
    assert request is not None and request["why"] == "the customer withdrew it"


async def test_a_cancelled_workflow_of_langgraph_server_is_ended_by_our_worker(
    sre_bot: Commands, workflows: Workflows, database: Database
) -> None:
    state = await workflows.open("OPS-1", {})
    await rows(database, b"update workflow_states set runner = 'server' returning 1")
    assert await due(workflows) == set()

    retried = await sre_bot("retry", "OPS-1")
    await sre_bot("cancel", "OPS-1", "--why", "no longer needed")

    assert retried.code == 2 and "is run by LangGraph Server" in retried.err
    assert await due(workflows) == {state.workflow_id}


async def test_cancelling_twice_keeps_the_first_reason_and_needs_one(sre_bot: Commands, workflows: Workflows) -> None:
    state = await workflows.open("OPS-1", {})

    blank = await sre_bot("cancel", "OPS-1", "--why", " ")
    missing = await sre_bot("cancel", "OPS-1")
    codes = [(await sre_bot("cancel", "OPS-1", "--why", why)).code for why in ("first", "second")]

    assert (blank.code, missing.code, codes) == (2, 2, [0, 0])
    assert "say why" in blank.err and "--why" in missing.err
    request = await workflows.cancellation(state.workflow_id)
    assert request is not None and request["why"] == "first"


async def test_every_request_is_kept_and_exported(sre_bot: Commands, workflows: Workflows, database: Database) -> None:
    await workflows.open("OPS-1", {})
    for command in (["pause", "--why", "night"], ["resume"], ["retry", "OPS-1"], ["cancel", "OPS-1", "--why", "no"]):
        assert (await sre_bot(*command)).code == 0

    lines = [json.loads(line) for line in (await sre_bot("audit", "--json")).out.splitlines()]
    text = (await sre_bot("audit")).out

    requests = [(one["request"], one["why"]) for one in lines if one["kind"] == "request"]
    assert requests == [("pause", "night"), ("resume", ""), ("retry", ""), ("cancel", "no")]
    assert " pause everything by " in text
    for statement in (b"update operator_requests set why = ''", b"delete from operator_requests"):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="operator_requests is append-only"):
            await rows(database, statement)

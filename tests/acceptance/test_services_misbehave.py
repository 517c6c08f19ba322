"""Services that misbehave: what passes is survived and done once, what lasts ends with a person; nothing is lost."""

from datetime import timedelta
from typing import Any

import pytest

from sre_bot.domain.states import DetailedState
from sre_bot.evals.harness import Stage, staged
from sre_bot.worker.runner import Result
from sre_bot.worker.stopping import stop
from tests.bad_input_stage import INCIDENT, PACE, Aftermath, aftermath, followed, opened, reviewing, run_once

Fault = dict[str, Any]
SERVICES = {"jira": "Jira", "github": "GitHub", "kubernetes": "Kubernetes", "argocd": "Argo CD"}

CUT: Fault = {"kind": "cut"}
CUT_TWICE: Fault = {"kind": "cut", "times": 2}
"""Where a read over a broken connection is repeated at once."""
SLOW: Fault = {"kind": "delay", "seconds": 2.8}
"""Done after the client has given up, and before it tries again."""
DOWN: Fault = {"kind": "status", "status": 500, "body": "<html>oops</html>"}
BUSY: Fault = {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}}
HALF: Fault = {"kind": "truncate"}
LOST: Fault = {"kind": "timeout_performed"}


def at(fault: Fault, method: str, path: str) -> Fault:
    """A fault on one route."""
    return {**fault, "method": method, "path": path}


BEFORE: dict[str, tuple[Fault, ...]] = {
    "jira": (
        at(CUT_TWICE, "GET", "/myself$"),
        at(DOWN, "GET", "/issue/[^/]+$"),
        at(BUSY, "POST", "/transitions$"),
        at(HALF, "POST", "/remotelink$"),
    ),
    "github": (
        at(DOWN, "GET", "/shop-delivery$"),
        at(CUT, "GET", "/info/refs$"),
        at(LOST, "POST", "/git/refs$"),
        at(LOST, "POST", "/pulls$"),
    ),
    "kubernetes": (at(CUT, "GET", "^/apis$"), at(SLOW, "GET", "/version$")),
    "argocd": (at(CUT_TWICE, "GET", "/applications$"), at(DOWN, "GET", "/applications$")),
}
"""What goes wrong up to the review."""

AFTER: dict[str, tuple[Fault, ...]] = {
    "jira": (at(LOST, "POST", "/comment$"), at(SLOW, "GET", "/comment$")),
    "github": (at(HALF, "GET", "/pulls/1$"), at(BUSY, "PUT", "/merge$"), at(SLOW, "PUT", "/merge$")),
    "kubernetes": (
        at(BUSY, "GET", "^/apis$"),
        at(DOWN, "GET", "/plumtree/services$"),
        at(HALF, "GET", "/plumtree/configmaps$"),
    ),
    "argocd": (
        at(BUSY, "GET", "/applications/shop$"),
        at(LOST, "POST", "/sync$"),
        at(SLOW, "GET", "/api/version$"),
        at(HALF, "GET", "/applications/shop$"),
    ),
}
"""What goes wrong after it."""


@pytest.mark.parametrize("service", SERVICES)
async def test_what_passes_is_survived_and_everything_is_done_once(service: str, postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE, request_seconds=1.5) as stage:
        await spoil(stage, service, *BEFORE[service])
        waiting = await reviewing(stage)
        await spoil(stage, service, *AFTER[service])
        await stage.lab.control.review(1, "approve")
        end = await followed(stage, waiting.state.workflow_id)
    end.check()
    assert end.outcome == "resolved"
    assert all(error["message"].startswith(f"{SERVICES[service]}: ") for error in end.errors), end.errors
    assert {error["error_type"] for error in end.errors} <= {"transient", "rate_limited"}
    assert len(end.errors) >= 3
    assert [(pull["number"], pull["merged"]) for pull in end.pulls] == [(1, True)]
    assert len(end.comments) == 3, "taken, proposed, fixed"
    assert {one["status"] for one in end.effects} == {"done"}


@pytest.mark.parametrize("service", ["kubernetes", "argocd"])
async def test_what_lasts_ends_with_a_person_or_waits_for_its_next_try(service: str, postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE, request_seconds=1.5) as stage:
        refused = {status: await _refused(stage, service, status) for status in (401, 403, 404)}
        waiting = [await _waiting(stage, service, fault) for fault in (DOWN, BUSY, CUT)]
    for status, end in refused.items():
        end.check()
        assert end.outcome == "escalated"
        assert end.error[0] == "needs_human"
        assert end.error[1].startswith(f"{SERVICES[service]}: ")
        assert (f"HTTP {status}" if (service, status) != ("kubernetes", 404) else "no namespace") in end.error[1]
        assert end.error[1].endswith(", with `sre-bot doctor`")
        assert end.error[1] in end.told
        assert end.assignee is None
    for first, second in waiting:
        check_retrying(first, second, SERVICES[service])


async def test_a_repository_that_stays_closed_leaves_a_diagnosis_that_says_so(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE, request_seconds=1.5) as stage:
        refused = {status: await _refused(stage, "github", status) for status in (401, 403, 404)}
        waiting = [await _waiting(stage, "github", fault) for fault in (DOWN, BUSY, CUT)]
    for status, end in refused.items():
        end.check()
        assert end.outcome == "needs_human"
        assert "Service slots sends traffic to port 8080" in end.told
        assert ": I could not read repository plumtree/shop-delivery: GitHub: " in end.told
        assert f"(HTTP {status}); check the " in end.told
        assert end.assignee is None
    for first, second in waiting:
        check_retrying(first, second, "GitHub")


async def test_a_jira_that_does_not_let_us_in_is_told_as_soon_as_it_does(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE, request_seconds=1.5) as stage:
        told = [await _untold(stage, status) for status in (401, 403)]
        waiting = [await _waiting(stage, "jira", fault) for fault in (DOWN, BUSY, CUT)]
    for silent, end in told:
        assert silent.state.outcome is None, "nothing is lost"
        assert silent.state.detailed_state is DetailedState.ESCALATION
        assert silent.state.due_at is not None
        assert silent.comments == ()
        end.check()
        assert end.outcome == "escalated"
        assert len(end.comments) == 1
        assert end.error[0] == "needs_human"
        assert end.error[1].startswith("Jira: ")
        assert end.error[1] in end.told
    for first, second in waiting:
        check_retrying(first, second, "Jira")


async def test_a_ticket_that_jira_will_not_let_us_answer_is_not_taken_up_again_and_again(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE) as stage:
        await spoil(stage, "jira", at({"kind": "status", "status": 404, "times": -1}, "GET", "/issue/[^/]+$"))
        (state,) = await stage.app.monitors.tickets()
        end = await followed(stage, state.workflow_id)
        again = [await stage.app.monitors.tickets() for _ in range(3)]
        every = await stage.app.record.workflows.of_ticket(stage.lab.ticket)
    end.check()
    assert end.outcome == "ticket_rejected"
    assert again == [(), (), ()]
    assert len(every) == 1


async def test_what_nobody_learnt_the_end_of_is_recorded_as_unknown_when_the_workflow_is_given_up(
    postgres: str,
) -> None:
    async with staged(INCIDENT, postgres, PACE) as stage:
        await spoil(stage, "github", at(LOST, "POST", "/pulls$"))
        workflow_id = await opened(stage)
        assert await run_once(stage, workflow_id) is Result.RETRYING
        before = await aftermath(stage, workflow_id)
        workflows = stage.app.record.workflows
        claim = await stop(
            workflows, before.state, "a person", timedelta(seconds=30), "cancelled", "nobody wants it any more"
        )
        await workflows.release(claim, due_in=timedelta(0))
        end = await followed(stage, workflow_id)
    assert {one["name"] for one in before.effects if one["status"] == "started"} == {"pull_request:fix"}
    end.check()
    assert end.outcome == "cancelled"
    assert {one["name"] for one in end.effects if one["status"] != "done"} == {"pull_request:fix"}
    assert "nobody wants it any more" in end.told


async def spoil(stage: Stage, service: str, *faults: Fault) -> None:
    """Let things go wrong."""
    for fault in faults:
        await stage.lab.control.add_fault(service, **fault)


def check_retrying(first: Aftermath, second: Aftermath, name: str) -> None:
    """Twice tried, a later third try due, and nothing lost."""
    for look, tries in ((first, 1), (second, 2)):
        assert look.state.detailed_state is DetailedState.RETRY
        assert look.state.retry_count == tries
        assert look.error[0] in ("transient", "rate_limited")
        assert look.error[1].startswith(f"{name}: ")
        assert look.problems == ()
        assert look.state.due_at is not None
    assert first.state.due_at is not None
    assert second.state.due_at is not None
    assert second.state.due_at > first.state.due_at


async def _refused(stage: Stage, service: str, status: int) -> Aftermath:
    """A ticket of its own while a service refuses everything with one status."""
    await spoil(stage, service, {"kind": "status", "status": status, "times": -1})
    end = await followed(stage, await opened(stage, await _ticket(stage)))
    await stage.lab.control.clear_faults()
    return end


async def _waiting(stage: Stage, service: str, fault: Fault) -> tuple[Aftermath, Aftermath]:
    """A ticket of its own that fails twice with something that may pass."""
    workflow_id = await opened(stage, await _ticket(stage))
    looks: list[Aftermath] = []
    await spoil(stage, service, {**fault, "times": -1})
    for _ in range(2):
        assert await run_once(stage, workflow_id) is Result.RETRYING
        looks.append(await aftermath(stage, workflow_id))
    await stage.lab.control.clear_faults()
    return looks[0], looks[1]


async def _untold(stage: Stage, status: int) -> tuple[Aftermath, Aftermath]:
    """A ticket of its own that Jira refuses to talk about, and what becomes of it when Jira has changed its mind."""
    workflow_id = await opened(stage, await _ticket(stage))
    await spoil(stage, "jira", {"kind": "status", "status": status, "times": -1})
    silent = await followed(stage, workflow_id)
    await stage.lab.control.clear_faults()
    return silent, await followed(stage, workflow_id)


async def _ticket(stage: Stage) -> str:
    return await stage.lab.control.create_ticket(summary="Something is wrong with the shop")

"""Scenarios that bear a name: each is one of the matrix, and must have been struck and have harmed nothing."""

import pytest

from tests.crash.lanes import Json, LaneProcess
from tests.crash.report import failed

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALL = "effect comment accepted: call"
MISHAPS = (
    "a call is unavailable once",
    "a call meets a storm",
    "a call is told to wait",
    "a call is cut when performed",
    "a call's answer is truncated",
)


def scenario(boundary: str, point: str, fault: str, context: str = "needs-human") -> Json:
    return {
        "do": "run", "number": 0, "seed": 3, "context": context, "boundary": boundary, "point": point, "fault": fault
    }  # fmt: skip


async def harmless(lane: LaneProcess, order: Json) -> list[Json]:
    """What came of scenarios, all of which were struck and to none of which the oracle objects."""
    answer = await lane.ask(order)
    answers: list[Json] = answer.get("answers", [answer])
    assert [one for one in answers if failed(one) or not one["struck"]] == []
    return answers


@pytest.mark.parametrize(
    ("boundary", "point"), [("effect comment accepted: start", "committed"), (CALL, "received"), (CALL, "performed")]
)
async def test_of_a_worker_paused_inside_an_effect_and_another_that_finishes_one_effect_remains(
    lane: LaneProcess, boundary: str, point: str
) -> None:
    [answer] = await harmless(lane, scenario(boundary, point, "pause"))
    assert answer["unknown"] == 0


async def test_a_worker_frozen_inside_a_transaction_keeps_nobody_waiting(lane: LaneProcess) -> None:
    await harmless(lane, scenario("effect comment accepted: start", "commit", "pause"))


async def test_postgres_restarted_in_a_step_in_a_commit_and_in_recovery_loses_nothing(lane: LaneProcess) -> None:
    where = (
        scenario("effect comment accepted: intent", "writing", "restart"),
        scenario("enter correlation", "commit", "restart"),
        scenario("enter correlation", "writing", "restart in recovery"),
    )
    await harmless(lane, {"do": "run together", "scenarios": where})


@pytest.mark.parametrize("boundary", ["enter correlation", "effect comment accepted: result", "claim"])
async def test_a_connection_cut_after_commit_was_sent_is_retried_and_counts_once(
    lane: LaneProcess, boundary: str
) -> None:
    await harmless(lane, scenario(boundary, "committed", "cut"))


@pytest.mark.parametrize("context", MISHAPS)
async def test_attempts_at_a_call_that_went_wrong_survive_a_kill_and_one_object_remains(
    lane: LaneProcess, context: str
) -> None:
    [answer] = await harmless(lane, scenario("retry due", "committed", "kill", context))
    assert answer["attempts"] == list(range(1, 4 if context == "a call meets a storm" else 2))


async def test_the_gap_that_a_service_asks_for_is_in_the_record(lane: LaneProcess) -> None:
    [answer] = await harmless(lane, scenario("retry due", "committed", "kill", "a call is told to wait"))
    assert answer["longest_gap"] >= 90.0

"""What ring 2 asks says no where it should."""

from random import Random
from typing import Any

from tests.crash.children import Child
from tests.crash.endings import END_BAR, RESUME_BAR, amounts, difference, late, objects
from tests.crash.plans import Plan


def world(*comments: str, merged: bool = False) -> dict[str, Any]:
    return {"tickets": [{"comments": list(comments)}], "pull_requests": [{"merged": merged}]}


def test_what_is_made_twice_is_seen_and_so_is_what_is_missing_or_too_much() -> None:
    expected = amounts(world("accepted", "analysis", "done", merged=True))

    assert expected == {"comment": 3, "merge": 1, "pull": 1}
    assert max(objects(world("accepted", "accepted")).values()) == 2
    assert difference(amounts(world("accepted", "analysis", "done", merged=True)), expected) == (0, 0)
    assert difference(amounts(world("accepted", "analysis", "done")), expected) == (1, 0)
    assert difference(amounts(world("accepted", "analysis", "again", "done", merged=True)), expected) == (0, 1)


def test_who_goes_on_or_ends_too_late_is_told() -> None:
    assert late(RESUME_BAR, END_BAR) == ()
    assert [said[:2] for said in late(RESUME_BAR + 1, END_BAR + 1)] == ["O7", "O7"]


async def test_a_plan_notes_when_the_next_step_is_recorded_after_its_strike() -> None:
    plan = Plan("enter correlation", "commit", "cut", Random(1))
    gate = plan.gate(_cut)
    one, other = Child("one"), Child("other")

    assert await gate(one, ("claim", "committed"))
    assert plan.resumed == 0.0
    assert not await gate(one, ("enter correlation", "commit"))
    for point in (("renew", "committed"), ("claim", "writing")):
        await gate(other, point)
        assert not plan.resumed_at
    await gate(other, ("claim", "committed"))
    assert plan.struck_at <= plan.resumed_at


async def _cut(_: Child) -> bool:
    return False

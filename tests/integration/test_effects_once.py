"""An outward call is performed once, or it is explicitly unknown; whatever happens between its three commits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sre_bot.domain.errors import EffectUnknown, GitHubAPIError, LeaseLost, Reason, StaleWriter
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.workflows import Workflows
from tests.cut_line import relay_to
from tests.record_runs import TTL, claimed, expire_lease

Json = dict[str, Any]
MAY_BE_DONE = (Reason.UNAVAILABLE, Reason.BAD_ANSWER)


class Killed(BaseException):
    """The process ends here."""


class Outside:
    """A foreign system that counts what it was asked to make, and can be searched."""

    def __init__(self) -> None:
        self.made: list[Json] = []
        self.looked = 0
        self.before: Exception | BaseException | None = None
        self.after: Exception | BaseException | None = None

    async def act(self, request: Json) -> Json:
        if self.before:
            raise self.before
        self.made.append(request)
        if self.after:
            raise self.after
        return {"number": len(self.made), "title": request["title"]}

    async def look(self, request: Json) -> Json | None:
        self.looked += 1
        return {"number": 1, "title": request["title"], "found": True} if request in self.made else None

    def recover(self) -> None:
        self.before = self.after = None


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def effects(database: Database) -> Effects:
    return Effects(database)


async def test_an_effect_is_performed_once_and_answers_every_time(
    workflows: Workflows, effects: Effects, outside: Outside
) -> None:
    claim = await claimed(workflows)
    answers = [
        await effects.once(claim, "open_pr", 1, {"title": f"try {n}"}, outside.act, outside.look) for n in range(3)
    ]

    assert outside.made == [{"title": "try 0"}] and outside.looked == 0
    assert answers == [{"number": 1, "title": "try 0"}] * 3
    [row] = await effects.of(claim.workflow_id)
    assert (row["name"], row["round"], row["status"], row["tries"]) == ("open_pr", 1, "done", 1)


async def test_rounds_and_names_are_effects_of_their_own(
    workflows: Workflows, effects: Effects, outside: Outside
) -> None:
    claim = await claimed(workflows)
    for name, round_ in (("open_pr", 1), ("open_pr", 2), ("comment", 1)):
        await effects.once(claim, name, round_, {"title": f"{name} {round_}"}, outside.act, outside.look)

    assert len(outside.made) == 3


async def test_killed_after_the_act_and_before_the_record_it_is_found(
    workflows: Workflows, effects: Effects, outside: Outside
) -> None:
    claim = await claimed(workflows)
    outside.after = Killed()
    with pytest.raises(Killed):
        await effects.once(claim, "open_pr", 1, {"title": "first"}, outside.act, outside.look)
    outside.recover()

    answer = await effects.once(claim, "open_pr", 1, {"title": "rendered anew"}, outside.act, outside.look)

    assert outside.made == [{"title": "first"}]
    assert answer == {"number": 1, "title": "first", "found": True}


async def test_killed_before_the_act_it_is_performed_with_the_stored_request(
    workflows: Workflows, effects: Effects, outside: Outside
) -> None:
    claim = await claimed(workflows)
    outside.before = Killed()
    with pytest.raises(Killed):
        await effects.once(claim, "open_pr", 1, {"title": "first"}, outside.act, outside.look)
    outside.recover()

    await effects.once(claim, "open_pr", 1, {"title": "rendered anew"}, outside.act, outside.look)

    assert outside.looked == 1 and outside.made == [{"title": "first"}]


async def test_what_may_have_happened_and_cannot_be_looked_up_is_unknown_for_good(
    workflows: Workflows, effects: Effects, outside: Outside
) -> None:
    claim = await claimed(workflows)
    outside.after = Killed()
    with pytest.raises(Killed):
        await effects.once(claim, "page", 1, {"title": "wake up"}, outside.act, None)
    outside.recover()

    for look in (None, outside.look):
        with pytest.raises(EffectUnknown, match="'page'"):
            await effects.once(claim, "page", 1, {"title": "wake up"}, outside.act, look)

    assert len(outside.made) == 1
    assert [row["status"] for row in await effects.of(claim.workflow_id)] == ["unknown"]


@pytest.mark.parametrize("reason", Reason)
async def test_a_refusal_is_known_not_performed_and_silence_is_not(
    reason: Reason, workflows: Workflows, effects: Effects, outside: Outside
) -> None:
    claim = await claimed(workflows)
    outside.before = GitHubAPIError("no", reason=reason)
    with pytest.raises(GitHubAPIError):
        await effects.once(claim, "open_pr", 1, {"title": "x"}, outside.act, None)
    outside.recover()

    again = effects.once(claim, "open_pr", 1, {"title": "x"}, outside.act, None)
    if reason in MAY_BE_DONE:
        with pytest.raises(EffectUnknown):
            await again
    else:
        assert (await again)["number"] == 1


@pytest.mark.parametrize("how", ["expired", "replaced"])
async def test_without_the_lease_nothing_is_performed(
    how: str, database: Database, workflows: Workflows, effects: Effects, outside: Outside
) -> None:
    claim = await claimed(workflows)
    await expire_lease(database, claim.workflow_id)
    if how == "replaced":
        await workflows.claim(claim.workflow_id, "worker-2", TTL)

    with pytest.raises(LeaseLost if how == "expired" else StaleWriter):
        await effects.once(claim, "open_pr", 1, {"title": "x"}, outside.act, outside.look)

    assert outside.made == [] and await effects.of(claim.workflow_id) == ()


async def test_the_fence_is_checked_again_after_looking(
    database: Database, workflows: Workflows, effects: Effects, outside: Outside
) -> None:
    claim = await claimed(workflows)
    outside.before = Killed()
    with pytest.raises(Killed):
        await effects.once(claim, "open_pr", 1, {"title": "x"}, outside.act, outside.look)
    outside.recover()

    async def look_for_long(request: Json) -> Json | None:
        await expire_lease(database, claim.workflow_id)
        await workflows.claim(claim.workflow_id, "worker-2", TTL)
        return await outside.look(request)

    with pytest.raises(StaleWriter):
        await effects.once(claim, "open_pr", 1, {"title": "x"}, outside.act, look_for_long)
    assert outside.made == []


async def test_a_worker_that_slept_inside_its_call_keeps_the_others_result_and_is_told_to_stop(
    database: Database, workflows: Workflows, effects: Effects, outside: Outside
) -> None:
    first = await claimed(workflows)
    performed, waking = asyncio.Event(), asyncio.Event()

    async def act_and_sleep(request: Json) -> Json:
        answer = await outside.act(request)
        performed.set()
        await waking.wait()
        return answer

    sleeping = asyncio.create_task(effects.once(first, "open_pr", 1, {"title": "x"}, act_and_sleep, outside.look))
    await performed.wait()
    await expire_lease(database, first.workflow_id)
    second = await workflows.claim(first.workflow_id, "worker-2", TTL)
    found = await effects.once(second, "open_pr", 1, {"title": "y"}, outside.act, outside.look)
    waking.set()

    with pytest.raises(StaleWriter):
        await sleeping
    assert len(outside.made) == 1 and found["found"]
    assert [row["result"] for row in await effects.of(first.workflow_id)] == [found]


@pytest.mark.parametrize("commit", [b"insert into effects", b"status = 'started'", b"status = 'done'"])
async def test_a_commit_whose_answer_was_lost_changes_nothing(
    commit: bytes, database_url: str, workflows: Workflows, outside: Outside
) -> None:
    claim = await claimed(workflows)
    async with relay_to(database_url) as (relay, url), Database.open(url) as through:
        relay.cut_next_commit(after=commit)
        answer = await Effects(through).once(claim, "open_pr", 1, {"title": "x"}, outside.act, outside.look)

    assert relay.cuts == 1
    assert (len(outside.made), answer["number"]) == (1, 1)


async def test_call_then_record_would_do_it_twice(workflows: Workflows, effects: Effects, outside: Outside) -> None:
    """The test of the tests above: the same kill on the naive way makes two."""
    claim = await claimed(workflows)
    record: dict[str, Json] = {}

    async def naive(act: Callable[[Json], Awaitable[Json]]) -> Json:
        if "open_pr" not in record:
            record["open_pr"] = await act({"title": "x"})
        return record["open_pr"]

    async def once(act: Callable[[Json], Awaitable[Json]]) -> Json:
        return await effects.once(claim, "open_pr", 1, {"title": "y"}, act, outside.look)

    outside.after = Killed()
    for way in (naive, once):
        with pytest.raises(Killed):
            await way(outside.act)
    outside.recover()
    await naive(outside.act)
    await once(outside.act)

    assert [request["title"] for request in outside.made] == ["x", "y", "x"]

"""Two workflows that run side by side have nothing of each other's: no key, no lock, no effect, no checkpoint."""

import asyncio
import json
from typing import Any

import pytest

from sre_bot.domain.errors import ArtifactNotFound, StaleWriter
from sre_bot.persistence.artifacts import Artifacts
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim, Workflows
from tests.law_graph import ACCEPTANCE, ANALYSIS, REMEDIATION, REVIEW, LawGraph, case
from tests.record_commands_stage import Commands
from tests.record_runs import TTL, claimed, rows, under

PLAN = ACCEPTANCE + ANALYSIS + REMEDIATION + REVIEW
TABLES = {
    "workflow_states": "workflow_id::text",
    "state_transitions": "workflow_id::text",
    "workflow_checkpoints": "workflow_id::text",
    "checkpoints": "thread_id",
    "checkpoint_blobs": "thread_id",
    "checkpoint_writes": "thread_id",
}


async def everything_of(database: Database, workflow_id: str) -> str:
    """All that the record holds of one workflow, as text; bytes as they are."""
    found: list[Any] = []
    for table, column in TABLES.items():
        statement = f"select row_to_json(t)::text as row from {table} as t where {column} = %s"
        found += await rows(database, statement.encode(), workflow_id)
    return json.dumps(found)


def as_hex(text: str) -> str:
    return text.encode().hex()


async def test_two_that_are_interleaved_step_by_step_hold_no_word_of_each_other(
    database: Database, workflows: Workflows, saver: AuditedSaver
) -> None:
    turn = asyncio.Barrier(2)
    claims = [await claimed(workflows, ticket) for ticket in ("ONE-1", "TWO-2")]

    async def run(claim: Any, ticket: str, secret: str) -> None:
        law_graph = LawGraph()

        async def take_turns() -> None:
            await turn.wait()

        for step in PLAN:
            for state in step.split("+"):
                law_graph.outputs[state] = {"context": {"secret": secret, f"key_of_{ticket}": state}}
                if "+" not in step:
                    law_graph.hooks[state] = take_turns
        await law_graph.compile(saver).ainvoke(case(ticket, plan=PLAN), under(claim))

    await asyncio.gather(run(claims[0], "ONE-1", "alpha-secret"), run(claims[1], "TWO-2", "omega-secret"))

    held = [await everything_of(database, claim.workflow_id) for claim in claims]
    for mine, others in (("alpha-secret", held[1]), ("omega-secret", held[0])):
        assert mine not in others and as_hex(mine) not in others
    for ticket, mine, others in (("ONE-1", *held), ("TWO-2", *held[::-1])):
        assert f"key_of_{ticket}" in mine and f"key_of_{ticket}" not in others


async def test_what_one_holds_or_has_done_is_not_the_others(database: Database, workflows: Workflows) -> None:
    one, two = await claimed(workflows, "ONE-1"), await claimed(workflows, "TWO-2")
    locks, effects = ResourceLocks(database), Effects(database)
    assert await locks.acquire(one, ("repository:acme/shop",))

    assert await locks.release(two.workflow_id) == ()
    assert [lock["workflow_id"] for lock in await locks.held()] == [one.workflow_id]
    assert not await locks.acquire(two, ("repository:acme/shop",))

    async def act(request: dict[str, Any]) -> dict[str, Any]:
        return {"done_for": request["ticket"]}

    first = await effects.once(one, "comment", 0, {"ticket": "ONE-1"}, act, None)
    second = await effects.once(two, "comment", 0, {"ticket": "TWO-2"}, act, None)
    assert (first["done_for"], second["done_for"]) == ("ONE-1", "TWO-2")
    assert [effect["request"] for effect in await effects.of(two.workflow_id)] == [{"ticket": "TWO-2"}]


async def test_an_artifact_is_read_by_those_who_stored_it_whoever_knows_its_hash(
    database: Database, workflows: Workflows
) -> None:
    one, two = [(await claimed(workflows, ticket)).workflow_id for ticket in ("ONE-1", "TWO-2")]
    artifacts = Artifacts(database)
    digest, both = await artifacts.put(one, "alpha-secret"), await artifacts.put(one, "seen by both")

    with pytest.raises(ArtifactNotFound, match=f"workflow {two} has no artifact"):
        await artifacts.get(two, digest)
    assert await artifacts.put(two, "seen by both") == both
    assert [await artifacts.get(each, both) for each in (one, two)] == [b"seen by both"] * 2
    assert len(await rows(database, b"select 1 from artifacts")) == 2
    assert await artifacts.get(one, digest) == b"alpha-secret"


async def test_a_fence_opens_its_own_workflow_only(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    one, two = await claimed(workflows, "ONE-1"), await claimed(workflows, "TWO-2")
    await workflows.release(one)
    one = await workflows.claim(one.workflow_id, "worker-1", TTL)
    borrowed = Claim(two.workflow_id, one.owner, one.fence)

    with pytest.raises(StaleWriter):
        await law_graph.compile(saver).ainvoke(case("TWO-2"), under(borrowed))


async def test_status_shows_who_stands_in_line_for_what(
    database: Database, workflows: Workflows, database_url: str, tmp_path: Any
) -> None:
    one, two = await claimed(workflows, "ONE-1"), await claimed(workflows, "TWO-2")
    locks = ResourceLocks(database)
    await locks.acquire(one, ("repository:acme/shop",))
    await locks.acquire(two, ("argocd:shop", "repository:acme/shop"))
    sre_bot = Commands(database_url, tmp_path)

    shown, listed = await sre_bot("status"), await sre_bot("status", "--json")

    assert f"TWO-2 {two.workflow_id[:8]} stands in line for argocd:shop, repository:acme/shop" in shown.out
    assert {one["ticket_id"]: one["waiting_for"] for one in listed.json} == {
        "ONE-1": [],
        "TWO-2": ["argocd:shop", "repository:acme/shop"],
    }

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sre_bot.domain.states import Position, TicketProcessingSubState
from sre_bot.lab.blindfold import can_blindfold
from sre_bot.persistence.scratch import scratch_database
from tests.acceptance_stage import environment, sre_bot


@pytest.fixture(scope="module")
def demo(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The demo, played twice on one database; the second time counts."""
    with asyncio.Runner() as runner:
        scratch = scratch_database(postgres)
        url = runner.run(scratch.__aenter__())
        yield runner.run(_played_twice(url, tmp_path_factory.mktemp("demo")))
        runner.run(scratch.__aexit__(None, None, None))


async def _played_twice(url: str, folder: Path) -> dict[str, Any]:
    env = {**environment({}, url, folder), "DEMO_JSON": str(folder / "demo.json")}
    first = await sre_bot(env, "demo")
    assert first.code == 0, first.err
    assert "resolved" in first.out
    second = await sre_bot(env, "demo", "--json")
    assert second.code == 0, second.err
    document = json.loads((folder / "demo.json").read_text())
    assert document == second.json
    return {**document, "database_url": url}


def test_the_demo_takes_a_ticket_through_a_change_request_to_a_validated_deployment(demo: dict[str, Any]) -> None:
    assert demo["outcome"] == "resolved"
    assert demo["verify"] == []
    assert demo["seconds"] < 60
    entered = [Position.parse(row["to"]) for row in demo["transitions"]]
    assert {position.sub for position in entered} >= set(TicketProcessingSubState)
    details = [str(position.detailed) for position in entered]
    assert details.count("changes_requested") == 1
    assert details.count("fix_generation") == 2
    assert details.count("pr_creation") == 2


def test_what_is_deployed_is_the_merge_of_what_was_approved(demo: dict[str, Any]) -> None:
    assert demo["synced_sha"] == demo["merged_sha"]
    (pull_request,) = demo["pull_requests"]
    assert pull_request["merged"]
    assert pull_request["merge_sha"] == demo["merged_sha"]
    assert pull_request["head"] == demo["approved_head"]


def test_each_outward_object_was_made_once(demo: dict[str, Any]) -> None:
    made = {route: count for route, count in demo["lab_requests"].items() if "POST" in route or "PUT" in route}
    pulls = [count for route, count in made.items() if route.startswith("github POST") and route.endswith("/pulls")]
    merges = [count for route, count in made.items() if route.startswith("github PUT") and route.endswith("/merge")]
    assert pulls == [1]
    assert merges == [1]


def test_the_rows_in_postgres_are_those_of_the_document(demo: dict[str, Any]) -> None:
    query = (
        "select from_state, to_state, timestamp, trigger_event, agent_id from state_transitions"
        " where workflow_id = %s order by version, ordinal"
    )
    with psycopg.connect(demo["database_url"]) as connection:
        rows = connection.execute(query, [demo["workflow_id"]]).fetchall()
    shown = [(row["from"], row["to"], row["trigger"], row["agent"]) for row in demo["transitions"]]
    assert [(a, b, trigger, agent) for a, b, _, trigger, agent in rows] == shown


def test_the_bot_cannot_read_the_incident(demo: dict[str, Any]) -> None:
    assert demo["incident_hidden_from_bot"] == can_blindfold()

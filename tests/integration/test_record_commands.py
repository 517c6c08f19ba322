"""``verify``, ``replay``, ``audit``, ``locks``, ``effects``, ``show --errors``, through the real command line."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Command

from sre_bot.domain.errors import ErrorType
from sre_bot.domain.states import DetailedState
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import LawGraph, case
from tests.record_commands_stage import Commands
from tests.record_runs import claimed, failure, rows, under

Json = dict[str, Any]


@pytest.fixture
def sre_bot(database_url: str, tmp_path: Path) -> Commands:
    return Commands(database_url, tmp_path)


@pytest.fixture
async def waiting(workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph) -> str:
    """A workflow that waits for its review."""
    claim = await claimed(workflows)
    await law_graph.compile(saver).ainvoke(case(), under(claim))
    await workflows.release(claim)
    return claim.workflow_id


async def tampered(database: Database, *statements: str) -> None:
    """Do what an owner of the database can do to the log."""
    async with database.transaction() as connection:
        await connection.execute("set local session_replication_role = replica")
        for statement in statements:
            await connection.execute(statement.encode())


async def test_a_sound_record_is_verified_and_exits_0(sre_bot: Commands, waiting: str, workflows: Workflows) -> None:
    await workflows.open("OPS-2", {})

    everything = await sre_bot("verify", "--json")
    one = await sre_bot("verify", "OPS-1")

    unasked = {"effects": 0, "silent": {}}
    assert (everything.code, everything.json) == (
        0,
        {"sound": True, "workflows": 2, "problems": [], "world": unasked},
    )
    assert (one.code, one.out) == (0, "1 looked at, 0 of them unsound; 0 effects found in the world.\n")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "delete from state_transitions where id = (select max(id) from state_transitions)",
            "the end of the log was cut off or replaced",
        ),
        ("update state_transitions set trigger_event = 'x' where version = 5", "transition 5.0 was changed"),
        ("update state_transitions set to_state = 'nowhere' where version = 5", "transition 5.0 was changed"),
        ("""update state_transitions set metadata = '{"patch": 1}' where version = 2""", "transition 2.0 was changed"),
        ("update workflow_states set retry_count = 7 where ticket_id = 'OPS-1'", "retry_count is 7"),
        ("delete from workflow_heads where checkpoint_ns = ''", "the head of '' is missing"),
    ],
)
async def test_verify_exits_1_and_names_the_workflow_and_what_disagrees(
    statement: str, said: str, sre_bot: Commands, waiting: str, workflows: Workflows, database: Database
) -> None:
    sound = await workflows.open("OPS-2", {})
    await tampered(database, statement)

    found = await sre_bot("verify", "--json")

    assert found.code == 1, found.err
    assert found.json["workflows"] == 2 and not found.json["sound"]
    assert any(said in problem["problem"] for problem in found.json["problems"]), found.json
    assert {(problem["ticket_id"], problem["workflow_id"]) for problem in found.json["problems"]} == {
        ("OPS-1", waiting)
    }
    assert (await sre_bot("verify", sound.workflow_id)).code == 0


async def test_verify_of_what_is_not_there_exits_2(sre_bot: Commands, waiting: str) -> None:
    found = await sre_bot("verify", "OPS-9")

    assert found.code == 2
    assert "no workflow or ticket begins with 'OPS-9'" in found.err


async def test_replay_shows_each_version_as_it_was_projected(
    sre_bot: Commands, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    seen: list[Json] = []

    async def look() -> None:
        seen.append((await workflows.get(claim.workflow_id)).to_dict())

    law_graph.hooks = dict.fromkeys(("correlation", "fix_generation", "approved"), look)
    graph = law_graph.compile(saver)
    await graph.ainvoke(case(), under(claim))
    await graph.ainvoke(Command(resume="wake up"), under(claim))
    seen.append((await workflows.get(claim.workflow_id)).to_dict())

    replayed = [(await sre_bot("replay", "OPS-1", "--version", str(one["version"]), "--json")).json for one in seen]

    for then, now in zip(seen, replayed, strict=True):
        for column in ("main_state", "sub_state", "detailed_state", "active_states", "context", "outcome"):
            assert now["state"].get(column) == then[column], (then["version"], column)
        assert now["since"] == then["entered_at"]
        assert now["newest_version"] == seen[-1]["version"]


async def test_replay_at_a_time_shows_what_had_been_written_by_then(
    sre_bot: Commands, waiting: str, workflows: Workflows
) -> None:
    log = await workflows.transitions(waiting)
    third, fourth = log[2].timestamp, log[3].timestamp

    at_third = (await sre_bot("replay", waiting, "--at", third.isoformat(), "--json")).json
    just_before = (
        await sre_bot("replay", waiting, "--at", (fourth - timedelta(microseconds=1)).isoformat(), "--json")
    ).json

    assert at_third["steps"][0]["to_state"] == log[2].to_state
    assert just_before["version"] == at_third["version"] == 4


async def test_replay_needs_nothing_but_the_log(sre_bot: Commands, waiting: str, database: Database) -> None:
    sound = (await sre_bot("replay", waiting, "--json")).json
    await tampered(database, "update workflow_states set detailed_state = 'approved', context = '{}'")

    assert (await sre_bot("replay", waiting, "--json")).json["state"] == sound["state"]
    assert sound["state"]["detailed_state"] == "awaiting_review"


async def test_replay_says_which_moments_there_are(sre_bot: Commands, waiting: str) -> None:
    wrong = {
        ("--version", "99"): "has the versions 1 to 17, not 99",
        ("--at", "2001-01-01"): "was opened later, at 20",
        ("--at", "yesterday"): "'yesterday' is no moment; write 2026-03-01",
        ("--at", "2001-01-01", "--version", "1"): "name a time or a version, not both",
    }
    for arguments, said in wrong.items():
        found = await sre_bot("replay", waiting, *arguments)
        assert found.code == 2, (arguments, found.err)
        assert said in found.err


async def test_replay_of_a_workflow_that_never_moved_is_at_rest(sre_bot: Commands, workflows: Workflows) -> None:
    await workflows.open("OPS-1", {})

    found = await sre_bot("replay", "OPS-1", "--json")

    assert (found.json["version"], found.json["state"], found.json["steps"]) == (1, {"main_state": "system_idle"}, [])


async def test_audit_exports_every_row_of_the_log_and_the_end_of_each_chain(
    sre_bot: Commands, waiting: str, workflows: Workflows, database: Database
) -> None:
    idle = await workflows.open("OPS-2", {})
    log = await rows(database, b"select * from state_transitions order by id")
    since = log[5]["timestamp"].isoformat()

    everything = [json.loads(line) for line in (await sre_bot("audit", "--json")).out.splitlines()]
    newer = [json.loads(line) for line in (await sre_bot("audit", "--since", since, "--json")).out.splitlines()]

    hashes = [one["hash"] for one in everything if one["kind"] == "transition"]
    assert hashes == [row["hash"].hex() for row in log]
    assert [one["hash"] for one in newer if one["kind"] == "transition"] == hashes[5:]
    heads = {one["workflow_id"]: one["chain_hash"] for one in everything if one["kind"] == "head"}
    assert heads == {waiting: hashes[-1], idle.workflow_id: ""}
    assert [one for one in newer if one["kind"] == "head"] == [one for one in everything if one["kind"] == "head"]
    text = (await sre_bot("audit")).out.splitlines()
    assert len(text) == len(everything)
    assert text[-2].endswith(f"at version 17: {hashes[-1]}")


async def test_a_log_that_was_rewritten_hashes_and_all_contradicts_the_anchors_that_were_kept_elsewhere(
    sre_bot: Commands, waiting: str, workflows: Workflows, database: Database, tmp_path: Path
) -> None:
    gone = await workflows.open("OPS-2", {})
    anchors = tmp_path / "anchors.jsonl"
    anchors.write_text((await sre_bot("audit", "--heads", "--json")).out)
    assert [json.loads(line)["kind"] for line in anchors.read_text().splitlines()] == ["head", "head"]
    assert (await sre_bot("verify", "--anchors", str(anchors))).code == 0
    await tampered(
        database,
        "update state_transitions set agent_id = 'somebody' where version = 17",
        "update state_transitions as t set hash = transition_hash(t) where version = 17",
        "update workflow_states as w set chain_hash = (select hash from state_transitions where version = 17)"
        " where version = 17",
        f"delete from workflow_states where workflow_id = '{gone.workflow_id}'",
    )
    assert (await sre_bot("verify")).code == 0

    found = await sre_bot("verify", "--anchors", str(anchors), "--json")

    assert found.code == 1
    assert {one["workflow_id"]: one["problem"].partition(";")[0] for one in found.json["problems"]} == {
        waiting: "at version 17 its log does not end in the hash that an anchor says: it was rewritten",
        gone.workflow_id: "it is missing",
    }


async def test_a_file_that_holds_no_anchors_is_bad_input(sre_bot: Commands, tmp_path: Path) -> None:
    said = {
        "": "there is no anchor in that file",
        "hello\n": "line 1 is not one that `sre-bot audit",
        "[1]\n": "line 1 is",
    }
    for text, reason in said.items():
        (tmp_path / "anchors").write_text(text)
        found = await sre_bot("verify", "--anchors", str(tmp_path / "anchors"))
        assert found.code == 2 and reason in found.err, (text, found.err)
    assert (await sre_bot("verify", "--anchors", "/nowhere")).code == 2


async def test_locks_lists_the_holder_and_those_in_line(
    sre_bot: Commands, workflows: Workflows, database: Database
) -> None:
    resource_locks = ResourceLocks(database)
    assert (await sre_bot("locks")).out == "Nothing is held.\n"
    holder, waiter = await claimed(workflows, "OPS-1"), await claimed(workflows, "OPS-2", "worker-2")
    assert await resource_locks.acquire(holder, ("repository:shop/orders",))
    assert not await resource_locks.acquire(waiter, ("repository:shop/orders",))

    found = (await sre_bot("locks", "--json")).json
    text = (await sre_bot("locks")).out

    [held], [line] = found["held"], found["waiting"]
    assert (held["resource"], held["ticket_id"]) == ("repository:shop/orders", "OPS-1")
    assert (line["resources"], line["workflow_id"]) == (["repository:shop/orders"], waiter.workflow_id)
    assert text.index("OPS-1") < text.index("waits: OPS-2")


async def test_effects_lists_intent_result_and_what_nobody_knows(
    sre_bot: Commands, workflows: Workflows, database: Database
) -> None:
    claim = await claimed(workflows)
    outside = Effects(database)

    async def act(request: Json) -> Json:
        return {"number": 7}

    async def cut(request: Json) -> Json:
        raise ConnectionResetError

    assert (await sre_bot("effects", "OPS-1")).out == "It has done nothing outside.\n"
    await outside.once(claim, "pull_request:fix", 0, {"title": "fix"}, act, None)
    with pytest.raises(ConnectionResetError):
        await outside.once(claim, "sync:shop", 0, {"revision": "a"}, cut, None)

    found = (await sre_bot("effects", "OPS-1", "--json")).json
    text = (await sre_bot("effects", "OPS-1")).out

    assert [(one["name"], one["status"], one["result"]) for one in found] == [
        ("pull_request:fix", "done", {"number": 7}),
        ("sync:shop", "started", None),
    ]
    assert found[0]["request"] == {"title": "fix"}
    assert "number 7" in text and "started" in text


async def test_show_errors_prints_each_error_with_its_traceback(
    sre_bot: Commands, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    assert (await sre_bot("show", "OPS-1", "--errors")).out == "Nothing went wrong.\n"
    await workflows.record_failure(
        claim,
        failure(claim, "Jira did not answer", ErrorType.TRANSIENT),
        state=DetailedState.TICKET_DETECTED,
        delay=timedelta(minutes=1),
        traceback="Traceback (most recent call last): here",
    )

    [error] = (await sre_bot("show", "OPS-1", "--errors", "--json")).json
    text = (await sre_bot("show", "OPS-1", "--errors")).out

    assert (error["error_type"], error["state"], error["attempt"]) == ("transient", "ticket_detected", 1)
    assert error["traceback"] == "Traceback (most recent call last): here"
    assert "Jira did not answer" in " ".join(text.split())
    assert "Traceback (most recent call last): here" in text

"""Whether the bot is alive and ready, with every reason, over HTTP and on the command line."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sre_bot.app import Record
from sre_bot.domain.errors import BadSetting
from sre_bot.evals.harness import Pace, Stage, staged
from sre_bot.persistence.database import Database
from sre_bot.server.health import health_app, listening
from sre_bot.worker.health import Health
from tests.acceptance_stage import environment, running
from tests.bad_input_stage import INCIDENT, opened, run_once
from tests.record_commands_stage import Commands
from tests.record_runs import claimed
from tests.running_labs import until

LONG = timedelta(hours=1)


@pytest.fixture
def record(database: Database) -> Record:
    return Record.of(database)


@pytest.fixture
def sre_bot(database_url: str, tmp_path: Path) -> Commands:
    return Commands(database_url, tmp_path)


@pytest.fixture
async def stage(postgres: str) -> AsyncGenerator[Stage]:
    async with staged(INCIDENT, postgres, Pace()) as stage:
        yield stage


def levels(health: Health) -> dict[str, str]:
    """The reasons that are not well."""
    return {reason.name: reason.level for reason in health.reasons if reason.level != "ok"}


async def execute(database: Database, statement: bytes) -> None:
    async with database.transaction() as connection:
        await connection.execute(statement)


async def test_a_bot_with_a_live_worker_and_nothing_wrong_is_ready(record: Record) -> None:
    await record.heartbeats.beat("vm:1", LONG, {})
    health = await record.examination().health()
    assert health.ready and levels(health) == {}
    names = {reason.name for reason in health.reasons}
    assert names >= {"database", "migrations", "heartbeat", "recovery", "paused", "services", "quarantined"}


async def test_without_a_worker_or_with_a_silent_one_it_is_not_ready(record: Record) -> None:
    assert levels(await record.examination().health()) == {"heartbeat": "bad"}
    await record.heartbeats.beat("vm:1", timedelta(0), {})
    found = await record.examination().health()
    assert levels(found) == {"heartbeat": "bad"} and "vm:1 has been silent" in str(found.to_dict())
    await record.heartbeats.beat("vm:2", LONG, {})
    assert levels(await record.examination().health()) == {"heartbeat": "noted"}
    assert levels(await record.examination().health("vm:1")) == {"heartbeat": "bad"}
    await record.heartbeats.leave("vm:1")
    assert levels(await record.examination().health()) == {}


async def test_a_database_that_is_away_is_the_reason(record: Record, postgres: str) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", record.database.pool)
    async with asyncio.timeout(30):
        await record.database.pool.close()
        health = await Record.of(nowhere).examination().health()
    assert levels(health) == {"database": "bad"}


async def test_pending_and_unknown_migrations_are_reasons(record: Record, database: Database) -> None:
    await record.heartbeats.beat("vm:1", LONG, {})
    await execute(database, b"update schema_migrations set name = '9999_newer' where name = '0007_restorations'")
    found = await record.examination().health()
    assert levels(found) == {"migrations": "bad"} and "9999_newer" in str(found.to_dict())
    await execute(database, b"delete from schema_migrations where name = '9999_newer'")
    found = await record.examination().health()
    assert levels(found) == {"migrations": "bad"} and "pending: 0007_restorations" in str(found.to_dict())


async def test_a_pause_of_all_is_a_reason_and_one_of_a_repository_is_noted(record: Record) -> None:
    await record.heartbeats.beat("vm:1", LONG, {})
    await record.requests.pause("acme/shop", "", "ann")
    assert levels(await record.examination().health()) == {"paused": "noted"}
    await record.requests.pause(None, "", "ann")
    assert levels(await record.examination().health()) == {"paused": "bad"}


async def test_what_a_dead_runner_left_and_nobody_takes_up_is_a_reason(record: Record, database: Database) -> None:
    await record.heartbeats.beat("vm:1", LONG, {})
    await claimed(record.workflows, "OPS-5")
    assert levels(await record.examination().health()) == {}
    await execute(database, b"update leases set expires_at = clock_timestamp() - interval '2 minutes'")
    found = await record.examination().health()
    assert levels(found) == {"recovery": "bad"} and "OPS-5" in str(found.to_dict())


async def test_quarantined_workflows_are_counted_and_keep_nobody_else_from_work(record: Record) -> None:
    await record.heartbeats.beat("vm:1", LONG, {})
    claim = await claimed(record.workflows)
    await record.quarantines.put(claim, "it kills", 5)
    found = await record.examination().health()
    assert found.ready and levels(found) == {"quarantined": "noted"}
    assert f"1 workflows wait for a person: {claim.workflow_id}" in str(found.to_dict())


async def test_services_that_did_not_answer_last_are_reasons(stage: Stage) -> None:
    app = stage.app
    await app.record.heartbeats.beat("vm:1", LONG, {"tickets": "Jira: no answer"})
    await stage.lab.control.add_fault(service="kubernetes", kind="status", path="/pods", status=503, times=99)
    await run_once(stage, await opened(stage))

    found = await app.record.examination().health()

    assert levels(found) == {"services": "bad"}
    said = next(reason.said for reason in found.reasons if reason.name == "services")
    assert said.startswith("Jira: no answer; Kubernetes: ") and stage.lab.ticket in said


async def test_a_service_that_cannot_reach_jira_says_so_in_its_heartbeat(stage: Stage) -> None:
    await stage.lab.control.add_fault(service="jira", kind="status", path="/search", status=503, times=999)
    service = replace(stage.app.service(), beat=timedelta(seconds=0.1))
    running = asyncio.create_task(service.run())
    try:
        workers = await until(stage.app.record.heartbeats.workers, lambda seen: bool(seen and seen[0].troubles))
    finally:
        service.stop()
        await running
    assert "Jira" in workers[0].troubles["tickets"]
    assert await stage.app.record.heartbeats.workers() == (), "who leaves by itself is not missed"


async def test_the_command_exits_0_when_ready_and_1_with_the_reasons_when_not(
    sre_bot: Commands, record: Record
) -> None:
    await record.heartbeats.beat("vm:1", LONG, {})
    ready = await sre_bot("health", "--json")
    await record.requests.pause(None, "a drill", "ann")
    paused = await sre_bot("health")
    away = await Commands("postgresql://nobody@127.0.0.1:1/none", sre_bot.data)("health", "--json")
    assert (ready.code, ready.json["ready"]) == (0, True)
    assert paused.code == 1 and "✗ paused: everything by ann" in paused.out
    assert away.code == 1 and [reason["name"] for reason in away.json["reasons"]] == ["database"]
    assert "Connection refused" in away.json["reasons"][0]["said"] and away.err == ""


async def test_serve_answers_whether_it_lives_and_is_ready(stage: Stage, tmp_path: Path) -> None:
    port = _free_port()
    url = stage.app.settings.database_url.get_secret_value()
    env = {**environment(stage.lab.environment, url, tmp_path), "HEALTH_PORT": str(port), "POLL_SECONDS": "30"}
    async with running(env, "serve") as serve, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        ready = await asyncio.wait_for(_answer(client, "/readyz", 200, serve), 60)
        live = await _answer(client, "/healthz", 200, serve)
        await stage.app.record.requests.pause(None, "", "ann")
        paused = await asyncio.wait_for(_answer(client, "/readyz", 503, serve), 30)
        serve.terminate()
        assert await asyncio.wait_for(serve.wait(), 30) == 0
    assert ready["ready"] and {reason["level"] for reason in ready["reasons"]} == {"ok"}
    assert live == {"live": True, "reason": "every part moves"}
    assert [reason["name"] for reason in paused["reasons"] if reason["level"] == "bad"] == ["paused"]


async def test_a_process_that_stands_still_is_not_alive_and_says_where() -> None:
    async def health() -> Health:
        return Health(())

    transport = httpx.ASGITransport(health_app(lambda: "sweep", health))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"live": False, "reason": "sweep"})


async def test_a_port_that_is_taken_is_named() -> None:
    async def health() -> Health:
        return Health(())

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadSetting, match="HEALTH_PORT"):
            async with listening(health_app(str, health), "127.0.0.1", taken.getsockname()[1]):
                pass


async def _answer(client: httpx.AsyncClient, path: str, status: int, serve: asyncio.subprocess.Process) -> Any:
    while True:
        assert serve.returncode is None, "serve ended by itself"
        try:
            answer = await client.get(path)
            if answer.status_code == status:
                return answer.json()
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])

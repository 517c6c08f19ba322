"""The graph under LangGraph Server: driven through its SDK, kept in our record."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from sre_bot.cli.demo import FIRST_INCIDENT
from sre_bot.graph.graph import GRAPH_VERSION
from sre_bot.lab.client import LabProcess
from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from tests.acceptance_stage import INCIDENTS, environment, running

ROOT = Path(__file__).parents[2]
OFFLINE = {"LANGSMITH_TRACING": "false", "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGCHAIN_TRACING_V2": "false"}


@asynccontextmanager
async def server(env: dict[str, str], folder: Path) -> AsyncGenerator[str]:
    """``langgraph dev``, offline, until the context ends; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "langgraph.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "langgraph"),
        "dev",
        "--no-browser",
        "--no-reload",
        "--port",
        str(port),
        "--config",
        str(ROOT / "langgraph.json"),
        cwd=ROOT,
        env={**env, **OFFLINE},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await asyncio.wait_for(_answers(url, process, folder / "langgraph.log"), 90)
        yield url
    finally:
        if process.returncode is None:
            os.killpg(process.pid, 9)
        await process.wait()


async def _answers(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async with httpx.AsyncClient() as client:
        while True:
            assert process.returncode is None, log.read_text()
            try:
                if (await client.get(f"{url}/ok")).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.2)


async def _at_its_end(client: LangGraphClient, thread: str) -> Any:
    """The state of a thread that runs no more and waits for nobody."""
    while True:
        state: Any = await client.threads.get_state(thread)
        if not state["next"]:
            return state
        await asyncio.sleep(0.5)  # the server can only be asked


@pytest.mark.parametrize("door", ["make_graph", "create_checkpointer"])
async def test_what_is_not_set_is_named_before_the_server_takes_a_run(
    door: str, database_url: str, tmp_path: Path
) -> None:
    code = f"import asyncio; from sre_bot.server import langgraph; asyncio.run(langgraph.{door}().__aenter__())"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        env=environment({}, database_url, tmp_path),
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert "BadSetting: not set: JIRA_URL, JIRA_TOKEN, JIRA_PROJECTS, NAMESPACES." in said.decode()


async def test_a_run_whose_durability_could_lose_steps_is_refused_by_name_and_leaves_a_sound_record(
    database_url: str, tmp_path: Path
) -> None:
    """Said in so many words, or by leaving it to the server, whose default is ``async``."""
    async with await LabProcess.start(INCIDENTS / FIRST_INCIDENT, speed=60) as lab:
        project = lab.ticket.partition("-")[0]
        async with server(environment(lab.environment, database_url, tmp_path / "data"), tmp_path) as url:
            client = get_client(url=url, timeout=120)
            threads, errors = list[str](), list[str]()
            for number, durability in enumerate((None, "exit", "async"), start=1):
                threads.append((await client.threads.create())["thread_id"])
                chosen: Any = {"durability": durability} if durability else {}
                ticket = {"ticket_id": f"{project}-{90_000 + number}"}
                said: Any = await client.runs.wait(threads[-1], "sre-bot", input=ticket, raise_error=False, **chosen)
                errors.append(said["__error__"]["error"])
    assert errors == ["WrongDurability"] * 3
    async with Database.open(database_url) as database:
        assert [await verify(database, thread) for thread in threads] == [()] * 3


async def test_a_ticket_runs_on_langgraph_server_to_the_interrupt_and_is_woken_there_by_an_approval(
    database_url: str, tmp_path: Path
) -> None:
    async with await LabProcess.start(INCIDENTS / FIRST_INCIDENT, speed=60) as lab:
        env = environment(lab.environment, database_url, tmp_path / "data")
        async with server(env, tmp_path) as url:
            client = get_client(url=url, timeout=120)
            thread = (await client.threads.create())["thread_id"]
            await client.runs.wait(thread, "sre-bot", input={"ticket_id": lab.ticket}, durability="sync")
            waiting: Any = await client.threads.get_state(thread, subgraphs=True)
            drawn: Any = await client.assistants.get_graph("sre-bot", xray=True)
            number = waiting["values"]["pull_request"]["number"]

            await client.runs.wait(thread, "sre-bot", command={"resume": {"approved": True}}, durability="sync")
            still: Any = await client.threads.get_state(thread)

            await lab.control.review(number, "approve")
            async with running({**env, "LANGGRAPH_URL": url}, "serve"):
                ended = await asyncio.wait_for(_at_its_end(client, thread), 120)
    assert waiting["next"] == ["review"]
    assert still["next"] == ["review"], "a resume value approves nothing"
    assert {node["id"].rpartition(":")[2] for node in drawn["nodes"]} >= {
        "awaiting_review",
        "data_collection",
        "pr_creation",
    }
    assert ended["next"] == []
    assert ended["values"]["outcome"] == "resolved"
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "select workflow_id::text, runner, graph_version, outcome from workflow_states"
        ).fetchall()
    assert rows == [(thread, "server", GRAPH_VERSION, "resolved")]
    async with Database.open(database_url) as database:
        assert await verify(database, thread) == ()

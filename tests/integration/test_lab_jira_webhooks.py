"""The lab's Jira tells those who asked for it, as Jira does."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab_worlds import Lab, lab_of
from tests.small_incidents import wrong_port

Json = dict[str, Any]
ISSUE = "/rest/api/2/issue/OPS-7"


@dataclass
class Listener:
    """A bare HTTP server that keeps what it is sent."""

    url: str = ""
    received: "asyncio.Queue[tuple[dict[str, str], bytes]]" = field(default_factory=asyncio.Queue)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        await self.received.put((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def next(self) -> Json:
        async with asyncio.timeout(10):
            return json.loads((await self.received.get())[1])


@pytest.fixture
async def listener() -> AsyncGenerator[Listener]:
    listener = Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    listener.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield listener


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncGenerator[Lab]:
    async with lab_of(wrong_port(), tmp_path) as lab:
        yield lab


@pytest.fixture
async def jira(lab: Lab) -> AsyncGenerator[httpx.AsyncClient]:
    async with lab.http("jira") as client:
        yield client


async def register(jira: httpx.AsyncClient, listener: Listener, *events: str, **more: str) -> Json:
    body = {"name": "bot", "url": listener.url, "events": list(events), **more}
    answer = await jira.post("/rest/webhooks/1.0/webhook", json=body)
    assert answer.status_code == 201
    return answer.json()


async def test_an_assignment_is_told_with_what_changed(jira: httpx.AsyncClient, listener: Listener) -> None:
    await register(jira, listener, "jira:issue_updated")
    await jira.put(f"{ISSUE}/assignee", json={"name": "dreyes"})
    told = await listener.next()
    assert (told["webhookEvent"], told["issue_event_type_name"]) == ("jira:issue_updated", "issue_assigned")
    assert (told["issue"]["key"], told["user"]["name"]) == ("OPS-7", "sre-bot")
    changed = told["changelog"]["items"][0]
    assert (changed["field"], changed["from"], changed["to"]) == ("assignee", "sre-bot", "dreyes")
    assert told["timestamp"] // 1000 >= 1_773_742_800


async def test_only_what_was_asked_for_is_told(jira: httpx.AsyncClient, listener: Listener) -> None:
    await register(jira, listener, "comment_created")
    await jira.put(f"{ISSUE}/assignee", json={"name": "dreyes"})
    await jira.post(f"{ISSUE}/comment", json={"body": "hello"})
    told = await listener.next()
    assert (told["webhookEvent"], told["comment"]["body"]) == ("comment_created", "hello")
    assert listener.received.empty()


async def test_new_and_moved_tickets_are_told(jira: httpx.AsyncClient, listener: Listener) -> None:
    await register(jira, listener, "jira:issue_created", "jira:issue_updated")
    filed = await jira.post("/rest/api/2/issue", json={"fields": {"project": {"key": "OPS"}, "summary": "x"}})
    assert (await listener.next())["issue"]["key"] == filed.json()["key"]
    move = (await jira.get(f"{ISSUE}/transitions")).json()["transitions"][0]
    await jira.post(f"{ISSUE}/transitions", json={"transition": {"id": move["id"]}})
    changed = (await listener.next())["changelog"]["items"][0]
    assert (changed["field"], changed["toString"]) == ("status", "In Progress")


async def test_a_secret_signs_the_body(jira: httpx.AsyncClient, listener: Listener) -> None:
    await register(jira, listener, "comment_created", secret="between us")
    await jira.post(f"{ISSUE}/comment", json={"body": "hello"})
    async with asyncio.timeout(10):
        headers, body = await listener.received.get()
    assert headers["x-hub-signature"] == "sha256=" + hmac.new(b"between us", body, hashlib.sha256).hexdigest()


async def test_a_removed_webhook_is_silent_and_a_dead_one_harms_nobody(
    jira: httpx.AsyncClient, listener: Listener
) -> None:
    first = await register(jira, listener, "comment_created")
    await register(jira, Listener("http://127.0.0.1:1/"), "comment_created")
    assert (await jira.delete(first["self"])).status_code == 204
    assert (await jira.delete(first["self"])).status_code == 404
    assert (await jira.post(f"{ISSUE}/comment", json={"body": "one"})).status_code == 201
    await register(jira, listener, "comment_created")
    await jira.post(f"{ISSUE}/comment", json={"body": "two"})
    assert (await listener.next())["comment"]["body"] == "two"


async def test_people_are_told_about_too(lab: Lab, jira: httpx.AsyncClient, listener: Listener) -> None:
    await register(jira, listener, "jira:issue_created")
    lab.world.tickets.create("From the pager", assignee=lab.world.tickets.bot)
    told = await listener.next()
    assert (told["user"]["name"], told["issue"]["fields"]["assignee"]["name"]) == ("dreyes", "sre-bot")

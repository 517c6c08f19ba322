"""What a LangGraph Server answers when a thread is to be woken; the server is a double at the wire."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sre_bot.domain.errors import LangGraphServerError, Reason
from sre_bot.tools.langgraph_server import LangGraphServer

THREAD = "5b1f5f7e-6d5c-4f0e-9d55-0d7c2b6f2a11"
WAITS = (200, {"thread_id": THREAD, "status": "interrupted", "metadata": {"assistant_id": "bot"}})
STARTED = (200, {"run_id": "r-1", "thread_id": THREAD, "status": "pending"})


@dataclass(slots=True)
class Double:
    """Answers each method with what it was told to, and keeps what it was asked."""

    answers: dict[str, tuple[int, Any]]
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list[tuple[str, dict[str, str], Any]])

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method = head[0].split()[0]
        self.asked.append((head[0], headers, json.loads(body) if body else None))
        status, said = self.answers[method]
        text = said if isinstance(said, bytes) else json.dumps(said).encode()
        writer.write(b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\nconnection: close\r\n" % status)
        writer.write(b"content-length: %d\r\n\r\n%s" % (len(text), text))
        await writer.drain()
        writer.close()


@asynccontextmanager
async def answering(**answers: tuple[int, Any]) -> AsyncGenerator[tuple[LangGraphServer, Double]]:
    double = Double(answers)
    async with await asyncio.start_server(double.answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield LangGraphServer(f"http://127.0.0.1:{port}/", "a-key", timeout=10), double


async def test_a_thread_that_waits_is_resumed_durably_under_its_own_assistant_and_only_where_nobody_runs_it() -> None:
    async with answering(GET=WAITS, POST=STARTED) as (server, double):
        assert await server.wake(THREAD)
    (_, headers, _), (line, _, sent) = double.asked
    assert headers["x-api-key"] == "a-key"
    assert line.startswith(f"POST /threads/{THREAD}/runs ")
    assert (sent["assistant_id"], sent["durability"], sent["multitask_strategy"]) == ("bot", "sync", "reject")
    assert sent["command"]["resume"]


@pytest.mark.parametrize("status", ["busy", "idle", "error"])
async def test_a_thread_that_waits_for_nobody_is_left_alone(status: str) -> None:
    async with answering(GET=(200, {**WAITS[1], "status": status})) as (server, double):
        assert not await server.wake(THREAD)
    assert len(double.asked) == 1


async def test_a_run_that_came_first_is_no_error() -> None:
    async with answering(GET=WAITS, POST=(409, {"detail": "thread is already running"})) as (server, _):
        assert not await server.wake(THREAD)


@pytest.mark.parametrize(
    ("status", "reason"), [(404, Reason.NOT_FOUND), (401, Reason.NOT_AUTHORISED), (403, Reason.NOT_AUTHORISED)]
)
async def test_what_the_server_refuses_is_named(status: int, reason: Reason) -> None:
    async with answering(GET=(status, {"detail": "no"})) as (server, _):
        with pytest.raises(LangGraphServerError, match=THREAD) as refused:
            await server.wake(THREAD)
    assert refused.value.reason is reason


async def test_a_thread_without_an_assistant_is_a_bad_answer() -> None:
    async with answering(GET=(200, {**WAITS[1], "metadata": None})) as (server, _):
        with pytest.raises(LangGraphServerError, match="no assistant"):
            await server.wake(THREAD)


@pytest.mark.parametrize("said", [b"<html>Please sign in</html>", b"", [], {"detail": "what?"}])
async def test_what_is_no_thread_is_a_bad_answer(said: Any) -> None:
    async with answering(GET=(200, said)) as (server, double):
        with pytest.raises(LangGraphServerError, match=THREAD) as refused:
            await server.wake(THREAD)
    assert refused.value.reason is Reason.BAD_ANSWER
    assert len(double.asked) == 1


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(LangGraphServerError) as refused:
        await LangGraphServer("http://127.0.0.1:9", timeout=2).wake(THREAD)
    assert refused.value.reason is Reason.UNAVAILABLE

"""What all the lab's servers share: the Date header, the request log, and faults on demand."""

import asyncio
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sre_bot.lab.clock import Clock

Service = Literal["jira", "github", "kubernetes", "argocd", "prometheus"]


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request as it was answered.

    ``route`` is the path with names in place of the values (``/rest/api/2/issue/{key}``), the path itself where no
    route was reached. ``status`` is 0 where the connection was cut before an answer.
    """

    service: Service
    method: str
    path: str
    query: str
    status: int
    at: str
    route: str = ""


@dataclass(slots=True)
class RequestLog:
    """Every request to the lab, in order, also written to a file as JSON lines."""

    file: Path
    requests: list[LoggedRequest] = field(default_factory=list[LoggedRequest])

    def add(self, request: LoggedRequest) -> None:
        """Append one request."""
        self.requests.append(request)
        with self.file.open("a") as out:
            out.write(json.dumps(asdict(request)) + "\n")


FaultKind = Literal["status", "delay", "cut", "timeout_performed", "truncate"]


@dataclass(slots=True)
class Fault:
    """What shall go wrong on a route.

    ``status``: answer that status with ``body`` and ``headers`` and do nothing. ``delay``: wait ``seconds`` first.
    ``cut``: close the connection without doing anything. ``timeout_performed``: do it, then close without an answer.
    ``truncate``: do it, then send half the body. ``path`` is a regular expression searched in the path; ``times``
    counts down, -1 is for ever.
    """

    service: Service
    kind: FaultKind
    method: str = ""
    path: str = ""
    status: int = 503
    seconds: float = 0.0
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    times: int = 1

    def hits(self, service: str, method: str, path: str) -> bool:
        """Whether this fault applies to a request."""
        return (
            self.times != 0
            and self.service == service
            and self.method in ("", method)
            and re.search(self.path, path) is not None
        )


@dataclass(slots=True)
class Wire:
    """ASGI middleware around one service of the lab.

    A cut needs the connection itself: ``server.CuttableProtocol`` passes it in ``scope["state"]["transport"]``.
    """

    service: Service
    app: ASGIApp
    clock: Clock
    log: RequestLog
    faults: list[Fault]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, with whatever fault is due."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (b"date", self.clock.http_date().encode())]}
            await send(message)

        try:
            await self._serve(self._due_fault(request), scope, receive, answer)
        finally:
            url = request.url
            self.log.add(
                LoggedRequest(
                    self.service, request.method, url.path, url.query, status, self.clock.stamp(), _route(request)
                )
            )

    def _due_fault(self, request: Request) -> Fault | None:
        fault = next((f for f in self.faults if f.hits(self.service, request.method, request.url.path)), None)
        if fault and fault.times > 0:
            fault.times -= 1
        return fault

    async def _serve(self, fault: Fault | None, scope: Scope, receive: Receive, send: Send) -> None:
        kind = fault.kind if fault else None
        if fault and kind == "status":
            response = Response(fault.body, fault.status, fault.headers, media_type="application/json")
            await response(scope, receive, send)
        elif kind == "cut":
            await _cut(scope)
        elif kind == "timeout_performed":
            await self.app(scope, receive, _swallowed)
            await _cut(scope)
        elif kind == "truncate":
            await self._serve_half(scope, receive, send)
        else:
            await asyncio.sleep(fault.seconds if fault else 0)
            await self.app(scope, receive, send)

    async def _serve_half(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in messages[1:])
        headers = [(name, value) for name, value in messages[0]["headers"] if name != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({**messages[0], "headers": headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        scope["state"]["transport"].close()


def _route(request: Request) -> str:
    route = request.url.path
    for name, value in request.path_params.items():
        if name == "version":  # of the API: it belongs to the route
            continue
        route = re.sub(rf"(?<=/){re.escape(str(value))}(?=/|$|\.)", "{" + name + "}", route, count=1)
    return route


async def _cut(scope: Scope) -> None:
    scope["state"]["transport"].abort()
    await asyncio.sleep(0)  # lets the protocol notice, or it would try to send a 500


async def _swallowed(message: Message) -> None:
    """Drop an answer that the client never sees."""

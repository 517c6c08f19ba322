"""An OpenAI-compatible endpoint that answers from a script and remembers what it was asked."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Answer = dict[str, Any] | str | int


@dataclass(slots=True)
class ScriptedModel:
    """``answers`` are given in order, the last one for ever: a dict calls the only tool with it, a text is said, an int
    is an HTTP status."""

    answers: Sequence[Answer]
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    url: str = ""

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append(body)
        if isinstance(answer, int):
            return JSONResponse({"error": {"message": "no", "type": "x"}}, answer)
        message: dict[str, Any] = {"role": "assistant", "content": answer if isinstance(answer, str) else None}
        if isinstance(answer, dict):
            tool = body["tools"][0]["function"]["name"]
            call = {"name": tool, "arguments": json.dumps(answer)}
            message["tool_calls"] = [{"id": f"call_{len(self.asked)}", "type": "function", "function": call}]
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if isinstance(answer, dict) else "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return JSONResponse(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "scripted",
                "choices": [choice],
                "usage": usage,
            }
        )

    async def models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "scripted", "object": "model"}]})

    @property
    def question(self) -> str:
        """What it was asked first."""
        return str(self.asked[0]["messages"][-1]["content"])


@asynccontextmanager
async def scripted_model(*answers: Answer) -> AsyncGenerator[ScriptedModel]:
    """The endpoint, listening on loopback until the context ends."""
    model = ScriptedModel(answers)
    app = Starlette(
        routes=[Route("/v1/chat/completions", model.complete, methods=["POST"]), Route("/v1/models", model.models)]
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    model.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield model
    finally:
        server.should_exit = True
        await serving

"""Clone, fetch and push over smart HTTP, through git's own ``http-backend``."""

import asyncio
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sre_bot.lab.git_repository import git_environment, git_program
from sre_bot.lab.hub import Hub

_CHUNK = 65536


class GitHttp:
    """The endpoints under ``/{owner}/{repo}.git``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        """All routes, from the server's root."""
        folder = "/{owner}/{repo}.git"
        return [
            Route(folder + "/info/refs", self.serve),
            Route(folder + "/git-upload-pack", self.serve, methods=["POST"]),
            Route(folder + "/git-receive-pack", self.serve, methods=["POST"]),
        ]

    async def serve(self, request: Request) -> Response:
        """Hand one request to git and stream its answer."""
        name = f"{request.path_params['owner']}/{request.path_params['repo']}"
        if not self._hub.name or name.lower() != self._hub.name.lower():
            return Response("Repository not found.", 404, media_type="text/plain")
        process = await asyncio.create_subprocess_exec(
            git_program(),
            "http-backend",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=git_environment(self._hub.root) | self._variables(request),
        )
        feeding = asyncio.create_task(_feed(process, request))
        try:
            status, headers = await _head(process)
        except BaseException:
            await _end(process, feeding)
            raise
        return Piped(process, feeding, status, headers)

    def _variables(self, request: Request) -> dict[str, str]:
        """The request as CGI variables (RFC 3875)."""
        suffix = request.url.path.partition(".git/")[2]
        return {
            "GIT_PROJECT_ROOT": str(self._hub.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{self._hub.name}.git/{suffix}",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.url.query,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "REMOTE_USER": request.state.login,
            "REMOTE_ADDR": "127.0.0.1",
        }


class Piped(Response):
    """What git prints, sent as it comes.

    Starlette's own streaming answer listens for the end of the connection and would swallow what git has yet to read.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, feeding: "asyncio.Task[None]", status: int, headers: dict[str, str]
    ) -> None:
        super().__init__(None, status, headers)
        del self.headers["content-length"]
        self._process = process
        self._feeding = feeding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; git is gone afterwards."""
        assert self._process.stdout is not None
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while chunk := await self._process.stdout.read(_CHUNK):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await _end(self._process, self._feeding)


async def _feed(process: asyncio.subprocess.Process, request: Request) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError, ClientDisconnect):  # either side may stop early
        async for chunk in request.stream():
            process.stdin.write(chunk)
            await process.stdin.drain()
    process.stdin.close()


async def _head(process: asyncio.subprocess.Process) -> tuple[int, dict[str, str]]:
    assert process.stdout is not None
    status, headers = 200, dict[str, str]()
    while line := (await process.stdout.readline()).decode().strip():
        name, _, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value.strip()
    return status if headers else 500, headers


async def _end(process: asyncio.subprocess.Process, feeding: "asyncio.Task[None]") -> None:
    feeding.cancel()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    await process.wait()

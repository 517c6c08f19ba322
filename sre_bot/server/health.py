"""``/healthz`` and ``/readyz``: whether this process should be restarted, and whether it can work."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sre_bot.domain.errors import BadSetting
from sre_bot.worker.health import Health


class QuietServer(uvicorn.Server):
    """A server inside a process that handles its own signals."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to the process."""
        yield


def health_app(stuck: Callable[[], str], health: Callable[[], Awaitable[Health]]) -> Starlette:
    """The two pages: ``stuck`` says in which part the process stands still, empty where it does not."""

    async def healthz(_: Request) -> JSONResponse:
        where = stuck()
        said = {"live": not where, "reason": where or "every part moves"}
        return JSONResponse(said, status_code=503 if where else 200)

    async def readyz(_: Request) -> JSONResponse:
        found = await health()
        return JSONResponse(found.to_dict(), status_code=200 if found.ready else 503)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])


@asynccontextmanager
async def listening(app: Starlette, host: str, port: int) -> AsyncGenerator[None]:
    """Answer at ``host`` and ``port`` as long as the context lives. Raises ``BadSetting`` where that is taken."""
    server = QuietServer(uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False, lifespan="off"))
    config = server.config
    try:
        sock = config.bind_socket()
    except SystemExit as error:
        raise BadSetting(f"HEALTH_PORT: nobody can listen on {host}:{port}") from error
    serving = asyncio.create_task(server.serve([sock]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        sock.close()

"""The lab's GitHub on a free port, in the test's own event loop, for real clients to talk to."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from sre_bot.lab import github
from sre_bot.lab.hub import Hub
from sre_bot.lab.recording import Recording
from sre_bot.lab.server import CuttableProtocol
from sre_bot.lab.wire import Fault, FaultKind, Wire
from sre_bot.lab.world import World
from tests.openapi import Description, Judge

DATA = Path(__file__).parent / "data"
SHOP = DATA / "github" / "shop"
NOTHING = DATA / "github" / "nothing"
"""An incident without a repository: a server and nothing behind it."""
REPOSITORY = "acme/shop"
SPECIFICATION = DATA / "github-openapi.json"


@dataclass(frozen=True, slots=True, repr=False)
class Site:
    """A served GitHub, its state, and the judge of what was said."""

    world: World
    url: str
    judge: Judge

    @property
    def hub(self) -> Hub:
        return self.world.hub

    @property
    def token(self) -> str:
        return self.world.token

    def fail(self, kind: FaultKind, **fault: Any) -> None:
        """Let something go wrong; the keywords are the fields of ``Fault``."""
        self.world.faults.append(Fault("github", kind, **fault))


@asynccontextmanager
async def served(folder: Path, incident: Path = SHOP, *, requests_per_hour: int = 5000) -> AsyncGenerator[Site]:
    """Serve an incident's GitHub; at the end all that was said must have followed GitHub's description."""
    world = World.of(Recording.load(incident), folder)
    world.hub = Hub.create(world)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    world.urls["github"] = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = github.app(world, requests_per_hour=requests_per_hour)
    judge = Judge(app, Description.load(SPECIFICATION))
    server = uvicorn.Server(_config(Wire("github", judge, world.clock, world.log, world.faults)))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield Site(world, world.urls["github"], judge)
    finally:
        server.should_exit = True
        await running
    assert judge.complaints == [], "what was said does not follow GitHub's description"


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        date_header=False,
        server_header=False,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )


async def git(*arguments: str, cwd: Path, stdin: bytes = b"", check: bool = True) -> str:
    """Run the real git as a person would, with nothing of this machine's settings."""
    home = str(cwd)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{role}_{part}": "dana@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")},
    }
    process = await asyncio.create_subprocess_exec(
        str(shutil.which("git")),
        *arguments,
        cwd=cwd,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(stdin)
    text = output.decode(errors="replace")
    assert process.returncode == 0 or not check, text
    return text


def with_token(url: str, token: str) -> str:
    """A clone URL that carries a token, as people paste it."""
    return url.replace("http://", f"http://x-access-token:{token}@")

"""The lab's Kubernetes API over TLS on a free port, in the test's own event loop, for real clients to talk to."""

import asyncio
import base64
import os
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml
from starlette.types import ASGIApp

from sre_bot.lab import kubernetes
from sre_bot.lab.certificate import Certificate
from sre_bot.lab.recording import Recording
from sre_bot.lab.server import CuttableProtocol
from sre_bot.lab.wire import Wire
from sre_bot.lab.world import World

SHOP = Path(__file__).parent / "data" / "kubernetes" / "shop"
KUBECTL = Path(sys.executable).parent / "kubectl"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The output as words, line by line."""
        return [line.split() for line in self.out.splitlines()]


def wired(world: World, wrap: Callable[[ASGIApp], ASGIApp] | None = None) -> Wire:
    """The API of a world behind the lab's wire."""
    app = kubernetes.app(world)
    return Wire("kubernetes", wrap(app) if wrap else app, world.clock, world.log, world.faults)


def client(world: World, token: str) -> httpx.AsyncClient:
    """An HTTP client that talks to the API without a socket; an empty token is not sent."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(wired(world))
    return httpx.AsyncClient(transport=transport, base_url="https://lab", headers=headers)


@dataclass(frozen=True, slots=True)
class Served:
    """A served world and how to reach it."""

    world: World
    url: str
    certificate: Certificate
    kubeconfig: Path

    def http(self) -> httpx.AsyncClient:
        """A plain HTTP client with the bot's token."""
        trust = ssl.create_default_context(cadata=self.certificate.pem.decode())
        headers = {"Authorization": f"Bearer {self.world.token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, verify=trust, timeout=20)

    async def kubectl(self, *arguments: str) -> Answer:
        """Run the real kubectl against the lab."""
        process = await start_kubectl(self.kubeconfig, *arguments)
        out, err = await asyncio.wait_for(process.communicate(b""), 60)
        assert process.returncode is not None
        return Answer(process.returncode, out.decode(), err.decode())


async def start_kubectl(kubeconfig: Path, *arguments: str) -> asyncio.subprocess.Process:
    """Start the real kubectl and leave it running."""
    pipe = asyncio.subprocess.PIPE
    environment = {"PATH": os.environ["PATH"], "HOME": str(kubeconfig.parent), "KUBECONFIG": str(kubeconfig)}
    return await asyncio.create_subprocess_exec(
        KUBECTL, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    )


@asynccontextmanager
async def served(
    folder: Path, incident: Path = SHOP, *, wrap: Callable[[ASGIApp], ASGIApp] | None = None
) -> AsyncGenerator[Served, None]:
    """Serve an incident's cluster. ``wrap`` may put something between the wire and the API, as a proxy would."""
    world = World.of(Recording.load(incident), folder)
    certificate = Certificate.create(folder)
    listening = _free_port()
    server = uvicorn.Server(_config(wired(world, wrap), certificate))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    try:
        yield Served(world, url, certificate, write_kubeconfig(folder / "kubeconfig", url, certificate, world.token))
    finally:
        server.should_exit = True
        await running


def write_kubeconfig(file: Path, url: str, certificate: Certificate | None, token: str) -> Path:
    """Write a kubeconfig with one context, ``lab``, whose namespace is ``shop``."""
    cluster: dict[str, Any] = {"server": url}
    if certificate:
        cluster["certificate-authority-data"] = base64.b64encode(certificate.pem).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "bot", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "bot", "namespace": "shop"}}],
    }
    file.write_text(yaml.safe_dump(content))
    return file


def _free_port() -> socket.socket:
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # or asyncio leaves Nagle on: 40 ms for every answer
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    return listening


def _config(app: ASGIApp, certificate: Certificate) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        date_header=False,
        server_header=False,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=0,
        ssl_certfile=certificate.certificate_file,
        ssl_keyfile=certificate.key_file,
    )

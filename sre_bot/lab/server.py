"""The lab's process: its servers on loopback in one event loop, one port each, all over one ``World``."""

import asyncio
import base64
import fcntl
import json
import os
import shutil
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import uvicorn
import yaml
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sre_bot.domain.errors import BadInput
from sre_bot.lab import argocd, control, github, jira, kubernetes, metrics
from sre_bot.lab.certificate import Certificate
from sre_bot.lab.delivery import Delivery
from sre_bot.lab.hub import Hub
from sre_bot.lab.recording import Recording
from sre_bot.lab.tickets import Tickets
from sre_bot.lab.wire import Service, Wire
from sre_bot.lab.world import READY_FILE, REQUESTS_FILE, World

HOST = "127.0.0.1"
_APPS = {
    "jira": jira.app,
    "github": github.app,
    "kubernetes": kubernetes.app,
    "argocd": argocd.app,
    "prometheus": metrics.app,
}


@dataclass(frozen=True, slots=True)
class LabOptions:
    """How to run a lab. A port that is missing or 0 is chosen by the system; ``speed`` multiplies the clock.

    ``cloud`` makes Jira a Cloud site instead of a Data Center; ``with_parent`` ends the lab when its standard input
    closes, which happens when its parent dies, however it dies.
    """

    incident: Path
    data: Path
    ports: dict[str, int] = field(default_factory=dict[str, int])
    speed: float = 1.0
    cloud: bool = False
    auto_sync: bool = False
    with_parent: bool = False


class CuttableProtocol(H11Protocol):
    """HTTP/1.1 that hands each request its connection, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the connection where the wire finds it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class SecondServer(uvicorn.Server):
    """A server beside another one in the same process, which alone handles the signals; it stops with that one."""

    def __init__(self, config: uvicorn.Config, first: uvicorn.Server) -> None:
        super().__init__(config)
        self._first = first

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals to the first server."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Look whether the first server is stopping."""
        self.should_exit = self.should_exit or self._first.should_exit
        return await super().on_tick(counter)


@dataclass(frozen=True, slots=True)
class Switchboard:
    """Passes each request to the service whose port it came in on."""

    apps: dict[int, ASGIApp]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self.apps[scope["server"][1]](scope, receive, send)


def build_world(options: LabOptions) -> World:
    """Read the incident and set up its systems. Raises ``BadRecording``."""
    world = World.of(Recording.load(options.incident), options.data, speed=options.speed, cloud=options.cloud)
    world.tickets = Tickets.of(world.recording.incident.ticket, world.clock, world.bot_account, cloud=options.cloud)
    world.hub = Hub.create(world)
    world.delivery = Delivery(world, auto_sync=options.auto_sync)
    return world


async def run(options: LabOptions) -> None:
    """Serve until SIGTERM, SIGINT or, with ``with_parent``, the end of the standard input.

    Raises ``BadRecording``, and ``BadInput`` where another lab serves from the same data directory.
    """
    with _only_lab_in(options.data):
        await _serve(options)


async def _serve(options: LabOptions) -> None:
    world = build_world(options)
    sockets = {name: _listen(options.ports.get(name, 0)) for name in (*_APPS, "control")}
    certificate = Certificate.create(options.data)
    urls = {name: f"http://{HOST}:{_port(sock)}" for name, sock in sockets.items()}
    urls["kubernetes"] = urls["kubernetes"].replace("http:", "https:")
    world.urls.update({cast(Service, name): urls[name] for name in _APPS})
    apps: dict[str, ASGIApp] = {
        name: Wire(cast(Service, name), make(world), world.clock, world.log, world.faults)
        for name, make in _APPS.items()
    }
    apps["control"] = control.app(world)
    server = uvicorn.Server(_config(Switchboard({_port(sock): apps[name] for name, sock in sockets.items()})))
    await world.delivery.begin()
    _announce(world, urls, certificate)
    if options.with_parent:
        _stop_with_parent(server)
    secure = SecondServer(_config(apps["kubernetes"], certificate), server)
    beside = asyncio.create_task(secure.serve(sockets=[sockets.pop("kubernetes")]))
    try:
        await server.serve(sockets=list(sockets.values()))
    finally:
        secure.should_exit = True
        await beside


def environment(world: World) -> dict[str, str]:
    """The settings that connect the bot to this lab; those of what the incident lacks are missing."""
    incident = world.recording.incident
    settings = {
        "JIRA_URL": world.urls["jira"],
        "JIRA_USER": world.tickets.bot.login,
        "JIRA_TOKEN": world.token,
        "JIRA_CLOUD": str(world.cloud).lower(),
        "JIRA_PROJECTS": incident.ticket.key.rpartition("-")[0],
        "KUBECONFIG": str(world.data / "kubeconfig"),
        "NAMESPACES": ",".join(world.recording.namespaces),
    }
    if incident.repository:
        settings["GITHUB_URL"] = world.urls["github"]
        settings["GITHUB_TOKEN"] = world.token
        settings["GITHUB_REPOSITORIES"] = incident.repository.name
    if incident.argocd:
        settings["ARGOCD_URL"] = world.urls["argocd"]
        settings["ARGOCD_TOKEN"] = world.token
        settings["ARGOCD_APPLICATIONS"] = incident.argocd.application
    if (world.recording.folder / "metrics").is_dir():
        settings["PROMETHEUS_URL"] = world.urls["prometheus"]
    return settings


@contextmanager
def _only_lab_in(data: Path) -> Generator[None]:
    """Hold the data directory, empty of what the last lab left there; it is empty of us again afterwards."""
    with (data / "lab.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(f"a lab is already serving from {data}") from error
        shutil.rmtree(data / "git", ignore_errors=True)
        for name in (REQUESTS_FILE, READY_FILE, "kubeconfig"):
            (data / name).unlink(missing_ok=True)
        try:
            yield
        finally:
            (data / READY_FILE).unlink(missing_ok=True)


def _listen(port: int) -> socket.socket:
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # or asyncio leaves Nagle on: 40 ms for every answer
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((HOST, port))
    listening.listen(128)
    return listening


def _port(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def _config(app: ASGIApp, certificate: Certificate | None = None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        date_header=False,
        server_header=False,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=0,
        ssl_certfile=certificate.certificate_file if certificate else None,
        ssl_keyfile=certificate.key_file if certificate else None,
    )


def _announce(world: World, urls: dict[str, str], certificate: Certificate) -> None:
    """Write the kubeconfig and the ready file, and print the ready line. The sockets already listen."""
    _write_private(world.data / "kubeconfig", yaml.safe_dump(_kubeconfig(world, certificate)))
    ready = {
        "pid": os.getpid(),
        "urls": urls,
        "token": world.token,
        "control_token": world.control_token,
        "data": str(world.data),
        "ticket": world.recording.incident.ticket.key,
        "environment": environment(world),
    }
    _write_private(world.data / READY_FILE, json.dumps(ready))
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def _kubeconfig(world: World, certificate: Certificate) -> dict[str, Any]:
    trust = base64.b64encode(certificate.pem).decode()
    cluster = {"server": world.urls["kubernetes"], "certificate-authority-data": trust}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "lab", "user": {"token": world.token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab", "namespace": "default"}}],
    }


def _stop_with_parent(server: uvicorn.Server) -> None:
    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            server.should_exit = True
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), read)

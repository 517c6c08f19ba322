"""Three Jiras to hold the client against: the lab's two kinds, and an independent Data Center double."""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sre_bot.tools.jira import Jira
from tests.running_labs import new_project, shared_lab
from tests.small_incidents import wrong_port

Json = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a Jira runs and how to log in."""

    kind: str
    url: str
    login: tuple[str, str]

    @property
    def cloud(self) -> bool:
        """Whether it is a Cloud site."""
        return self.kind == "cloud"


@dataclass(frozen=True)
class Site:
    """A running Jira: our client, plain HTTP as the same account, and a project, the test's own if possible."""

    place: Place
    jira: Jira
    http: httpx.AsyncClient
    project: str
    me: Json

    async def file(self, summary: str, **fields: Any) -> str:
        """File a ticket as JSON over HTTP; its key."""
        wanted = {"project": {"key": self.project}, "issuetype": {"name": "Bug"}, "summary": summary, **fields}
        answer = await self.http.post("/rest/api/2/issue", json={"fields": wanted})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key"])

    async def raw(self, path: str) -> Any:
        """What v2 of the API says."""
        answer = await self.http.get(f"/rest/api/2/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def running_jira(kind: str, folder: Path) -> Generator[Place]:
    """Run a Jira: ``data_center``, ``cloud`` or ``independent``."""
    if kind == "independent":
        with _independent(folder) as url:
            yield Place(kind, url, ("admin", "unused"))
        return
    with shared_lab(wrong_port(), folder, *(["--cloud"] if kind == "cloud" else [])) as lab:
        settings = lab.environment
        yield Place(kind, settings["JIRA_URL"], (settings["JIRA_USER"], settings["JIRA_TOKEN"]))


@asynccontextmanager
async def site_of(place: Place) -> AsyncGenerator[Site]:
    """Clients for a running Jira."""
    jira = Jira(place.url, *place.login, cloud=place.cloud)
    async with httpx.AsyncClient(base_url=place.url, auth=place.login, timeout=20) as http:
        account = (await http.get("/rest/api/2/myself")).json()
        field = "accountId" if place.cloud else "name"
        project = "JIRA820" if place.kind == "independent" else new_project()
        yield Site(place, jira, http, project, {field: account[field]})


@contextmanager
def _independent(folder: Path) -> Generator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "jira820"]
    environment = {**os.environ, "JIRA820_PORT": str(port)}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, cwd=folder, stdout=quiet, stderr=quiet) as process:
        try:
            _wait_until_it_answers(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_until_it_answers(url: str) -> None:
    """Connect again and again, with growing pauses, for at most a minute."""
    with httpx.Client(base_url=url, transport=httpx.HTTPTransport(retries=7)) as client:
        client.get("/rest/api/2/serverInfo").raise_for_status()

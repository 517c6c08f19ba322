"""Labs as processes of their own over a small incident, and clients for them.

A test that only needs a Jira or an Argo CD to talk to shares one lab with the other tests of its module, and keeps to
tickets of its own; a test that changes the world starts its own.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from sre_bot.lab.client import LabAddress, LabProcess
from tests.small_incidents import SmallIncident

T = TypeVar("T")


@asynccontextmanager
async def running_lab(incident: SmallIncident, folder: Path, **options: Any) -> AsyncGenerator[LabProcess]:
    """Start a lab and stop it at the end."""
    async with await LabProcess.start(incident.write(folder / "incident"), **options) as lab:
        yield lab


@contextmanager
def shared_lab(incident: SmallIncident, folder: Path, *flags: str) -> Generator[LabAddress]:
    """Start a lab that outlives an event loop and stop it at the end."""
    (folder / "data").mkdir(mode=0o700)
    command = [sys.executable, "-m", "sre_bot.lab", str(incident.write(folder / "incident"))]
    command += ["--data", str(folder / "data"), "--with-parent", *flags]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield LabAddress.parse(process.stdout.readline())
        process.stdin.close()
        process.wait(20)


def new_project() -> str:
    """The key of a Jira project that no other test uses."""
    return "T" + "".join(chr(ord("A") + int(digit, 16)) for digit in uuid4().hex[:10])


def http(lab: LabProcess | LabAddress, service: str, token: str | None = None) -> httpx.AsyncClient:
    """A plain HTTP client of one of the services, with the lab's token or another one; none for an empty one."""
    address = lab.address if isinstance(lab, LabProcess) else lab
    token = address.token if token is None else token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(base_url=address.urls[service], headers=headers, timeout=20)


async def until(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool], *, seconds: float = 20) -> T:
    """Look until what is seen is as wanted, and return it: for what another process does and tells nobody."""
    async with asyncio.timeout(seconds):
        while not wanted(seen := await look()):
            await asyncio.sleep(0.02)
        return seen

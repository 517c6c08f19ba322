"""The lab from outside: start it as a process of its own, connect to it, and play the people around it."""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from sre_bot.domain.errors import BadInput
from sre_bot.lab.world import READY_FILE

Json = dict[str, Any]
ReviewAction = Literal["approve", "request_changes", "reject", "comment"]


@dataclass(frozen=True, slots=True)
class LabAddress:
    """Where a running lab listens and how to get in; ``environment`` holds the bot's settings, as strings.

    ``control_token`` is not among them: the bot cannot play the people.
    """

    pid: int
    urls: dict[str, str]
    token: str
    control_token: str
    data: Path
    ticket: str
    environment: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the ready line or the ready file."""
        raw: Json = json.loads(text)
        raw["data"] = Path(raw["data"])
        return cls(**raw)

    @classmethod
    def find(cls, data: Path) -> Self:
        """The lab that serves from a data directory. Raises ``BadInput`` where none has announced itself."""
        file = data / READY_FILE
        if not file.is_file():
            raise BadInput(f"no lab is running in {data}; start one with `sre-bot lab up INCIDENT`")
        return cls.parse(file.read_text())


class LabControl:
    """The control API: the request log, faults, and what people do. Every call raises ``BadInput`` when refused."""

    def __init__(self, address: LabAddress) -> None:
        self._client = httpx.AsyncClient(
            base_url=address.urls["control"],
            headers={"Authorization": f"Bearer {address.control_token}"},
            timeout=60.0,
        )

    async def requests(self, service: str = "") -> list[Json]:
        """Every request so far, in order: service, method, path, query, status, at, route."""
        requests: list[Json] = (await self._call("GET", "/requests"))["requests"]
        return [request for request in requests if service in ("", request["service"])]

    async def request_counts(self) -> dict[str, int]:
        """How often each ``service METHOD route`` was asked."""
        return (await self._call("GET", "/requests"))["counts"]

    async def add_fault(self, service: str, kind: str, **fault: Any) -> None:
        """Let something go wrong; the keywords are the fields of ``wire.Fault``."""
        await self._call("POST", "/faults", {"service": service, "kind": kind, **fault})

    async def faults(self) -> list[Json]:
        """The faults that are still to come."""
        return (await self._call("GET", "/faults"))["faults"]

    async def clear_faults(self) -> None:
        """Remove all faults."""
        await self._call("DELETE", "/faults")

    async def review(
        self,
        pr: int,
        action: ReviewAction,
        body: str = "",
        *,
        comments: tuple[Json, ...] = (),
        reviewer: str = "reviewer",
        may_write: bool = True,
    ) -> Json:
        """Review a pull request as a person; ``reject`` requests nothing, says why, and closes it.

        A comment is ``{"path": …, "line": …, "body": …}``.
        """
        given = {"pr": pr, "action": action, "body": body, "comments": list(comments), "reviewer": reviewer}
        return await self._call("POST", "/review", {**given, "may_write": may_write})

    async def close_pull(self, pr: int) -> Json:
        """Close a pull request as a person."""
        return await self._call("POST", f"/pull/{pr}/close")

    async def merge_pull(self, pr: int) -> Json:
        """Merge a pull request as a person."""
        return await self._call("POST", f"/pull/{pr}/merge")

    async def push(
        self, branch: str, files: dict[str, str | None], message: str, *, force: bool = False, base: str = ""
    ) -> Json:
        """Commit files (None deletes) on a branch as a person; with ``force`` the branch restarts at ``base``."""
        given = {"branch": branch, "files": files, "message": message, "force": force, "base": base}
        return await self._call("POST", "/push", given)

    async def create_ticket(self, **ticket: Any) -> str:
        """File a further ticket; the keywords are summary, description, priority, labels, key, assignee. Its key."""
        return str((await self._call("POST", "/ticket", ticket))["key"])

    async def delete_ticket(self, key: str) -> None:
        """Delete a ticket."""
        await self._call("DELETE", f"/ticket/{key}")

    async def say_on_ticket(self, key: str, body: str, *, author: str = "dreyes") -> None:
        """Comment on a ticket as a person."""
        await self._call("POST", f"/ticket/{key}/comment", {"body": body, "author": author})

    async def move_ticket(self, key: str, status: str) -> None:
        """Bring a ticket to a status as a person, whatever the workflow says."""
        await self._call("POST", f"/ticket/{key}/status", {"status": status})

    async def assign_ticket(self, key: str, account: str) -> None:
        """Assign a ticket as a person, to nobody for an empty account."""
        await self._call("POST", f"/ticket/{key}/assignee", {"account": account})

    async def protect(self, branch: str = "") -> None:
        """Let a branch (the default one) take approved pull requests only."""
        await self._call("POST", "/protect", {"branch": branch})

    async def dismiss(self, review: int) -> Json:
        """Dismiss a review by its id."""
        return await self._call("POST", "/dismiss", {"review": review})

    async def advance(self, seconds: float) -> None:
        """Put the incident's clock forward."""
        await self._call("POST", "/clock", {"seconds": seconds})

    async def state(self) -> Json:
        """The world in short: now, tickets, pull requests, the application, pods."""
        return await self._call("GET", "/state")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        try:
            answer = await self._client.request(method, path, json=body)
        except httpx.TransportError as error:
            raise BadInput(f"the lab at {self._client.base_url} does not answer: {error!r}") from error
        if answer.is_error:
            raise BadInput(f"the lab refused {method} {path}: {answer.text}")
        return answer.json()


class LabProcess:
    """A lab in a child process that ends with its owner. Use it as an async context manager, or ``close()`` it."""

    def __init__(self, process: asyncio.subprocess.Process, address: LabAddress, *, owns_data: bool) -> None:
        self._process = process
        self._owns_data = owns_data
        self.address = address
        self.control = LabControl(address)

    @classmethod
    async def start(
        cls,
        incident: Path,
        *,
        speed: float = 1.0,
        cloud: bool = False,
        auto_sync: bool = False,
        data: Path | None = None,
        ports: dict[str, int] | None = None,
        timeout: float = 60.0,
    ) -> Self:
        """Start a lab over an incident folder and wait until it answers.

        Without ``data`` a temporary directory is made and removed by ``close()``. Raises ``BadInput`` with the lab's
        own words where it cannot start.
        """
        owned = data is None
        folder = _folder(data)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [sys.executable, "-m", "sre_bot.lab", str(incident), "--data", str(folder), "--speed", str(speed)]
        command += ["--with-parent", *(["--cloud"] * cloud), *(["--auto-sync"] * auto_sync)]
        for service, port in (ports or {}).items():
            command += ["--port", f"{service}={port}"]
        process = await _spawn(command, folder)
        try:
            address = await asyncio.wait_for(_ready(process, folder), timeout)
        except (BadInput, TimeoutError):
            await _end(process)
            _remove(folder, owned)
            raise
        return cls(process, address, owns_data=owned)

    @property
    def environment(self) -> dict[str, str]:
        """The bot's settings for this lab."""
        return self.address.environment

    @property
    def urls(self) -> dict[str, str]:
        """The addresses of jira, github, kubernetes, argocd and control."""
        return self.address.urls

    @property
    def ticket(self) -> str:
        """The key of the incident's ticket."""
        return self.address.ticket

    async def close(self) -> None:
        """Stop the lab and, where we made it, remove its data. Safe to call twice."""
        await self.control.close()
        await _end(self._process)
        _remove(self.address.data, self._owns_data)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _folder(data: Path | None) -> Path:
    return Path(tempfile.mkdtemp(prefix="sre-bot-lab-")) if data is None else data.absolute()


async def _spawn(command: list[str], folder: Path) -> asyncio.subprocess.Process:
    with (folder / "lab.err").open("wb") as errors:
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors, limit=2**20
        )


async def _ready(process: asyncio.subprocess.Process, folder: Path) -> LabAddress:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        await process.wait()
        raise BadInput(f"the lab did not start: {(folder / 'lab.err').read_text()[-2000:].strip()}")
    return LabAddress.parse(line.decode())


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


def _remove(folder: Path, owned: bool) -> None:
    if owned:
        shutil.rmtree(folder, ignore_errors=True)

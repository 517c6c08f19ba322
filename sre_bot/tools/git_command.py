"""Git as a child process: nothing of this machine's settings, no hooks, no prompts, and it ends when its time is up."""

import asyncio
import base64
import os
import re
import shutil
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sre_bot.domain.errors import GitHubAPIError, Reason

BIG_FILE = 1024 * 1024
"""Bytes from which git makes no text diff of a file."""
LINE_LIMIT = 4 * BIG_FILE

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.bigFileThreshold": str(BIG_FILE),
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "gc.autoDetach": "false",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
}
_COMPLAINTS: tuple[tuple[str, Reason], ...] = (
    (r"could not read (Username|Password)|Authentication failed|terminal prompts disabled", Reason.NOT_AUTHORISED),
    (r"repository '.*' not found|Repository not found", Reason.NOT_FOUND),
    (r"couldn't find remote ref|not our ref|upload-pack: not our", Reason.NOT_FOUND),
    (r"unable to access|RPC failed|early EOF|hung up|Connection|timed out|unexpected disconnect", Reason.UNAVAILABLE),
)


@dataclass(frozen=True, slots=True)
class Credential:
    """A token and the only server that may see it."""

    url: str
    token: str

    def settings(self) -> dict[str, str]:
        """The header as git's settings, for that server alone; nothing where there is no token."""
        if not self.token:
            return {}
        parts = urlsplit(self.url)
        basic = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        return {f"http.{parts.scheme}://{parts.netloc}/.extraHeader": f"Authorization: Basic {basic}"}


@dataclass(frozen=True, slots=True)
class Git:
    """Runs git on one repository. ``timeout`` is in seconds, for each command; ``protocols`` are all it may speak.

    Every method raises ``GitHubAPIError`` in the words of git's complaint.
    """

    folder: Path
    timeout: float
    protocols: str = "http:https"

    async def run(self, *arguments: str, stdin: bytes = b"", credential: Credential | None = None) -> bytes:
        """Run one command and return what it printed."""
        async with self._started(arguments, credential, fed=bool(stdin)) as process:
            output, complaint = await process.communicate(stdin or None)
            _check(arguments[0], process.returncode, complaint)
            return output

    async def lines(self, *arguments: str, stdin: bytes) -> AsyncIterator[bytes]:
        """Run one command and hand out its lines as they come, ends of line kept."""
        async with self._started(arguments, None, fed=True) as process:
            assert process.stdin is not None and process.stdout is not None and process.stderr is not None
            feeding = asyncio.create_task(_feed(process.stdin, stdin))
            async for line in process.stdout:
                yield line
            await feeding
            complaint = await process.stderr.read()
            _check(arguments[0], await process.wait(), complaint)

    @asynccontextmanager
    async def _started(
        self, arguments: tuple[str, ...], credential: Credential | None, *, fed: bool
    ) -> AsyncGenerator[asyncio.subprocess.Process]:
        program = await asyncio.to_thread(_program)
        process = await asyncio.create_subprocess_exec(
            program,
            f"--git-dir={self.folder}",
            *arguments,
            stdin=asyncio.subprocess.PIPE if fed else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            env=self._environment(program, credential),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self.timeout):
                yield process
        except TimeoutError as error:
            message = f"git {arguments[0]} was not done after {self.timeout:g} s"
            raise GitHubAPIError(message, reason=Reason.UNAVAILABLE) from error
        finally:
            await _end(process)

    def _environment(self, program: str, credential: Credential | None) -> dict[str, str]:
        """A clean environment. The token is nowhere else: not in arguments, not in a URL, not on disk."""
        settings = {**_SETTINGS, **(credential.settings() if credential else {})}
        environment = {
            "PATH": f"{Path(program).parent}:{os.defpath}",
            "HOME": str(self.folder.parent),
            "LC_ALL": "C",
            "TZ": "UTC",
            "GIT_ALLOW_PROTOCOL": self.protocols,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for number, (key, value) in enumerate(settings.items()):
            environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return environment


def checked_url(url: str) -> str:
    """Return a clone URL if it is plain HTTP without credentials in it. Raises ``GitHubAPIError`` (``REFUSED``)."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise GitHubAPIError("a clone URL must be http(s), without credentials", reason=Reason.REFUSED)
    return url


def _program() -> str:
    found = shutil.which("git")
    if found is None:
        raise GitHubAPIError("git is not installed: apt-get install git", reason=Reason.REFUSED)
    return found


def _check(command: str, code: int | None, complaint: bytes) -> None:
    if code == 0:
        return
    lines = complaint.decode(errors="replace").strip().splitlines()
    text = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else str(code))
    status = re.search(r"returned error: (\d{3})", text)
    if status:
        raise GitHubAPIError.from_status(int(status[1]), f"git {command}: {text}")
    reason = next((reason for pattern, reason in _COMPLAINTS if re.search(pattern, text)), Reason.BAD_ANSWER)
    raise GitHubAPIError(f"git {command}: {text}", reason=reason)


async def _feed(pipe: asyncio.StreamWriter, content: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        pipe.write(content)
        await pipe.drain()
    pipe.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a command that is not done, its helpers included."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

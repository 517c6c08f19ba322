"""Where code from repositories runs: no network, no host files, no environment, no rights, bounded in every resource.

Built on bubblewrap. Two ways of having no rights: as root, a real uid that nobody else uses (its number of processes
can be limited, which the kernel does not do for root, not even in a user namespace); as an ordinary user, a user
namespace. Python's own prefix is bound where it stands, so an interpreter under a closed home works too.
"""

import asyncio
import importlib.util
import os
import random
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sre_bot.tools import sandbox_entry
from sre_bot.tools.process_tree import tree_of, use_of

Confinement = Literal["uid", "namespace", "plain_namespace"]

OUTPUT_LIMIT = 64 * 1024
"""Bytes of output that are kept: the first and the last half."""

_MIB = 2**20
_HOST_PARTS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_PACKAGES = ("yaml", "_yaml", "pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments")
_UIDS = range(64_000, 65_000)
_POLL = 0.1
_PROBE = "import os, sys, yaml\nprint(os.path.realpath(sys.executable))\n"
"""Prints the interpreter: a box in which a command finds another one, or lacks PyYAML, does not count."""


@dataclass(frozen=True, slots=True)
class SandboxResult:
    """How a command ended. ``exit_code`` is -signal for a killed one; ``output`` is stdout and stderr together."""

    exit_code: int
    output: str
    timed_out: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one run, sizes in bytes; ``memory`` holds for all its processes together."""

    memory: int = 1024 * _MIB
    disk: int = 256 * _MIB
    processes: int = 64
    open_files: int = 256


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Runs commands on files in a closed box. Made by ``detect``."""

    bwrap: str
    confinement: Confinement
    limits: Limits = field(default_factory=Limits)

    @classmethod
    async def detect(cls) -> "Sandbox | None":
        """The sandbox that works on this machine; None where there is none, and repository code must not run."""
        bwrap = await asyncio.to_thread(shutil.which, "bwrap")
        if bwrap is None:
            return None
        ways: tuple[Confinement, ...] = ("namespace", "plain_namespace")
        for way in ("uid", *ways) if os.geteuid() == 0 else ways:
            sandbox = cls(bwrap, way)
            result = await sandbox.run({"probe.py": _PROBE}, ("python3", "probe.py"), timeout=30)
            if result.exit_code == 0 and result.output.strip() == await asyncio.to_thread(_interpreter):
                return sandbox
        return None

    async def run(self, files: dict[str, str], command: tuple[str, ...], *, timeout: float = 60.0) -> SandboxResult:
        """Run ``command`` in a folder that holds copies of ``files`` (path → text); ``timeout`` is in seconds.

        ``python3`` is this process' interpreter with PyYAML. Whatever the command writes is gone afterwards.
        Raises ``ValueError`` when a path leads out of the folder.
        """
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="sre-bot-sandbox-"))
        try:
            await asyncio.to_thread(_lay_out, folder / "input", files)
            return await self._run_in(folder / "input", command, timeout)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, True)

    async def _run_in(self, folder: Path, command: tuple[str, ...], timeout: float) -> SandboxResult:
        process = await asyncio.create_subprocess_exec(
            *await asyncio.to_thread(self._arguments, folder, command, timeout),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd="/",
            env={},
            start_new_session=True,
        )
        output = _Output()
        reader = asyncio.create_task(_read(process, output))
        watcher = asyncio.create_task(self._watch(process, output))
        try:
            done, _ = await asyncio.wait({reader}, timeout=timeout)
        finally:
            watcher.cancel()
            if not reader.done():
                _kill(process)
            await reader
        return SandboxResult(await process.wait(), output.text(), timed_out=not done)

    async def _watch(self, process: asyncio.subprocess.Process, output: "_Output") -> None:
        """End the run when all its processes together are too many or too big."""
        while process.returncode is None:
            processes, memory = await asyncio.to_thread(lambda: use_of(tree_of(process.pid)))
            if memory > self.limits.memory or processes > 2 * self.limits.processes:
                output.note = f"\nended by the sandbox: {processes} processes used {memory // _MIB} MiB together\n"
                _kill(process)
            await asyncio.sleep(_POLL)

    def _arguments(self, folder: Path, command: tuple[str, ...], timeout: float) -> list[str]:
        interpreter = _interpreter()
        uid = random.choice(_UIDS) if self.confinement == "uid" else 0
        limits = {
            "CPU": int(timeout) + 1,
            "AS": self.limits.memory,
            "FSIZE": self.limits.disk,
            "NPROC": self.limits.processes,
            "NOFILE": self.limits.open_files,
            "CORE": 0,
        }
        entry = ["/opt/entry.py", str(uid), ",".join(f"{name}={value}" for name, value in limits.items())]
        return [
            self.bwrap,
            *self._confined(),
            *self._mounts(folder, interpreter),
            "--",
            interpreter,
            "-I",
            *entry,
            *command,
        ]

    def _confined(self) -> list[str]:
        shared = ["--new-session", "--die-with-parent", "--clearenv", "--cap-drop", "ALL", "--hostname", "sandbox"]
        if self.confinement == "uid":
            spaces = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
            return [*spaces, *shared, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        closed = ["--disable-userns"] if self.confinement == "namespace" else []
        return ["--unshare-all", "--unshare-user", *closed, *shared, "--uid", str(_UIDS[0]), "--gid", str(_UIDS[0])]

    def _mounts(self, folder: Path, interpreter: str) -> list[str]:
        arguments = [*_open_folders("/etc", "/opt/site", "/opt/bin", str(Path(sys.base_prefix).parent))]
        arguments += ["--ro-bind", "/usr", "/usr", "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
        for part in _HOST_PARTS:
            arguments += _host_part(Path(part))
        if not Path(sys.base_prefix).is_relative_to("/usr"):
            arguments += ["--ro-bind", sys.base_prefix, sys.base_prefix]
        for name in _PACKAGES:
            arguments += _package(name)
        size = str(self.limits.disk)
        for place in ("/tmp", "/work"):
            arguments += ["--perms", "1777", "--size", size, "--tmpfs", place]
        arguments += ["--ro-bind", str(folder), "/input", "--ro-bind", sandbox_entry.__file__, "/opt/entry.py"]
        arguments += ["--symlink", interpreter, "/opt/bin/python3", "--proc", "/proc", "--dev", "/dev"]
        for name, value in _ENVIRONMENT.items():
            arguments += ["--setenv", name, value]
        return arguments


_ENVIRONMENT = {
    "PATH": "/opt/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONPATH": "/opt/site",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def _interpreter() -> str:
    """This process' Python itself, not a virtual environment's link to it."""
    return str(Path(sys.executable).resolve())


def _open_folders(*places: str) -> list[str]:
    """Empty folders that everybody may enter, parents first; bubblewrap would close those that it makes unasked."""
    folders = dict.fromkeys(part for place in places for part in (*reversed(Path(place).parents), Path(place)))
    return [word for folder in folders if str(folder) != "/" for word in ("--perms", "0755", "--dir", str(folder))]


def _host_part(part: Path) -> list[str]:
    """A folder of the host's system: a link stays a link."""
    if part.is_symlink():
        return ["--symlink", str(part.readlink()), str(part)]
    return ["--ro-bind", str(part), str(part)] if part.is_dir() else []


def _package(name: str) -> list[str]:
    """One of our own installed packages, without its neighbours."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return []
    origin = Path(spec.origin)
    source = origin.parent if origin.name == "__init__.py" else origin
    return ["--ro-bind", str(source), f"/opt/site/{source.name}"]


def _lay_out(folder: Path, files: dict[str, str]) -> None:
    """Write the files readable for everybody; the folder above is closed."""
    folder.mkdir()
    for path, text in files.items():
        target = (folder / path).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise ValueError(f"{path!r} leads out of the sandbox's folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode("utf-8", "surrogateescape"))
        target.chmod(0o644)
    for place in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        place.chmod(0o755)


@dataclass(slots=True)
class _Output:
    """The first and the last part of a stream, and what the sandbox has to say."""

    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    dropped: int = 0
    note: str = ""

    def add(self, chunk: bytes) -> None:
        """Keep what fits."""
        room = OUTPUT_LIMIT // 2 - len(self.head)
        self.head += chunk[:room]
        self.tail += chunk[max(0, room) :]
        excess = max(0, len(self.tail) - OUTPUT_LIMIT // 2)
        del self.tail[:excess]
        self.dropped += excess

    def text(self) -> str:
        """What was kept; undecodable bytes are replaced."""
        gap = f"\n… {self.dropped} bytes left out …\n".encode() if self.dropped else b""
        return bytes(self.head + gap + self.tail).decode("utf-8", "replace") + self.note


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the box; with its first process all others in it end."""
    with suppress(ProcessLookupError):
        process.kill()


async def _read(process: asyncio.subprocess.Process, output: _Output) -> None:
    """Read to the end, also after a kill: a full pipe that nobody reads would keep the process from being reaped."""
    assert process.stdout is not None
    while chunk := await process.stdout.read(65_536):
        output.add(chunk)

"""One Postgres server as a child process: its data directory, its start and its end.

What initdb and the server say goes where this process's own output goes.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from pwd import struct_passwd

from sre_bot.domain.errors import BadSetting
from sre_bot.persistence.embedded_home import Home, reachable, server_user, write_private
from sre_bot.persistence.postgres_programs import credentials, open_binaries

SUPERUSER = "sre_bot"
DATABASE = "sre_bot"

_ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_PR_SET_PDEATHSIG = 1
_ATTEMPTS = 4
_REST = 0.25
_PULSE = 0.02
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data directory with the binaries that serve it and the user that they run as."""

    home: Home
    binaries: Path
    user: struct_passwd

    @classmethod
    def prepare(cls, home: Home, binaries: Path) -> "Cluster":
        """Return the cluster of ``home``, initialised where it is new.

        Raises ``BadSetting`` where the data is of another Postgres or closed to its user, ``CalledProcessError`` where
        initdb fails.
        """
        user = server_user(home.data)
        if not reachable(home.folder, user.pw_uid, user.pw_gid):
            raise BadSetting(f"{str(home.folder)!r} is closed to the user {user.pw_name!r}, who runs the server.")
        cluster = cls(home, open_binaries(home, binaries, user), user)
        if home.data.exists():
            cluster._check_version()
        else:
            cluster._initialise()
        return cluster

    @contextmanager
    def serve(self, port: int | None) -> Generator[tuple["subprocess.Popen[bytes]", int]]:
        """Run the server until the block ends; yields its process and its port once it answers.

        ``port`` is the last one: it is taken again where it is free, so that those who know it find the server.
        """
        _remove_orphan(self.home.data)
        process, port = self._start(port)
        try:
            yield process, port
        finally:
            _stop(process.pid, lambda: process.poll() is not None)

    def _check_version(self) -> None:
        have = (self.home.data / "PG_VERSION").read_text().strip()
        said = subprocess.run([self.binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
        if f" {have}." not in said.stdout:
            raise BadSetting(
                f"the data in {str(self.home.data)!r} is of Postgres {have}, the server is {said.stdout.strip()!r}: "
                "dump it with the old server, or move it away."
            )

    def _initialise(self) -> None:
        """Build the cluster beside its place and move it there when it is whole: a killed initdb leaves no half."""
        for left_over in self.home.folder.glob("data.new.*"):
            shutil.rmtree(left_over, ignore_errors=True)
        fresh = self.home.folder / f"data.new.{os.getpid()}"
        fresh.mkdir(mode=0o700)
        password = self.home.folder / "initdb.password"
        write_private(password, self.home.password())
        for path in (fresh, password):
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        flags = ("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions")
        try:
            self._run("initdb", "-D", str(fresh), "-U", SUPERUSER, f"--pwfile={password}", *flags)
        finally:
            password.unlink()
        self._run("postgres", "--single", "-D", str(fresh), "postgres", say=f"create database {DATABASE}\n")
        fresh.rename(self.home.data)

    def _run(self, program: str, *arguments: str, say: str = "") -> None:
        subprocess.run(
            [str(self.binaries / program), *arguments],
            input=say.encode(),
            check=True,
            cwd="/",
            env=_ENVIRONMENT,
            preexec_fn=_end_with_parent(),
            **credentials(self.user),
        )

    def _start(self, port: int | None) -> tuple["subprocess.Popen[bytes]", int]:
        """Try again where another took the port just before us, or a dying server's children still hold its memory."""
        for attempt in range(_ATTEMPTS):
            if port is None or attempt > 1:
                port = _free_port()
            process = self._launch(port)
            if _answers(process, self.home.data / "postmaster.pid"):
                return process, port
            time.sleep(_REST)
        raise BadSetting(f"the Postgres server in {str(self.home.folder)!r} ends as soon as it is started.")

    def _launch(self, port: int) -> "subprocess.Popen[bytes]":
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        command = [str(self.binaries / "postgres"), "-D", str(self.home.data), *options]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=_ENVIRONMENT,
            preexec_fn=_end_with_parent(),
            **credentials(self.user),
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _end_with_parent() -> Callable[[], None] | None:
    """Return what a child does first on Linux, so that the kernel shuts it down (fast) when its parent has gone."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask_the_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return ask_the_kernel


def _answers(process: "subprocess.Popen[bytes]", pid_file: Path) -> bool:
    """Wait until the server says ready in its pid file (line 8), however long recovery takes; False when it ended."""
    while process.poll() is None:
        with suppress(FileNotFoundError):
            lines = pid_file.read_text().splitlines()
            if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
                return True
        time.sleep(_PULSE)
    return False


def _remove_orphan(data: Path) -> None:
    """End a server that outlived its supervisor, and forget a pid that now is some other process's."""
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return
    if _serves(pid, data):
        _stop(pid, lambda: not _serves(pid, data))
    else:
        pid_file.unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    """Whether that process is a server on ``data``: a postmaster's working directory is its data directory."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == data
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _stop(pid: int, gone: Callable[[], bool]) -> None:
    """Shut a server down: fast, then immediately, then by force."""
    for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if gone():
            return
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + _PATIENCE
        while not gone() and time.monotonic() < deadline:
            time.sleep(_PULSE)

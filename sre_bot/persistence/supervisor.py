"""The process that runs one embedded Postgres for as long as anybody uses it.

``EmbeddedPostgres`` starts it, as ``python -m sre_bot.persistence.supervisor HOME BINARIES GRACE``. It leaves its
starter's session, so neither a closed terminal nor a killed starter ends it. It goes ``GRACE`` seconds after the last
process that held ``clients.lock`` has gone, and on SIGTERM. A server that dies under its clients is started again.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from sre_bot.domain.errors import BadSetting
from sre_bot.persistence.embedded_home import FileLock, Home
from sre_bot.persistence.postmaster import Cluster

_PULSE = 0.2
_REST = 1.0
_KEPT_LOG = 4 * 1024 * 1024


def supervise(home: Home, binaries: Path, grace: float, port: int | None) -> None:
    """Run the server in ``home``, on ``port`` if that is free, until nobody has used it for ``grace`` seconds."""
    cluster = Cluster.prepare(home, binaries)
    clients = home.clients()
    while True:
        with cluster.serve(port) as (server, port):
            home.announce(port)
            if _unused(server, clients, grace):
                return
            home.retract()
        print(f"supervisor: the server died (exit {server.returncode}); starting it again", flush=True)
        time.sleep(_REST)


def _unused(server: "subprocess.Popen[bytes]", clients: FileLock, grace: float) -> bool:
    """Wait: True after ``grace`` seconds without a client, with their lock held; False when the server died first."""
    last_used = time.monotonic()
    while server.poll() is None:
        if not clients.try_seize():
            last_used = time.monotonic()
        elif time.monotonic() - last_used >= grace:
            return True
        else:
            clients.free()
        time.sleep(_PULSE)
    return False


def _leave_quietly(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _speak_to(log: Path) -> None:
    """Send what we and our children say to the log; a long one becomes the old one."""
    if log.exists() and log.stat().st_size > _KEPT_LOG:
        log.replace(log.with_suffix(".log.1"))
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(descriptor, stream)
    os.close(descriptor)


def main() -> None:
    """Take the supervisor's lock, become a process of our own, and supervise."""
    home, binaries, grace = Home(Path(sys.argv[1])), Path(sys.argv[2]), float(sys.argv[3])
    home.supervisor().seize()
    last_port = home.retract()
    if os.fork():
        os._exit(0)
    os.chdir(home.folder)
    _speak_to(home.log)
    signal.signal(signal.SIGTERM, _leave_quietly)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        supervise(home, binaries, grace, last_port)
    except (BadSetting, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"supervisor: {error}")


if __name__ == "__main__":
    main()

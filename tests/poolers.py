"""A real PgBouncer in transaction mode before a test's database, run by a user without rights."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

_SETTINGS = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 3
max_client_conn = 100
ignore_startup_parameters = extra_float_digits
"""


def pooler_program() -> str:
    """PgBouncer, wherever Debian puts it; skips the test where it is not installed."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    return found


@asynccontextmanager
async def pooler_before(url: str, folder: Path) -> AsyncGenerator[str]:
    """The URL that leads to the same database through a pooler with three server connections."""
    parts = urlsplit(url)
    listen = _free_port()
    (folder / "users.txt").write_text(f'"{parts.username}" "{parts.password}"\n', encoding="utf-8")
    names = {"host": parts.hostname, "port": parts.port, "listen": listen, "folder": folder}
    (folder / "pgbouncer.ini").write_text(_SETTINGS.format(**names), encoding="utf-8")
    through = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{listen}"))
    command = [pooler_program(), *_as_nobody(folder), str(folder / "pgbouncer.ini")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as pooler:
        try:
            await _answers(through, pooler)
            yield through
        finally:
            pooler.terminate()


async def _answers(url: str, pooler: "subprocess.Popen[bytes]") -> None:
    async with asyncio.timeout(20):
        while pooler.poll() is None:
            try:
                async with await psycopg.AsyncConnection.connect(url):
                    return
            except psycopg.OperationalError:
                await asyncio.sleep(0.05)
    raise AssertionError(f"pgbouncer ended with {pooler.returncode}")


def _as_nobody(folder: Path) -> list[str]:
    """PgBouncer refuses to run as root: then it is told whom to become, who must be able to read its files."""
    if os.getuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    for place in (folder, *folder.iterdir()):
        os.chown(place, nobody.pw_uid, nobody.pw_gid)
    return ["-u", "nobody"]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]

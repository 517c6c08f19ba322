"""Postgres's own ``pg_dump``, ``pg_restore`` and ``psql``, of the wheel: they know every server from 15 on."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sre_bot.domain.errors import BackupFailed
from sre_bot.persistence.postgres_programs import wheel_binaries
from sre_bot.settings import inherited

_CHUNK = 1 << 16
_HEADER = (b"--", b"\\", b"SET ", b"SELECT ", b"\n")
_NEWER_THAN_15 = b"SET transaction_timeout"


async def dump(url: str, snapshot: str, file: Path) -> None:
    """Write what an exported snapshot of a database holds into a file. Raises ``BackupFailed``."""
    options = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={file}")
    await _finished("pg_dump", await _start("pg_dump", *options, url=url))


async def check(file: Path) -> None:
    """Raise ``BackupFailed`` when a file is no dump."""
    await _finished("pg_restore", await _start("pg_restore", "--list", str(file)))


async def load(url: str, file: Path) -> None:
    """Put everything that a dump holds into a database, or nothing. Raises ``BackupFailed``."""
    reader = await _start("pg_restore", "--no-owner", "--no-privileges", "--file=-", str(file))
    options = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")
    writer = await _start("psql", *options, url=url)
    try:
        assert writer.stdin
        if await _poured(reader, writer):
            await _finished("pg_restore", reader)
        writer.stdin.close()  # psql commits at the end of its input, so it must not see one before we know it is whole
        await _finished("psql", writer)
    finally:
        for process in (reader, writer):
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _poured(reader: Process, writer: Process) -> bool:
    """Copy the script from one to the other; False when the other did not want it all.

    What a newer program sets at its beginning, an older server does not know.
    """
    assert reader.stdout and writer.stdin
    try:
        while line := await reader.stdout.readline():
            if not line.startswith(_NEWER_THAN_15):
                writer.stdin.write(line)
            if not line.startswith(_HEADER):
                break
        while chunk := await reader.stdout.read(_CHUNK):
            writer.stdin.write(chunk)
            await writer.stdin.drain()
    except ConnectionError:
        return False
    return True


async def _finished(program: str, process: Process) -> None:
    _, said = await process.communicate()
    if process.returncode:
        raise BackupFailed(f"{program} failed: {said.decode(errors='replace').strip()}")


async def _start(program: str, *arguments: str, url: str = "") -> Process:
    """Start a program, on a database where one is given; the password is in no argument."""
    told: dict[str, Any] = dict(conninfo_to_dict(url))
    password = str(told.pop("password", ""))
    return await asyncio.create_subprocess_exec(
        wheel_binaries() / program,
        *((f"--dbname={make_conninfo('', **told)}",) if url else ()),
        *arguments,
        env={**inherited(), **({"PGPASSWORD": password} if password else {})},
        stdin=PIPE if program == "psql" else DEVNULL,
        stdout=PIPE if program == "pg_restore" else DEVNULL,
        stderr=PIPE,
    )

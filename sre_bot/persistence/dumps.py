"""Postgres's own ``pg_dump``, ``pg_restore`` and ``psql``, of the wheel: they know every server from 15 on.

Between a dump and its file a command of the user's may stand that encrypts, and one that decrypts: each reads its
standard input and writes its standard output. They are started from their words, by no shell.
"""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sre_bot.domain.errors import BackupFailed
from sre_bot.persistence.postgres_programs import wheel_binaries
from sre_bot.settings import inherited

_CHUNK = 1 << 16
_HEADER = (b"--", b"\\", b"SET ", b"SELECT ", b"\n")
_NEWER_THAN_15 = b"SET transaction_timeout"


Command = tuple[str, ...]
"""A program and its arguments; empty for none."""


async def dump(url: str, snapshot: str, file: Path, encrypt: Command = ()) -> None:
    """Write what an exported snapshot of a database holds into a file. Raises ``BackupFailed``."""
    options = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}")
    if not encrypt:
        await _finished("pg_dump", await _start("pg_dump", *options, f"--file={file}", url=url))
        return
    with file.open("wb") as kept:
        async with _pipe_from(encrypt, kept.fileno()) as (sink, encrypting):
            dumping = await _start("pg_dump", *options, url=url, stdout=sink)
            os.close(sink)
            await _both(_finished(encrypt[0], encrypting), _finished("pg_dump", dumping))


async def check(file: Path, decrypt: Command = ()) -> None:
    """Raise ``BackupFailed`` when a file is no dump. One that is decrypted is read to its end."""
    if not decrypt:
        await _finished("pg_restore", await _start("pg_restore", "--list", str(file)))
        return
    async with _pipe_to(decrypt, file) as (source, decrypting):
        reading = await _start("pg_restore", f"--file={os.devnull}", stdin=source)
        os.close(source)
        await _both(_finished(decrypt[0], decrypting), _finished("pg_restore", reading))


async def load(url: str, file: Path, decrypt: Command = ()) -> None:
    """Put everything that a dump holds into a database, or nothing. Raises ``BackupFailed``."""
    script = ("--no-owner", "--no-privileges", "--file=-")
    if not decrypt:
        await _load(url, await _start("pg_restore", *script, str(file)))
        return
    async with _pipe_to(decrypt, file) as (source, decrypting):
        reader = await _start("pg_restore", *script, stdin=source)
        os.close(source)
        await _load(url, reader, decrypt[0], decrypting)


async def _load(url: str, reader: Process, name: str = "", decrypting: Process | None = None) -> None:
    options = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")
    writer = await _start("psql", *options, url=url)
    try:
        assert writer.stdin
        if await _poured(reader, writer):
            checks = (_finished(name, decrypting),) if decrypting else ()
            await _both(*checks, _finished("pg_restore", reader))
        writer.stdin.close()  # psql commits at the end of its input, so it must not see one before we know it is whole
        await _finished("psql", writer)
    finally:
        await _ended(reader, writer)


@asynccontextmanager
async def _pipe_from(command: Command, output: int) -> AsyncGenerator[tuple[int, Process]]:
    """A command that reads what is written to the end of a pipe, which whoever gets it closes."""
    read, write = os.pipe()
    process = await _filter(command, read, output, spare=write)
    try:
        yield write, process
    finally:
        await _ended(process)


@asynccontextmanager
async def _pipe_to(command: Command, file: Path) -> AsyncGenerator[tuple[int, Process]]:
    """A command that reads a file and writes to a pipe; whoever gets its other end closes that."""
    read, write = os.pipe()
    process = await _filter(command, os.open(file, os.O_RDONLY), write, spare=read)
    os.close(write)
    try:
        yield read, process
    finally:
        await _ended(process)


async def _filter(command: Command, stdin: int, stdout: int, *, spare: int) -> Process:
    """Start a user's command; ``stdin`` is closed here, ``spare``, the other end of its pipe, if it cannot start."""
    try:
        return await asyncio.create_subprocess_exec(*command, env=inherited(), stdin=stdin, stdout=stdout, stderr=PIPE)
    except OSError as error:
        os.close(spare)
        raise BackupFailed(f"{command[0]!r} cannot be started: {error.strerror}") from error
    finally:
        os.close(stdin)


async def _both(*endings: Coroutine[Any, Any, None]) -> None:
    """Wait for all. Raises ``BackupFailed`` with what each that failed has said: one made the others fail."""
    failures = [ended for ended in await asyncio.gather(*endings, return_exceptions=True) if ended]
    for failure in failures:
        if not isinstance(failure, BackupFailed):
            raise failure
    if failures:
        raise BackupFailed("; ".join(map(str, failures)))


async def _ended(*processes: Process) -> None:
    for process in processes:
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
        why = said.decode(errors="replace").strip() or f"it ended with {process.returncode}"
        raise BackupFailed(f"{program} failed: {why}")


async def _start(
    program: str, *arguments: str, url: str = "", stdin: int | None = None, stdout: int | None = None
) -> Process:
    """Start a program, on a database where one is given; the password is in no argument."""
    into = PIPE if program == "psql" else DEVNULL
    out_of = PIPE if program == "pg_restore" else DEVNULL
    told: dict[str, Any] = dict(conninfo_to_dict(url))
    password = str(told.pop("password", ""))
    return await asyncio.create_subprocess_exec(
        wheel_binaries() / program,
        *((f"--dbname={make_conninfo('', **told)}",) if url else ()),
        *arguments,
        env={**inherited(), **({"PGPASSWORD": password} if password else {})},
        stdin=into if stdin is None else stdin,
        stdout=out_of if stdout is None else stdout,
        stderr=PIPE,
    )

"""Backups: a dump of one moment with the end of every chain, and a restoration that fences off the past."""

import asyncio
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from sre_bot.domain.errors import BackupFailed, BadInput
from sre_bot.persistence import dumps
from sre_bot.persistence.database import Connection, Row
from sre_bot.persistence.dumps import Command
from sre_bot.persistence.migrations import migrate
from sre_bot.persistence.replay import SNAPSHOT
from sre_bot.persistence.statements import sql

EPOCH = 1_000_000_000
"""What a restoration adds to every fence."""


@dataclass(frozen=True, slots=True)
class Backup:
    """The manifest of one backup. ``heads`` holds the version and the last hash of each workflow, by id."""

    name: str
    taken_at: str
    size: int
    sha256: str
    server_version: str
    newest_migration: str
    heads: dict[str, list[Any]]
    encrypted: bool = False


async def create(url: str, folder: Path, encrypt: Command = ()) -> Backup:
    """Dump the database as it is at one moment, while everybody works on. Raises ``BackupFailed``.

    ``encrypt`` is a program with its arguments through which the dump goes on its way into the file.
    """
    await asyncio.to_thread(folder.mkdir, 0o700, parents=True, exist_ok=True)
    async with await _connect(url) as connection, connection.transaction():
        await connection.execute(SNAPSHOT)
        facts = await _one(connection, "backups.facts")
        newest = await _one(connection, "backups.newest_migration")
        heads = await _heads(connection)
        name = f"{facts['taken_at']:%Y%m%dT%H%M%S.%fZ}"
        partial = folder / f"{name}.partial"
        partial.touch(mode=0o600)
        try:
            await dumps.dump(url, facts["snapshot"], partial, encrypt)
        except BackupFailed:
            partial.unlink()
            raise
    size, digest = await asyncio.to_thread(_measure, partial)
    taken_at, version = facts["taken_at"].isoformat(), facts["server_version"]
    backup = Backup(name, taken_at, size, digest, version, newest["name"], heads, bool(encrypt))
    partial.rename(_dump(folder, name))
    _manifest(folder, name).write_text(json.dumps(asdict(backup), indent=1))
    return backup


def backups(folder: Path) -> tuple[Backup, ...]:
    """Every backup in a folder, newest first."""
    return tuple(_read(path) for path in sorted(folder.glob("*.json"), reverse=True))


def backup_named(folder: Path, name: str) -> Backup:
    """One of them; the newest for an empty name. Raises ``BadInput``."""
    for backup in backups(folder):
        if name in ("", backup.name):
            return backup
    raise BadInput(
        f"{str(folder)!r} holds no backup{f' named {name!r}' if name else ''}; `sre-bot backup list` lists them"
    )


async def problems(folder: Path, backup: Backup, decrypt: Command = ()) -> tuple[str, ...]:
    """What is wrong with a backup's file, as sentences; empty when it is what was written and can be read.

    An encrypted one can be read only through ``decrypt``; without, only its checksum is compared.
    """
    dump = _dump(folder, backup.name)
    if not dump.exists():
        return (f"{dump.name} is missing",)
    if await asyncio.to_thread(_measure, dump) != (backup.size, backup.sha256):
        return (f"{dump.name} is not the file that was written: its size or its checksum differs",)
    if backup.encrypted and not decrypt:
        return ()
    try:
        await dumps.check(dump, decrypt if backup.encrypted else ())
    except BackupFailed as error:
        return (str(error),)
    return ()


async def restore(url: str, folder: Path, backup: Backup, asked_by: str, decrypt: Command = ()) -> None:
    """Restore a backup into an empty database, fence off every worker of the old one, and pause the bot.

    Raises ``BackupFailed`` when the file is unsound or the database is not empty, ``BadInput`` when it is encrypted and
    nothing decrypts it; the database is left as it was then.
    """
    if backup.encrypted and not decrypt:
        raise BadInput(f"{backup.name} is encrypted; name the command that decrypts it: --decrypt-command")
    async with await _connect(url) as connection:
        if (await _one(connection, "backups.relations"))["relations"]:
            raise BackupFailed("the database is not empty; restore into a new one")
    if found := await problems(folder, backup, decrypt):
        raise BackupFailed("; ".join(found))
    await dumps.load(url, _dump(folder, backup.name), decrypt if backup.encrypted else ())
    await migrate(url)
    async with await _connect(url) as connection, connection.transaction():
        names = {"backup": backup.name, "taken_at": datetime.fromisoformat(backup.taken_at), "epoch": EPOCH}
        pause = {"kind": "pause", "workflow_id": None, "repository": None, "why": f"restored from {backup.name}"}
        for statement in ("backups.restored", "backups.fence_off", "backups.doubt_intents", "operator.ask"):
            await connection.execute(sql(statement), {**names, **pause, "asked_by": asked_by})


async def differences(url: str, backup: Backup) -> tuple[str, ...]:
    """Where a restored record does not end as the manifest says, as sentences."""
    async with await _connect(url) as connection:
        found = await _heads(connection)
    return tuple(
        f"workflow {workflow_id} ends in {found.get(workflow_id)}, the manifest says {backup.heads.get(workflow_id)}"
        for workflow_id in sorted(found.keys() | backup.heads.keys())
        if found.get(workflow_id) != backup.heads.get(workflow_id)
    )


async def _connect(url: str) -> Connection:
    return await AsyncConnection[Row].connect(url, autocommit=True, prepare_threshold=None, row_factory=dict_row)


async def _heads(connection: Connection) -> dict[str, list[Any]]:
    cursor = await connection.execute(sql("history.heads"))
    return {str(row["workflow_id"]): [row["version"], row["chain_hash"].hex()] for row in await cursor.fetchall()}


async def _one(connection: Connection, name: str) -> Row:
    cursor = await connection.execute(sql(name))
    row = await cursor.fetchone()
    assert row is not None
    return row


def _measure(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_size, file_digest(file, "sha256").hexdigest()


def _read(manifest: Path) -> Backup:
    try:
        return Backup(**json.loads(manifest.read_text()))
    except (ValueError, TypeError) as error:
        raise BadInput(f"{str(manifest)!r} is no manifest of a backup: {error}") from error


def _dump(folder: Path, name: str) -> Path:
    return folder / f"{name}.dump"


def _manifest(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"

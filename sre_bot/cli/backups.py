"""``backup create|list|verify|restore``."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sre_bot.app import database_url
from sre_bot.cli.controlling import asked_by
from sre_bot.cli.output import AsJson, emit, out
from sre_bot.persistence import backups, history, replay
from sre_bot.persistence.backups import Backup
from sre_bot.persistence.database import Database
from sre_bot.settings import load

app = typer.Typer(help="Backups of the record: dumps of one moment, checksummed.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option(help="Where backups are kept; `backups` in DATA_DIR without.")]
Name = Annotated[str, typer.Argument(help="The backup's name; the newest without.")]


@app.command()
def create(folder: Folder = None, as_json: AsJson = False) -> None:
    """Write a backup while everybody works on."""
    made = asyncio.run(_created(_folder(folder)))
    if as_json:
        emit(asdict(made))
    else:
        out.print(f"{made.name}: {len(made.heads)} workflows, {made.size} bytes, sha256 {made.sha256}", soft_wrap=True)


@app.command(name="list")
def list_(folder: Folder = None, as_json: AsJson = False) -> None:
    """List the backups, newest first."""
    found = backups.backups(_folder(folder))
    if as_json:
        emit([asdict(backup) for backup in found])
        return
    table = Table("backup", "workflows", "bytes", "Postgres", "migration", box=None, pad_edge=False)
    for one in found:
        table.add_row(one.name, str(len(one.heads)), str(one.size), Text(one.server_version), one.newest_migration)
    out.print(table if found else "There is no backup.")


@app.command()
def verify(name: Name = "", folder: Folder = None, as_json: AsJson = False) -> int:
    """Check that a backup's file is what was written; exits 1 when it is not."""
    place = _folder(folder)
    backup = backups.backup_named(place, name)
    problems = asyncio.run(backups.problems(place, backup))
    if as_json:
        emit({"backup": backup.name, "sound": not problems, "problems": list(problems)})
    else:
        out.print("\n".join(problems) or f"{backup.name} is sound.", markup=False, soft_wrap=True)
    return 1 if problems else 0


@app.command()
def restore(name: Name = "", folder: Folder = None, as_json: AsJson = False) -> int:
    """Restore a backup into an empty database; every worker of the old one is fenced off, and the bot is paused.

    What was done outside since the backup is looked up before it is done again. Exits 1 when the record is unsound.
    """
    place = _folder(folder)
    backup = backups.backup_named(place, name)
    problems = asyncio.run(_restored(place, backup))
    if as_json:
        emit({"backup": backup.name, "workflows": len(backup.heads), "problems": problems})
        return 1 if problems else 0
    out.print("\n".join(problems) or "The record is sound.", markup=False, soft_wrap=True)
    out.print(f"{backup.name} is restored, {len(backup.heads)} workflows. `sre-bot resume` lets the bot go on.")
    return 1 if problems else 0


def _folder(folder: Path | None) -> Path:
    return folder or load().data_dir / "backups"


async def _created(folder: Path) -> Backup:
    async with database_url(load()) as url:
        return await backups.create(url, folder)


async def _restored(folder: Path, backup: Backup) -> list[str]:
    async with database_url(load()) as url:
        await backups.restore(url, folder, backup, asked_by())
        async with Database.open(url) as database:
            problems = [
                f"{row['ticket_id']} {row['workflow_id']}: {problem}"
                for row in await history.every_workflow(database)
                for problem in await replay.verify(database, row["workflow_id"])
            ]
        return [*problems, *await backups.differences(url, backup)]

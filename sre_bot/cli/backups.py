"""``backup create|list|verify|restore|drift``."""

import asyncio
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sre_bot.app import database_url, open_record, witness_of
from sre_bot.cli.controlling import asked_by
from sre_bot.cli.output import AsJson, emit, err, out
from sre_bot.domain.errors import BadInput
from sre_bot.graph.drift import Drift, assigned_to, drift_of, lost_on
from sre_bot.persistence import backups, history, replay
from sre_bot.persistence.backups import Backup
from sre_bot.persistence.database import Database
from sre_bot.persistence.dumps import Command
from sre_bot.settings import load

app = typer.Typer(help="Backups of the record: dumps of one moment, checksummed.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option(help="Where backups are kept; `backups` in DATA_DIR without.")]
Encrypt = Annotated[
    str, typer.Option("--encrypt-command", help="A command that encrypts its input, such as `age -r KEY`. No shell.")
]
Decrypt = Annotated[
    str, typer.Option("--decrypt-command", help="The command that decrypts its input again, such as `age -d -i FILE`.")
]
Name = Annotated[str, typer.Argument(help="The backup's name; the newest without.")]


@app.command()
def create(folder: Folder = None, encrypt: Encrypt = "", as_json: AsJson = False) -> None:
    """Write a backup while everybody works on."""
    made = asyncio.run(_created(_folder(folder), _words(encrypt)))
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
def verify(name: Name = "", folder: Folder = None, decrypt: Decrypt = "", as_json: AsJson = False) -> int:
    """Check that a backup's file is what was written; exits 1 when it is not. An encrypted one needs its command."""
    place = _folder(folder)
    backup = backups.backup_named(place, name)
    problems = asyncio.run(backups.problems(place, backup, _words(decrypt)))
    if as_json:
        emit({"backup": backup.name, "sound": not problems, "problems": list(problems)})
    else:
        unread = backup.encrypted and not decrypt
        sound = f"{backup.name} is {'what was written; with --decrypt-command it can be read' if unread else 'sound'}."
        out.print("\n".join(problems) or sound, markup=False, soft_wrap=True)
    return 1 if problems else 0


@app.command()
def restore(name: Name = "", folder: Folder = None, decrypt: Decrypt = "", as_json: AsJson = False) -> int:
    """Restore a backup into an empty database; every worker of the old one is fenced off, and the bot is paused.

    What was done outside since the backup is looked up before it is done again. Exits 1 when the record is unsound.
    """
    place = _folder(folder)
    backup = backups.backup_named(place, name)
    problems = asyncio.run(_restored(place, backup, _words(decrypt)))
    if as_json:
        emit({"backup": backup.name, "workflows": len(backup.heads), "problems": problems})
        return 1 if problems else 0
    out.print("\n".join(problems) or "The record is sound.", markup=False, soft_wrap=True)
    out.print(
        f"{backup.name} is restored, {len(backup.heads)} workflows. `sre-bot backup drift` says what the world knows "
        "and the record does not; `sre-bot resume` lets the bot go on."
    )
    return 1 if problems else 0


@app.command()
def drift(as_json: AsJson = False) -> int:
    """Say what the world knows and the record does not, of live workflows and of tickets that are ours. It only looks.

    After a restoration: before you let the bot go on. Exits 1 when something was found, or when a service that is set
    does not answer.
    """
    found, silent = asyncio.run(_drift())
    code = 1 if found or silent else 0
    if as_json:
        emit({"drift": [asdict(one) for one in found], "silent": silent})
        return code
    for one in found:
        out.print(Text.assemble((one.ticket_id, "bold"), f"  {one.workflow_id or 'no workflow'}  {one.said}"))
    for service, reason in silent.items():
        err.print(f"{service} could not be asked: {reason}", style="yellow", markup=False, soft_wrap=True)
    if not found and not silent:
        out.print("The world is as the record says.")
    return code


async def _drift() -> tuple[list[Drift], dict[str, str]]:
    settings = load()
    witness, found = witness_of(settings), list[Drift]()
    async with open_record(settings) as record:
        for state in await record.workflows.live():
            effects = await record.effects.of(state.workflow_id)
            found += await drift_of(witness, state, effects, settings.github_repositories)
        for ticket in await assigned_to(witness, settings.jira_projects):
            known = await record.workflows.of_ticket(ticket)
            found += await lost_on(witness, ticket, frozenset(state.workflow_id for state in known))
    return found, witness.silent


def _folder(folder: Path | None) -> Path:
    return folder or load().data_dir / "backups"


def _words(command: str) -> Command:
    """A command as its words. Raises ``BadInput`` where a quotation is not closed."""
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise BadInput(f"{command!r} is no command: {error}") from error


async def _created(folder: Path, encrypt: Command) -> Backup:
    async with database_url(load()) as url:
        return await backups.create(url, folder, encrypt)


async def _restored(folder: Path, backup: Backup, decrypt: Command) -> list[str]:
    async with database_url(load()) as url:
        await backups.restore(url, folder, backup, asked_by(), decrypt)
        async with Database.open(url) as database:
            problems = [
                f"{row['ticket_id']} {row['workflow_id']}: {problem}"
                for row in await history.every_workflow(database)
                for problem in await replay.verify(database, row["workflow_id"])
            ]
        return [*problems, *await backups.differences(url, backup)]

"""``locks``, ``effects``: what workflows hold, and what they have done outside."""

import asyncio
from typing import Any

from rich.table import Table
from rich.text import Text

from sre_bot.app import Record
from sre_bot.cli.looking import Rows, Workflow, find, reading
from sre_bot.cli.output import AsJson, emit, out, plain, span

EFFECT_STYLES = {"done": "green", "unknown": "red", "started": "yellow", "intended": "dim"}


def locks(as_json: AsJson = False) -> None:
    """List the repositories and applications that workflows hold, and who waits for them, first come first."""
    held, waiting, now = asyncio.run(reading(_locks))
    if as_json:
        emit(plain({"held": held, "waiting": waiting}))
        return
    if not held and not waiting:
        out.print("Nothing is held.")
        return
    table = Table("resource", "held or wanted by", "for", box=None, pad_edge=False)
    for lock in held:
        table.add_row(Text(lock["resource"]), Text(_who(lock)), span(now - lock["acquired_at"]))
    for waiter in waiting:
        wanted = Text(", ".join(waiter["resources"]), style="dim")
        table.add_row(wanted, Text(f"waits: {_who(waiter)}", style="dim"), span(now - waiter["requested_at"]))
    out.print(table)


def effects(workflow: Workflow, as_json: AsJson = False) -> None:
    """List what a workflow did outside: what was intended, what came of it, and what nobody knows.

    intended: certainly not performed; started: may have been; done; unknown: may have been, and a person must look.
    """
    found = asyncio.run(reading(lambda record: _effects(record, workflow)))
    if as_json:
        emit(plain(found))
        return
    table = Table("intended at", "effect", "round", "status", "tries", "result", box=None, pad_edge=False)
    for effect in found:
        table.add_row(
            f"{effect['intended_at']:%Y-%m-%d %H:%M:%S}",
            Text(effect["name"], overflow="fold"),
            str(effect["round"]),
            Text(effect["status"], style=EFFECT_STYLES[effect["status"]]),
            str(effect["tries"]),
            Text(", ".join(f"{name} {value}" for name, value in (effect["result"] or {}).items()), overflow="fold"),
        )
    out.print(table if found else "It has done nothing outside.")


def _who(row: dict[str, Any]) -> str:
    return f"{row['ticket_id']} {row['workflow_id']}" if row["workflow_id"] else f"a program outside ({row['holder']})"


async def _locks(record: Record) -> tuple[Rows, Rows, Any]:
    tickets = {state.workflow_id: state.ticket_id for state in await record.workflows.live()}

    def named(rows: Rows) -> Rows:
        return tuple({**row, "ticket_id": tickets.get(row["workflow_id"])} for row in rows)

    return named(await record.locks.held()), named(await record.locks.waiting()), await record.database.now()


async def _effects(record: Record, workflow: str) -> Rows:
    return await record.effects.of((await find(record, workflow)).workflow_id)

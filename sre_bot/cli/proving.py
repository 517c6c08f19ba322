"""``replay``, ``audit``: what the record was at any time, and a copy to keep elsewhere."""

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.text import Text

from sre_bot.app import open_record
from sre_bot.cli.looking import Workflow, find
from sre_bot.cli.moments import FORM, moment
from sre_bot.cli.output import AsJson, emit, out, plain, position
from sre_bot.domain.errors import BadInput
from sre_bot.domain.states import Position
from sre_bot.persistence import history
from sre_bot.settings import load


def replay(
    workflow: Workflow,
    at: Annotated[str, typer.Option(help=f"The state at that time: {FORM}.")] = "",
    version: Annotated[int | None, typer.Option(min=1, help="The state at that version.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild a workflow from its log alone and show its state then; its newest where no moment is named."""
    if at and version:
        raise BadInput("name a time or a version, not both")
    found = asyncio.run(_replayed(workflow, at, version))
    if as_json:
        emit(plain(found))
        return
    out.print(f"[bold]{found.workflow_id}[/]  version {found.version} of {found.newest_version}")
    for step in found.steps:
        states = position(Position.parse(step["from_state"])), " → ", position(Position.parse(step["to_state"]))
        out.print(Text.assemble(*states, f"  {step['trigger_event']} by {step['agent_id']}"))
    out.print(f"written {found.since:%Y-%m-%d %H:%M:%S.%f %Z}")
    out.print_json(json.dumps(found.state))


def audit(
    since: Annotated[str, typer.Option(help=f"Only transitions since then: {FORM}.")] = "",
    heads: Annotated[bool, typer.Option("--heads", help="Only the ends of the chains: anchors for `verify`.")] = False,
    as_json: AsJson = False,
) -> None:
    """Export the log: every transition, every request of people, and the end of each workflow's hash chain.

    With --json one document on each line. A rewritten log cannot end in the hashes that an earlier export holds: keep
    one elsewhere, and `sre-bot verify --anchors FILE` compares.
    """
    asyncio.run(_audited(since, heads_only=heads, as_json=as_json))


async def _replayed(workflow: str, at: str, version: int | None) -> history.Moment:
    then = moment(at) if at else None
    async with open_record(load()) as record:
        state = await find(record, workflow)
        return await history.rebuild(record.database, state.workflow_id, version=version, at=then)


async def _audited(since: str, *, heads_only: bool, as_json: bool) -> None:
    then = moment(since) if since else None
    async with open_record(load()) as record:
        async for row in history.exported(record.database, then, heads_only=heads_only):
            typer.echo(json.dumps(plain(row)) if as_json else _line(row))


def _line(row: dict[str, Any]) -> str:
    if row["kind"] == "head":
        return f"head of {row['ticket_id']} {row['workflow_id']} at version {row['version']}: {row['chain_hash'].hex()}"
    if row["kind"] == "request":
        about = row["workflow_id"] or row["repository"] or "everything"
        return f"{row['asked_at'].isoformat()} {row['request']} {about} by {row['asked_by']} {row['why']}".rstrip()
    steps = f"{row['from_state']} -> {row['to_state']} {row['trigger_event']} by {row['agent_id']}"
    return f"{row['timestamp'].isoformat()} {row['ticket_id']} {row['workflow_id']} {steps}"

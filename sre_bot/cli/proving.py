"""``verify``, ``replay``, ``audit``: whether the record is sound, what it was, and a copy to keep elsewhere."""

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.text import Text

from sre_bot.app import Record, open_record
from sre_bot.cli.looking import Workflow, find
from sre_bot.cli.moments import FORM, moment
from sre_bot.cli.output import AsJson, emit, out, plain, position
from sre_bot.domain.errors import BadInput
from sre_bot.domain.states import Position
from sre_bot.persistence import history
from sre_bot.persistence import replay as proof
from sre_bot.settings import load

Problem = dict[str, str]


def verify(
    workflows: Annotated[
        list[str] | None, typer.Argument(help="Ids or tickets; all workflows, ended ones too, where none is named.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check that the record is sound: chain intact, log legal, replayed log = state, heads = newest checkpoints.

    Exits 1 and says what disagrees when it is not.
    """
    looked_at, problems = asyncio.run(_verified(workflows or []))
    if as_json:
        emit({"sound": not problems, "workflows": looked_at, "problems": problems})
        return 1 if problems else 0
    for problem in problems:
        out.print(Text.assemble((problem["ticket_id"], "bold"), f"  {problem['workflow_id']}  {problem['problem']}"))
    out.print(f"{looked_at} looked at, {len({problem['workflow_id'] for problem in problems})} of them unsound.")
    return 1 if problems else 0


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
    since: Annotated[str, typer.Option(help=f"Only transitions since then: {FORM}.")] = "", as_json: AsJson = False
) -> None:
    """Export the log: every transition, every request of people, and the end of each workflow's hash chain.

    With --json one document on each line. A rewritten log cannot end in the hashes that an earlier export holds.
    """
    asyncio.run(_audited(since, as_json=as_json))


async def _verified(names: list[str]) -> tuple[int, list[Problem]]:
    async with open_record(load()) as record:
        chosen = await _chosen(record, names)
        return len(chosen), [
            {"workflow_id": workflow_id, "ticket_id": ticket_id, "problem": problem}
            for workflow_id, ticket_id in chosen.items()
            for problem in await proof.verify(record.database, workflow_id)
        ]


async def _chosen(record: Record, names: list[str]) -> dict[str, str]:
    """The tickets of the workflows that were named, by the workflows' ids."""
    if not names:
        return {row["workflow_id"]: row["ticket_id"] for row in await history.every_workflow(record.database)}
    states = [await find(record, name) for name in names]
    return {state.workflow_id: state.ticket_id for state in states}


async def _replayed(workflow: str, at: str, version: int | None) -> history.Moment:
    then = moment(at) if at else None
    async with open_record(load()) as record:
        state = await find(record, workflow)
        return await history.rebuild(record.database, state.workflow_id, version=version, at=then)


async def _audited(since: str, *, as_json: bool) -> None:
    then = moment(since) if since else None
    async with open_record(load()) as record:
        async for row in history.exported(record.database, then):
            typer.echo(json.dumps(plain(row)) if as_json else _line(row))


def _line(row: dict[str, Any]) -> str:
    if row["kind"] == "head":
        return f"head of {row['ticket_id']} {row['workflow_id']} at version {row['version']}: {row['chain_hash'].hex()}"
    if row["kind"] == "request":
        about = row["workflow_id"] or row["repository"] or "everything"
        return f"{row['asked_at'].isoformat()} {row['request']} {about} by {row['asked_by']} {row['why']}".rstrip()
    steps = f"{row['from_state']} -> {row['to_state']} {row['trigger_event']} by {row['agent_id']}"
    return f"{row['timestamp'].isoformat()} {row['ticket_id']} {row['workflow_id']} {steps}"

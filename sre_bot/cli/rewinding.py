"""``rewind``: a workflow goes on from an earlier point."""

import asyncio
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sre_bot.app import Record
from sre_bot.cli.controlling import asked_by
from sre_bot.cli.looking import Workflow, find, reading
from sre_bot.cli.output import AsJson, emit, out, plain, position
from sre_bot.domain.errors import BadInput
from sre_bot.graph.outside import carried
from sre_bot.persistence.rewinds import RestorePoint, Rewinds, Rewound


def rewind(
    workflow: Workflow,
    to: Annotated[
        str, typer.Option("--to", help="A restore point's NAME, the newest of that name, or NAME@VERSION.")
    ] = "",
    why: Annotated[str, typer.Option("--why", help="The reason, for the log.")] = "",
    list_only: Annotated[bool, typer.Option("--list", help="Only list the restore points.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a workflow that nobody runs go on from the end of a sub-state that it has completed before.

    The log keeps everything and gets one more step. Nothing that was done outside is undone or done again: what is on
    the pull request and on the ticket stays there. Refused once the fix is merged, and when the workflow has ended.
    """
    if list_only == bool(to):
        raise BadInput("name a restore point with --to, or list them with --list")
    if list_only:
        _list(asyncio.run(reading(lambda record: _points(record, workflow))), as_json=as_json)
        return
    done = asyncio.run(reading(lambda record: _rewound(record, workflow, to, why.strip())))
    if as_json:
        emit({**plain(done), "left": str(done.left)})
        return
    out.print(
        f"Rewound to {done.point.name}@{done.point.version}; the next worker goes on from there "
        "(`sre-bot serve`, or `sre-bot recover` now).",
        markup=False,
        soft_wrap=True,
    )


def _list(points: tuple[RestorePoint, ...], *, as_json: bool) -> None:
    if as_json:
        emit([{**plain(point), "position": str(point.position), "usable": point.usable} for point in points])
        return
    table = Table("restore point", "reached at", "state", "", box=None, pad_edge=False)
    for point in points:
        table.add_row(
            Text(f"{point.name}@{point.version}"),
            f"{point.reached_at:%Y-%m-%d %H:%M:%S}",
            position(point.position),
            "" if point.usable else Text("not usable: nothing follows it, or it is pruned", style="dim"),
        )
    out.print(table if points else "It has no restore point yet.")


async def _points(record: Record, workflow: str) -> tuple[RestorePoint, ...]:
    return await Rewinds(record.database).points((await find(record, workflow)).workflow_id)


async def _rewound(record: Record, workflow: str, to: str, why: str) -> Rewound:
    state = await find(record, workflow)
    rewinds = Rewinds(record.database)
    return await rewinds.rewind(state.workflow_id, to, why=why, asked_by=asked_by(), carry=carried)

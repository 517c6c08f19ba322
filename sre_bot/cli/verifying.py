"""``verify``: whether the record is sound, by itself, beside anchors that were kept elsewhere, and beside the world."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from sre_bot.app import Record, open_record, witness_of
from sre_bot.cli.looking import find
from sre_bot.cli.output import AsJson, emit, err, out
from sre_bot.domain.errors import BadInput
from sre_bot.persistence import anchors as kept
from sre_bot.persistence import history, replay
from sre_bot.settings import load

if TYPE_CHECKING:
    from sre_bot.graph.witness import Witness

Json = dict[str, Any]


@dataclass(slots=True)
class Report:
    """What was looked at and what disagrees. ``silent`` are the services that were asked and did not answer."""

    workflows: int = 0
    problems: list[Json] = field(default_factory=list[Json])
    effects: int = 0
    silent: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, workflow_id: str, ticket_id: str, problems: Sequence[str]) -> None:
        """Note what disagrees about one workflow."""
        named = {"workflow_id": workflow_id, "ticket_id": ticket_id}
        self.problems += [{**named, "problem": problem} for problem in problems]


def verify(
    workflows: Annotated[
        list[str] | None, typer.Argument(help="Ids or tickets; all workflows, ended ones too, where none is named.")
    ] = None,
    world: Annotated[
        bool | None,
        typer.Option(
            help="Compare all effects with Jira and GitHub, where a silent service is a failure, or none. "
            "Without: where they are configured, of workflows that have not ended a week ago or that are named."
        ),
    ] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="An export of `sre-bot audit --json` that was kept elsewhere.", dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check that the record is sound: chain intact, log legal, replayed log = state, heads = newest checkpoints.

    And that what it says was done outside is there. Exits 1 and says what disagrees when it is not.
    """
    report = asyncio.run(_verified(workflows or [], world, _anchors(anchors)))
    failed = bool(report.problems) or (world is True and bool(report.silent))
    if as_json:
        compared = {"effects": report.effects, "silent": report.silent}
        said = {"workflows": report.workflows, "problems": report.problems, "world": compared}
        emit({"sound": not report.problems, **said})
        return 1 if failed else 0
    for problem in report.problems:
        out.print(Text.assemble((problem["ticket_id"], "bold"), f"  {problem['workflow_id']}  {problem['problem']}"))
    for service, reason in report.silent.items():
        err.print(f"{service} could not be asked: {reason}", style="yellow", markup=False, soft_wrap=True)
    unsound = len({problem["workflow_id"] for problem in report.problems})
    out.print(f"{report.workflows} looked at, {unsound} of them unsound; {report.effects} effects found in the world.")
    return 1 if failed else 0


def _anchors(path: Path | None) -> tuple[kept.Anchor, ...]:
    if path is None:
        return ()
    if not path.is_file():
        raise BadInput(f"there is no file {str(path)!r}")
    return kept.anchors_in(path.read_text(errors="replace").splitlines())


async def _verified(names: list[str], world: bool | None, anchors: tuple[kept.Anchor, ...]) -> Report:
    settings = load()
    async with open_record(settings) as record:
        report, witness = Report(), witness_of(settings) if world is not False else None
        for row in await _chosen(record, names):
            workflow_id, ticket_id = row["workflow_id"], row["ticket_id"]
            report.workflows += 1
            report.add(workflow_id, ticket_id, await replay.verify(record.database, workflow_id))
            if witness is not None and (world or not row["is_old"]):
                await _compare(record, witness, workflow_id, ticket_id, report)
        for anchor in anchors:
            report.add(anchor.workflow_id, anchor.ticket_id, await kept.contradictions(record.database, anchor))
        report.silent = witness.silent if witness else {}
        return report


async def _compare(record: Record, witness: "Witness", workflow_id: str, ticket_id: str, report: Report) -> None:
    for effect in await record.effects.of(workflow_id):
        sighting = await witness.look(effect)
        if sighting is None:
            continue
        report.effects += sighting.agrees is True
        if sighting.agrees is False:
            what = f"effect {sighting.name!r} (round {sighting.round})"
            report.add(workflow_id, ticket_id, [f"{what} is recorded as {sighting.recorded}, but {sighting.seen}"])


async def _chosen(record: Record, names: list[str]) -> Sequence[Json]:
    """The workflows that were named, or all."""
    if not names:
        return await history.every_workflow(record.database)
    states = [await find(record, name) for name in names]
    return [{"workflow_id": one.workflow_id, "ticket_id": one.ticket_id, "is_old": False} for one in states]

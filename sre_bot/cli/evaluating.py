"""``eval``: the whole bot over recorded incidents, scored."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from sre_bot.app import database_url
from sre_bot.cli.output import AsJson, complain, emit, err, out
from sre_bot.domain.errors import BadInput, BadRecording, SreBotError
from sre_bot.evals.harness import Pace, play, staged
from sre_bot.evals.scoring import Score, score
from sre_bot.lab.recording import Recording
from sre_bot.settings import load


def evaluate(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Incident folders, or folders of incident folders.", exists=True, file_okay=False),
    ],
    only: Annotated[str, typer.Option(help="Only incidents whose folder's name matches this glob.")] = "*",
    json_file: Annotated[Path | None, typer.Option("--json-file", help="Also write the scores to this file.")] = None,
    as_json: AsJson = False,
) -> int:
    """Run every incident end to end with an approving reviewer, and compare the ends with what is expected.

    Exits 1 when an incident ended neither as expected nor with a person.
    """
    folders = find_incidents(paths, only)
    scores = asyncio.run(_evaluate(folders))
    document = [one.model_dump() for one in scores]
    if json_file:
        json_file.write_text(json.dumps(document, indent=2))
    if as_json:
        emit(document)
    else:
        out.print(_table(scores))
        for one in scores:
            if one.problem:
                complain(f"{one.incident}: {one.problem}")
        out.print(f"{sum(one.as_expected for one in scores)} of {len(scores)} ended as expected.")
    return 0 if all(one.safe for one in scores) else 1


def find_incidents(paths: list[Path], only: str = "*") -> list[Path]:
    """The incident folders at or right below the paths, by name. Raises ``BadInput`` when there is none."""
    found = [
        folder
        for path in paths
        for folder in ([path] if (path / "incident.yaml").is_file() else sorted(path.iterdir()))
        if (folder / "incident.yaml").is_file() and folder.match(only)
    ]
    if not found:
        raise BadInput(f"no incident folder in {', '.join(map(str, paths))}; one has an incident.yaml")
    return found


async def _evaluate(folders: list[Path]) -> list[Score]:
    scores: list[Score] = []
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("incidents", total=len(folders))
        async with database_url(load()) as url:
            for folder in folders:
                progress.update(task, description=folder.name)
                scores.append(await _one(folder, url))
                progress.advance(task)
    return scores


async def _one(folder: Path, server_url: str) -> Score:
    """One incident's score; a folder that cannot be read is reported and stops nothing."""
    try:
        recording = Recording.load(folder)
        async with staged(folder, server_url, Pace()) as stage:
            return score(recording, await play(stage))
    except BadRecording as error:
        return _unscored(folder, "bad recording", str(error))
    except SreBotError as error:
        return _unscored(folder, "failed", str(error))


def _unscored(folder: Path, outcome: str, problem: str) -> Score:
    return Score(
        incident=folder.name,
        outcome=outcome,
        expected_verdict="",
        as_expected=False,
        safe=False,
        kind_right=None,
        object_right=None,
        culprit_right=None,
        decoy_hit=None,
        named_kind="",
        named_object="",
        confidence=0.0,
        seconds=0.0,
        problem=problem,
    )


def _table(scores: list[Score]) -> Table:
    table = Table("incident", "expected", "ended", "named", "kind", "object", "culprit", "sure", "s", box=None)
    for one in scores:
        style = "" if one.as_expected else ("yellow" if one.safe else "red")
        named = f"{one.named_kind} {one.named_object}"
        marks = [_mark(one.kind_right), _mark(one.object_right), _mark(one.culprit_right)]
        table.add_row(
            one.incident,
            one.expected_verdict,
            one.outcome,
            named,
            *marks,
            f"{one.confidence:.0%}",
            f"{one.seconds:.1f}",
            style=style,
        )
    return table


def _mark(right: bool | None) -> str:
    return {True: "✓", False: "✗", None: "-"}[right]

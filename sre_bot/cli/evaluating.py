"""``eval``: recorded incidents diagnosed, or played to their end, and scored."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sre_bot.app import database_url
from sre_bot.cli import scores
from sre_bot.cli.output import complain, emit, err, out
from sre_bot.domain.errors import BadInput
from sre_bot.evals.campaign import results_of
from sre_bot.evals.examination import Order, Result, Stage, Unscored
from sre_bot.evals.incidents import find_incidents
from sre_bot.evals.page import page
from sre_bot.evals.regressions import Baseline, changes, regressions
from sre_bot.evals.report import document
from sre_bot.evals.shelf import Shelf
from sre_bot.settings import load

STDOUT = Path("-")
PAPER = 160
"""Columns of the tables where no terminal says how many there are."""


def evaluate(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Incident folders, or folders of incident folders.", exists=True, file_okay=False),
    ],
    stage: Annotated[Stage, typer.Option(help="Diagnose the folders, or play them with the whole bot.")] = "diagnosis",
    only: Annotated[str, typer.Option(help="Only incidents whose folder's name matches this glob.")] = "*",
    jobs: Annotated[int, typer.Option(help="Incidents examined at once, in processes of their own.", min=1)] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the scores here; - is standard output.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures here.", dir_okay=False)] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Compare with this file: what was right may not become wrong.", dir_okay=False)
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Write the baseline instead of comparing with it.")] = False,
    rename: Annotated[int | None, typer.Option(help="Diagnose each incident under other names too; a seed.")] = None,
    shuffle: Annotated[int | None, typer.Option(help="Diagnose each in another order too; a seed.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Keep results in this folder, and take from it what is done.", file_okay=False)
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Leave things out, and print the constants that make the confidence true.")
    ] = False,
) -> int:
    """Score the answers to recorded incidents against what their folders expect.

    Exit codes: 0 all were scored and the gate holds; 1 a folder could not be scored, something right became wrong, a
    retelling changed an answer, or a played incident did harm or ended badly; 2 the command cannot be used so.
    """
    _check(baseline, rename, shuffle, update=update, stage=stage)
    before = Baseline.read(baseline) if baseline and not update else None
    ordered = [Order(folder, stage, 0.0, "", rename, shuffle, fit) for folder in find_incidents(paths, only)]
    results = asyncio.run(_examine(ordered, stage, jobs, Shelf.at(resume) if resume else None))
    report = document(
        stage,
        [one for one in results if isinstance(one, Result)],
        [one for one in results if isinstance(one, Unscored)],
    )
    _write(report, json_file, html)
    now = Baseline.of(report)
    if baseline and update:
        now.write(baseline)
    if json_file != STDOUT:
        _show(report, before, now, fit=fit)
    problems = _problems(report, before, now)
    for problem in problems:
        complain(problem)
    return 1 if problems else 0


def _check(baseline: Path | None, rename: int | None, shuffle: int | None, *, update: bool, stage: Stage) -> None:
    if update and baseline is None:
        raise BadInput("--update writes a baseline; name its file with --baseline")
    if stage == "full" and (rename, shuffle) != (None, None):
        raise BadInput("--rename and --shuffle retell what is diagnosed; leave out --stage full")


async def _examine(orders: list[Order], stage: Stage, jobs: int, shelf: Shelf | None) -> list[Result | Unscored]:
    settings = load()
    orders = [replace(order, fix_threshold=settings.fix_threshold) for order in orders]
    if stage == "diagnosis":
        return _results(orders, jobs, shelf)
    async with database_url(settings) as url:
        return await asyncio.to_thread(_results, [replace(order, database_url=url) for order in orders], jobs, shelf)


def _results(orders: list[Order], jobs: int, shelf: Shelf | None) -> list[Result | Unscored]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    results: list[Result | Unscored] = []
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("incidents", total=len(orders))
        for result in results_of(orders, jobs, shelf):
            results.append(result)
            progress.update(task, advance=1, description=result.incident)
    return results


def _write(report: dict[str, Any], json_file: Path | None, html: Path | None) -> None:
    if json_file == STDOUT:
        emit(report)
    elif json_file:
        json_file.write_text(json.dumps(report, indent=2) + "\n")
    if html:
        html.write_text(page(report))


def _show(report: dict[str, Any], before: Baseline | None, now: Baseline, *, fit: bool) -> None:
    paper = out if out.is_terminal else Console(highlight=False, width=PAPER)
    paper.print(scores.incidents_table(report["incidents"]))
    paper.print()
    paper.print(scores.totals_table(report))
    if before and (changed := scores.changed_totals(changes(before, now))):
        out.print(f"since the baseline: {changed}", soft_wrap=True)
    for line in scores.calibration_lines(report["calibration"]) if fit else ():
        out.print(line, soft_wrap=True)


def _problems(report: dict[str, Any], before: Baseline | None, now: Baseline) -> list[str]:
    """What makes the exit code 1, a sentence each."""
    unscored = [f"{one['incident']}: {one['problem']}" for one in report["problems"]]
    played = [(one["incident"], one["ending"]) for one in report["incidents"] if one["ending"]]
    harmful = [f"{name}: a deployment did harm" for name, ending in played if ending["harmed"]]
    unsafe = [
        f"{name}: it ended {ending['outcome']}, neither as expected nor with a person. {ending['problem']}".strip()
        for name, ending in played
        if not ending["safe"]
    ]
    lost = regressions(before, now) if before else []
    return [*unscored, *harmful, *unsafe, *scores.told_differently(report), *lost]

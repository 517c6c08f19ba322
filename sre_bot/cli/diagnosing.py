"""``diagnose``: what is wrong in a cluster and why, at once: no ticket, no key, no database, and nothing is changed."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sre_bot.cli.output import AsJson, emit, err
from sre_bot.cli.report.contents import Report
from sre_bot.domain.errors import BadInput

FOUND = 2
"""The exit code when something is wrong; 0 says that nothing is, 1 that we could not tell."""

Namespaces = Annotated[
    list[str] | None,
    typer.Option("--namespace", "-n", metavar="NS", help="A namespace; more than once for several."),
]
Kubeconfig = Annotated[str, typer.Option("--kubeconfig", metavar="FILE", help="Instead of the usual kubeconfig.")]
Context = Annotated[str, typer.Option("--context", metavar="NAME", help="Instead of the current context.")]
Repo = Annotated[Path | None, typer.Option("--repo", metavar="PATH", help="A git clone of what is deployed.")]
DeployedPath = Annotated[
    str | None,
    typer.Option("--path", metavar="FOLDER", help="The deployed folder in it; found by itself if not given."),
]


def diagnose(
    namespace: Namespaces = None,
    recorded: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="PATH", help="An incident folder, a dump, a cluster-info dump or a must-gather instead."
        ),
    ] = None,
    repo: Repo = None,
    path: DeployedPath = None,
    kubeconfig: Kubeconfig = "",
    context: Context = "",
    top: Annotated[int, typer.Option(min=1, metavar="N", help="How many possible causes to show.")] = 3,
    explain: Annotated[bool, typer.Option("--explain", help="The whole chain of evidence, with ids.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a report for the browser.")] = None,
    as_json: AsJson = False,
) -> int:
    """Say what is wrong in a namespace, or in a recording, and why. Read-only; needs no ticket, key or database.

    Exits 0 when nothing is wrong, 2 when something is, 1 when it could not be told.
    """
    if recorded is not None and (kubeconfig or context):
        raise BadInput("--from reads a recording, --kubeconfig and --context a cluster: give one or the other")
    if path is not None and repo is None and recorded is None:
        raise BadInput("--path is a folder of --repo: give that too")
    given = {"namespaces": tuple(namespace or ()), "recorded": recorded, "repo": repo, "path": path}
    report = asyncio.run(_examined({**given, "kubeconfig": kubeconfig, "context": context}, top))
    if html is not None:
        _write_page(html, report)
    _show(report, explain=explain, as_json=as_json)
    return 0 if report.healthy else FOUND


async def _examined(given: dict[str, Any], top: int) -> Report:
    """Look and judge. What that needs is imported here, so that the help comes at once."""
    from sre_bot.cli.examination import Question, examine
    from sre_bot.cli.report.writing import report_of
    from sre_bot.settings import load

    examination = await examine(Question(**given), load(), remedies=top)
    return await asyncio.to_thread(report_of, examination, top)


def _show(report: Report, *, explain: bool, as_json: bool) -> None:
    from sre_bot.cli.report.terminal import print_report

    if as_json:
        emit(report.model_dump(mode="json"))
    else:
        print_report(Console(highlight=False), report, explain=explain)


def _write_page(file: Path, report: Report) -> None:
    from sre_bot.cli.report.page import page_of

    file.write_text(page_of(report), encoding="utf-8")
    err.print(f"Report: {file.absolute()}", markup=False, soft_wrap=True)

"""``lab``: the outside world on loopback, for hands-on use."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from sre_bot.cli.output import AsJson, emit, err, out
from sre_bot.domain.errors import BadInput
from sre_bot.lab.client import LabAddress, LabControl, LabProcess

app = typer.Typer(
    help="Jira, GitHub, Kubernetes and Argo CD on loopback, over one recorded incident.", no_args_is_help=True
)

T = TypeVar("T")
Data = Annotated[Path, typer.Option(help="Where the lab keeps its state and its request log.")]
DEFAULT_DATA = Path(".sre-bot/lab")


@app.command()
def up(
    incident: Annotated[Path, typer.Argument(help="An incident folder.", exists=True, file_okay=False)],
    data: Data = DEFAULT_DATA,
    speed: Annotated[float, typer.Option(help="How many times as fast the incident's clock runs.", min=0.1)] = 1.0,
    cloud: Annotated[bool, typer.Option(help="Answer as Jira Cloud does.")] = False,
    auto_sync: Annotated[bool, typer.Option(help="Let Argo CD sync by itself.")] = False,
    as_json: AsJson = False,
) -> None:
    """Serve an incident until Ctrl-C, and print the settings to export."""
    asyncio.run(_up(incident, data, speed, cloud, auto_sync, as_json))


@app.command()
def review(
    pull_request: Annotated[int, typer.Argument(metavar="PR", help="The pull request's number.")],
    approve: Annotated[bool, typer.Option("--approve", help="Approve it.")] = False,
    request_changes: Annotated[str, typer.Option(metavar="TEXT", help="Ask for changes.")] = "",
    reject: Annotated[bool, typer.Option("--reject", help="Close it without merging.")] = False,
    comment: Annotated[str, typer.Option(metavar="TEXT", help="Only say something.")] = "",
    reviewer: Annotated[str, typer.Option(help="Who reviews.")] = "reviewer",
    may_write: Annotated[bool, typer.Option(help="Whether that person may write to the repository.")] = True,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Play the person who reviews a pull request."""
    chosen = {"approve": approve, "request_changes": request_changes, "reject": reject, "comment": comment}
    actions: list[Any] = [name for name, given in chosen.items() if given]
    if len(actions) != 1:
        raise typer.BadParameter("say exactly one of --approve, --request-changes TEXT, --reject, --comment TEXT")
    body = request_changes or comment
    given = asyncio.run(
        _told(data, lambda lab: lab.review(pull_request, actions[0], body, reviewer=reviewer, may_write=may_write))
    )
    if as_json:
        emit({"pull_request": pull_request, "action": actions[0], "reviewer": reviewer, "answer": given})
        return
    out.print(f"Pull request #{pull_request}: {actions[0].replace('_', ' ')} by {reviewer}.")


@app.command()
def requests(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Count every request that the lab has answered, by route."""
    counts = asyncio.run(_told(data, LabControl.request_counts))
    if as_json:
        emit(counts)
        return
    table = Table("route", "requests", box=None, pad_edge=False)
    for route, count in sorted(counts.items()):
        table.add_row(route, str(count))
    out.print(table)


@app.command()
def fault(
    service: Annotated[str, typer.Argument(help="jira, github, kubernetes or argocd.")],
    kind: Annotated[str, typer.Argument(help="status, delay, cut, timeout_performed or truncate.")],
    method: Annotated[str, typer.Option(help="Only this HTTP method.")] = "",
    path: Annotated[str, typer.Option(help="Only paths that match this regular expression.")] = "",
    status: Annotated[int, typer.Option(help="The status to answer with.")] = 503,
    seconds: Annotated[float, typer.Option(help="How long to delay.")] = 0.0,
    times: Annotated[int, typer.Option(help="How often; -1 for ever.")] = 1,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Let something go wrong on a route."""
    given = {"method": method, "path": path, "status": status, "seconds": seconds, "times": times}
    asyncio.run(_told(data, lambda lab: lab.add_fault(service, kind, **given)))
    if as_json:
        emit({"service": service, "kind": kind, **given})
        return
    out.print(f"{service}: {kind}")


async def _up(incident: Path, data: Path, speed: float, cloud: bool, auto_sync: bool, as_json: bool) -> None:
    async with await LabProcess.start(incident, speed=speed, cloud=cloud, auto_sync=auto_sync, data=data) as lab:
        if as_json:
            emit({"settings": lab.environment, "urls": lab.urls, "ticket": lab.ticket})
        else:
            for name, value in lab.environment.items():
                typer.echo(f"export {name}={value}")
            err.print(
                f"\nThe lab serves {lab.ticket}. In another terminal: export these, then `sre-bot run {lab.ticket}`."
            )
            err.print("Review with `sre-bot lab review PR --approve`. Ctrl-C stops the lab.")
        await asyncio.Event().wait()


async def _told(data: Path, action: Callable[[LabControl], Awaitable[T]]) -> T:
    control = LabControl(LabAddress.find(data))
    try:
        return await action(control)
    except OSError as error:
        raise BadInput(f"the lab of {data} does not answer: {error}") from error
    finally:
        await control.close()

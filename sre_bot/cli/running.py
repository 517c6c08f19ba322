"""``run``, ``serve``, ``migrate``: the commands that do the work."""

import asyncio
import signal
from datetime import timedelta
from typing import Annotated

import typer

from sre_bot.app import App, compose, database_url
from sre_bot.cli import progress
from sre_bot.cli.output import AsJson, emit, err, out, where, why_not_resolved
from sre_bot.domain.errors import LeaseHeld
from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence import migrations
from sre_bot.settings import load
from sre_bot.worker.following import follow


def run(
    ticket: Annotated[str, typer.Argument(help="The ticket's key, for example INFRA-456.")],
    wait: Annotated[bool, typer.Option(help="Wait for reviews; without, leave once people are asked.")] = True,
    as_json: AsJson = False,
) -> int:
    """Work on one ticket until it ends.

    Exits 0 when it is resolved (or, with --no-wait, waits for people), 1 on any other end, 3 when the ticket already
    has a live workflow.
    """
    state, why = asyncio.run(_run(ticket, wait=wait, quiet=as_json))
    if as_json:
        emit(state.to_dict())
    else:
        out.print(where(state), f"[dim]sre-bot show {state.workflow_id}[/]")
        if why:
            out.print(why, markup=False, soft_wrap=True)
    return 0 if state.outcome == "resolved" or (not wait and state.outcome is None) else 1


def serve() -> None:
    """Take tickets from Jira and work on them until stopped; recovers at start what a crash left behind."""
    asyncio.run(_serve())


def migrate(as_json: AsJson = False) -> None:
    """Bring the database up to date; safe to run at any time, and twice at once."""
    applied = asyncio.run(_migrate())
    if as_json:
        emit({"applied": list(applied)})
    else:
        out.print("\n".join(applied) if applied else "The database is up to date.")


async def _run(ticket: str, *, wait: bool, quiet: bool) -> tuple[WorkflowState, str]:
    """Where the workflow stands when we leave it, and why it is not resolved."""
    async with compose(load()) as app:
        state = await app.monitors.open(ticket)
        async with progress.shown(app.record, state.workflow_id, quiet=quiet):
            state = await _followed(app, state.workflow_id, wait=wait)
        return state, why_not_resolved(state, await app.record.workflows.errors(state.workflow_id))


async def _followed(app: App, workflow_id: str, *, wait: bool) -> WorkflowState:
    poll = timedelta(seconds=app.settings.poll_seconds)
    try:
        return await follow(app.runner, app.monitors, workflow_id, poll=poll, wait=wait)
    except LeaseHeld:
        err.print(f"workflow {workflow_id} is being run by another process; see `sre-bot show {workflow_id}`")
        return await app.record.workflows.get(workflow_id)


async def _serve() -> None:
    async with compose(load()) as app:
        service = app.service()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, service.stop)
        err.print(f"sre-bot serves projects {', '.join(app.settings.jira_projects)}; stop it with Ctrl-C")
        await service.run()


async def _migrate() -> tuple[str, ...]:
    async with database_url(load()) as url:
        return await migrations.migrate(url)

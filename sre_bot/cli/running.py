"""``run``, ``serve``, ``take-up``, ``health``, ``migrate``: the commands that do the work and look after it."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Annotated

import typer
from psycopg import OperationalError
from rich.text import Text

from sre_bot.app import App, Record, compose, database_url
from sre_bot.cli import progress
from sre_bot.cli.output import AsJson, emit, err, out, where, why_not_resolved
from sre_bot.domain.errors import LeaseHeld, SreBotError
from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence import migrations, roles
from sre_bot.persistence.database import Database
from sre_bot.settings import load
from sre_bot.worker.following import follow
from sre_bot.worker.health import PATIENCE, Health, Reason
from sre_bot.worker.service import Service

_SIGNS = {"ok": Text("✓", "green"), "noted": Text("!", "yellow"), "bad": Text("✗", "red")}


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


def health(as_json: AsJson = False) -> int:
    """Say whether the bot can work, and every reason why not; exits 1 when it cannot."""
    found = asyncio.run(_health())
    if as_json:
        emit(found.to_dict())
    else:
        for reason in found.reasons:
            out.print(_SIGNS[reason.level], f"{reason.name}: {reason.said}", soft_wrap=True)
    return 0 if found.ready else 1


def take_up(workflow: Annotated[str, typer.Argument(help="A workflow's id.")]) -> None:
    """Run one workflow as far as it goes now; what `serve` starts for one on which its runners died."""
    asyncio.run(_take_up(workflow))


def migrate(
    role: Annotated[
        str, typer.Option(help="Then let this role work on it, which can append to the log and not rewrite it.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Bring the database up to date; safe to run at any time, and twice at once."""
    applied = asyncio.run(_migrate(role))
    if as_json:
        emit({"applied": list(applied), "granted_to": role or None})
        return
    out.print("\n".join(applied) if applied else "The database is up to date.")
    if role:
        out.print(f"{role} may work on it; the log it can only append to.", markup=False)


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
        async with _answering(app, service):
            await service.run()


@asynccontextmanager
async def _answering(app: App, service: Service) -> AsyncGenerator[None]:
    """Answer how we are doing, where that is asked for."""
    settings, examination = app.settings, app.record.examination()
    if not settings.health_port:
        yield
        return
    from sre_bot.server.health import health_app, listening  # a web server that only this needs

    pages = health_app(service.stuck, lambda: examination.health(app.owner))
    async with listening(pages, settings.health_host, settings.health_port):
        yield


async def _health() -> Health:
    async with database_url(load()) as url:
        try:
            async with asyncio.timeout(2 * PATIENCE):
                with suppress(SreBotError):  # a newer schema is a reason among others
                    await migrations.pending(url)  # a pool tries again and again; this says at once why nobody answers
                async with Database.open(url) as database:
                    return await Record.of(database).examination().health()
        except (TimeoutError, OperationalError) as error:
            return Health((Reason("database", "bad", f"out of reach: {str(error) or 'no answer'}"),))


async def _take_up(workflow_id: str) -> None:
    async with compose(load()) as app:
        lease = timedelta(seconds=app.settings.lease_seconds)
        claim = await app.record.workflows.claim(workflow_id, app.owner, lease)
        running = asyncio.create_task(app.runner.run(claim))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        try:
            await running
        except asyncio.CancelledError:
            await app.record.workflows.release(claim, due_in=timedelta(0))


async def _migrate(role: str) -> tuple[str, ...]:
    async with database_url(load()) as url:
        applied = await migrations.migrate(url)
        if role:
            await roles.grant(url, role)
        return applied

"""``status``, ``show``, ``timeline``: what the record says. They read the database and nothing else."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from rich.syntax import Syntax

from sre_bot.app import Record, hot_store, open_record
from sre_bot.cli.output import (
    AsJson,
    emit,
    err,
    found,
    out,
    plain,
    span,
    time_per_state,
    timeline_table,
    transition_json,
    where,
    workflows_table,
)
from sre_bot.cli.progress import follow_to_the_end, line
from sre_bot.domain.errors import HotStoreAway, WorkflowNotFound
from sre_bot.domain.workflow import StateTransition, WorkflowState
from sre_bot.persistence.hot.states import HotStates
from sre_bot.settings import load

T = TypeVar("T")
Rows = tuple[dict[str, Any], ...]
Workflow = Annotated[str, typer.Argument(help="A workflow's id, its beginning, or its ticket's key.")]


def status(
    everything: Annotated[bool, typer.Option("--all", help="The 50 that moved last, ended ones too.")] = False,
    cached: Annotated[bool, typer.Option("--cached", help="What Redis was last told; asks no Postgres.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the workflows: where each stands and since when."""
    if cached:
        show_cached(asyncio.run(_cached(everything)), as_json=as_json)
        return
    listing = asyncio.run(reading(lambda record: _status(record, everything)))
    states, pauses = listing.states, listing.pauses
    for pause in pauses:
        what, why = pause["repository"] or "everything", f": {pause['why']}" if pause["why"] else ""
        said = f"PAUSED: {what}, by {pause['asked_by']} since {pause['asked_at']:%Y-%m-%d %H:%M:%S %Z}{why}"
        err.print(said, style="yellow", markup=False, soft_wrap=True)
    for state in states:
        if why := listing.aside.get(state.workflow_id):
            said = f"QUARANTINED: {state.ticket_id} {state.workflow_id[:8]}: {why}"
            err.print(said, style="red", markup=False, soft_wrap=True)
    if as_json:
        emit([{**state.to_dict(), **listing.notes(state)} for state in states])
    elif states:
        out.print(workflows_table(states, listing.now))
        for state in states:
            if wanted := listing.line.get(state.workflow_id):
                said = f"{state.ticket_id} {state.workflow_id[:8]} stands in line for {', '.join(wanted)}"
                out.print(said, style="dim", markup=False, soft_wrap=True)
    else:
        out.print("No workflow is live. `sre-bot status --all` lists the ended ones.")


def show_cached(states: tuple[WorkflowState, ...], *, as_json: bool) -> None:
    """Workflows as Redis was last told of them, which may be stale."""
    said = "This is what Redis was last told; it may be late or wrong. `sre-bot status` asks Postgres."
    err.print(said, style="yellow", markup=False, soft_wrap=True)
    if as_json:
        emit([state.to_dict() for state in states])
    elif states:
        out.print(workflows_table(states, datetime.now(UTC)))
    else:
        out.print("Redis knows of no workflow.")


def show(
    workflow: Workflow,
    errors_only: Annotated[bool, typer.Option("--errors", help="Only what went wrong, with tracebacks.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Print each step as it happens until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one workflow: state, cause, fix, pull request, errors, effects."""
    if follow:
        asyncio.run(reading(lambda record: _follow(record, workflow, as_json)))
        return
    if errors_only:
        show_errors(asyncio.run(reading(lambda record: _errors(record, workflow))), as_json=as_json)
        return
    state, errors, effects, aside, links, ignored = asyncio.run(reading(lambda record: _show(record, workflow)))
    if as_json:
        notes = {"quarantined": aside, "links": plain(links), "ignored": plain(ignored)}
        emit({**state.to_dict(), "errors": errors, "effects": effects, **notes})
        return
    out.print(f"[bold]{state.ticket_id}[/]  {state.workflow_id}  version {state.version}")
    out.print("state ", where(state), f" since {state.entered_at or state.updated_at:%Y-%m-%d %H:%M:%S %Z}")
    if aside:
        said = f"QUARANTINED: {aside}; `sre-bot retry {state.workflow_id}` lets it go on"
        out.print(said, markup=False, style="red", soft_wrap=True)
    out.print("found ", found(state) or "nothing yet", markup=False)
    _show_context(state)
    for link in links:
        out.print(f"{link['workflow_id']} {link['relation'].replace('_', ' ')} {link['other']}", markup=False)
    for error in errors:
        out.print(f"error in {error['state']} ({error['error_type']}): {error['message']}", markup=False, style="red")
    for effect in effects:
        out.print(f"effect {effect['name']}, round {effect['round']}: {effect['status']}", markup=False, style="dim")
    for event in ignored:
        out.print(ignored_line(event), markup=False, style="dim", soft_wrap=True)


def ignored_line(event: dict[str, Any]) -> str:
    """One event that changed nothing, and how often it came."""
    often = f", {event['times']} times" if event["times"] > 1 else ""
    return f"ignored {event['kind']} at {event['last_at']:%Y-%m-%d %H:%M:%S}{often}: {event['why']}"


def show_errors(errors: Rows, *, as_json: bool) -> None:
    """What went wrong in a workflow, each error with its traceback where one was kept."""
    if as_json:
        emit(plain(errors))
        return
    for error in errors:
        out.print(
            f"{error['occurred_at']:%Y-%m-%d %H:%M:%S} {error['state']}, attempt {error['attempt']}: "
            f"{error['error_type']}, {error['severity']}: {error['message']}",
            markup=False,
            style="red",
        )
        out.print(error["traceback"], markup=False, style="dim")
    if not errors:
        out.print("Nothing went wrong.")


def timeline(workflow: Workflow, as_json: AsJson = False) -> None:
    """Show every transition of a workflow, and where the time went."""
    rows = asyncio.run(reading(lambda record: _timeline(record, workflow)))
    if as_json:
        emit([transition_json(row) for row in rows])
        return
    out.print(timeline_table(rows))
    out.print()
    print_time(rows)


def print_time(rows: tuple[StateTransition, ...]) -> None:
    """A bar for each state, as long as it lasted."""
    spent = time_per_state(rows)
    longest = max((seconds for _, seconds in spent), default=0.0) or 1.0
    for name, seconds in spent:
        out.print(f"{name:24} {'█' * round(30 * seconds / longest):30} {seconds:7.2f} s", markup=False)
    out.print(f"{'total':24} {'':30} {sum(seconds for _, seconds in spent):7.2f} s", markup=False)


def _show_context(state: WorkflowState) -> None:
    context = state.context
    if summary := (context.get("analysis_results") or {}).get("summary"):
        out.print(summary, markup=False)
    if url := context.get("pr_url"):
        out.print(f"pull request #{context.get('pr_number')} {url}", markup=False)
    if diff := (context.get("generated_fix") or {}).get("diff"):
        out.print(Syntax(diff, "diff", background_color="default"))
    if state.timeout_at and not state.outcome:
        out.print(
            f"deadline {state.timeout_at:%Y-%m-%d %H:%M:%S %Z} ({span(state.timeout_at - state.updated_at)} in all)"
        )


async def reading(look: Callable[[Record], Awaitable[T]]) -> T:
    """What a look at the record finds."""
    async with open_record(load()) as record:
        return await look(record)


@dataclass(frozen=True, slots=True)
class Listing:
    """Workflows, and by their ids why some are set aside and what others stand in line for."""

    states: tuple[WorkflowState, ...]
    now: datetime
    pauses: Rows
    aside: dict[str, str]
    line: dict[str, list[str]]

    def notes(self, state: WorkflowState) -> dict[str, Any]:
        """What there is to say of one workflow besides its state."""
        return {
            "paused": _is_paused(state, self.pauses),
            "quarantined": self.aside.get(state.workflow_id, ""),
            "waiting_for": self.line.get(state.workflow_id, []),
        }


async def _cached(everything: bool) -> tuple[WorkflowState, ...]:
    """What Redis says, live workflows only or all that it has. Raises ``HotStoreAway``."""
    async with hot_store(load()) as store:
        try:
            found = await HotStates(store).all()
        except HotStoreAway as error:
            raise HotStoreAway(f"{error}; `sre-bot status` asks Postgres") from error
        return tuple(state for state in found if everything or state.outcome is None)


async def _status(record: Record, everything: bool) -> Listing:
    return Listing(
        states=await (record.workflows.recent() if everything else record.workflows.live()),
        now=await record.database.now(),
        pauses=await record.requests.pauses(),
        aside={one.workflow_id: one.why for one in await record.quarantines.in_force()},
        line={one["workflow_id"]: list(one["resources"]) for one in await record.locks.waiting()},
    )


def _is_paused(state: WorkflowState, pauses: Rows) -> bool:
    repository = str(state.context.get("repository", "")).lower()
    return state.outcome is None and any((pause["repository"] or repository).lower() == repository for pause in pauses)


async def _show(record: Record, workflow: str) -> tuple[WorkflowState, Rows, Rows, str, Rows, Rows]:
    """A workflow, its errors, its effects, why it is under quarantine, its links to others, what it ignored."""
    state = await find(record, workflow)
    errors = await record.workflows.errors(state.workflow_id)
    aside = await record.quarantines.of(state.workflow_id)
    effects, links = await record.effects.of(state.workflow_id), await record.workflows.links(state.workflow_id)
    ignored = await record.ignored.of(state.workflow_id)
    return state, errors, effects, aside.why if aside else "", links, ignored


async def _follow(record: Record, workflow: str, as_json: bool) -> None:
    """Print a workflow's steps, one to a line, until it has ended."""
    state = await find(record, workflow)
    async for row in follow_to_the_end(record, state.workflow_id):
        if as_json:
            typer.echo(json.dumps(transition_json(row)))
        else:
            out.print(line(row))


async def _errors(record: Record, workflow: str) -> Rows:
    found = (await find(record, workflow)).workflow_id
    errors = await record.workflows.errors(found)
    return tuple(
        [{**error, "traceback": await _traceback(record, found, error["traceback_digest"])} for error in errors]
    )


async def _traceback(record: Record, workflow_id: str, digest: str | None) -> str:
    return (await record.artifacts.get(workflow_id, digest)).decode(errors="replace") if digest else ""


async def _timeline(record: Record, workflow: str) -> tuple[StateTransition, ...]:
    return await record.workflows.transitions((await find(record, workflow)).workflow_id)


async def find(record: Record, text: str) -> WorkflowState:
    """A workflow by its id, the unique beginning of its id, or its ticket (the newest). Raises ``WorkflowNotFound``."""
    found_by_ticket = await record.workflows.of_ticket(text) or await record.workflows.of_ticket(text.upper())
    if found_by_ticket:
        return found_by_ticket[0]
    with suppress(WorkflowNotFound):
        return await record.workflows.get(text)
    matches = [state for state in await record.workflows.recent(10_000) if state.workflow_id.startswith(text)]
    if len(matches) != 1:
        what = "several workflows begin" if matches else "no workflow or ticket begins"
        raise WorkflowNotFound(f"{what} with {text!r}; `sre-bot status --all` lists them")
    return matches[0]

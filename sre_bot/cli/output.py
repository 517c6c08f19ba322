"""What the commands print: tables and colours for people, one JSON document for machines."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sre_bot.domain.states import DetailedState, MainState, Position
from sre_bot.domain.workflow import StateTransition, WorkflowState

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

STYLES = {
    MainState.SYSTEM_IDLE: "dim",
    MainState.TICKET_PROCESSING: "cyan",
    MainState.ERROR_HANDLING: "red",
}


def emit(value: Any) -> None:
    """Print a JSON document to standard output."""
    typer.echo(json.dumps(value, indent=2, default=str))


def plain(value: Any) -> Any:
    """The same as JSON knows it: rows and values as objects, moments in ISO 8601, bytes in hex."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member) for member in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, UUID) else value


def complain(problem: object) -> None:
    """Say on standard error, in one line, what went wrong."""
    err.print(Text.assemble(("error: ", "red"), " ".join(str(problem).split())), soft_wrap=True)


def where(state: WorkflowState) -> Text:
    """Where a workflow stands, in words."""
    if state.outcome:
        return Text(state.outcome.value, style="green" if state.outcome == "resolved" else "yellow")
    if state.active_states:
        return Text(" + ".join(state.active_states), style=STYLES[state.main_state])
    return position(state.position)


def position(at: Position) -> Text:
    """A position for people: the detailed state, or the main state where there is none."""
    return Text((at.detailed or at.main).value, style=STYLES[at.main])


def workflows_table(states: Sequence[WorkflowState], now: datetime) -> Table:
    """One row for each workflow."""
    table = Table("ticket", "workflow", "state", "since", "age", "found", box=None, pad_edge=False)
    for state in states:
        table.add_row(
            Text(state.ticket_id),
            state.workflow_id[:8],
            where(state),
            span(now - (state.entered_at or state.updated_at)),
            span(now - state.created_at),
            Text(found(state)),
        )
    return table


def timeline_table(rows: Sequence[StateTransition]) -> Table:
    """One row for each transition: when, what, and how long the state lasted."""
    table = Table("at", "from", "to", "trigger", "agent", "after", box=None, pad_edge=False)
    for index, row in enumerate(rows):
        before = rows[index - 1].timestamp if index else row.timestamp
        table.add_row(
            row.timestamp.strftime("%H:%M:%S.%f")[:-3],
            position(Position.parse(row.from_state)),
            position(Position.parse(row.to_state)),
            row.trigger_event,
            row.agent_id,
            span(row.timestamp - before),
        )
    return table


def why_not_resolved(state: WorkflowState, errors: Sequence[Mapping[str, Any]]) -> str:
    """Why a workflow ended otherwise than resolved, in the words of the record; empty where that needs no word."""
    if state.outcome == "resolved" or (state.outcome is None and not state.escalated):
        return ""
    if errors and state.escalated:
        return str(errors[-1]["message"])
    context = state.context
    said = context.get("rejected_because") or context.get("failure") or (context.get("review") or {}).get("reason")
    return str(said or (context.get("analysis_results") or {}).get("summary") or "")


def found(state: WorkflowState) -> str:
    """The result of the analysis in a few words, empty before there is one."""
    results = state.context.get("analysis_results") or {}
    if "kind" not in results:
        return str(results.get("verdict", ""))
    return f"{results['kind']} at {results['object']} ({results['confidence']:.0%})"


def transition_json(row: StateTransition) -> dict[str, Any]:
    """A transition as the machines read it."""
    return {
        "from": row.from_state,
        "to": row.to_state,
        "at": row.timestamp.isoformat(),
        "trigger": row.trigger_event,
        "agent": row.agent_id,
    }


def span(length: timedelta) -> str:
    """A duration in its two largest units."""
    seconds = length.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def time_per_state(rows: Sequence[StateTransition]) -> list[tuple[str, float]]:
    """Seconds spent in each detailed state, in order of first entry; branches of a fork are counted together."""
    spent: dict[str, float] = {}
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        name = Position.parse(row.to_state).detailed
        if following is not None and name not in (None, DetailedState.MONITORING):
            spent[name] = spent.get(name, 0.0) + (following.timestamp - row.timestamp).total_seconds()
    return list(spent.items())

"""Live progress: each transition as it is recorded, read from the record itself."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from rich.text import Text

from sre_bot.app import Record
from sre_bot.cli.output import err, position
from sre_bot.domain.states import Position
from sre_bot.domain.workflow import StateTransition

PAUSE = 0.2
"""Seconds between two looks at the record."""


@asynccontextmanager
async def shown(record: Record, workflow_id: str, *, quiet: bool) -> AsyncGenerator[None]:
    """Print transitions to standard error while the context lives."""
    if quiet:
        yield
        return
    task = asyncio.create_task(_watch(record, workflow_id))
    try:
        yield
    finally:
        await asyncio.sleep(PAUSE)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(record: Record, workflow_id: str) -> None:
    seen = 0
    while True:
        rows = await record.workflows.transitions(workflow_id)
        for row in rows[seen:]:
            err.print(line(row))
        seen = len(rows)
        await asyncio.sleep(PAUSE)


def line(row: StateTransition) -> Text:
    """One transition as a line: when, where to, why, and what was found on the way."""
    text = Text(f"{row.timestamp.astimezone():%H:%M:%S}  ")
    text.append_text(position(Position.parse(row.to_state)))
    text.append(f"  {row.trigger_event}", style="dim")
    for note in _notes(row):
        text.append(f"\n            {note}")
    return text


def _notes(row: StateTransition) -> list[str]:
    context = row.metadata.get("patch", {}).get("context") or {}
    notes: list[str] = []
    if error := row.metadata.get("error"):
        notes.append(str(error.get("message", "")))
    if results := context.get("analysis_results"):
        notes.append(str(results.get("summary", "")))
    if fix := context.get("generated_fix"):
        notes.append(f"fix: {fix.get('title', '')}")
    if number := context.get("pr_number"):
        notes.append(f"pull request #{number} {context.get('pr_url', '')}")
    return notes

"""Live progress: each transition as it is recorded, read from the record itself; Redis may say when to look."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from rich.text import Text

from sre_bot.app import Record
from sre_bot.cli.output import err, position
from sre_bot.domain.states import Position
from sre_bot.domain.workflow import StateTransition
from sre_bot.persistence.hot.progress import Progress


@asynccontextmanager
async def shown(record: Record, workflow_id: str, *, quiet: bool) -> AsyncGenerator[None]:
    """Print transitions to standard error while the context lives."""
    if quiet:
        yield
        return
    watch = Watch(record, workflow_id)
    task = asyncio.create_task(_print_for_ever(watch))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    _print(await watch.new())


async def follow_to_the_end(record: Record, workflow_id: str) -> AsyncGenerator[StateTransition]:
    """Every transition of a workflow, those to come as they happen; stops when it has an outcome."""
    watch, ended = Watch(record, workflow_id), False
    while not ended:
        ended = (await record.workflows.get(workflow_id)).outcome is not None
        for row in await watch.new():
            yield row
        if not ended:
            await watch.progress.wait()


class Watch:
    """A look at a workflow's log that remembers what it has seen."""

    def __init__(self, record: Record, workflow_id: str) -> None:
        self.progress = Progress(record.hot, workflow_id)
        self._record = record
        self._workflow_id = workflow_id
        self._seen = 0

    async def new(self) -> tuple[StateTransition, ...]:
        """What was recorded since the last look."""
        rows = await self._record.workflows.transitions(self._workflow_id)
        new, self._seen = rows[self._seen :], len(rows)
        return new


async def _print_for_ever(watch: Watch) -> None:
    while True:
        _print(await watch.new())
        await watch.progress.wait()


def _print(rows: tuple[StateTransition, ...]) -> None:
    for row in rows:
        err.print(line(row))


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

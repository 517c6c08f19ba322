"""``demo``: the main job on a recorded incident, from the ticket to the validated deployment, in under a minute."""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.rule import Rule
from rich.syntax import Syntax

from sre_bot.app import Record, database_url
from sre_bot.cli.looking import print_time
from sre_bot.cli.output import AsJson, emit, err, out, timeline_table, transition_json
from sre_bot.cli.progress import line
from sre_bot.domain.errors import BadInput, LeaseHeld
from sre_bot.domain.states import Outcome
from sre_bot.domain.workflow import StateTransition, WorkflowState
from sre_bot.lab.blindfold import blindfolded, can_blindfold
from sre_bot.lab.client import LabProcess
from sre_bot.lab.reviewer import Act, review
from sre_bot.persistence.database import Database
from sre_bot.persistence.migrations import migrate
from sre_bot.persistence.replay import verify
from sre_bot.settings import inherited, load
from sre_bot.worker.stopping import cancel

INCIDENTS = Path("evals/incidents")
FIRST_INCIDENT = "orders-cannot-be-placed"
FIRST_REQUEST = "Please use the port's name instead of its number."
PACE = {"POLL_SECONDS": "0.3", "SETTLE_SECONDS": "60", "DEPLOYMENT_SECONDS": "900", "LEASE_SECONDS": "10"}
SPEED = 30.0
LOOK = 0.15
"""Seconds between two looks at the record."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is played: an incident and what the reviewer asks for before approving."""

    incident: Path
    request: str

    @property
    def script(self) -> tuple[Act, ...]:
        """First a change request, then an approval."""
        return (Act("request_changes", self.request), Act("approve", "Thank you."))


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of it, as read from the record and from the lab."""

    state: WorkflowState
    transitions: tuple[StateTransition, ...]
    problems: tuple[str, ...]
    requests: dict[str, int]
    pull_requests: list[dict[str, Any]]
    blindfolded: bool
    seconds: float


def demo(
    incident: Annotated[
        Path, typer.Option(help="The incident folder to play.", exists=True, file_okay=False)
    ] = INCIDENTS / FIRST_INCIDENT,
    request: Annotated[str, typer.Option(help="What the reviewer asks for first.")] = FIRST_REQUEST,
    as_json: AsJson = False,
) -> int:
    """Play an incident: the bot takes the ticket, a scripted reviewer asks for a change and then approves.

    DEMO_JSON=path in the environment also writes the result as JSON. Exits 0 only when the ticket ends resolved.
    """
    ending = asyncio.run(_play(Story(incident, request)))
    document = as_document(ending)
    if path := load().demo_json:
        path.write_text(json.dumps(document, indent=2))
    if as_json:
        emit(document)
    else:
        _print(ending)
    return 0 if ending.state.outcome is Outcome.RESOLVED and not ending.problems else 1


async def _play(story: Story) -> Ending:
    started = time.monotonic()
    settings = load()
    async with database_url(settings) as url:
        await migrate(url)
        async with Database.open(url) as database, await LabProcess.start(story.incident, speed=SPEED) as lab:
            record = Record.of(database)
            known = await _cleared(record, lab.ticket)
            err.print(f"The lab serves ticket {lab.ticket}: Jira {lab.urls['jira']}, GitHub {lab.urls['github']}")
            hidden = await asyncio.to_thread(can_blindfold)
            if not hidden:
                err.print("This machine offers no mount namespaces: the bot could read the incident's folder.")
            state = await _worked(story, record, lab, url, hidden, known)
            return Ending(
                state=state,
                transitions=await record.workflows.transitions(state.workflow_id),
                problems=await verify(database, state.workflow_id),
                requests=await lab.control.request_counts(),
                pull_requests=(await lab.control.state())["pull_requests"],
                blindfolded=hidden,
                seconds=time.monotonic() - started,
            )


async def _cleared(record: Record, ticket: str) -> frozenset[str]:
    """End what an interrupted demo left behind; the ids of all earlier workflows. Raises ``BadInput``."""
    before = await record.workflows.of_ticket(ticket)
    for state in before:
        if state.outcome is None:
            try:
                await cancel(record.workflows, state, f"demo:{os.getpid()}", timedelta(seconds=10), "a new demo starts")
            except LeaseHeld as error:
                raise BadInput(
                    f"another demo is running, or was stopped seconds ago; try again in 10 s ({error})"
                ) from error
    return frozenset(state.workflow_id for state in before)


async def _worked(
    story: Story, record: Record, lab: LabProcess, url: str, hidden: bool, known: frozenset[str]
) -> WorkflowState:
    """Let a bot in a process of its own work on the ticket, and show what it records."""
    command = [sys.executable, "-m", "sre_bot", "run", lab.ticket, "--json"]
    if hidden:
        command = blindfolded(command, story.incident.absolute().parent)
    environment = {**inherited(), **lab.environment, **PACE, "DATABASE_URL": url}
    bot = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
    )
    playing = asyncio.create_task(_reviewed(story, lab))
    try:
        state = await _shown(record, lab.ticket, bot, known)
        await bot.wait()
    finally:
        playing.cancel()
        if bot.returncode is None:
            bot.kill()
        await asyncio.gather(playing, return_exceptions=True)
    return state


async def _reviewed(story: Story, lab: LabProcess) -> None:
    async for act, pull in review(lab.control, story.script):
        said = f": “{act.body}”" if act.body else ""
        err.print(f"          [magenta]reviewer[/] on #{pull['number']}: {act.action.replace('_', ' ')}{said}")


async def _shown(record: Record, ticket: str, bot: asyncio.subprocess.Process, known: frozenset[str]) -> WorkflowState:
    """Print each transition as it appears, until the workflow has an outcome. Raises ``BadInput``."""
    seen = 0
    while True:
        alive = bot.returncode is None
        ours = [state for state in await record.workflows.of_ticket(ticket) if state.workflow_id not in known]
        if ours:
            rows = await record.workflows.transitions(ours[0].workflow_id)
            for row in rows[seen:]:
                err.print(line(row))
            seen = len(rows)
            if ours[0].outcome:
                return ours[0]
        if not alive:
            raise BadInput("the bot stopped before the ticket was done; what it said stands above")
        await asyncio.sleep(LOOK)


def as_document(ending: Ending) -> dict[str, Any]:
    """The result as the machines read it."""
    context = ending.state.context
    return {
        "outcome": ending.state.outcome,
        "workflow_id": ending.state.workflow_id,
        "ticket": ending.state.ticket_id,
        "pull_requests": ending.pull_requests,
        "transitions": [transition_json(row) for row in ending.transitions],
        "approved_head": context.get("approved_head"),
        "merged_sha": context.get("merge_sha"),
        "synced_sha": context.get("synced_sha"),
        "diagnosis": context.get("analysis_results"),
        "diff": (context.get("generated_fix") or {}).get("diff"),
        "lab_requests": ending.requests,
        "incident_hidden_from_bot": ending.blindfolded,
        "verify": list(ending.problems),
        "seconds": round(ending.seconds, 2),
    }


def _print(ending: Ending) -> None:
    context = ending.state.context
    out.print(Rule("timeline"))
    out.print(timeline_table(ending.transitions))
    out.print(Rule(f"pull request #{context.get('pr_number')}"))
    out.print(Syntax((context.get("generated_fix") or {}).get("diff", ""), "diff", background_color="default"))
    out.print(Rule("where the time went"))
    print_time(ending.transitions)
    out.print(Rule())
    checked = "the record verifies" if not ending.problems else f"the record is WRONG: {'; '.join(ending.problems)}"
    out.print(f"[bold]{ending.state.ticket_id} {ending.state.outcome}[/] in {ending.seconds:.1f} s; {checked}.")
    short = ending.state.workflow_id[:8]
    out.print(f"Look further: sre-bot show {short} · sre-bot timeline {short} · sre-bot status --all · sre-bot graph")

"""What the tests of bad input share: damaged copies of an incident, one workflow worked on, and what it left behind."""

import asyncio
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sre_bot.cli.demo import FIRST_INCIDENT
from sre_bot.domain.states import DetailedState
from sre_bot.domain.workflow import WorkflowState
from sre_bot.evals.harness import Pace, Stage
from sre_bot.graph.markup import NO_WIDTH
from sre_bot.lab.recording import Recording
from sre_bot.persistence.replay import verify
from sre_bot.worker.following import follow
from sre_bot.worker.runner import Result
from tests.acceptance_stage import INCIDENTS

INCIDENT = INCIDENTS / FIRST_INCIDENT
PACE = Pace(speed=120, deployment=3_600)
ENOUGH = 90.0
"""Seconds in which any of these workflows is done; more means that it hangs."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What a workflow left: the record, and what the people see."""

    state: WorkflowState
    errors: tuple[dict[str, Any], ...]
    effects: tuple[dict[str, Any], ...]
    locks: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    comments: tuple[str, ...]
    assignee: str | None
    pulls: tuple[dict[str, Any], ...]

    @property
    def outcome(self) -> str | None:
        return self.state.outcome.value if self.state.outcome else None

    @property
    def error(self) -> tuple[str, str]:
        """Class and message of the last error."""
        return (self.errors[-1]["error_type"], self.errors[-1]["message"])

    @property
    def told(self) -> str:
        """The last comment on the ticket."""
        return self.comments[-1]

    def check(self) -> None:
        """What must hold of every end, however bad the input."""
        assert self.problems == ()
        assert self.locks == ()
        assert self.state.main_state == "system_idle", self.state.position
        assert [one["name"] for one in self.effects if one["status"] == "started"] == []
        assert len(set(self.comments)) == len(self.comments), "nothing is told twice"
        assert not any("Traceback" in comment for comment in self.comments)
        assert all("Traceback" not in error["message"] for error in self.errors)


def damaged(folder: Path, change: Callable[[Path], None]) -> Path:
    """A copy of the incident in ``folder``, with something changed."""
    copy = folder / "incident"
    shutil.copytree(INCIDENT, copy)
    change(copy)
    return copy


def keep_only(*kinds: str) -> Callable[[Path], None]:
    """Empty the cluster of everything but some kinds, and of all logs."""

    def change(incident: Path) -> None:
        kept = [thing for thing in Recording.load(incident).objects if thing["kind"] in kinds]
        for name in ("cluster", "logs"):
            shutil.rmtree(incident / name)
        (incident / "cluster").mkdir()
        (incident / "cluster" / "all.yaml").write_text(yaml.safe_dump_all(kept))

    return change


async def opened(stage: Stage, ticket: str = "") -> str:
    """Open a workflow for a ticket, the incident's own where none is named; its id."""
    return (await stage.app.monitors.open(ticket or stage.lab.ticket)).workflow_id


async def followed(stage: Stage, workflow_id: str, *, wait: bool = True) -> Aftermath:
    """Run a workflow as far as it gets; without ``wait``, no further than to the review."""
    app = stage.app
    await asyncio.wait_for(follow(app.runner, app.monitors, workflow_id, poll=stage.poll, wait=wait), ENOUGH)
    return await aftermath(stage, workflow_id)


async def worked(stage: Stage, ticket: str = "") -> Aftermath:
    """Open and run a workflow to its end, of which no person needs to take part."""
    return await followed(stage, await opened(stage, ticket))


async def reviewing(stage: Stage, ticket: str = "") -> Aftermath:
    """Open a workflow and run it until it waits for a review."""
    waiting = await followed(stage, await opened(stage, ticket), wait=False)
    assert waiting.state.detailed_state is DetailedState.AWAITING_REVIEW, (waiting.state.position, waiting.errors)
    return waiting


async def run_once(stage: Stage, workflow_id: str) -> Result:
    """One run under one claim, however long it would be until it is due."""
    app = stage.app
    claim = await app.record.workflows.claim(workflow_id, app.owner, app.runner.lease)
    return await asyncio.wait_for(app.runner.run(claim), ENOUGH)


async def aftermath(stage: Stage, workflow_id: str) -> Aftermath:
    """Look at everything a workflow left."""
    record = stage.app.record
    state = await record.workflows.get(workflow_id)
    world = await stage.lab.control.state()
    ticket = next((one for one in world["tickets"] if one["key"] == state.ticket_id), None)
    held = [lock for lock in await record.locks.held() if lock["workflow_id"] == workflow_id]
    return Aftermath(
        state=state,
        errors=await record.workflows.errors(workflow_id),
        effects=await record.effects.of(workflow_id),
        locks=tuple(held),
        problems=await verify(record.database, workflow_id),
        comments=tuple(map(as_shown, ticket["comments"])) if ticket else (),
        assignee=ticket["assignee"] if ticket else None,
        pulls=tuple(world["pull_requests"]),
    )


def as_shown(body: str) -> str:
    """A comment as Jira shows it: without our mark, and without what keeps foreign text from being markup."""
    said = body.rpartition("\n\n[·|")[0].replace(NO_WIDTH, "")
    return re.sub(r"\\(\W|_)", r"\1", said)

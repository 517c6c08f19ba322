"""Running the whole bot on one recorded incident: a lab, a database of its own, and a scripted reviewer."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sre_bot.app import App, compose
from sre_bot.domain.workflow import StateTransition, WorkflowState
from sre_bot.lab.client import LabProcess
from sre_bot.lab.reviewer import Act, review
from sre_bot.persistence.scratch import scratch_database
from sre_bot.settings import Settings
from sre_bot.worker.following import follow

APPROVE = (Act("approve"),)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an incident is played: ``speed`` multiplies its clock, ``poll`` is in our seconds, the rest in its."""

    speed: float = 60.0
    poll: float = 0.2
    settle: float = 30.0
    deployment: float = 900.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A running lab and a bot connected to it."""

    lab: LabProcess
    app: App
    poll: timedelta


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one incident."""

    state: WorkflowState
    transitions: tuple[StateTransition, ...]
    errors: tuple[dict[str, Any], ...]
    world: dict[str, Any]
    seconds: float


def settings_for(environment: dict[str, str], database_url: str, data: Path, pace: Pace, **more: Any) -> Settings:
    """The bot's settings for a lab, ``more`` before the lab's own; nothing of our own environment but these."""
    given: dict[str, Any] = {
        **{name.lower(): value for name, value in environment.items()},
        "database_url": database_url,
        "data_dir": data,
        "poll_seconds": pace.poll,
        "settle_seconds": pace.settle,
        "deployment_seconds": pace.deployment,
        **more,
    }
    return Settings(_env_file=None, **given)  # pyright: ignore[reportCallIssue]  # pydantic-settings' own argument


@asynccontextmanager
async def staged(
    incident: Path, server_url: str, pace: Pace, *, auto_sync: bool = False, **more: Any
) -> AsyncGenerator[Stage]:
    """A lab over ``incident`` and a bot on a database of its own on the server of ``server_url``."""
    with tempfile.TemporaryDirectory(prefix="sre-bot-stage-") as data:
        async with (
            scratch_database(server_url) as url,
            await LabProcess.start(incident, speed=pace.speed, auto_sync=auto_sync) as lab,
            compose(settings_for(lab.environment, url, Path(data), pace, **more)) as app,
        ):
            yield Stage(lab, app, timedelta(seconds=pace.poll))


async def play(stage: Stage, script: Sequence[Act] = APPROVE) -> Run:
    """Work on the incident's ticket to its end, with the reviewer acting by the script."""
    started = time.monotonic()
    reviewing = asyncio.create_task(_reviewed(stage.lab, script))
    try:
        opened = await stage.app.monitors.open(stage.lab.ticket)
        state = await follow(stage.app.runner, stage.app.monitors, opened.workflow_id, poll=stage.poll, wait=True)
    finally:
        reviewing.cancel()
        await asyncio.gather(reviewing, return_exceptions=True)
    return Run(
        state=state,
        transitions=await stage.app.record.workflows.transitions(state.workflow_id),
        errors=await stage.app.record.workflows.errors(state.workflow_id),
        world=await stage.lab.control.state(),
        seconds=time.monotonic() - started,
    )


async def _reviewed(lab: LabProcess, script: Sequence[Act]) -> None:
    async for _ in review(lab.control, script):
        pass

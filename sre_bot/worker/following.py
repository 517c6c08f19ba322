"""Running one workflow to its end in this process, waits included."""

import asyncio
import logging
from datetime import timedelta

from sre_bot.domain.errors import Paused, ServiceError
from sre_bot.domain.states import DetailedState
from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence.workflows import Claim
from sre_bot.worker.monitors import Monitors, is_overdue
from sre_bot.worker.runner import Result, Runner

log = logging.getLogger(__name__)


async def follow(runner: Runner, monitors: Monitors, workflow_id: str, *, poll: timedelta, wait: bool) -> WorkflowState:
    """Run, wait for what it waits for, and run on until it has an outcome.

    Without ``wait``, return as soon as it waits for people; in any case when Jira does not let us hand it over, which
    waiting here does not change, and when it is under quarantine. Raises ``LeaseHeld`` when another process runs it.
    """
    workflows = monitors.workflows
    while True:
        claim = await _claimed(monitors, workflow_id, poll)
        result = await runner.run(claim)
        state = await workflows.get(workflow_id)
        if result in (Result.UNTOLD, Result.QUARANTINED):
            return state
        while not state.outcome and not await _is_due(monitors, state):
            if state.detailed_state is DetailedState.AWAITING_REVIEW and not wait:
                return state
            await asyncio.sleep(poll.total_seconds())
            state = await workflows.get(workflow_id)
        if state.outcome:
            return state


async def _claimed(monitors: Monitors, workflow_id: str, poll: timedelta) -> Claim:
    """The claim, once people let us have it. Raises ``LeaseHeld``."""
    said = ""
    while True:
        try:
            return await monitors.workflows.claim(workflow_id, monitors.owner, monitors.lease)
        except Paused as pause:
            if said != str(pause):
                log.warning("workflow %s waits: %s", workflow_id, pause)
            said = str(pause)
        await asyncio.sleep(poll.total_seconds())


async def _is_due(monitors: Monitors, state: WorkflowState) -> bool:
    now = await monitors.database.now()
    if state.due_at is not None:
        return state.due_at <= now
    if is_overdue(state, now):
        await monitors.expire(state)
        return True
    if state.detailed_state is not DetailedState.AWAITING_REVIEW:
        return False
    try:
        return await monitors.wake_if_decided(state)
    except ServiceError:
        return False

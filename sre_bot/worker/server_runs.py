"""Workflows whose runs belong to LangGraph Server: what fails or takes too long there, a person is told by us.

We never run their graph. A run that ended with an error is not repeated by the server, and a review that nobody
answers wakes nobody there; both are led to ``escalation``, which any worker of ours ends. Who reviews in time wakes the
thread at its server, where that is configured: the monitors see to that.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.types import ERROR

from sre_bot.domain.errors import LeaseHeld, Paused, StaleVersion
from sre_bot.domain.states import DetailedState
from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence.database import Database
from sre_bot.persistence.watching import Watch
from sre_bot.persistence.workflows import Workflows
from sre_bot.worker.stopping import stop

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=1)
"""How long a failed run is left to whoever may start it again on the server."""


@dataclass(frozen=True, slots=True)
class ServerRuns:
    """The eye on them."""

    database: Database
    workflows: Workflows
    watch: Watch
    saver: BaseCheckpointSaver[str]
    owner: str
    lease: timedelta

    async def hand_over(self, grace: timedelta = GRACE) -> int:
        """Lead every one to ``escalation`` that failed more than ``grace`` ago or is overdue; returns how many."""
        now = await self.database.now()
        return sum([await self._looked_at(state, now, grace) async for state in self.watch.at_a_server(grace)])

    async def _looked_at(self, state: WorkflowState, now: datetime, grace: timedelta) -> bool:
        if state.is_expired(now) and not state.context.get("merge_sha"):
            return await self._stopped(state, "expired", f"{state.sub_state} took longer than allowed")
        if state.updated_at > now - grace or state.detailed_state is DetailedState.AWAITING_REVIEW:
            return False
        error = await self._error(state.workflow_id)
        if not error:
            return False
        return await self._stopped(state, None, f"its run on LangGraph Server ended with an error: {error}")

    async def _stopped(self, state: WorkflowState, trigger: str | None, why: str) -> bool:
        """Lead one out unless a run lives on it or has moved it; False then."""
        try:
            claim = await stop(self.workflows, state, self.owner, self.lease, trigger, why)
        except (LeaseHeld, Paused, StaleVersion) as error:
            log.info("workflow %s: %s", state.workflow_id, error)
            return False
        await self.workflows.release(claim, due_in=timedelta(0))
        return True

    async def _error(self, workflow_id: str) -> str:
        """What the newest run ended with; empty when it did not fail."""
        found = await self.saver.aget_tuple({"configurable": {"thread_id": workflow_id, "checkpoint_ns": ""}})
        writes = (found.pending_writes or []) if found else []
        return next((str(value) for _, channel, value in writes if channel == ERROR), "")

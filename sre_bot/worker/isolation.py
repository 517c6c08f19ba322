"""Keeping a workflow that kills its workers, or whose state cannot be read, away from the others."""

import logging
from dataclasses import dataclass

from sre_bot.domain.errors import ServiceError
from sre_bot.domain.workflow import WorkflowState
from sre_bot.graph import messages
from sre_bot.graph.outward import Outward
from sre_bot.persistence.quarantine import Quarantine, Quarantines
from sre_bot.persistence.workflows import Claim, Workflows

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Isolation:
    """Decides when a workflow is put under quarantine, and tells its ticket."""

    quarantines: Quarantines
    workflows: Workflows
    outward: Outward
    max_attempts: int

    async def needed(self, claim: Claim) -> Quarantine | None:
        """The quarantine of a claimed workflow, put in force now where one runner too many died on it; else None."""
        if found := await self.quarantines.of(claim.workflow_id):
            return found
        attempts = await self.workflows.attempts(claim.workflow_id)
        if attempts <= self.max_attempts:
            return None
        died = attempts - 1
        return await self.quarantines.put(claim, f"{died} runners in a row died on it before it took a step", died)

    async def put(self, claim: Claim, why: str) -> Quarantine:
        """Put it under quarantine at once."""
        return await self.quarantines.put(claim, why, await self.workflows.attempts(claim.workflow_id))

    async def tell(self, claim: Claim, state: WorkflowState, quarantine: Quarantine) -> None:
        """Say on the ticket that a person is needed, once for each quarantine. Raises ``ServiceError``."""
        if quarantine.told_at is not None:
            return
        doing = (state.detailed_state or state.main_state).value.replace("_", " ")
        text = messages.quarantined(doing, quarantine.why, state.workflow_id)
        try:
            await self.outward.tell(claim, state.ticket_id, quarantine.number, "quarantined", text)
        except ServiceError as error:
            log.warning("workflow %s: ticket %s cannot be told: %s", claim.workflow_id, state.ticket_id, error)
            raise
        await self.quarantines.told(quarantine)

    async def untellable(self, quarantine: Quarantine) -> None:
        """Give up telling a ticket that will never hear it."""
        await self.quarantines.told(quarantine)

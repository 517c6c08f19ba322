"""Tickets that ended as duplicates of another one hear when that one ends."""

from dataclasses import dataclass

from sre_bot.domain.states import Outcome
from sre_bot.graph import messages
from sre_bot.graph.outward import Outward
from sre_bot.persistence.workflows import Claim, Workflows


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The workflows that were ended in favour of another one."""

    workflows: Workflows
    outward: Outward

    async def tell(self, claim: Claim, ticket: str, outcome: Outcome) -> None:
        """Tell the ticket of every duplicate of this workflow how it ends, once. Raises ``JiraError``."""
        for link in await self.workflows.links(claim.workflow_id):
            later = str(link["workflow_id"])
            if link["relation"] == "duplicate_of" and later != claim.workflow_id:
                told = (await self.workflows.get(later)).ticket_id
                text = messages.first_ended(ticket, outcome.value.replace("_", " "))
                await self.outward.tell(claim, told, 0, f"first_ended:{later}", text)

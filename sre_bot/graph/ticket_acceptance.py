"""Ticket acceptance: whether a ticket is ours, and about something that we may touch."""

from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from sre_bot.domain.errors import JiraError, Reason
from sre_bot.domain.release import Application
from sre_bot.domain.scope import Allowed, candidates, resolve
from sre_bot.domain.ticket import Scope, Ticket
from sre_bot.graph import messages
from sre_bot.graph.outward import Outward
from sre_bot.graph.state import Case, Json
from sre_bot.tools.argocd import ArgoCD
from sre_bot.tools.jira import Jira

DESCRIPTION_LIMIT = 8_000
"""Characters of a description that are kept in the state."""


@dataclass(frozen=True, slots=True)
class TicketAcceptance:
    """The nodes of ticket acceptance and what they need."""

    jira: Jira
    argocd: ArgoCD | None
    outward: Outward
    allowed: Allowed
    status_working: str

    def subgraph(self) -> CompiledStateGraph[Case, Any, Case, Case]:
        """The arrows."""
        return (
            StateGraph(Case)
            .add_node("validating_ticket", self.validating_ticket)
            .add_node("accepting_ticket", self.accepting_ticket)
            .add_node("ticket_accepted", self.ticket_accepted)
            .add_node("ticket_rejected", self.ticket_rejected)
            .add_edge(START, "validating_ticket")
            .add_conditional_edges("validating_ticket", after_validating_ticket)
            .add_conditional_edges("accepting_ticket", after_accepting_ticket)
            .add_edge("ticket_accepted", END)
            .add_edge("ticket_rejected", END)
            .compile(name="ticket_acceptance")
        )

    async def validating_ticket(self, state: Case) -> Json:
        """Read the ticket and decide whether we may take it, and for what."""
        ticket = await self._ours(state)
        if isinstance(ticket, str):
            return {"refusal": ticket}
        applications = await self._applications()
        scope = resolve(ticket, candidates(self.allowed, applications))
        if isinstance(scope, str):
            return {"refusal": scope}
        ticket = ticket.model_copy(update={"description": ticket.description[:DESCRIPTION_LIMIT]})
        return {
            "refusal": "",
            "ticket": ticket.model_dump(mode="json"),
            "scope": scope.model_dump(mode="json"),
            "context": {
                "repository": scope.repository,
                "application": scope.application,
                "summary": ticket.summary,
                "missing_applications": [] if scope.application else missing(self.allowed, applications),
            },
        }

    async def accepting_ticket(self, state: Case, config: RunnableConfig) -> Json:
        """Take the ticket, unless somebody took it off us or deleted it while we were reading it."""
        ticket = await self._ours(state)
        if isinstance(ticket, str):
            return {"refusal": ticket}
        scope = Scope.model_validate(state["scope"])
        text = messages.accepted(scope, state["context"].get("missing_applications", []))
        await self.outward.move_ticket(state, config, self.status_working)
        await self.outward.tell_ticket(state, config, "accepted", text)
        return {"refusal": ""}

    async def ticket_accepted(self, state: Case) -> Json:
        """Leave towards the analysis."""
        return {"exit": "ticket_accepted"}

    async def ticket_rejected(self, state: Case, config: RunnableConfig) -> Json:
        """Say why, and hand the ticket back."""
        await self.outward.tell_ticket(state, config, "rejected", messages.rejected(state["refusal"]))
        await self.outward.hand_back(await self.outward.claim_of(config), state["ticket_id"], state.get("round", 0))
        return {
            "exit": "ticket_rejected",
            "outcome": "ticket_rejected",
            "context": {"rejected_because": state["refusal"]},
        }

    async def _ours(self, state: Case) -> Ticket | str:
        """The ticket as it is now, or why it cannot be taken, as a clause."""
        try:
            ticket = await self.jira.ticket(state["ticket_id"])
        except JiraError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
            return "it does not exist, or I may not see it"
        if ticket.key != state["ticket_id"]:
            return f"it is {ticket.key} and I was asked for {state['ticket_id']}; I work on it under its own key only"
        return refused(ticket, await self.jira.account(), self.allowed) or ticket

    async def _applications(self) -> tuple[Application, ...]:
        return await self.argocd.applications() if self.argocd else ()


def missing(allowed: Allowed, applications: tuple[Application, ...]) -> list[str]:
    """The applications that are open to us and that Argo CD does not show."""
    return sorted(set(allowed.applications) - {application.name for application in applications})


def refused(ticket: Ticket, account: str, allowed: Allowed) -> str:
    """Why a ticket cannot be taken, as a clause; empty when it can."""
    if ticket.assignee != account:
        return "it is not assigned to me"
    if ticket.resolved:
        return "it is already resolved"
    if ticket.project not in allowed.projects:
        return f"project {ticket.project} is not one of mine"
    if not f"{ticket.summary}{ticket.description}".strip():
        return "it has no text; say what is wrong and where"
    return ""


def after_validating_ticket(state: Case) -> Literal["accepting_ticket", "ticket_rejected"]:
    """A refusal leads out."""
    return "ticket_rejected" if state["refusal"] else "accepting_ticket"


def after_accepting_ticket(state: Case) -> Literal["ticket_accepted", "ticket_rejected"]:
    """A ticket can be lost while it is being accepted."""
    return "ticket_rejected" if state["refusal"] else "ticket_accepted"

"""The diagram: five sub-states in a row, and the ways between them."""

from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from sre_bot.domain.errors import NoTicket, WrongDurability
from sre_bot.graph.analysis import Analysis
from sre_bot.graph.deployment import Deployment
from sre_bot.graph.remediation import Remediation
from sre_bot.graph.review import Review
from sre_bot.graph.state import Case, Json
from sre_bot.graph.ticket_acceptance import TicketAcceptance

GRAPH_VERSION = "1"
"""Grows when a node is renamed or removed: parked threads remember node names."""


@dataclass(frozen=True, slots=True)
class SubStates:
    """The five sub-states, each with what it needs."""

    ticket_acceptance: TicketAcceptance
    analysis: Analysis
    remediation: Remediation
    review: Review
    deployment: Deployment


def build(
    parts: SubStates, checkpointer: BaseCheckpointSaver[str] | None = None
) -> CompiledStateGraph[Case, Any, Case, Case]:
    """The whole graph, bound to ``durability="sync"``; without a checkpointer the server brings its own."""
    graph = (
        StateGraph(Case)
        .add_node("ticket_detected", ticket_detected)
        .add_node("ticket_acceptance", parts.ticket_acceptance.subgraph())
        .add_node("analysis", parts.analysis.subgraph())
        .add_node("remediation", parts.remediation.subgraph())
        .add_node("review", parts.review.subgraph())
        .add_node("deployment", parts.deployment.subgraph())
        .add_edge(START, "ticket_detected")
        .add_edge("ticket_detected", "ticket_acceptance")
        .add_conditional_edges("ticket_acceptance", after_ticket_acceptance)
        .add_conditional_edges("analysis", after_analysis)
        .add_edge("remediation", "review")
        .add_conditional_edges("review", after_review)
        .add_conditional_edges("deployment", after_deployment)
        .compile(checkpointer=checkpointer, name="sre-bot")
    )
    return graph.with_config({"configurable": {"__pregel_durability": "sync"}})


async def ticket_detected(state: Case, config: RunnableConfig) -> Json:
    """The first node: refuses a run whose record could be lost. Raises ``NoTicket``, ``WrongDurability``."""
    if not state.get("ticket_id"):
        raise NoTicket("start a run with {'ticket_id': '<key>'}")
    durability = config.get("configurable", {}).get("__pregel_durability")
    if durability != "sync":
        raise WrongDurability(f"durability is {durability!r}, and only 'sync' keeps the record; start the run with it")
    return {"round": 0, "context": {"ticket_id": state["ticket_id"]}}


def after_ticket_acceptance(state: Case) -> Literal["analysis", "__end__"]:
    """Accepted, or over."""
    return "__end__" if state["exit"] == "ticket_rejected" else "analysis"


def after_analysis(state: Case) -> Literal["remediation", "__end__"]:
    """A verdict other than a fix ends here."""
    return "__end__" if state.get("outcome") else "remediation"


def after_review(state: Case) -> Literal["remediation", "deployment", "__end__"]:
    """By the state through which the review was left."""
    ways: dict[str, Literal["remediation", "deployment", "__end__"]] = {
        "changes_requested": "remediation",
        "approved": "deployment",
        "rejected": "__end__",
    }
    return ways[state["exit"]]


def after_deployment(state: Case) -> Literal["review", "__end__"]:
    """A lost approval leads back to the review."""
    return "review" if state["exit"] == "triggering_deployment" else "__end__"

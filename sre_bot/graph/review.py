"""Review: people decide, on GitHub; we only read what they decided."""

from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import interrupt

from sre_bot.domain.review import Decision, decide
from sre_bot.domain.states import Outcome
from sre_bot.graph import messages
from sre_bot.graph.duplicates import Duplicates
from sre_bot.graph.outward import Outward
from sre_bot.graph.state import Case, Json
from sre_bot.tools.github import GitHub


@dataclass(frozen=True, slots=True)
class ReviewReader:
    """Reads from GitHub what the reviews of a pull request amount to."""

    github: GitHub

    async def decision(self, repository: str, number: int, answered: frozenset[int], base_branch: str = "") -> Decision:
        """The decision for the current head; ``answered`` are ids of change requests that a newer head answers.

        A pull request that a person turned to another branch than ``base_branch`` is not ours any more: rejected.
        """
        pull_request = await self.github.pull_request(repository, number)
        if base_branch and pull_request.base_branch != base_branch:
            reason = f"it now goes into {pull_request.base_branch} and not into {base_branch}"
            return Decision(state="rejected", head=pull_request.head, reason=reason)
        reviews = await self.github.reviews(repository, number)
        return decide(pull_request, reviews, answered)


@dataclass(frozen=True, slots=True)
class Review:
    """The nodes of the review and what they need."""

    reader: ReviewReader
    outward: Outward
    duplicates: Duplicates

    def subgraph(self) -> CompiledStateGraph[Case, Any, Case, Case]:
        """The arrows."""
        return (
            StateGraph(Case)
            .add_node("awaiting_review", self.awaiting_review)
            .add_node("review_in_progress", self.review_in_progress)
            .add_node("changes_requested", self.changes_requested)
            .add_node("approved", self.approved)
            .add_node("rejected", self.rejected)
            .add_edge(START, "awaiting_review")
            .add_edge("awaiting_review", "review_in_progress")
            .add_conditional_edges("review_in_progress", after_review_in_progress)
            .add_edge("changes_requested", END)
            .add_edge("approved", END)
            .add_edge("rejected", END)
            .compile(name="review")
        )

    async def awaiting_review(self, state: Case) -> Json:
        """Wait for people, holding nothing. Whatever wakes us decides nothing."""
        interrupt({"waiting_for": "review", "pull_request": state["pull_request"]["url"]})
        return {}

    async def review_in_progress(self, state: Case) -> Json:
        """Read what GitHub says now."""
        decision = await self.reader.decision(
            state["scope"]["repository"],
            state["pull_request"]["number"],
            frozenset(state.get("answered", ())),
            state["pull_request"]["base_branch"],
        )
        if decision.state == "merged" and decision.head != state["pull_request"]["head"]:
            reason = "a person merged it with changes that are not mine"
            decision = decision.model_copy(update={"state": "rejected", "reason": reason})
        return {"decision": decision.model_dump(mode="json"), "context": {"review": _shown(decision)}}

    async def changes_requested(self, state: Case) -> Json:
        """Go back to the remediation with the request; a new round begins."""
        answered = [*state.get("answered", ()), *state["decision"]["review_ids"]]
        return {
            "exit": "changes_requested",
            "round": state.get("round", 0) + 1,
            "attempts": 0,
            "problems": [],
            "answered": answered,
            "context": {"answered": answered},
        }

    async def approved(self, state: Case) -> Json:
        """Go on to the deployment of exactly the approved head, or of what a person merged without a review."""
        kind = "merged_by_a_person" if state["decision"]["state"] == "merged" else "approved_head"
        return {"exit": "approved", "context": {kind: state["decision"]["head"]}}

    async def rejected(self, state: Case, config: RunnableConfig) -> Json:
        """Close the pull request, tell the ticket, hand it back."""
        decision = Decision.model_validate(state["decision"])
        await self.outward.close_pull_request(state, config, state["pull_request"]["number"])
        await self.outward.tell_ticket(state, config, "fix_rejected", messages.fix_rejected(decision))
        claim = await self.outward.claim_of(config)
        await self.duplicates.tell(claim, state["ticket_id"], Outcome.FIX_REJECTED)
        await self.outward.hand_back(claim, state["ticket_id"], state.get("round", 0))
        return {"exit": "rejected", "outcome": "fix_rejected"}


def after_review_in_progress(
    state: Case,
) -> Literal["awaiting_review", "changes_requested", "approved", "rejected"]:
    """The decision names the way; merged by a person is an approval that needs no merge of ours."""
    ways: dict[str, Literal["awaiting_review", "changes_requested", "approved", "rejected"]] = {
        "waiting": "awaiting_review",
        "changes_requested": "changes_requested",
        "approved": "approved",
        "merged": "approved",
        "rejected": "rejected",
    }
    return ways[state["decision"]["state"]]


def _shown(decision: Decision) -> Json:
    return {"state": decision.state, "reviewer": decision.reviewer, "reason": decision.reason[:500]}

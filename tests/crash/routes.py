"""The graph of ring 1: generated from the law, with small payloads, and with outward effects where the bot has them."""

from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import interrupt

from sre_bot.domain.errors import ResourceBusy
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.workflows import Claim
from tests.crash.outside import Caller
from tests.law_graph import ACCEPTANCE, ANALYSIS, DEPLOYMENT, REMEDIATION, REVIEW, LawGraph

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """A way through the law and how it ends; without an ending it waits for a review."""

    plan: tuple[str, ...]
    ending: str


_TO_REVIEW = ACCEPTANCE + ANALYSIS + REMEDIATION
_ASKED = (*_TO_REVIEW, "awaiting_review", "review_in_progress", "changes_requested", *REMEDIATION)
ROUTES = {
    "ticket-rejected": Route(("validating_ticket", "ticket_rejected"), "ticket_rejected"),
    "needs-human": Route(ACCEPTANCE + ANALYSIS, "needs_human"),
    "waits": Route((*_TO_REVIEW, "awaiting_review"), ""),
    "resolved": Route(_TO_REVIEW + REVIEW + DEPLOYMENT, "resolved"),
    "fix-rejected": Route((*_TO_REVIEW, "awaiting_review", "review_in_progress", "rejected"), "fix_rejected"),
    "changes-requested": Route((*_ASKED, "awaiting_review", "review_in_progress", "rejected"), "fix_rejected"),
    "deployment-failed": Route(
        (*_TO_REVIEW, *REVIEW, "triggering_deployment", "deployment_in_progress", "deployment_failed"),
        "deployment_failed",
    ),
}

EFFECTS: dict[str, tuple[str, ...]] = {
    "accepting_ticket": ("comment accepted", "status working"),
    "ticket_rejected": ("comment rejected",),
    "analysis_complete": ("comment analysis",),
    "pr_creation": ("commit", "pull request"),
    "changes_requested": ("comment answer",),
    "rejected": ("close pull request",),
    "triggering_deployment": ("merge", "sync"),
    "deployment_complete": ("comment resolved",),
    "deployment_failed": ("page",),
}
"""What each state does outside, in order."""

UNSEARCHABLE = frozenset({"page"})
"""Effects that nobody can look up: after a crash in the middle of one a person must decide."""

LOCKED = {"pr_creation": ("repository:shop",), "triggering_deployment": ("argocd:shop", "repository:shop")}
UNLOCKED = {"remediation_complete": ("repository:shop",)}


def route_of(ticket: str) -> Route:
    """The route that a ticket takes: its key begins with the route's name."""
    return ROUTES[ticket.partition("/")[0]]


def effects_of(plan: tuple[str, ...]) -> list[str]:
    """Every effect that a plan performs, with its round, in order."""
    return [f"{effect} {_round(plan, at + 1)}" for at, state in enumerate(plan) for effect in EFFECTS.get(state, ())]


def _round(plan: tuple[str, ...] | list[str], at: int) -> int:
    return list(plan[:at]).count("changes_requested")


class CrashGraph(LawGraph):
    """The law's graph whose nodes lock, act outside and wait for reviews."""

    _effects: Effects
    _locks: ResourceLocks
    _caller: Caller

    def equip(self, effects: Effects, locks: ResourceLocks, caller: Caller) -> None:
        """Give the nodes what they work with; a graph may be compiled long before."""
        self._effects = effects
        self._locks = locks
        self._caller = caller

    def _node(self, name: str) -> Any:
        async def run(case: Json, config: RunnableConfig) -> Json:
            route = route_of(case["ticket_id"])
            at = case.get("at", 0) + (name != "ticket_detected")
            if name == "awaiting_review":
                interrupt({"waiting_for": "review"})
                while at == len(route.plan):  # nothing decisive ever comes on this route: it waits on
                    interrupt({"waiting_for": "review"})
            await self._work(name, _claim_of(config), _round(route.plan, at))
            update: Json = {"at": at, "context": {"last": name}}
            if name == "ticket_detected":
                return {**update, "plan": list(route.plan)}
            return update if at < len(route.plan) else {**update, "outcome": route.ending}

        return run

    async def _work(self, name: str, claim: Claim, round: int) -> None:
        if name in LOCKED and not await self._locks.acquire(claim, LOCKED[name]):
            raise ResourceBusy("in line")
        for effect in EFFECTS.get(name, ()):
            await perform(self._effects, self._caller, claim, effect, round)
        if name in UNLOCKED:
            await self._locks.release(claim.workflow_id, UNLOCKED[name])


async def perform(effects: Effects, caller: Caller, claim: Claim, effect: str, round: int) -> Json:
    """Do one thing outside, through the door."""
    asked = {"workflow": claim.workflow_id, "effect": effect, "round": round}
    look = None if effect in UNSEARCHABLE else caller.look
    return await effects.once(claim, effect, round, asked, caller.act, look)


def _claim_of(config: RunnableConfig) -> Claim:
    settings = config.get("configurable", {})
    return Claim(settings["thread_id"], settings["owner"], settings["fence"])

"""A graph generated from the law: a node for each detailed state, a subgraph for each sub-state, and no work in them.

A case says which way to go (``plan``) and how to end (``ending``); a test may hook into any node.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Annotated, Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from sre_bot.domain.states import LAW, MEMBERS, SUB_STATE_OF, DetailedState, TicketProcessingSubState

Json = dict[str, Any]
Hook = Callable[[], Awaitable[Any]]

BRANCHES = ("k8s_event_analysis", "source_code_analysis")
ACCEPTANCE = ("validating_ticket", "accepting_ticket", "ticket_accepted")
ANALYSIS = (
    "data_collection",
    "+".join(BRANCHES),
    "correlation",
    "root_cause_generation",
    "confidence_calculation",
    "analysis_complete",
)
REMEDIATION = ("fix_generation", "code_validation", "test_generation", "pr_creation", "remediation_complete")
REVIEW = ("awaiting_review", "review_in_progress", "approved")
DEPLOYMENT = ("triggering_deployment", "deployment_in_progress", "validation_in_progress", "deployment_complete")
WHOLE_WAY = ACCEPTANCE + ANALYSIS + REMEDIATION + REVIEW + DEPLOYMENT


def _furthest(left: int, right: int) -> int:
    return max(left, right)


def _merged(left: Json, right: Json) -> Json:
    return {**left, **right}


class Case(TypedDict, total=False):
    """``at`` counts the states of ``plan`` that are behind us."""

    ticket_id: str
    plan: list[str]
    ending: str
    at: Annotated[int, _furthest]
    outcome: str
    context: Annotated[Json, _merged]


class LawGraph:
    """The graph, what its nodes were seen doing, and what a test makes them do besides."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.hooks: dict[str, Hook] = {}
        self.outputs: dict[str, Json] = {}

    def compile(self, saver: BaseCheckpointSaver[Any] | None) -> CompiledStateGraph[Any, Any, Any, Any]:
        root = StateGraph(Case).add_node("ticket_detected", self._node("ticket_detected"))
        for sub in TicketProcessingSubState:
            root.add_node(sub.value, self._sub_state(sub))
            root.add_conditional_edges(sub.value, _next_sub_state)
        root.add_edge(START, "ticket_detected").add_conditional_edges("ticket_detected", _next_sub_state)
        return root.compile(checkpointer=saver).with_config({"configurable": {"__pregel_durability": "sync"}})

    def _sub_state(self, sub: TicketProcessingSubState) -> CompiledStateGraph[Any, Any, Any, Any]:
        graph = StateGraph(Case).add_conditional_edges(START, _entry)
        for state in MEMBERS[sub]:
            graph.add_node(state.value, self._node(state.value))
            if state not in (DetailedState.DATA_COLLECTION, *BRANCHES):
                graph.add_conditional_edges(state.value, _router(sub))
        if sub is TicketProcessingSubState.ANALYSIS:
            for branch in BRANCHES:
                graph.add_edge("data_collection", branch)
            graph.add_edge(list(BRANCHES), "correlation")
        return graph.compile()

    def _node(self, name: str) -> Any:
        async def run(case: Json) -> Json:
            if name == "awaiting_review":
                interrupt({"waiting_for": "review"})
            self.entered.append(name)
            if name in self.hooks:
                await self.hooks[name]()
            at = case.get("at", 0) + (name != "ticket_detected")
            update: Json = {"at": at, "context": {"last": name}, **self.outputs.get(name, {})}
            return update if at < len(case["plan"]) else {**update, "outcome": case["ending"]}

        return run


def case(ticket_id: str = "OPS-1", plan: tuple[str, ...] = WHOLE_WAY, ending: str = "resolved") -> Case:
    """The input of a run."""
    return {"ticket_id": ticket_id, "plan": list(plan), "ending": ending}


def working_edges(plan: tuple[str, ...], ending: str) -> list[tuple[str, str, str]]:
    """What the law says the log of a plan must be: (from, to, trigger), one row for each."""
    names = ["ticket_detected", *plan]
    steps = [("system_idle::", _position("ticket_detected"))]
    for source, target in pairwise(names):
        steps += [(_position(one), _position(other)) for one in source.split("+") for other in target.split("+")]
    steps.append((_position(names[-1]), "system_idle::"))
    return [(*step, _trigger(*step, ending)) for step in steps]


async def forever() -> None:
    """A hook that holds its node until the run is cancelled."""
    await asyncio.Event().wait()


def _trigger(source: str, target: str, ending: str) -> str:
    triggers = [str(edge.trigger) for edge in LAW if (str(edge.source), str(edge.target)) == (source, target)]
    return triggers[0] if len(triggers) == 1 else ending


def _position(name: str) -> str:
    if name == "ticket_detected":
        return "system_idle::ticket_detected"
    return f"ticket_processing:{SUB_STATE_OF[DetailedState(name)]}:{name}"


def _next(case: Json) -> str | None:
    at = case.get("at", 0)
    return case["plan"][at] if at < len(case["plan"]) else None


def _sub_of(name: str) -> TicketProcessingSubState:
    return SUB_STATE_OF[DetailedState(name.split("+")[0])]


def _next_sub_state(case: Json) -> str:
    following = _next(case)
    return _sub_of(following).value if following else END


def _entry(case: Json) -> str:
    return case["plan"][case.get("at", 0)]


def _router(sub: TicketProcessingSubState) -> Callable[[Json], str]:
    def route(case: Json) -> str:
        following = _next(case)
        return following if following and _sub_of(following) is sub else END

    return route

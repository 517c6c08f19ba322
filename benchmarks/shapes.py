"""The graphs that are run: ten nodes in a row, and five subgraphs; legal ways through the law, the same for all arms.

A node does nothing but write one small value; in a run with a payload it also writes that.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from typing_extensions import TypedDict

Graph = CompiledStateGraph[Any, Any, Any, Any]
Hook = Callable[[str], Awaitable[None]]

LINEAR = (
    "ticket_detected",
    "validating_ticket",
    "accepting_ticket",
    "ticket_accepted",
    "data_collection",
    "k8s_event_analysis",
    "correlation",
    "root_cause_generation",
    "confidence_calculation",
    "analysis_complete",
)
SUBGRAPHS = {
    "ticket_acceptance": LINEAR[1:4],
    "analysis": LINEAR[4:],
    "remediation": ("fix_generation", "code_validation", "test_generation", "pr_creation", "remediation_complete"),
    "review": ("awaiting_review", "review_in_progress", "approved"),
    "deployment": (
        "triggering_deployment",
        "deployment_in_progress",
        "validation_in_progress",
        "deployment_complete",
    ),
}
_INCIDENTS = Path(__file__).parents[1] / "evals" / "incidents"
SUMMARISING = {nodes[-1] for nodes in SUBGRAPHS.values()}
STEPS = {"linear": len(LINEAR), "subgraphs": 1 + sum(map(len, SUBGRAPHS.values()))}


class Case(TypedDict, total=False):
    """The state of a run. ``evidence`` is given at the start and stays; ``report`` is written anew by every node."""

    ticket_id: str
    note: str
    evidence: list[str]
    report: list[str]
    context: dict[str, Any]
    outcome: str


def linear(saver: BaseCheckpointSaver[Any], *, hook: Hook | None = None, report: list[str] | None = None) -> Graph:
    """Ten nodes in a row; ``hook`` is called in each, ``report`` is written by each."""
    graph = StateGraph(Case)
    for name in LINEAR:
        graph.add_node(name, _node(name, "needs_human" if name == LINEAR[-1] else None, hook, report))
    graph.add_edge(START, LINEAR[0])
    for one, other in pairwise(LINEAR):
        graph.add_edge(one, other)
    return graph.compile(checkpointer=saver)


def subgraphs(saver: BaseCheckpointSaver[Any]) -> Graph:
    """One node, then five subgraphs in a row."""
    graph = StateGraph(Case).add_node(LINEAR[0], _node(LINEAR[0]))
    for name, nodes in SUBGRAPHS.items():
        inner = StateGraph(Case)
        for node in nodes:
            inner.add_node(node, _node(node, "resolved" if node == "deployment_complete" else None))
        for one, other in pairwise((START, *nodes)):
            inner.add_edge(one, other)
        graph.add_node(name, inner.compile())
    for one, other in pairwise((START, LINEAR[0], *SUBGRAPHS, END)):
        graph.add_edge(one, other)
    return graph.compile(checkpointer=saver)


def _node(name: str, outcome: str | None = None, hook: Hook | None = None, report: list[str] | None = None) -> Any:
    async def run(_: Case) -> Case:
        if hook is not None:
            await hook(name)
        update: Case = {"note": name}
        if name in SUMMARISING:
            update["context"] = {"last": name}
        if report is not None:
            update["report"] = [name, *report]
        if outcome is not None:
            update["outcome"] = outcome
        return update

    return run


def evidence(size: int, nth: int = 0) -> list[str]:
    """This many bytes of what clusters printed: events, pods and logs of the recorded incidents, from the nth on."""
    lines: list[str] = []
    length = 0
    recorded = _recorded()
    for file in cycle(recorded[nth % len(recorded) :] + recorded[: nth % len(recorded)]):
        for line in file.read_text(encoding="utf-8").splitlines():
            if length >= size:
                return lines
            lines.append(line)
            length += len(line) + 1
    raise FileNotFoundError(f"no recorded incident under {_INCIDENTS}")


@cache
def _recorded() -> list[Path]:
    names = ("events.yaml", "pods.yaml", "*.log")
    return sorted(file for name in names for file in _INCIDENTS.rglob(name) if file.stat().st_size >= 20_000)

"""The diagram drawn from the law, and the comparison of the law with the graph as it is compiled."""

from collections.abc import Callable, Iterator
from typing import Any, cast

from langgraph.graph.state import CompiledStateGraph

from sre_bot.domain.states import (
    LAW,
    MEMBERS,
    RESTORABLE,
    DetailedState,
    Edge,
    MainState,
    TicketProcessingSubState,
)
from sre_bot.graph.analysis import Analysis
from sre_bot.graph.deployment import Deployment
from sre_bot.graph.graph import (
    SubStates,
    after_analysis,
    after_deployment,
    after_review,
    after_ticket_acceptance,
    build,
)
from sre_bot.graph.remediation import Remediation
from sre_bot.graph.review import Review
from sre_bot.graph.state import Case
from sre_bot.graph.ticket_acceptance import TicketAcceptance

START, END = "__start__", "__end__"
Drawn = set[tuple[str, str]]

ROUTERS: dict[TicketProcessingSubState, Callable[[Case], str]] = {
    TicketProcessingSubState.TICKET_ACCEPTANCE: after_ticket_acceptance,
    TicketProcessingSubState.ANALYSIS: after_analysis,
    TicketProcessingSubState.REMEDIATION: lambda _: "review",
    TicketProcessingSubState.REVIEW: after_review,
    TicketProcessingSubState.DEPLOYMENT: after_deployment,
}
"""The root's router behind each sub-state; behind the remediation there is one way only."""


def outline() -> SubStates:
    """The sub-states with nothing in their hands: enough to draw, not to run."""
    return SubStates(
        ticket_acceptance=TicketAcceptance.__new__(TicketAcceptance),
        analysis=Analysis.__new__(Analysis),
        remediation=Remediation.__new__(Remediation),
        review=Review.__new__(Review),
        deployment=Deployment.__new__(Deployment),
    )


def disagreements() -> list[str]:
    """Every difference between the law and the compiled graph, as sentences; empty when they agree."""
    parts = outline()
    subgraphs = {sub: getattr(parts, sub).subgraph() for sub in TicketProcessingSubState}
    found = [problem for sub, graph in subgraphs.items() for problem in _compare_sub_state(sub, graph)]
    found += _compare("the root", _drawn(build(parts)), _root_arrows())
    return [*found, *_compare_exits(subgraphs)]


def mermaid() -> str:
    """The law as a Mermaid state diagram, nested as the specification nests it."""
    lines = ["stateDiagram-v2", "    [*] --> system_idle", "    state system_idle {", "        [*] --> monitoring"]
    lines += ["        monitoring --> ticket_detected : new_assignment", "    }", "    state ticket_processing {"]
    lines += ["        [*] --> ticket_acceptance"]
    for sub in TicketProcessingSubState:
        lines += [f"        state {sub} {{", *_inner_lines(sub), "        }"]
    lines += [*_crossing_lines(), "    }", "    state error_handling {"]
    lines += ["        [*] --> error_detection", *_error_lines(), "    }"]
    lines += ["    system_idle --> ticket_processing : ticket_detected", *_ending_lines()]
    lines += ["    ticket_processing --> error_handling : error, expired, cancelled"]
    lines += ["    error_handling --> ticket_processing : retry_due"]
    lines += ["    error_handling --> system_idle : escalated, expired, cancelled", *_rewinding_lines()]
    return "\n".join(lines)


def _inner_lines(sub: TicketProcessingSubState) -> Iterator[str]:
    yield f"            [*] --> {MEMBERS[sub][0]}"
    for edge in _inner(sub):
        yield f"            {edge.source.detailed} --> {edge.target.detailed} : {edge.trigger}"


def _crossing_lines() -> list[str]:
    return [
        f"        {edge.source.detailed} --> {edge.target.detailed} : {edge.trigger}"
        for edge in _crossing()
        if edge.source.sub
    ]


def _error_lines() -> list[str]:
    pairs = {
        (str(edge.source.detailed), str(edge.target.detailed)): edge.trigger
        for edge in LAW
        if edge.source.main is edge.target.main is MainState.ERROR_HANDLING and "expired" not in edge.trigger
        if edge.trigger != "cancelled"
    }
    return [f"        {source} --> {target} : {trigger}" for (source, target), trigger in pairs.items()]


def _ending_lines() -> list[str]:
    by_state: dict[DetailedState, list[str]] = {}
    for edge in _endings():
        by_state.setdefault(edge.source.detailed or DetailedState.MONITORING, []).append(edge.trigger)
    return [f"    {state} --> system_idle : {', '.join(triggers)}" for state, triggers in by_state.items()]


def _rewinding_lines() -> list[str]:
    """The way back that only people take, drawn as one crossing."""
    sources = (MainState.TICKET_PROCESSING, MainState.ERROR_HANDLING)
    return [
        "    state rewinding <<choice>>",
        *(f"    {source} --> rewinding : rewound" for source in sources),
        *(f"    rewinding --> {state}" for state in RESTORABLE),
    ]


def _inner(sub: TicketProcessingSubState) -> list[Edge]:
    return [
        edge
        for edge in LAW
        if edge.source.sub is edge.target.sub is sub
        and edge.source.main is edge.target.main is MainState.TICKET_PROCESSING
    ]


def _crossing() -> list[Edge]:
    return [
        edge
        for edge in LAW
        if edge.target.main is MainState.TICKET_PROCESSING
        and edge.source.main is not MainState.ERROR_HANDLING
        and edge.source.sub is not edge.target.sub
    ]


def _endings() -> list[Edge]:
    return [
        edge
        for edge in LAW
        if edge.target.main is MainState.SYSTEM_IDLE and edge.source.main is MainState.TICKET_PROCESSING
    ]


def _root_arrows() -> Drawn:
    between = {(str(edge.source.sub or edge.source.detailed), str(edge.target.sub)) for edge in _crossing()}
    return between | {(str(edge.source.sub), END) for edge in _endings()} | {(START, "ticket_detected")}


def _compare_sub_state(sub: TicketProcessingSubState, graph: CompiledStateGraph[Any, Any, Any, Any]) -> list[str]:
    drawn = {(source, target) for source, target in _drawn(graph) if source != START and target != END}
    lawful = {(str(edge.source.detailed), str(edge.target.detailed)) for edge in _inner(sub)}
    return _compare(sub, drawn, lawful)


def _compare_exits(subgraphs: dict[TicketProcessingSubState, CompiledStateGraph[Any, Any, Any, Any]]) -> list[str]:
    """What the drawing pools: for each exit state and outcome, the way that the root's router takes."""
    found: list[str] = []
    for edge in (*_crossing(), *_endings()):
        sub, target = edge.source.sub, edge.target.sub
        if sub is None:
            continue
        case = left_through(edge)
        taken, lawful = ROUTERS[sub](case), str(target) if target else END
        if taken != lawful:
            found.append(f"leaving {edge.source.detailed} with {edge.trigger} leads to {taken}, the law says {lawful}")
        if target and (START, str(edge.target.detailed)) not in _drawn(subgraphs[target]):
            found.append(f"{target} does not start with {edge.target.detailed}")
    return found


def left_through(edge: Edge) -> Case:
    """A case as the root's router sees it after leaving a sub-state by an edge of the law."""
    ended = {} if edge.target.sub else {"outcome": edge.trigger}
    return cast(Case, {"exit": str(edge.source.detailed), **ended})


def _drawn(graph: CompiledStateGraph[Any, Any, Any, Any]) -> Drawn:
    return {(edge.source, edge.target) for edge in graph.get_graph().edges}


def _compare(where: str, drawn: Drawn, lawful: Drawn) -> list[str]:
    return [
        *(f"{where}: the graph has {a} -> {b}, the law does not" for a, b in sorted(drawn - lawful)),
        *(f"{where}: the law has {a} -> {b}, the graph does not" for a, b in sorted(lawful - drawn)),
    ]

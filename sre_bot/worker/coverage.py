"""Whether the graph still has the nodes in which workflows wait: a thread in one that is gone ends without a word."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel

from sre_bot.domain.errors import ThreadsWouldBeLost
from sre_bot.persistence.database import Database
from sre_bot.persistence.parked import Waiting, next_nodes

NAMED = 5
"""Workflows that a message names one by one."""


def nodes_of(graph: CompiledStateGraph[Any, Any, Any, Any]) -> dict[str, frozenset[str]]:
    """The names of the nodes of each sub-state, and under the empty name those of the root."""
    found = ((name, subgraph) for name, subgraph in graph.get_subgraphs() if isinstance(subgraph, Pregel))
    subgraphs = {name: frozenset(subgraph.nodes) for name, subgraph in found}
    return {"": frozenset(graph.nodes), **subgraphs}


async def refuse_to_lose(
    database: Database, graph: CompiledStateGraph[Any, Any, Any, Any], version: str, workflow_id: str | None = None
) -> None:
    """Raise ``ThreadsWouldBeLost`` when a live workflow, or this one, waits in a node that ``graph`` lacks."""
    nodes = nodes_of(graph)
    lost = [waiting for waiting in await next_nodes(database, workflow_id) if not _covered(waiting, nodes)]
    if lost:
        raise ThreadsWouldBeLost(_message(lost, version))


def _covered(waiting: Waiting, nodes: Mapping[str, frozenset[str]]) -> bool:
    return waiting.node in nodes.get(waiting.sub_state, frozenset())


def _message(lost: Iterable[Waiting], version: str) -> str:
    def place(waiting: Waiting) -> tuple[str, str]:
        return waiting.sub_state, waiting.node

    groups = groupby(sorted(lost, key=place), key=place)
    which = "; ".join(f"{node!r} of {sub or 'the root'}: {_listed(tuple(waiting))}" for (sub, node), waiting in groups)
    return (
        f"this version's graph (version {version}) lacks nodes in which workflows wait: {which}. Let the version of "
        "sre-bot that began them finish them, or end each with `sre-bot cancel <workflow> --why …` there, and start "
        "this one then"
    )


def _listed(waiting: tuple[Waiting, ...]) -> str:
    named = [f"{one.ticket_id} {one.workflow_id} (graph version {one.graph_version or '?'})" for one in waiting[:NAMED]]
    more = len(waiting) - NAMED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")

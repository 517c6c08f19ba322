"""Which step of the law a checkpoint stands for, derived from the nodes that it schedules.

LangGraph names what runs next in ``updated_channels``: ``branch:to:NODE`` for a node, ``join:a+b:c`` for a node that
waits for several. So the log follows from the checkpoints alone and no node can forget to write it.
"""

from dataclasses import dataclass, field
from typing import Any

from langgraph.checkpoint.base import Checkpoint
from langgraph.checkpoint.serde.types import TASKS
from langgraph.constants import START

from sre_bot.domain.errors import IllegalTransition
from sre_bot.domain.states import (
    IDLE,
    MEMBERS,
    SUB_STATE_OF,
    DetailedState,
    Edge,
    Outcome,
    Position,
    TicketProcessingSubState,
    edges_between,
    legal_targets,
)
from sre_bot.persistence.projection import Projection

ENTRY = DetailedState.TICKET_DETECTED
ROOT = ""

_SUB_STATES = frozenset(sub.value for sub in TicketProcessingSubState)
_STATES = frozenset(state.value for state in (ENTRY, *SUB_STATE_OF))


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The nodes that a checkpoint lets run next; a join is a pair of the nodes waited for and the one that waits."""

    nodes: tuple[str, ...] = ()
    joins: tuple[tuple[frozenset[str], str], ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """What one commit does to a workflow: its rows in order, where it stands then, and which states run."""

    edges: tuple[Edge, ...]
    position: Position
    active: tuple[DetailedState, ...] = field(default=())
    outcome: Outcome | None = None


def scheduled(checkpoint: Checkpoint) -> Scheduled:
    """What a checkpoint schedules. Raises ``IllegalTransition`` on ``Send``, which the law has no word for."""
    updated = checkpoint.get("updated_channels") or ()
    if TASKS in updated:
        raise IllegalTransition("a node used Send; the law only knows edges between named states")
    nodes = sorted(name.removeprefix("branch:to:") for name in updated if name.startswith("branch:to:"))
    joins = (_join(name, checkpoint["channel_values"].get(name)) for name in updated if name.startswith("join:"))
    return Scheduled(tuple(nodes), tuple(join for join in joins if join is not None))


def one_task(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint lets exactly one task run next; a ``Send`` may be several."""
    updated = checkpoint.get("updated_channels") or ()
    if TASKS in updated or checkpoint["channel_values"].get(TASKS):
        return False
    following = scheduled(checkpoint)
    return len(following.nodes) + len(following.joins) + (START in updated) == 1


def root_move(standing: Projection, checkpoint: Checkpoint) -> Move | None:
    """The step of a checkpoint of the root graph made by its loop; None when it only enters a sub-state.

    A root that schedules nothing has ended; how, its channel ``outcome`` says. A graph without sub-graphs has the
    states themselves as its nodes. Raises ``IllegalTransition``.
    """
    following = scheduled(checkpoint)
    outcome = checkpoint["channel_values"].get("outcome")
    if not following.nodes and not following.joins:
        return _ending(standing, outcome)
    if following.joins or len(following.nodes) != 1:
        raise IllegalTransition(f"the root graph schedules {following} at once; it may enter one node at a time")
    node = following.nodes[0]
    if node in _SUB_STATES:
        return None
    if node not in _STATES:
        raise IllegalTransition(f"the root graph schedules {node!r}, which is neither a state nor a sub-state")
    already_there = node == ENTRY and standing.active == (ENTRY,)  # a failure was recorded before the first step
    return None if already_there else _linear(standing, (DetailedState(node),), outcome)


def sub_state_move(standing: Projection, sub: TicketProcessingSubState, checkpoint: Checkpoint) -> Move | None:
    """The step of a checkpoint of a sub-state's graph; None at its end. Raises ``IllegalTransition``."""
    following = scheduled(checkpoint)
    if not following.nodes and not following.joins:
        return None
    outcome = checkpoint["channel_values"].get("outcome")
    targets = tuple(_member(sub, node) for node in following.nodes)
    if not following.joins:
        return _linear(standing, targets, outcome)
    if targets or len(following.joins) != 1:
        raise IllegalTransition(f"{sub.value} schedules {following} at once; a join comes alone")
    waited_for, node = following.joins[0]
    return _joined(standing, {_member(sub, name) for name in waited_for}, _member(sub, node), outcome)


def step(source: Position, target: Position, outcome: Any = None) -> Edge:
    """The edge of the law from one position to another; where there are several, the one that ``outcome`` triggers.

    Raises ``IllegalTransition`` naming from, to and what would be legal.
    """
    edges = edges_between(source, target)
    if len(edges) == 1 and (target != IDLE or outcome in (None, edges[0].trigger)):
        return edges[0]
    for edge in edges:
        if edge.trigger == outcome:
            return edge
    if edges:
        triggers = ", ".join(edge.trigger for edge in edges)
        raise IllegalTransition(f"{source} -> {target} by {outcome!r} is not legal; its triggers are: {triggers}")
    legal = ", ".join(map(str, legal_targets(source))) or "nothing"
    raise IllegalTransition(f"{source} -> {target} is not legal; from there the law allows: {legal}")


def _join(channel: str, seen: Any) -> tuple[frozenset[str], str] | None:
    names, _, node = channel.removeprefix("join:").rpartition(":")
    waited_for = frozenset(names.split("+"))
    return (waited_for, node) if waited_for.issubset(seen or ()) else None


def _member(sub: TicketProcessingSubState, node: str) -> DetailedState:
    for state in MEMBERS[sub]:
        if state == node:
            return state
    raise IllegalTransition(f"node {node!r} is not a state of {sub.value!r}")


def _linear(standing: Projection, targets: tuple[DetailedState, ...], outcome: Any) -> Move:
    if len(standing.active) > 1:
        raise IllegalTransition(f"{[*standing.active]} run in parallel; they can only be joined, not left to {targets}")
    edges = tuple(step(standing.position, Position.working(target), outcome) for target in targets)
    return Move(edges, edges[0].target, targets)


def _joined(standing: Projection, sources: set[DetailedState], target: DetailedState, outcome: Any) -> Move:
    if sources != set(standing.active):
        raise IllegalTransition(f"{sorted(sources)} joined in {target.value!r}, but {[*standing.active]} were running")
    landing = Position.working(target)
    edges = tuple(step(Position.working(source), landing, outcome) for source in sorted(sources))
    return Move(edges, landing, (target,))


def _ending(standing: Projection, outcome: Any) -> Move:
    if len(standing.active) > 1:
        raise IllegalTransition(f"the graph ended while {[*standing.active]} were running")
    if outcome is None:
        raise IllegalTransition(f"the graph ended at {standing.position} without an outcome")
    edge = step(standing.position, IDLE, outcome)
    return Move((edge,), IDLE, (), Outcome(edge.trigger))

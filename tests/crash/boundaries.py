"""The registry: every boundary at which a worker can be stopped, and the faults that can strike there.

A boundary is a transaction of the record or a call to the outside, with a point in it. The list follows from the law
and from what each state does; a boundary that is seen on the wire and not listed here fails the build, and so does one
that is listed and that no context reaches.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from sre_bot.domain.states import ERROR_STATES, DetailedState, TicketProcessingSubState
from tests.crash.outside import Mishap
from tests.crash.routes import EFFECTS, ROUTES, UNSEARCHABLE

Fault = Literal[
    "kill",
    "kill twice",
    "kill in recovery",
    "pause",
    "cut",
    "restart",
    "restart in recovery",
    "unavailable",
]

FAULTS: tuple[Fault, ...] = get_args(Fault)
IN_TRANSACTION = ("writing", "commit", "committed")
IN_CALL = ("received", "performed")
RESTARTS: tuple[Fault, ...] = ("restart", "restart in recovery")
"""Faults of a whole server, which several scenarios share."""

ANYWHERE: tuple[Fault, ...] = ("kill", "kill twice", "kill in recovery", "pause", "cut", *RESTARTS)
WHEN_RECEIVED: tuple[Fault, ...] = (*ANYWHERE, "unavailable")
WHEN_PERFORMED: tuple[Fault, ...] = ANYWHERE


@dataclass(frozen=True, slots=True)
class Boundary:
    """A named place in a worker's run."""

    name: str
    point: str

    def __str__(self) -> str:
        return f"{self.name} / {self.point}"


@dataclass(frozen=True, slots=True)
class Context:
    """A run in which boundaries are met: a route and, at one effect, a mishap; ``lease`` is in seconds."""

    name: str
    route: str
    effect: str = ""
    mishap: Mishap = ""
    job: str = ""
    lease: float = 300.0


CONTEXTS = (
    *(Context(route, route) for route in ROUTES),
    Context("a call is unavailable once", "needs-human", "comment accepted", "unavailable"),
    Context("a call meets a storm", "needs-human", "comment accepted", "storm"),
    Context("a call is told to wait", "needs-human", "comment accepted", "busy"),
    Context("a call is cut when performed", "needs-human", "comment accepted", "performed in silence"),
    Context("a call's answer is truncated", "needs-human", "comment accepted", "truncated"),
    Context("a call is refused", "needs-human", "comment accepted", "refused"),
    Context("nobody can tell", "deployment-failed", "page", "performed in silence"),
    Context("a long call", "needs-human", "comment accepted", "slow", lease=0.6),
    Context("a ticket comes in", "needs-human", job="open"),
    Context("a review comes in", "fix-rejected", job="wake"),
)


def boundaries() -> tuple[Boundary, ...]:
    """Every boundary of ring 1."""
    inside = (Boundary(name, point) for name in _transactions() for point in IN_TRANSACTION)
    outside = (Boundary(f"effect {effect}: call", point) for effect in _effects() for point in IN_CALL)
    return tuple(dict.fromkeys((*inside, *outside)))


def pairs() -> tuple[tuple[Boundary, Fault], ...]:
    """Every boundary with every fault that can strike there."""
    return tuple((boundary, fault) for boundary in boundaries() for fault in faults_at(boundary))


def faults_at(boundary: Boundary) -> tuple[Fault, ...]:
    """The faults that mean something at a boundary."""
    return {"received": WHEN_RECEIVED, "performed": WHEN_PERFORMED}.get(boundary.point, ANYWHERE)


def _transactions() -> Iterator[str]:
    yield from ("open", "claim", "renew", "release", "wake", "lock", "unlock", "input of root", "retry due")
    yield from (f"failure {kind}" for kind in ("transient", "rate_limited", "permanent", "needs_human"))
    yield from (f"enter {state}" for state in DetailedState if state not in _NEVER_ENTERED)
    yield from (f"end {ending}" for ending in {route.ending: 0 for route in ROUTES.values() if route.ending})
    yield "end escalated"
    for sub in TicketProcessingSubState:
        yield from (f"way into {sub}", f"input of {sub}", f"last of {sub}")
    yield from ("writes in analysis", "error in root")
    yield from (f"{what} in {graph}" for what in ("interrupt", "resume") for graph in ("root", "review"))
    yield from (f"error in {sub}" for sub in ("ticket_acceptance", "deployment"))
    for effect in _effects():
        yield from (f"effect {effect}: {step}" for step in ("intent", "start", "result"))
    yield "effect comment accepted: not performed"
    yield from (f"effect {effect}: unknown" for effect in sorted(UNSEARCHABLE))


def _effects() -> list[str]:
    return [*sorted({name for names in EFFECTS.values() for name in names}), "comment hand-over", "unassign"]


_NEVER_ENTERED = frozenset((*ERROR_STATES, DetailedState.MONITORING, DetailedState.SOURCE_CODE_ANALYSIS))
"""The bot's own state; the error states, which a failure passes through in one transaction; and the second branch,
which is entered in the first one's transaction."""

SOMETIMES = frozenset(
    Boundary(f"writes in {graph}", point) for graph in ("root", *TicketProcessingSubState) for point in IN_TRANSACTION
) - frozenset(boundaries())
"""Met or not, as chance has it: what a node wrote alone is in the next checkpoint too, and is saved before that only
where the saver cannot tell that it was alone."""

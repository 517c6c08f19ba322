"""Where and with what a scenario strikes."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.crash.children import Child, Gate, Point


@dataclass(slots=True)
class Plan:
    """Where a scenario strikes, and with what; the second strike of some faults falls in the recovery."""

    boundary: str
    point: str
    fault: str
    chance: random.Random
    strikes: int = 0
    kills: int = 0
    restarts: int = 0
    struck_at: float = 0.0
    resumed_at: float = 0.0
    second_at: int = 0
    struck: set[str] = field(default_factory=set[str])
    striking: set[asyncio.Task[bool]] = field(default_factory=set[asyncio.Task[bool]])

    def __post_init__(self) -> None:
        self.second_at = self.chance.randint(1, 40)

    @property
    def recovery(self) -> float:
        """Seconds since the strike; 0 where there was none."""
        return time.monotonic() - self.struck_at if self.struck_at else 0.0

    @property
    def resumed(self) -> float:
        """Seconds from the strike to the first step that was recorded after it; 0 where there was no strike."""
        return max((self.resumed_at or time.monotonic()) - self.struck_at, 0.0) if self.struck_at else 0.0

    def hits(self, point: Point, passed: int) -> bool:
        """Whether to strike at a point, the n-th that a worker passes."""
        if self.strikes == 0 or (self.strikes == 1 and self.fault == "kill twice"):
            return point == (self.boundary, self.point)
        return self.strikes == 1 and self.fault.endswith(" in recovery") and passed == self.second_at

    def next_fault(self) -> str:
        """What happens now; noted."""
        self.strikes += 1
        fault = "kill" if self.fault.startswith("kill") or self._is_only_the_occasion else self.fault.partition(" ")[0]
        self.kills += fault == "kill"
        self.restarts += fault == "restart"
        return fault

    @property
    def is_awaited(self) -> bool:
        """Whether it still has to have its server restarted."""
        return self.fault.startswith("restart") and not self.restarts

    @property
    def _is_only_the_occasion(self) -> bool:
        return self.fault == "restart in recovery" and self.strikes == 1

    def gate(self, strike: Callable[[Child], Awaitable[bool]]) -> Gate:
        """The gate of all workers of a scenario: each is struck once at most; ``strike`` says if its line holds."""

        async def passes(child: Child, point: Point) -> bool:
            if self.struck_at and not self.resumed_at and point[1] == "committed" and point[0] != "renew":
                self.resumed_at = time.monotonic()
            if child.number in self.struck or not self.hits(point, len(child.passed)):
                return True
            self.struck.add(child.number)
            striking = asyncio.create_task(self._strike(strike(child)))
            self.striking.add(striking)
            return await asyncio.shield(striking)

        return passes

    async def _strike(self, strike: Awaitable[bool]) -> bool:
        """A task of its own: the line on which a worker is struck may end before the strike does."""
        holds = await strike
        self.struck_at = self.struck_at or time.monotonic()
        return holds

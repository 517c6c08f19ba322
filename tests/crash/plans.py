"""Where and with what a scenario strikes."""

import random
import time
from dataclasses import dataclass

from tests.crash.children import Point


@dataclass(slots=True)
class Plan:
    """Where a scenario strikes, and with what; the second strike of some faults falls in the recovery."""

    boundary: str
    point: str
    fault: str
    chance: random.Random
    strikes: int = 0
    kills: int = 0
    struck_at: float = 0.0
    second_at: int = 0

    def __post_init__(self) -> None:
        self.second_at = self.chance.randint(1, 40)

    def hits(self, point: Point, passed: int) -> bool:
        """Whether to strike at a point, the n-th that a worker passes."""
        if self.strikes == 0 or (self.strikes == 1 and self.fault == "kill twice"):
            return point == (self.boundary, self.point)
        return self.strikes == 1 and self.fault == "kill in recovery" and passed == self.second_at

    def next_fault(self) -> str:
        """What happens now; noted."""
        self.strikes += 1
        self.struck_at = self.struck_at or time.monotonic()
        fault = "kill" if self.fault.startswith("kill") else self.fault
        self.kills += fault == "kill"
        return fault

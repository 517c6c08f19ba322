"""Planning scenarios: every registered pair of boundary and fault once before any repeats."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.crash.boundaries import CONTEXTS, RESTARTS, SOMETIMES, Boundary, Fault, boundaries, pairs
from tests.crash.endings import ENDINGS
from tests.crash.lanes import LaneProcess, answers
from tests.crash.report import failed

Json = dict[str, Any]
Plans = tuple[int, Iterator[Json]]
APPLICATION_FAULTS: tuple[Fault, ...] = ("kill", "kill twice", "kill in recovery", "pause", "cut", *RESTARTS)

BY_TIME = frozenset({"renew"})
"""Met when time has passed, on a slow machine again and again: only the first, which a call awaits, is sure to come."""

NAIVE = (
    ("effect comment accepted: call", "performed"),
    ("effect status working: call", "performed"),
    ("effect comment analysis: call", "performed"),
)


@dataclass(frozen=True, slots=True)
class Beginning:
    """A way to a boundary: a context, the stand to begin at ("" for its beginning), and the points that remain."""

    context: str
    stand: str
    points: int


@dataclass(frozen=True, slots=True)
class Census:
    """Which ways lead to which boundaries, the shortest first."""

    reached: dict[Boundary, tuple[Beginning, ...]]
    findings: tuple[Json, ...]

    @property
    def unknown(self) -> list[Boundary]:
        """Boundaries that were seen on the wire and are not registered."""
        return sorted(set(self.reached) - set(boundaries()) - SOMETIMES, key=str)

    @property
    def unreached(self) -> list[Boundary]:
        """Registered boundaries that nobody reaches: they would have no scenario."""
        return sorted(set(boundaries()) - set(self.reached), key=str)


async def take_census(lanes: list[LaneProcess]) -> Census:
    """Run every context once without a fault."""
    orders = [{"do": "census", "context": context.name} for context in CONTEXTS]
    findings = [answer async for answer in answers(lanes, iter(orders))]
    reached: dict[Boundary, list[Beginning]] = {}
    for finding in findings:
        for boundary, beginning in _ways(finding):
            reached.setdefault(boundary, []).append(beginning)
    return Census(
        {boundary: tuple(sorted(ways, key=lambda way: way.points)) for boundary, ways in reached.items()},
        tuple(findings),
    )


def _ways(finding: Json) -> Iterator[tuple[Boundary, Beginning]]:
    """For each boundary of a context the latest place to begin before it is met."""
    passed = [Boundary(name, point) for name, point in finding["passed"]]
    beginnings: list[tuple[int, str]] = [(0, ""), *finding["stands"]]
    for boundary in set(passed):
        last = len(passed) - 1 - passed[::-1].index(boundary)
        met = passed.index(boundary) if boundary.name in BY_TIME else last
        begun, stand = max((begun, stand) for begun, stand in beginnings if begun <= met)
        yield boundary, Beginning(finding["context"], stand, len(passed) - begun)


def scenarios(census: Census, seed: int, number: int, faults: frozenset[str]) -> Iterator[Json]:
    """``number`` scenarios: every pair once in an order by seed, the shortest way; then again on any way."""
    chance = random.Random(seed)
    wanted = [pair for pair in pairs() if not faults or pair[1] in faults]
    for count in range(number if wanted else 0):
        lap, at = divmod(count, len(wanted))
        if at == 0:
            chance.shuffle(wanted)
        yield _scenario(census, wanted[at], count, chance, first=lap == 0)


def together(planned: Iterator[Json], size: int) -> Iterator[Json]:
    """The same, with those that restart the server in groups of a ``size``: as many as a lane has room for."""
    waiting: list[Json] = []
    for scenario in planned:
        if scenario["fault"] not in RESTARTS:
            yield scenario
            continue
        waiting.append(scenario)
        if len(waiting) == size:
            yield {"do": "run together", "scenarios": waiting}
            waiting = []
    if waiting:
        yield {"do": "run together", "scenarios": waiting}


def naive_scenarios(seed: int, number: int) -> Iterator[Json]:
    """Scenarios of the naive arm: killed after a call and before it was written down."""
    chance = random.Random(seed)
    for count in range(number):
        boundary, point = chance.choice(NAIVE)
        yield {
            "do": "run naively", "arm": "naive", "number": f"naive-{count}", "seed": chance.randrange(2**31),
            "context": "needs-human", "boundary": boundary, "point": point, "fault": "kill",
        }  # fmt: skip


async def application_scenarios(lanes: list[LaneProcess], seed: int, number: int, faults: frozenset[str]) -> Plans:
    """Ring 2: what an incident reaches without a fault is registered; every pair once before any repeats.

    Where several incidents reach a boundary, chance says which one is played.
    """
    orders = [{"do": "census", "incident": incident} for incident in ENDINGS]
    findings = [answer async for answer in answers(lanes, iter(orders))]
    for found in findings:
        if failed(found):
            raise RuntimeError(f"without a fault: { ({**found, 'passed': ...}) }")
    reached: dict[tuple[str, str], list[Json]] = {}
    for found in sorted(findings, key=lambda one: one["incident"]):
        for name, point in {(name, point) for name, point in found["passed"]}:
            way = {"incident": found["incident"], "context": found["incident"], "expected": found["made"]}
            reached.setdefault((name, point), []).append(way)
    chosen = [fault for fault in APPLICATION_FAULTS if not faults or fault in faults]
    registered = [(name, point, fault) for name, point in sorted(reached) for fault in chosen]
    chance = random.Random(seed)
    return len(registered), _application_orders(registered, reached, number, chance)


def _application_orders(
    registered: list[tuple[str, str, str]],
    reached: dict[tuple[str, str], list[Json]],
    number: int,
    chance: random.Random,
) -> Iterator[Json]:
    for count in range(number if registered else 0):
        lap = count % len(registered)
        if lap == 0:
            chance.shuffle(registered)
        name, point, fault = registered[lap]
        way = chance.choice(reached[name, point])
        yield {
            "do": "run", "number": count, "seed": chance.randrange(2**31), **way,
            "boundary": name, "point": point, "fault": fault,
        }  # fmt: skip


def _scenario(census: Census, pair: tuple[Boundary, Fault], count: int, chance: random.Random, *, first: bool) -> Json:
    boundary, fault = pair
    ways = census.reached[boundary]
    way = ways[0] if first else chance.choice(ways)
    return {
        "do": "run", "number": count, "seed": chance.randrange(2**31),
        "context": way.context, "stand": way.stand,
        "boundary": boundary.name, "point": boundary.point, "fault": fault,
    }  # fmt: skip

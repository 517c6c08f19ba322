"""Planning scenarios, and having lanes run them side by side."""

import asyncio
import json
import random
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.crash.boundaries import CONTEXTS, Boundary, Fault, boundaries, pairs
from tests.crash.report import failed

Json = dict[str, Any]
Plans = tuple[int, Iterator[Json]]
INCIDENT = "orders-cannot-be-placed"
APPLICATION_FAULTS = ("kill", "kill twice", "kill in recovery", "cut", "restart")


@dataclass(frozen=True, slots=True)
class LaneProcess:
    """A lane in a process of its own, spoken to in lines."""

    process: asyncio.subprocess.Process

    @classmethod
    @asynccontextmanager
    async def start(cls, log: Path, module: str = "tests.crash.lane") -> AsyncGenerator[Self]:
        """Spawn it; what it and its server say beside answers goes to ``log``."""
        pipe = asyncio.subprocess.PIPE
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, stdin=pipe, stdout=pipe, stderr=errors, limit=2**24
            )
        try:
            yield cls(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def ask(self, order: Json) -> Json:
        """Have one thing done. Raises ``RuntimeError`` when the lane has died."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        while line := await self.process.stdout.readline():
            _, mark, answer = line.partition(b"\x1e")
            if mark:
                return json.loads(answer)
        raise RuntimeError(f"the lane died over {order}")


@dataclass(frozen=True, slots=True)
class Census:
    """Which contexts reach which boundaries."""

    reached: dict[Boundary, tuple[str, ...]]
    findings: tuple[Json, ...]

    @property
    def unknown(self) -> list[Boundary]:
        """Boundaries that were seen on the wire and are not registered."""
        return sorted(set(self.reached) - set(boundaries()), key=str)

    @property
    def unreached(self) -> list[Boundary]:
        """Registered boundaries that nobody reaches: they would have no scenario."""
        return sorted(set(boundaries()) - set(self.reached), key=str)


async def take_census(lanes: list[LaneProcess]) -> Census:
    """Run every context once without a fault."""
    reached: dict[Boundary, dict[str, int]] = {}
    findings: list[Json] = []
    orders = [{"do": "census", "context": context.name} for context in CONTEXTS]
    async for answer in answers(lanes, iter(orders)):
        findings.append(answer)
        for name, point in answer["passed"]:
            reached.setdefault(Boundary(name, point), {})[answer["context"]] = len(answer["passed"])
    return Census(
        {key: tuple(sorted(found, key=lambda n: found[n])) for key, found in reached.items()}, tuple(findings)
    )


def scenarios(census: Census, seed: int, number: int, faults: frozenset[str]) -> Iterator[Json]:
    """``number`` scenarios: every pair once in an order by seed, in its shortest context; then again in any context."""
    chance = random.Random(seed)
    wanted = [pair for pair in pairs() if not faults or pair[1] in faults]
    for count in range(number):
        lap, at = divmod(count, len(wanted))
        if at == 0:
            chance.shuffle(wanted)
        yield _scenario(census, wanted[at], count, chance, first=lap == 0)


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
    """Ring 2: what the incident reaches without a fault is what is registered; every pair once before any repeats."""
    found = await lanes[0].ask({"do": "census", "incident": INCIDENT})
    if failed(found):
        raise RuntimeError(f"without a fault: { ({**found, 'passed': ...}) }")
    reached = sorted({(name, point) for name, point in found["passed"]})
    chosen = [fault for fault in APPLICATION_FAULTS if not faults or fault in faults]
    registered = [(name, point, fault) for name, point in reached for fault in chosen]
    chance = random.Random(seed)
    return len(registered), _application_orders(registered, number, chance)


def _application_orders(registered: list[tuple[str, str, str]], number: int, chance: random.Random) -> Iterator[Json]:
    for count in range(number if registered else 0):
        lap = count % len(registered)
        if lap == 0:
            chance.shuffle(registered)
        name, point, fault = registered[lap]
        yield {
            "do": "run", "number": count, "seed": chance.randrange(2**31), "context": INCIDENT, "incident": INCIDENT,
            "boundary": name, "point": point, "fault": fault,
        }  # fmt: skip


NAIVE = (
    ("effect comment accepted: call", "performed"),
    ("effect status working: call", "performed"),
    ("effect comment analysis: call", "performed"),
)


async def answers(lanes: list[LaneProcess], orders: Iterator[Json]) -> AsyncGenerator[Json]:
    """Every order's answer, as they come; each lane takes the next order when it is free."""
    done: asyncio.Queue[Json | None] = asyncio.Queue()

    async def drive(lane: LaneProcess) -> None:
        for order in orders:
            done.put_nowait(await lane.ask(order))

    async def drive_all() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for lane in lanes:
                    group.create_task(drive(lane))
        finally:
            done.put_nowait(None)

    driving = asyncio.create_task(drive_all())
    while (answer := await done.get()) is not None:
        yield answer
    await driving


def _scenario(census: Census, pair: tuple[Boundary, Fault], count: int, chance: random.Random, *, first: bool) -> Json:
    boundary, fault = pair
    contexts = census.reached[boundary]
    return {
        "do": "run", "number": count, "seed": chance.randrange(2**31),
        "context": contexts[0] if first else chance.choice(contexts),
        "boundary": boundary.name, "point": boundary.point, "fault": fault,
    }  # fmt: skip

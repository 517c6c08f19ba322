"""A lane: one Postgres, one nursery, and slots in which scenarios run side by side.

Reads an order a line from standard input and answers it by its number when it is done, a line each.
"""

import asyncio
import json
import random
import shutil
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.crash import naive
from tests.crash.children import Child, Nursery, Point
from tests.crash.oracle import Finding
from tests.crash.plans import Plan
from tests.crash.postgres import Server
from tests.crash.routes import ROUTES
from tests.crash.shelf import Stand
from tests.crash.slots import PATIENCE, Run, Slot, context_of
from tests.crash.strikes import Meeting, Striker
from tests.places import new_folder

Json = dict[str, Any]
SLOTS = 4
SHORT_LEASE = 1.5
"""Seconds; of those who shall oversleep theirs."""

_load = cache(Stand.load)


@dataclass(slots=True)
class Lane:
    """Runs scenarios of ring 1."""

    server: Server
    stands: Path
    free: asyncio.Queue[Slot]

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[Slot]:
        """A slot that nobody else uses."""
        slot = await self.free.get()
        try:
            yield slot
        finally:
            self.free.put_nowait(slot)

    async def census(self, order: Json) -> Json:
        """Run a context without a fault: the points that it passes, in order, and where one can begin later."""
        context = context_of(order)
        async with self.slot() as slot:
            run = Run(slot, context, context.lease)
            copyist = Copyist(run, self.stands)
            await run.to_the_end(Stand(), copyist.passes)
            finding = asdict(await run.judged(0.0))
        return {"context": context.name, "passed": copyist.passed, "stands": copyist.stands, **finding}

    async def run(self, scenario: Json) -> Json:
        """One scenario: a fault at a boundary, recovery, the oracle."""
        return await self._run(scenario, Meeting(self.server, 1))

    async def run_together(self, order: Json) -> Json:
        """Scenarios that share one restart of the server; nothing else may run in the lane meanwhile."""
        meeting = Meeting(self.server, len(order["scenarios"]))
        together = [self._run(scenario, meeting) for scenario in order["scenarios"]]
        return {"answers": await asyncio.gather(*together)}

    async def run_naively(self, scenario: Json) -> Json:
        """The same for the naive arm: killed once, then run to the end."""
        workflow, route = str(uuid4()), context_of(scenario).route
        plan = _plan(scenario)
        async with self.slot() as slot:
            await slot.rows(naive.TABLE)
            await slot.begin(Stand())
            run = Run(slot, context_of(scenario), 0.0, workflow)
            gate = plan.gate(Striker(run, plan, Meeting(self.server, 1)).strike)
            job = {"do": "work naively", "workflow": workflow, "ticket": f"{route}/naive"}
            for _ in range(2):
                child = Child(slot.nursery.next_number(), gate)
                await slot.bear(job, child)
                await asyncio.wait_for(child.ended.wait(), PATIENCE)
            finding = naive.judged(
                ROUTES[route].plan, slot.recorder.made(workflow), await slot.rows(naive.AUDIT, workflow)
            )
        return {**scenario, **asdict(finding), "struck": plan.strikes == 1}

    async def _run(self, scenario: Json, meeting: Meeting) -> Json:
        context, plan = context_of(scenario), _plan(scenario)
        lease = min(context.lease, SHORT_LEASE) if plan.fault == "pause" else context.lease
        started = time.monotonic()
        async with self.slot() as slot:
            striker = Striker(Run(slot, context, lease), plan, meeting)
            try:
                finding = asdict(await self._judged(striker, scenario))
                waited = {"attempts": await striker.run.attempts(), "longest_gap": max(striker.run.gaps, default=0.0)}
            finally:
                await striker.done()
        seconds = time.monotonic() - started
        return {**scenario, **finding, **waited, **_told(plan), "seconds": seconds}

    async def _judged(self, striker: Striker, scenario: Json) -> Finding:
        stand = _load(self.stands / scenario["stand"]) if scenario.get("stand") else Stand()
        try:
            await striker.run.to_the_end(stand, striker.plan.gate(striker.strike))
        except TimeoutError:
            return Finding(0, 0, 0, (f"O7 a worker was not done after {PATIENCE} s",))
        return await striker.run.judged(striker.plan.recovery)


def _told(plan: Plan) -> Json:
    return {"struck": bool(plan.strikes), "kills": plan.kills, "recovery": plan.recovery}


@dataclass(slots=True)
class Copyist:
    """Watches a run without a fault, and copies the record where a sub-state begins and where it waits for a review."""

    run: Run
    folder: Path
    passed: list[Point] = field(default_factory=list[Point])
    stands: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    async def passes(self, _: Child, point: Point) -> bool:
        """Note a point; a gate that always holds.

        What is copied at an interrupt is due, and so nobody would come to wake it.
        """
        self.passed.append(point)
        name, where = point
        waits = name == "interrupt in root" and self.run.context.job != "wake"
        if where == "committed" and (name.startswith("way into ") or waits):
            await self._copy()
        return True

    async def _copy(self) -> None:
        recorder = self.run.slot.recorder
        stand = await self.run.slot.shelf.take(self.run.workflow, recorder.performed, recorder.log)
        name = f"{self.run.context.name} {len(self.stands)}"
        stand.save(self.folder / name)
        self.stands.append((len(self.passed), name))


def _plan(scenario: Json) -> Plan:
    return Plan(scenario["boundary"], scenario["point"], scenario["fault"], random.Random(scenario["seed"]))


@asynccontextmanager
async def _opened(server: Server, stands: Path) -> AsyncGenerator[Lane]:
    nursery = await Nursery.start(lambda: ("127.0.0.1", server.port))
    free: asyncio.Queue[Slot] = asyncio.Queue()
    async with AsyncExitStack() as stack:
        for number in range(SLOTS):
            free.put_nowait(await stack.enter_async_context(Slot.open(server, nursery, f"slot_{number}")))
        yield Lane(server, stands, free)
    await nursery.close()


async def serve_orders(serve: Callable[[Json], Awaitable[Json]]) -> None:
    """Answer orders side by side until standard input ends."""
    orders = asyncio.StreamReader(limit=2**24)
    protocol = asyncio.StreamReaderProtocol(orders)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    async with asyncio.TaskGroup() as group:
        async for line in orders:
            group.create_task(_answer(serve, json.loads(line)))


async def _answer(serve: Callable[[Json], Awaitable[Json]], order: Json) -> None:
    answer = await serve(order)
    print("\x1e" + json.dumps({"order": order["order"], "answer": answer}), flush=True)


async def _serve(server: Server, stands: Path) -> None:
    async with _opened(server, stands) as lane:
        await serve_orders(lambda order: _ORDERS[order["do"]](lane, order))


_ORDERS = {
    "census": Lane.census,
    "run": Lane.run,
    "run together": Lane.run_together,
    "run naively": Lane.run_naively,
}


def main() -> None:
    """Serve until standard input ends; the stands are in the folder that is named on the command line."""
    folder = new_folder()
    try:
        with Server.start(folder / "postgres") as server:
            asyncio.run(_serve(server, Path(sys.argv[1])))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

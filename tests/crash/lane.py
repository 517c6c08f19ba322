"""A lane: one Postgres, one nursery, one outside, and scenarios one after the other.

Reads a scenario a line from standard input and answers with what came of it, a line each.
"""

import asyncio
import json
import random
import shutil
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.workflows import Workflows
from tests.crash import naive
from tests.crash.boundaries import CONTEXTS, Context
from tests.crash.children import Child, Nursery
from tests.crash.oracle import Finding, Oracle
from tests.crash.outside import Recorder
from tests.crash.plans import Plan
from tests.crash.postgres import Server
from tests.crash.routes import ROUTES
from tests.places import new_folder

Json = dict[str, Any]
PATIENCE = 60.0
SHORT_LEASE = 1.5
"""Seconds; of those who shall oversleep theirs."""

MOST_WORKERS = 14
"""So many workers may a scenario take; whoever needs more does not come to an end."""

_LEASES_END = (
    b"update leases set expires_at = clock_timestamp() where workflow_id = %s and expires_at > clock_timestamp()"
)
_TIMERS_RUN_OUT = (
    b"update workflow_states set due_at = clock_timestamp() where workflow_id = %s and due_at > clock_timestamp()"
)
_ALIVE = b"select 1 from leases where workflow_id = %s and owner <> '' and expires_at > clock_timestamp()"
_SOMEBODY_WAITS = b"select 1 from pg_locks where not granted"


@dataclass(slots=True)
class Lane:
    """Runs scenarios of ring 1."""

    server: Server
    nursery: Nursery
    recorder: Recorder
    outside_port: int
    database: Database
    seen: Path
    kills: int = 0

    async def census(self, order: Json) -> Json:
        """Run a context without a fault; the points that it passes, in order."""
        context = _context(order)
        run = Run(self, context, f"{context.route}/{context.name}", context.lease)
        passed = [point for child in await run.to_the_end(None, lambda _: _holds()) for point in child.passed]
        return {"context": context.name, "passed": passed, **asdict(await run.judged(0.0))}

    async def run(self, scenario: Json) -> Json:
        """One scenario: a fault at a boundary, recovery, the oracle."""
        context = _context(scenario)
        started = time.monotonic()
        lease = min(context.lease, SHORT_LEASE) if scenario["fault"] == "pause" else context.lease
        run = Run(self, context, f"{context.route}/{scenario['number']}", lease)
        plan = Plan(scenario["boundary"], scenario["point"], scenario["fault"], random.Random(scenario["seed"]))
        await run.to_the_end(plan, lambda child: self.strike(run, plan, child))
        recovery = time.monotonic() - plan.struck_at if plan.struck_at else 0.0
        finding = asdict(await run.judged(recovery))
        seconds = time.monotonic() - started
        told = {"struck": bool(plan.strikes), "kills": plan.kills, "seconds": seconds, "recovery": recovery}
        return {**scenario, **finding, **told}

    async def run_naively(self, scenario: Json) -> Json:
        """The same for the naive arm: killed once, then run to the end."""
        await self.rows(naive.TABLE)
        self.recorder.forget()
        workflow, route = str(uuid4()), _context(scenario).route
        plan = Plan(scenario["boundary"], scenario["point"], "kill", random.Random(scenario["seed"]))
        job = {"do": "work naively", "workflow": workflow, "ticket": f"{route}/naive", "outside": self.outside_port}
        for _ in range(2):
            child = Child(self.nursery.next_number(), plan.hits, lambda one: self._killed(plan, one))
            self.recorder.workers[child.number] = child
            await self.nursery.bear(job, self.server.url, child)
            await asyncio.wait_for(child.ended.wait(), PATIENCE)
        made = self.recorder.made(workflow)
        audit = await self.rows(naive.AUDIT, workflow)
        return {**scenario, **asdict(naive.judged(ROUTES[route].plan, made, audit)), "struck": plan.strikes == 1}

    async def _killed(self, plan: Plan, child: Child) -> bool:
        plan.next_fault()
        await child.signal(signal.SIGKILL)
        return False

    async def strike(self, run: "Run", plan: Plan, child: Child) -> bool:
        """Let the fault happen to a worker that has reached its point; whether its line still holds."""
        fault = plan.next_fault()
        if fault == "kill":
            await child.signal(signal.SIGKILL)
        elif fault == "pause":
            pausing = asyncio.create_task(self._paused(run, child))
            return plan.point == "received" or await pausing
        elif fault == "restart":
            self.server.restart_immediately()
        elif fault == "unavailable":
            self.recorder.mishap = (plan.boundary.removeprefix("effect ").partition(":")[0], "unavailable")
        return fault == "unavailable"

    async def _paused(self, run: "Run", child: Child) -> bool:
        """Freeze it, let another take over as far as that gets, and thaw it.

        Nothing but the target's own uniqueness stops a call that a frozen worker has let go of already.
        """
        self.recorder.unique = True
        await child.signal(signal.SIGSTOP)
        await self._lease_runs_out(run.workflow)
        other = await run.next_worker()
        while not other.ended.is_set() and not await self.rows(_SOMEBODY_WAITS):
            await asyncio.sleep(0.01)
        await child.signal(signal.SIGCONT)
        return True

    async def _lease_runs_out(self, workflow: str) -> None:
        """The lease of a sleeper ends by itself: it must be able to know that."""
        while workflow and await self.rows(_ALIVE, workflow):
            await asyncio.sleep(0.05)

    async def rows(self, statement: bytes, *parameters: Any) -> list[Row]:
        """The rows of a statement, whatever happens to the server meanwhile."""

        async def work(connection: Connection) -> list[Row]:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall() if cursor.description else []

        return await self.database.attempt(work)


@dataclass(slots=True)
class Run:
    """One workflow on its way, by as many workers as it takes."""

    lane: Lane
    context: Context
    ticket: str
    lease: float
    workflow: str = ""

    async def to_the_end(self, plan: Plan | None, strike: Callable[[Child], Awaitable[bool]]) -> list[Child]:
        """Let workers work until the workflow has ended, or one too many was needed."""
        self.lane.recorder.forget()
        self.lane.recorder.mishap = (self.context.effect, self.context.mishap)
        if self.context.job != "open":
            self.workflow = (await Workflows(self.lane.database).open(self.ticket, {})).workflow_id
        children: list[Child] = []
        while len(children) < MOST_WORKERS and not await self._ended():
            child = await self.next_worker(plan, strike)
            await asyncio.wait_for(child.ended.wait(), PATIENCE)
            children.append(child)
        return children

    async def next_worker(
        self, plan: Plan | None = None, strike: Callable[[Child], Awaitable[bool]] | None = None
    ) -> Child:
        """A worker for what is to be done now: the dead one's lease has ended, a timer has run out."""
        job = await self._job()
        child = Child(self.lane.nursery.next_number(), plan.hits if plan else None, strike)
        self.lane.recorder.workers[child.number] = child
        await self.lane.nursery.bear({**job, "seen": str(self.lane.seen)}, self.lane.server.url, child)
        return child

    async def judged(self, recovery: float) -> Finding:
        """What the oracle says."""
        await self._time_passes()
        made = self.lane.recorder.made(self.workflow)
        refused = self.context.mishap == "refused"
        return await Oracle(self.lane.database).judge(self.workflow, made, recovery, refused=refused)

    async def _job(self) -> Json:
        base = {"outside": self.lane.outside_port, "lease": self.lease, "ticket": self.ticket}
        if not self.workflow:
            return {**base, "do": "open"}
        await self._time_passes()
        state = await Workflows(self.lane.database).get(self.workflow)
        if state.detailed_state == "awaiting_review" and state.due_at is None:
            if self.context.job == "wake":
                return {**base, "do": "wake", "workflow": self.workflow}
            await Workflows(self.lane.database).wake(self.workflow)
        return {**base, "do": "work"}

    async def _time_passes(self) -> None:
        for statement in (_LEASES_END, _TIMERS_RUN_OUT):
            await self.lane.rows(statement, self.workflow)

    async def _ended(self) -> bool:
        if not self.workflow:
            found = await Workflows(self.lane.database).of_ticket(self.ticket)
            self.workflow = found[0].workflow_id if found else ""
            return False
        state = await Workflows(self.lane.database).get(self.workflow)
        waits = state.detailed_state == "awaiting_review" and state.due_at is None
        return state.outcome is not None or (waits and self.context.route == "waits")


def _context(order: Json) -> Context:
    return next(one for one in CONTEXTS if one.name == order["context"])


async def _holds() -> bool:
    return True


@asynccontextmanager
async def _opened(server: Server, folder: Path) -> AsyncGenerator[Lane]:
    recorder = Recorder()
    seen = folder / "seen"
    seen.touch()
    outside = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
    nursery = await Nursery.start(lambda: ("127.0.0.1", server.port))
    async with Database.open(server.url(), max_size=2) as database:
        yield Lane(server, nursery, recorder, outside.sockets[0].getsockname()[1], database, seen)
    await nursery.close()
    outside.close()


async def _serve(server: Server, folder: Path) -> None:
    async with _opened(server, folder) as lane:
        while line := await asyncio.to_thread(sys.stdin.readline):
            order: Json = json.loads(line)
            answer = await _ORDERS[order["do"]](lane, order)
            print("\x1e" + json.dumps(answer), flush=True)


_ORDERS = {"census": Lane.census, "run": Lane.run, "run naively": Lane.run_naively}


def main() -> None:
    """Serve until standard input ends."""
    folder = new_folder()
    try:
        with Server.start(folder / "postgres") as server:
            asyncio.run(_serve(server, folder))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

"""A thousand workflows whose process was killed in their sixth step, run to their end; and ten thousand that wait.

``python -m benchmarks.recovery URL N`` brings N of ours there and dies.
"""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from langgraph.types import interrupt
from psycopg import AsyncConnection

from benchmarks.arms import claimed, under
from benchmarks.shapes import LINEAR, Graph, linear
from sre_bot.domain.states import DetailedState
from sre_bot.persistence.database import Database
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.watching import Watch
from sre_bot.persistence.workflows import Claim, Workflows

HALF = 5
AT_ONCE = 32
AT_A_TIME = 250
"""Workflows that are claimed in one transaction, of which ``AT_ONCE`` run."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Seconds from the start of the process that recovers; ``repeated`` counts completed steps that ran again."""

    first: float
    all: float
    repeated: int


async def interrupt_ours(url: str, count: int) -> None:
    """Start this many and die when all of them are in their sixth step."""
    waiting, all_in = 0, asyncio.Event()

    async def gate(name: str) -> None:
        nonlocal waiting
        if name == LINEAR[HALF]:
            waiting += 1
            if waiting == count:
                all_in.set()
            await asyncio.Event().wait()

    async with Database.open(url, max_size=AT_ONCE) as database:
        workflows, graph = Workflows(database), linear(AuditedSaver(database), hook=gate)
        claims = [await claimed(workflows) for _ in range(count)]
        runs = [asyncio.create_task(_started(graph, claim)) for claim in claims]
        await all_in.wait()
        assert runs
        os._exit(0)


async def recover_ours(url: str) -> Recovered:
    """Claim what is due and run it to its end, as many at once as a worker does."""
    started = time.perf_counter()
    entered: list[str] = []
    ended: list[float] = []

    async def note(name: str) -> None:
        entered.append(name)

    async with Database.open(url, max_size=AT_ONCE) as database:
        workflows, graph = Workflows(database), linear(AuditedSaver(database), hook=note)

        async def finish(waiting: Iterator[Claim]) -> None:
            for claim in waiting:
                await graph.ainvoke(None, under(claim), durability="sync")
                ended.append(time.perf_counter() - started)

        while claims := await workflows.claim_due("bench", timedelta(minutes=30), AT_A_TIME):
            remaining = iter(claims)
            await asyncio.gather(*(finish(remaining) for _ in range(AT_ONCE)))
    return Recovered(min(ended), max(ended), sum(name in LINEAR[:HALF] for name in entered))


async def ours(url: str, watcher: AsyncConnection[Any], count: int) -> Recovered:
    """Interrupt in a process that dies, let the leases run out, recover."""
    await asyncio.to_thread(_child, "benchmarks.recovery", url, str(count))
    await watcher.execute("update leases set expires_at = clock_timestamp() - interval '1 second'")
    return await recover_ours(url)


async def durable(url: str, count: int) -> Recovered:
    """The same with DBOS: its own recovery when it is launched again."""
    await asyncio.to_thread(_child, "benchmarks.durable", url, "interrupt", str(count))
    said = await asyncio.to_thread(_child, "benchmarks.durable", url, "recover", str(count))
    return Recovered(**json.loads(said.splitlines()[-1]))


async def parked(url: str, watcher: AsyncConnection[Any], count: int) -> dict[str, Any]:
    """Let this many wait for a person, and see what they hold: tasks, threads, connections, leases, memory.

    Each is opened, claimed, run to its interrupt and released, as a worker does. Then, what a look out costs beside
    them.
    """

    async def wait(name: str) -> None:
        if name == "accepting_ticket":
            interrupt("a person")

    async with Database.open(url, max_size=AT_ONCE) as database:
        workflows, graph = Workflows(database), linear(AuditedSaver(database), hook=wait)

        async def park(share: int) -> None:
            for _ in range(share):
                claim = await claimed(workflows)
                await _started(graph, claim)
                await workflows.release(claim)

        await park(20)
        await database.announcements.settle()
        memory, before, threads = _memory(), asyncio.all_tasks(), threading.active_count()
        started = time.perf_counter()
        await asyncio.gather(*(park(count // AT_ONCE) for _ in range(AT_ONCE)))
        await database.announcements.settle()
        held = {
            "workflows": count // AT_ONCE * AT_ONCE + 20,
            "seconds": time.perf_counter() - started,
            "tasks": len(asyncio.all_tasks() - before),
            "threads": threading.active_count() - threads,
            "memory_bytes_each": max(_memory() - memory, 0) / count,
        }
    held |= {"connections_after_close": await _connections(watcher), "leases": await _leases(watcher)}
    return {**held, "looks": await looks(url, watcher)}


async def looks(url: str, watcher: AsyncConnection[Any]) -> dict[str, dict[str, float]]:
    """What each look of a worker reads, and how long it takes, beside all that are parked.

    They are said to wait for a review first, which is what thousands wait for; nothing of them is due.
    """
    await watcher.execute("update workflow_states set sub_state = 'review', detailed_state = 'awaiting_review'")
    await watcher.execute("update workflow_states set timeout_at = clock_timestamp() + interval '23 hours'")
    await watcher.execute("vacuum analyze")
    async with Database.open(url, max_size=2) as database:
        watch, workflows = Watch(database), Workflows(database)

        async def reminders() -> int:
            hours = timedelta(hours=1)
            half_over = watch.to_remind(
                DetailedState.AWAITING_REVIEW, more_than=2.4 * hours, at_most=12 * hours, told="reminder"
            )
            return await _number(half_over)

        async def sweep() -> int:
            return len(await workflows.claim_due("bench", timedelta(minutes=30), AT_ONCE))

        async def reviews() -> int:
            return len(await watch.next_in_review(("worker",)))

        return {
            "sweep": await _looked(sweep),
            "deadlines": await _looked(lambda: _number(watch.overdue())),
            "reminders": await _looked(reminders),
            "overlaps": await _looked(lambda: _pairs(watch)),
            "reviews": await _looked(reviews),
        }


async def _looked(look: Callable[[], Awaitable[int]]) -> dict[str, float]:
    """The median of a few looks in milliseconds, and how many workflows one reads."""
    times: list[float] = []
    read = 0
    for _ in range(5):
        started = time.perf_counter()
        read = await look()
        times.append((time.perf_counter() - started) * 1000)
    return {"ms": statistics.median(times), "read": read}


async def _number(found: AsyncGenerator[Any]) -> int:
    return len([one async for one in found])


async def _pairs(watch: Watch) -> int:
    return len(await watch.same_files(None))


async def _started(graph: Graph, claim: Claim) -> None:
    await graph.ainvoke({"ticket_id": "OPS-1"}, under(claim), durability="sync")


def _child(module: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed: {done.stderr[-2000:]}")
    return done.stdout


def _memory() -> int:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def _connections(watcher: AsyncConnection[Any]) -> int:
    """What is still connected; a backend whose client has left takes a moment to go."""
    count = await _connected(watcher)
    for _ in range(50):
        if count == 0:
            break
        await asyncio.sleep(0.1)
        count = await _connected(watcher)
    return count


async def _connected(watcher: AsyncConnection[Any]) -> int:
    cursor = await watcher.execute(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def _leases(watcher: AsyncConnection[Any]) -> int:
    cursor = await watcher.execute("select count(*) from leases where owner is not null")
    row = await cursor.fetchone()
    return row[0] if row else 0


if __name__ == "__main__":
    asyncio.run(interrupt_ours(sys.argv[1], int(sys.argv[2])))

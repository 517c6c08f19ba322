"""What is measured: steps a second of the arms in turn, what one workflow writes and leaves, and what size costs."""

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from psycopg import AsyncConnection

from benchmarks.arms import Arm, Ours
from benchmarks.shapes import Case, evidence, linear
from sre_bot.persistence.database import Database

Said = Callable[[str], None]
_FEW = 8


@dataclass(frozen=True, slots=True)
class Spread:
    """Values of one arm: the median of all rounds, the lowest and the highest."""

    median: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """The spread of the values of several rounds."""
        return cls(statistics.median(values), min(values), max(values))


async def rounds_in_turn(
    arms: Mapping[str, Arm], *, runners: int, each: int, rounds: int, steps: int, said: Said
) -> dict[str, Spread]:
    """Steps a second of each arm: in every round each has its turn; a first round warms up and is not counted."""
    speeds: dict[str, list[float]] = {name: [] for name in arms}
    for nth in range(rounds + 1):
        for name, arm in arms.items():
            await arm.prepare(runners * each)
            seconds = await _seconds(arm, runners, each)
            if nth:
                speeds[name].append(runners * each * steps / seconds)
            said(name)
    return {name: Spread.of(values) for name, values in speeds.items()}


async def _seconds(arm: Arm, runners: int, each: int) -> float:
    async def runner(number: int) -> None:
        for _ in range(each):
            await arm.run(number)

    started = time.perf_counter()
    await asyncio.gather(*(runner(number) for number in range(runners)))
    return time.perf_counter() - started


async def footprint(database: Database, watcher: AsyncConnection[Any], count: int) -> dict[str, float]:
    """Transactions that write, and kilobytes of WAL, for a workflow of ten steps, without and with its frame.

    Its frame is what only we have: opening and claiming. Announcements, which write no row, are counted apart.
    """
    arm = Ours(database, linear, {})
    await arm.prepare(count)
    for _ in range(count):
        await arm.run(0)
    before_frame = await _written(watcher)
    await arm.prepare(count)
    await database.announcements.settle()
    before, sent = await _written(watcher), database.announcements.sent
    for _ in range(count):
        await arm.run(0)
    await database.announcements.settle()
    after, announced = await _written(watcher), database.announcements.sent - sent
    return {
        "write_transactions": (after[0] - before[0] - announced) / count,
        "announcements": announced / count,
        "wal_kb": (after[1] - before[1]) / count / 1024,
        "with_frame_write_transactions": (after[0] - before_frame[0]) / count,
        "with_frame_wal_kb": (after[1] - before_frame[1]) / count / 1024,
    }


async def kept_bytes(database: Database, watcher: AsyncConnection[Any], count: int, size: int) -> float:
    """Bytes on disk, indexes included and packed, for each finished workflow with this many bytes of state.

    No two neighbours have the same state. A few are finished before, so that what a table takes anyway is not counted.
    """
    await _finish(database, range(_FEW), size)
    before = await _size(watcher)
    await _finish(database, range(_FEW, _FEW + count), size)
    return (await _size(watcher) - before) / count


async def _finish(database: Database, numbers: range, size: int) -> None:
    remaining = iter(numbers)

    async def runner() -> None:
        for nth in remaining:
            arm = Ours(database, linear, {"evidence": evidence(size, nth)})
            await arm.prepare(1)
            await arm.run(0)

    await asyncio.gather(*(runner() for _ in range(_FEW)))


async def cost_of_size(database: Database, size: int, count: int) -> float:
    """Milliseconds for a step in which every node writes this many bytes anew."""
    report = evidence(size)
    arm = Ours(database, partial(linear, report=report), Case())
    await arm.prepare(count + 1)
    await arm.run(0)
    return await _seconds(arm, 1, count) / count / 10 * 1000


async def _written(watcher: AsyncConnection[Any]) -> tuple[int, int]:
    """How many transactions of this server have written so far, and how many bytes of WAL; this one is not counted."""
    cursor = await watcher.execute(
        "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint, (pg_current_wal_lsn() - '0/0')::bigint"
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0], row[1]


async def _size(watcher: AsyncConnection[Any]) -> int:
    await watcher.execute("vacuum full")
    cursor = await watcher.execute(
        "select sum(pg_total_relation_size(c.oid))::bigint from pg_class as c "
        "where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace"
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0]

"""The arm of DBOS, in a process of its own: ``python -m benchmarks.durable URL MODE …`` prints JSON.

``rounds N RUNNERS``: reads a line, runs N workflows of ten steps for each runner, prints the seconds, and so on.
``interrupt N``: brings N workflows to their sixth step and dies there. ``recover N``: runs those to their end.
"""

import asyncio
import json
import os
import sys
import time
from typing import Any

from dbos import DBOS, SetWorkflowID

STEPS = 10
HALF = 5


class Gate:
    """Counts the steps that were entered; closed, it lets nobody past the first half."""

    def __init__(self) -> None:
        self.closed = False
        self.waiting = 0
        self.entered: list[int] = []


GATE = Gate()


@DBOS.step()
async def work(number: int) -> dict[str, Any]:
    """One step."""
    if GATE.closed and number == HALF:
        GATE.waiting += 1
        await asyncio.Event().wait()
    GATE.entered.append(number)
    return {"note": f"step {number}"}


@DBOS.workflow()
async def ten_steps() -> str:
    """Ten steps in a row."""
    for number in range(STEPS):
        await work(number)
    return "done"


async def _rounds(count: int, runners: int) -> None:
    async def runner() -> None:
        for _ in range(count):
            await (await DBOS.start_workflow_async(ten_steps)).get_result()

    print("ready", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        started = time.perf_counter()
        await asyncio.gather(*(runner() for _ in range(runners)))
        print(json.dumps(time.perf_counter() - started), flush=True)


async def _interrupt(count: int) -> None:
    GATE.closed = True
    for number in range(count):
        with SetWorkflowID(f"interrupted-{number}"):
            await DBOS.start_workflow_async(ten_steps)
    while GATE.waiting < count:
        await asyncio.sleep(0.05)
    os._exit(0)


async def _recover(count: int, started: float) -> None:
    ended = list[float]()

    async def wait(number: int) -> None:
        handle = await DBOS.retrieve_workflow_async(f"interrupted-{number}")
        await handle.get_result(polling_interval_sec=0.05)
        ended.append(time.perf_counter() - started)

    await asyncio.gather(*(wait(number) for number in range(count)))
    repeated = sum(number < HALF for number in GATE.entered)
    print(json.dumps({"first": min(ended), "all": max(ended), "repeated": repeated}), flush=True)


def main(url: str, mode: str, *numbers: str) -> None:
    """Launch DBOS on a database and do what the mode says."""
    started = time.perf_counter()
    DBOS(
        config={
            "name": "bench",
            "system_database_url": url.replace("postgresql://", "postgresql+psycopg://"),
            "sys_db_pool_size": 32,
            "executor_id": "bench",
            "application_version": "1",
            "log_level": "ERROR",
        }
    )

    async def run() -> None:
        DBOS.launch()
        counts = [int(number) for number in numbers]
        match mode:
            case "rounds":
                await _rounds(*counts)
            case "interrupt":
                await _interrupt(*counts)
            case _:
                await _recover(counts[0], started)

    asyncio.run(run())
    DBOS.destroy()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The crash matrix in one command: ``python -m tests.crash --scenarios N --seed S --faults kill,pause --json PATH``."""

import argparse
import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.crash.boundaries import pairs
from tests.crash.campaign import LaneProcess, answers, application_scenarios, naive_scenarios, scenarios, take_census
from tests.crash.report import failed, ring_report, total_report

Json = dict[str, Any]
err = Console(stderr=True)
NAIVE_SCENARIOS = 20


def main() -> int:
    """Run, print the totals, write the report; 0 when the oracle has no objection and the naive arm failed."""
    given = _arguments()
    report = asyncio.run(_matrix(given))
    if given.json:
        Path(given.json).write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report["total"], indent=2))
    return _verdict(report)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--scenarios", type=int, default=10_800, help="of ring 1; ring 2 runs a twentieth")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", default="", help="only these, with commas between")
    parser.add_argument("--json", default="", help="where the report goes")
    parser.add_argument("--lanes", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--log", default=os.devnull, help="where servers and workers complain")
    return parser.parse_args()


async def _matrix(given: argparse.Namespace) -> Json:
    rings = {"ring_1": await _ring_1(given)}
    if given.scenarios >= 20:
        rings["ring_2"] = await _ring_2(given, given.scenarios // 20)
    return total_report(rings, given.seed)


async def _ring_2(given: argparse.Namespace, number: int) -> Json:
    faults = frozenset(filter(None, given.faults.split(",")))
    module = "tests.crash.application_lane"
    async with AsyncExitStack() as stack:
        starting = [LaneProcess.start(Path(given.log), module) for _ in range(given.lanes)]
        lanes = [await stack.enter_async_context(lane) for lane in starting]
        started = time.monotonic()
        registered, orders = await application_scenarios(lanes, given.seed, number, faults)
        results = await _progress("ring 2", lanes, orders, number)
        return ring_report(results, registered, time.monotonic() - started)


async def _ring_1(given: argparse.Namespace) -> Json:
    faults = frozenset(filter(None, given.faults.split(",")))
    async with AsyncExitStack() as stack:
        lanes = [await stack.enter_async_context(LaneProcess.start(Path(given.log))) for _ in range(given.lanes)]
        census = await take_census(lanes)
        if census.unknown or census.unreached or any(map(failed, census.findings)):
            err.print("without a fault:", [{**one, "passed": ...} for one in census.findings if failed(one)])
            err.print("seen and not registered:", [str(one) for one in census.unknown])
            raise SystemExit(f"registered and without a scenario: {[str(one) for one in census.unreached]}")
        started = time.monotonic()
        naive = naive_scenarios(given.seed, min(NAIVE_SCENARIOS, given.scenarios))
        orders = chain(naive, scenarios(census, given.seed, given.scenarios, faults))
        results = await _progress("ring 1", lanes, orders, given.scenarios + min(NAIVE_SCENARIOS, given.scenarios))
        return ring_report(results, len(pairs()), time.monotonic() - started)


async def _progress(title: str, lanes: list[LaneProcess], orders: Any, total: int) -> list[Json]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    results: list[Json] = []
    with Progress(*columns, console=err) as progress:
        task = progress.add_task(title, total=total)
        async for result in answers(lanes, orders):
            results.append(result)
            progress.advance(task)
            if failed(result) and result.get("arm") != "naive":
                progress.console.print("FAILED", result, highlight=False)
    return results


def _verdict(report: Json) -> int:
    total = report["total"]
    sound = not (total["duplicates"] or total["lost"] or total["disagreements"])
    tested = total["naive_arm_failures"] > 0
    return 0 if sound and tested else 1


if __name__ == "__main__":
    sys.exit(main())

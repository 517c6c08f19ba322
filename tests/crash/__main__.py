"""The crash matrix in one command: ``python -m tests.crash --scenarios N --seed S --faults kill,pause --json PATH``."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain, takewhile
from math import inf
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.crash.boundaries import FAULTS, pairs
from tests.crash.campaign import (
    APPLICATION_FAULTS,
    Census,
    application_scenarios,
    naive_scenarios,
    scenarios,
    take_census,
    together,
)
from tests.crash.lanes import LaneProcess, answers
from tests.crash.report import failed, ring_report, total_report

Json = dict[str, Any]
err = Console(stderr=True)
NAIVE_SCENARIOS = 20
TRIES = 3
"""How often a scenario that was not struck is played again."""

ORDERED = ("number", "seed", "context", "stand", "incident", "boundary", "point", "fault")
"""What makes a scenario, of all that its result says."""

RING_1_WIDTH = 4
RING_2_WIDTH = 3
"""Scenarios of ring 2 that one lane runs side by side: they wait more than they work."""


def main() -> int:
    """Run, print the totals, write the report; 0 when the oracle has no objection and ring 1's naive arm failed."""
    given = _arguments()
    report = asyncio.run(_matrix(given))
    if given.json:
        Path(given.json).write_text(json.dumps(report, indent=2) + "\n")
    tallies = ("by_fault", "by_boundary")
    print(json.dumps({key: value for key, value in report["total"].items() if key not in tallies}, indent=2))
    return _verdict(report)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--scenarios", type=int, default=10_800, help="of ring 1; ring 2 runs a twentieth")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=chosen_faults, default="", help=f"only these of: {', '.join(FAULTS)}")
    parser.add_argument("--rings", choices=("1", "2", "both"), default="both")
    parser.add_argument("--minutes", type=float, default=inf, help="of each ring; what is begun is finished")
    parser.add_argument("--json", default="", help="where the report goes")
    parser.add_argument("--lanes", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--log", default=os.devnull, help="where servers and workers complain")
    return parser.parse_args()


def chosen_faults(text: str) -> frozenset[str]:
    """The faults in a list with commas, all of them when it is empty. Raises for a name that no fault has."""
    chosen = frozenset(name.strip() for name in text.split(",") if name.strip())
    if unknown := sorted(chosen - set(FAULTS)):
        raise argparse.ArgumentTypeError(f"no fault is called {', '.join(unknown)}; there are: {', '.join(FAULTS)}")
    return chosen


async def _matrix(given: argparse.Namespace) -> Json:
    rings: dict[str, Json] = {}
    chosen: frozenset[str] = given.faults
    if given.rings != "2":
        rings["ring_1"] = await _ring_1(given)
    if given.rings != "1" and given.scenarios >= 20 and (not chosen or chosen & set(APPLICATION_FAULTS)):
        rings["ring_2"] = await _ring_2(given, given.scenarios // 20)
    return total_report(rings, given.seed)


async def _ring_1(given: argparse.Namespace) -> Json:
    async with _lanes(given, "tests.crash.lane", RING_1_WIDTH) as lanes:
        census = await take_census(lanes)
        _refuse_gaps(census)
        started = time.monotonic()
        naive = list(naive_scenarios(given.seed, min(NAIVE_SCENARIOS, given.scenarios)))
        planned = together(scenarios(census, given.seed, given.scenarios, given.faults), RING_1_WIDTH)
        orders = chain(naive, _within(given.minutes, planned))
        results = await _progress("ring 1", lanes, orders, given.scenarios + len(naive))
        results = await _struck_at_last(lanes, results)
        return ring_report(results, len(pairs()), time.monotonic() - started)


async def _ring_2(given: argparse.Namespace, number: int) -> Json:
    async with _lanes(given, "tests.crash.application_lane", RING_2_WIDTH) as lanes:
        started = time.monotonic()
        registered, orders = await application_scenarios(lanes, given.seed, number, given.faults)
        in_time = _within(given.minutes, together(orders, RING_2_WIDTH))
        results = await _struck_at_last(lanes, await _progress("ring 2", lanes, in_time, number))
        return ring_report(results, registered, time.monotonic() - started)


async def _struck_at_last(lanes: list[LaneProcess], results: list[Json]) -> list[Json]:
    """The results; a scenario that missed its point is played again, for some are met or not by a chance of time."""
    for _ in range(TRIES):
        missed = [one for one in results if _missed(one)]
        if not missed:
            break
        again = together(iter([{"do": "run", **_order(one)} for one in missed]), 1)
        hit = [one for one in results if not _missed(one)]
        results = hit + await _progress("once more", lanes, again, len(missed))
    return results


def _missed(result: Json) -> bool:
    return not result["struck"] and not failed(result) and result.get("arm") != "naive"


def _order(result: Json) -> Json:
    return {name: result[name] for name in ORDERED if name in result}


def _within(minutes: float, orders: Iterator[Json]) -> Iterator[Json]:
    """The orders that are taken within so many minutes of the first."""
    end = time.monotonic() + 60 * minutes
    return takewhile(lambda _: time.monotonic() < end, orders)


@asynccontextmanager
async def _lanes(given: argparse.Namespace, module: str, width: int) -> AsyncGenerator[list[LaneProcess]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sre-bot-crash-")))
        starting = [LaneProcess.start(module, folder, Path(given.log), width) for _ in range(given.lanes)]
        yield [await stack.enter_async_context(lane) for lane in starting]


def _refuse_gaps(census: Census) -> None:
    """Without a fault nothing may be wrong, and everything registered must be reached; else stop here."""
    if wrong := [{**one, "passed": ...} for one in census.findings if failed(one)]:
        raise SystemExit(f"without a fault: {wrong[:3]}")
    if census.unknown:
        raise SystemExit(f"seen and not registered: {', '.join(map(str, census.unknown))}")
    if census.unreached:
        raise SystemExit(f"registered and without a scenario: {', '.join(map(str, census.unreached))}")


async def _progress(title: str, lanes: list[LaneProcess], orders: Iterator[Json], total: int) -> list[Json]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    results: list[Json] = []
    with Progress(*columns, console=err) as progress:
        task = progress.add_task(title, total=total)
        async for result in answers(lanes, orders):
            results.append(result)
            progress.advance(task)
            if not err.is_terminal and len(results) % 100 == 0:
                err.print(f"{title}: {len(results)} of {total}")
            if failed(result) and result.get("arm") != "naive":
                progress.console.print("FAILED", result, highlight=False)
    return results


def _verdict(report: Json) -> int:
    total = report["total"]
    sound = not (total["duplicates"] or total["lost"] or total["disagreements"] or total["not_struck"])
    tested = total["naive_arm_failures"] > 0 or "ring_1" not in report["rings"]
    return 0 if sound and tested else 1


if __name__ == "__main__":
    sys.exit(main())

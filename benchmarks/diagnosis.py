"""`python -m benchmarks.diagnosis`: processor seconds and memory from a snapshot to a diagnosis, by size.

Each size runs in a process of its own, so that the highest resident set is its own. Time is the process's processor
time: what one core needs, whatever else the machine does.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Any

from benchmarks.clusters import cluster
from sre_bot.reasoning import judge

FOLDER = Path(".sre-bot/benchmarks")
LINEAR = 1.1
"""A doubling may cost twice as much, and a tenth of that more."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is to read."""

    objects: int
    events: int
    lines: int

    @property
    def name(self) -> str:
        """The size in words."""
        return f"{self.objects:,} objects, {self.events:,} events, {self.lines:,} lines"


@dataclass(frozen=True, slots=True)
class Taken:
    """What one size took, and what was answered. ``memory`` is the highest resident set in MiB, snapshot included."""

    size: Size
    seconds: float
    memory: float
    answer: str


DOUBLINGS = tuple(Size(objects, objects // 3, objects * 10) for objects in (500, 1_000, 2_000, 4_000, 8_000))
LARGEST = Size(3_000, 100_000, 1_000_000)


def measure(size: Size, rounds: int) -> Taken:
    """Diagnose a made cluster in this process; the quickest of several rounds counts."""
    snapshot, seconds, answer = cluster(size.objects, size.events, size.lines), list[float](), ""
    for _ in range(rounds):
        started = time.process_time()
        diagnosis = judge(snapshot, None, fix_threshold=0.6, repairable=False).diagnosis
        seconds.append(time.process_time() - started)
        answer = f"{diagnosis.best.kind} {diagnosis.best.object}" if diagnosis.best else "nothing"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Taken(size, min(seconds), memory, answer)


def apart(size: Size, rounds: int) -> Taken:
    """The same in a process of its own."""
    amounts = [str(amount) for amount in (size.objects, size.events, size.lines, rounds)]
    command = [sys.executable, "-m", "benchmarks.diagnosis", "--one", *amounts]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return Taken(Size(**found["size"]), found["seconds"], found["memory"], found["answer"])


def result_of(doublings: list[Taken], largest: Taken) -> dict[str, Any]:
    """The figures, and the bars that they are held against."""
    growth = [later.seconds / earlier.seconds for earlier, later in pairwise(doublings)]
    thousand = next(taken.seconds for taken in doublings if taken.size.objects == 1_000)
    return {
        "seconds_1000_objects": thousand,
        "seconds_largest": largest.seconds,
        "mebibytes_largest": largest.memory,
        "growth_per_doubling": growth,
        "met": {
            "seconds_1000_objects": thousand <= 1,
            "seconds_largest": largest.seconds <= 30,
            "mebibytes_largest": largest.memory <= 1024,
            "growth_per_doubling": max(growth) <= 2 * LINEAR,
        },
        "taken": [asdict(taken) for taken in (*doublings, largest)],
    }


def markdown(result: dict[str, Any]) -> str:
    """The tables."""
    met = {name: "met" if well else "not met" for name, well in result["met"].items()}
    lines = [
        *("| measure | this run | bar | |", "|---|---:|---:|---|"),
        f"| 1,000 objects, s | {result['seconds_1000_objects']:.2f} | ≤ 1 | {met['seconds_1000_objects']} |",
        f"| {LARGEST.name}, s | {result['seconds_largest']:.1f} | ≤ 30 | {met['seconds_largest']} |",
        f"| the same, MiB | {result['mebibytes_largest']:.0f} | ≤ 1024 | {met['mebibytes_largest']} |",
        f"| growth per doubling | {max(result['growth_per_doubling']):.2f} | ≤ 2.2 | {met['growth_per_doubling']} |",
        *("", "| objects | events | log lines | s | MiB | answer |", "|---:|---:|---:|---:|---:|---|"),
    ]
    return "\n".join([*lines, *map(_row, result["taken"]), ""])


def _row(taken: dict[str, Any]) -> str:
    size = taken["size"]
    amounts = f"| {size['objects']} | {size['events']} | {size['lines']} "
    return f"{amounts}| {taken['seconds']:.2f} | {taken['memory']:.0f} | {taken['answer']} |"


def picture(doublings: list[dict[str, Any]]) -> str:
    """Seconds by objects as SVG, both axes by doublings: what is linear is a straight line of 45 degrees."""
    first = doublings[0]["seconds"]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 520 380" font-family="sans-serif" font-size="12">'
        '<rect width="520" height="380" fill="#ffffff"/><text x="8" y="18" font-weight="bold">'
        "From snapshot to diagnosis: processor seconds by objects</text>"
        f'<line x1="60" y1="330" x2="{60 + 100 * (len(doublings) - 1)}" y2="{330 - 65 * (len(doublings) - 1)}" '
        f'stroke="#8a8a8a" stroke-dasharray="4 4"/>{"".join(_points(doublings, first))}</svg>\n'
    )


def _points(doublings: list[dict[str, Any]], first: float) -> Iterator[str]:
    for nth, taken in enumerate(doublings):
        x, y = 60 + 100 * nth, 330 - 65 * log2(taken["seconds"] / first)
        yield f'<circle cx="{x}" cy="{y:.1f}" r="4" fill="#1b6f5f"/>'
        yield f'<text x="{x}" y="{y - 10:.1f}" text-anchor="middle">{taken["seconds"]:.2f} s</text>'
        yield f'<text x="{x}" y="360" text-anchor="middle">{taken["size"]["objects"]}</text>'


def write(result: dict[str, Any], folder: Path) -> None:
    """Write ``diagnosis.json``, ``diagnosis.md`` and ``diagnosis.svg``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "diagnosis.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    (folder / "diagnosis.md").write_text(markdown(result), encoding="utf-8")
    (folder / "diagnosis.svg").write_text(picture(result["taken"][:-1]), encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Run, and write JSON, Markdown and a picture."""
    parser = argparse.ArgumentParser(prog="benchmarks.diagnosis", description=__doc__)
    parser.add_argument("--json", default="", help="where the JSON goes besides the folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=4, type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.one:
        sys.stdout.write(json.dumps(asdict(measure(Size(*asked.one[:3]), asked.one[3]))))
        return
    result = result_of([apart(size, asked.rounds) for size in DOUBLINGS], apart(LARGEST, 1))
    write(result, FOLDER)
    if asked.json:
        Path(asked.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(markdown(result))


if __name__ == "__main__":
    main(sys.argv[1:])

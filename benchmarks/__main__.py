"""`python -m benchmarks`: run everything on one embedded Postgres and write what was found."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import recovery, report
from benchmarks.arms import Arm, Bare, Build, Ours, Stock, connections
from benchmarks.measures import Said, cost_of_size, footprint, kept_bytes, rounds_in_turn
from benchmarks.rivals import Durable
from benchmarks.shapes import STEPS, linear, subgraphs
from sre_bot.persistence.database import Database
from sre_bot.persistence.embedded import EmbeddedPostgres
from sre_bot.persistence.migrations import migrate

RUNNERS = 32
SIZES = (20_000, 200_000, 1_000_000)
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of everything is run."""

    rounds: int
    sequential: int
    each: int
    counted: int
    kept: int
    sized: int
    recovered: int
    parked: int


FULL = Amount(rounds=7, sequential=20, each=4, counted=100, kept=200, sized=5, recovered=1000, parked=10_000)
SMALL = Amount(rounds=2, sequential=3, each=1, counted=20, kept=20, sized=1, recovered=64, parked=64)


class Run:
    """One server, the amounts, and what has been found so far."""

    def __init__(self, server: str, amount: Amount, said: Said) -> None:
        self.server = server
        self.amount = amount
        self.said = said
        self.result: Json = {"ratios": {}, "arms": {}}

    async def beside_stock(self, name: str, build: Build, steps: int, runners: int) -> None:
        """Steps a second of ours, LangGraph's own saver and bare SQL in turn, on one fresh database."""
        async with self.database() as (url, watcher), Database.open(url, max_size=runners) as database:
            await Bare.lay_out(watcher)
            async with connections(url, runners) as theirs:
                arms = {
                    "ours": Ours(database, build, {}),
                    "stock": Stock(theirs, build, {}),
                    "bare": Bare(theirs, steps),
                }
                await self._in_turn(name, arms, runners, steps)

    async def beside_dbos(self, name: str, runners: int) -> None:
        """Steps a second of ours and of DBOS in turn, on the same server."""
        async with (
            self.database() as (url, _),
            self.database() as (theirs, _),
            Database.open(url, max_size=runners) as database,
            Durable.start(theirs, self._each(runners), runners) as durable,
        ):
            arms = {"ours": Ours(database, linear, {}), "dbos": durable}
            await self._in_turn(name, arms, runners, STEPS["linear"])

    def _each(self, runners: int) -> int:
        return self.amount.sequential if runners == 1 else self.amount.each

    async def _in_turn(self, name: str, arms: Mapping[str, Arm], runners: int, steps: int) -> None:
        found = await rounds_in_turn(
            arms,
            runners=runners,
            each=self._each(runners),
            rounds=self.amount.rounds,
            steps=steps,
            said=self.said,
        )
        self.result["arms"][name] = report.spreads(found)

    async def footprints(self) -> None:
        """What one workflow writes and leaves, and what size costs."""
        async with self.database() as (url, watcher), Database.open(url, max_size=2) as database:
            found = await footprint(database, watcher, self.amount.counted)
            self.result["write_transactions_per_workflow"] = found.pop("write_transactions")
            self.result["wal_kb_per_workflow"] = found.pop("wal_kb")
            self.result["frame"] = found
            self.said("writes")
        async with self.database() as (url, watcher), Database.open(url, max_size=2) as database:
            self.result["kept_bytes_per_workflow"] = await kept_bytes(database, watcher, self.amount.kept, SIZES[0])
            self.said("kept")
        async with self.database() as (url, _), Database.open(url, max_size=2) as database:
            self.result["ms_per_step"] = {
                str(size): await cost_of_size(database, size, self.amount.sized) for size in SIZES
            }
            self.said("sizes")

    async def recoveries(self) -> None:
        """Interrupted workflows of ours and of DBOS, and waiting ones."""
        async with self.database() as (url, watcher):
            ours = await recovery.ours(url, watcher, self.amount.recovered)
            self.said("recovered")
        async with self.database() as (url, _):
            theirs = await recovery.durable(url, self.amount.recovered)
            self.said("recovered")
        self.result["recovery"] = {"count": self.amount.recovered, "ours": asdict(ours), "dbos": asdict(theirs)}
        self.result["ratios"]["recover_1000_vs_dbos"] = ours.all / theirs.all
        async with self.database() as (url, watcher):
            self.result["parked"] = await recovery.parked(url, watcher, self.amount.parked)
            self.said("parked")

    def conclude(self) -> None:
        """Add the ratios of the medians."""
        for ratio, measure, other in (
            ("steps_sequential_vs_stock", "sequential", "stock"),
            ("steps_32_vs_stock", "at_32", "stock"),
            ("subgraph_steps_32_vs_stock", "subgraphs_at_32", "stock"),
            ("steps_32_vs_dbos", "at_32_beside_dbos", "dbos"),
        ):
            arms = self.result["arms"][measure]
            self.result["ratios"][ratio] = arms["ours"]["median"] / arms[other]["median"]

    @asynccontextmanager
    async def database(self) -> AsyncGenerator[tuple[str, AsyncConnection[Any]]]:
        """A database with our schema, and a connection that watches it."""
        name = f"bench_{uuid4().hex}"
        async with await AsyncConnection[Any].connect(self.server, autocommit=True) as admin:
            await admin.execute(SQL("create database {}").format(Identifier(name)))
            url = f"{self.server.rpartition('/')[0]}/{name}"
            await migrate(url)
            async with await AsyncConnection[Any].connect(url, autocommit=True) as watcher:
                yield url, watcher
            await admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))


async def run(server: str, amount: Amount, said: Said) -> Json:
    """Everything, in the order in which it is reported."""
    found = Run(server, amount, said)
    await found.beside_stock("sequential", linear, STEPS["linear"], 1)
    await found.beside_stock("at_32", linear, STEPS["linear"], RUNNERS)
    await found.beside_stock("subgraphs_at_32", subgraphs, STEPS["subgraphs"], RUNNERS)
    await found.beside_dbos("at_32_beside_dbos", RUNNERS)
    await found.footprints()
    await found.recoveries()
    found.conclude()
    return found.result


def _with_progress(amount: Amount, work: Callable[[Said], Awaitable[Json]]) -> Json:
    total = (amount.rounds + 1) * (3 + 3 + 3 + 2) + 6
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("benchmarks", total=total)
        return asyncio.run(_await(work(lambda name: progress.update(task, advance=1, description=name))))


async def _await(work: Awaitable[Json]) -> Json:
    return await work


def main(arguments: list[str]) -> None:
    """Run, and write JSON, Markdown and pictures."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--json", default="", help="where the JSON goes besides the folder")
    parser.add_argument("--folder", type=Path, default=Path(".sre-bot/benchmarks"))
    parser.add_argument("--small", action="store_true", help="a minute, to see that it works; measures nothing well")
    asked = parser.parse_args(arguments)
    place = Path(tempfile.mkdtemp(prefix="sre-bot-bench-"))
    server = EmbeddedPostgres.attach_in(place / "postgres", grace=1)
    try:
        amount = SMALL if asked.small else FULL
        result = _with_progress(amount, lambda said: run(server.url, amount, said))
    finally:
        server.close()
    report.write(result, asked.folder)
    if asked.json:
        Path(asked.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    Console().print(report.markdown(result), markup=False)
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])

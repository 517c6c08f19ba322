"""A seeded sample of the crash matrix; ``make crash`` runs all of it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

from tests.crash.boundaries import boundaries, faults_at, pairs
from tests.crash.campaign import Json, LaneProcess, answers, naive_scenarios, scenarios, take_census
from tests.crash.report import failed, ring_report

SEED = 20
SAMPLE = 14


@asynccontextmanager
async def lane(folder: Path) -> AsyncGenerator[LaneProcess]:
    async with LaneProcess.start(folder / "lane.log") as process:
        yield process


async def test_every_boundary_is_registered_and_reached_and_a_sample_of_faults_harms_nothing(tmp_path: Path) -> None:
    async with lane(tmp_path) as process:
        census = await take_census([process])
        assert census.unknown == []
        assert census.unreached == []
        assert [one for one in census.findings if failed(one)] == []
        sample = _one_of_each_fault(list(islice(scenarios(census, SEED, len(pairs()), frozenset()), len(pairs()))))
        results = [result async for result in answers([process], iter(sample))]
    report = ring_report(results, len(pairs()), 1.0)
    assert report["failures"] == []
    assert report["not_struck"] == 0
    assert report["kills"] > 0


async def test_a_worker_that_calls_and_then_records_fails_the_oracle_when_it_is_killed_and_only_then(
    tmp_path: Path,
) -> None:
    killed = list(naive_scenarios(SEED, 4))
    left_alone = {**killed[0], "boundary": "nowhere"}
    async with lane(tmp_path) as process:
        results = [await process.ask(order) for order in (*killed, left_alone)]
    assert [failed(result) for result in results] == [True, True, True, True, False]


def test_every_boundary_meets_at_least_six_faults() -> None:
    assert len(pairs()) == sum(len(faults_at(boundary)) for boundary in boundaries())
    assert min(len(faults_at(boundary)) for boundary in boundaries()) >= 6


def _one_of_each_fault(planned: list[Json]) -> list[Json]:
    """The first scenarios of the plan, as many of each fault as fit into the sample."""
    faults = sorted({one["fault"] for one in planned})
    share = SAMPLE // len(faults)
    return [one for fault in faults for one in islice((p for p in planned if p["fault"] == fault), share)]

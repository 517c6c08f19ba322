"""A seeded sample of the crash matrix; ``make crash`` runs all of it."""

from argparse import ArgumentTypeError
from itertools import islice

import pytest

from tests.crash.__main__ import chosen_faults
from tests.crash.boundaries import boundaries, faults_at, pairs
from tests.crash.campaign import Beginning, Census, naive_scenarios, scenarios, take_census, together
from tests.crash.lanes import Json, LaneProcess, answers
from tests.crash.report import failed, ring_report

SEED = 20
OF_EACH_FAULT = 2


@pytest.mark.asyncio(loop_scope="session")
async def test_every_boundary_is_registered_and_reached_and_a_sample_of_faults_harms_nothing(lane: LaneProcess) -> None:
    census = await take_census([lane])
    assert [str(one) for one in census.unknown] == []
    assert [str(one) for one in census.unreached] == []
    assert [one for one in census.findings if failed(one)] == []
    sample = _some_of_each_fault(list(scenarios(census, SEED, len(pairs()), frozenset())))
    report = ring_report([result async for result in answers([lane], together(iter(sample), 4))], len(pairs()), 1.0)
    assert report["failures"] == []
    assert report["not_struck"] == 0
    assert report["scenarios"] == len(sample)
    assert report["kills"] > 0


@pytest.mark.asyncio(loop_scope="session")
async def test_a_worker_that_calls_and_then_records_fails_the_oracle_when_it_is_killed_and_only_then(
    lane: LaneProcess,
) -> None:
    killed = list(naive_scenarios(SEED, 2))
    left_alone = {**killed[0], "boundary": "nowhere"}
    results = [await lane.ask(order) for order in (*killed, left_alone)]
    assert [failed(result) for result in results] == [True, True, False]


def test_every_pair_is_planned_once_before_any_repeats() -> None:
    ways = {boundary: (Beginning("needs-human", "", 1),) for boundary in boundaries()}
    first, second = (
        [_pair(one) for one in scenarios(Census(ways, ()), seed, len(pairs()), frozenset())] for seed in (1, 2)
    )
    assert len(set(first)) == len(pairs())
    assert set(first) == set(second)
    assert first != second


def test_every_boundary_meets_at_least_seven_faults() -> None:
    assert len(pairs()) == sum(len(faults_at(boundary)) for boundary in boundaries())
    assert min(len(faults_at(boundary)) for boundary in boundaries()) >= 7


def test_an_unknown_fault_is_named_together_with_those_that_there_are() -> None:
    assert chosen_faults("kill, pause") == {"kill", "pause"}
    assert chosen_faults("") == frozenset()
    with pytest.raises(ArgumentTypeError, match=r"no fault is called killl; there are: kill, kill twice, .*restart"):
        chosen_faults("killl")


def _pair(scenario: Json) -> tuple[str, str, str]:
    return scenario["boundary"], scenario["point"], scenario["fault"]


def _some_of_each_fault(planned: list[Json]) -> list[Json]:
    """The first scenarios of the plan, as many of each fault as fit into the sample."""
    faults = sorted({one["fault"] for one in planned})
    return [one for fault in faults for one in islice((p for p in planned if p["fault"] == fault), OF_EACH_FAULT)]

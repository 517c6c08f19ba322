"""Workloads that are well now: what tells that they were not, and what only looks like it."""

from typing import Any

from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.recovery import assess
from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.finding import FaultKind
from tests.clusters import Object, ago, container, deployment, event, log, pod, replica_set, snapshot
from tests.diagnoses import best_of, diagnose


def pods(*ages: tuple[float, float], deployed: float = 10_000, **rest: Any) -> list[Object]:
    """A Deployment whose pods were made and became ready so many minutes ago."""
    made = deployment("mailer", replicas=len(ages), **rest)
    owner = replica_set(made, age=deployed)
    return [
        made,
        owner,
        *(pod(owner, name=f"mailer-rev1-x{n}", age=age, since=since) for n, (age, since) in enumerate(ages)),
    ]


def kind(cluster: ClusterSnapshot) -> FaultKind:
    """What is said of the one workload; fails where it is not calm."""
    (said,) = (finding.kind for finding in assess(ClusterIndex(cluster)))
    assert best_of(diagnose(cluster)).kind == said
    return said


def available(things: list[Object], minutes: float) -> list[Object]:
    """The Deployment has been available for so long."""
    condition = {"type": "Available", "status": "True", "lastTransitionTime": ago(minutes)}
    return [{**things[0], "status": {"conditions": [condition]}}, *things[1:]]


def test_pods_that_all_became_ready_again_long_after_their_start_have_recovered() -> None:
    assert kind(snapshot(pods((9_000, 90), (9_000, 88)))) == FaultKind.RECOVERED


def test_one_of_several_pods_that_wavered_is_no_trouble() -> None:
    assert kind(snapshot(pods((9_000, 90), (9_000, 8_999)))) == FaultKind.HEALTHY


def test_what_happened_days_ago_is_history() -> None:
    assert kind(snapshot(pods((9_000, 3_000), (9_000, 3_000)))) == FaultKind.HEALTHY


def test_a_program_may_take_the_time_to_start_that_its_probe_allows() -> None:
    slow = container(startupProbe={"periodSeconds": 30, "failureThreshold": 40})
    assert kind(snapshot(_with(pods((60, 44)), slow))) == FaultKind.HEALTHY
    assert kind(snapshot(pods((60, 44)))) == FaultKind.RECOVERED


def _with(things: list[Object], own: Object) -> list[Object]:
    made = deployment("mailer", own)
    owner = replica_set(made)
    return [made, owner, pod(owner, name="mailer-rev1-x0", age=60, since=44), *things[3:]]


def test_a_deployment_that_became_available_again_has_recovered() -> None:
    assert kind(snapshot(available(pods((9_000, 8_999)), 120))) == FaultKind.RECOVERED


def test_a_deployment_that_a_rollout_made_available_is_healthy() -> None:
    assert kind(snapshot(available(pods((125, 124.5)), 120))) == FaultKind.HEALTHY


def test_an_early_warning_counts_however_many_events_came_after_it() -> None:
    things = pods((60, 40))
    refused = event(things[2], "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", minutes=41, first=60)
    calm = [
        event(things[2], reason, f"{reason} it", minutes=40, warning=False)
        for reason in ("Scheduled", "Pulling", "Pulled", "Created", "Started")
    ]
    assert kind(snapshot(things, events=[refused, *calm])) == FaultKind.RECOVERED


def test_a_pod_that_waited_a_minute_for_its_volume_only_started() -> None:
    things = pods((60, 59))
    slow = event(things[2], "FailedMount", "MountVolume.SetUp failed: not registered", minutes=59.5, first=60)
    assert kind(snapshot(things, events=[slow])) == FaultKind.HEALTHY


FAILED = '{}Z ERROR Get "http://stock:8080/v1/items": dial tcp 10.96.0.9:8080: connect: connection refused'


def _called(*, until: int) -> ClusterSnapshot:
    """Twelve failed calls, the last of them so many minutes ago, among calm lines until now."""
    things = pods((9_000, 8_999))
    times = [(minute, FAILED) for minute in range(until, until + 12)]
    times += [(minute + 0.5, "{}Z INFO letter sent") for minute in range(90)]
    lines = [said.format(ago(minute).removesuffix("Z")) for minute, said in sorted(times, reverse=True)]
    return snapshot(things, logs=[log(things[2], *lines)])


def test_many_failed_calls_that_ended_are_a_trouble_that_is_over() -> None:
    assert kind(_called(until=45)) == FaultKind.RECOVERED


def test_failed_calls_that_go_on_are_not_over() -> None:
    assert best_of(diagnose(_called(until=1))).kind != FaultKind.RECOVERED

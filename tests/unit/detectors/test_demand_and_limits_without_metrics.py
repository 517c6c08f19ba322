"""Surges, CPU limits and shaped traffic as logs, autoscalers and annotations tell of them; and what looks alike."""

from typing import Any

import pytest

from sre_bot.domain.cluster import ClusterSnapshot, Series
from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    Object,
    ago,
    app,
    container,
    deployment,
    env,
    event,
    found,
    log,
    node,
    only,
    pod,
    replica_set,
    service,
    snapshot,
    thing,
)
from tests.measured import flat, gauge, step


def scaler(
    name: str = "tickets", *, now: int = 6, most: int = 6, grown: float = 25, metric: dict[str, Any] | None = None
) -> Object:
    """An autoscaler at its end, which grew so many minutes ago."""
    target = {"averageUtilization": 60}
    current = {"averageUtilization": 240}
    return thing(
        "HorizontalPodAutoscaler",
        name,
        api="autoscaling/v2",
        spec={
            "scaleTargetRef": {"kind": "Deployment", "name": name},
            "maxReplicas": most,
            "metrics": [metric or {"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
        status={
            "currentReplicas": now,
            "lastScaleTime": ago(grown),
            "conditions": [{"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}],
            "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": current}}],
        },
    )


TICKETS = app("tickets", container())


def test_an_autoscaler_that_lately_grew_to_its_end_though_nothing_changed_met_a_surge() -> None:
    assert found(snapshot(TICKETS, scaler())) == [(FaultKind.TRAFFIC_SURGE, "Deployment/shop/tickets")]


def test_an_autoscaler_that_grew_after_a_rollout_met_a_hungrier_program() -> None:
    made = deployment("tickets")
    new = replica_set(made, revision=2, age=60)
    cluster = snapshot(made, replica_set(made, replicas=0), new, pod(new, age=60), scaler())
    assert found(cluster) == [(FaultKind.CPU_SATURATION, "Deployment/shop/tickets")]


def test_an_autoscaler_that_has_been_at_its_end_for_days_met_no_surge() -> None:
    assert found(snapshot(TICKETS, scaler(grown=4_000))) == [(FaultKind.CPU_SATURATION, "Deployment/shop/tickets")]


def test_an_autoscaler_whose_own_maximum_was_lowered_met_no_surge() -> None:
    cut = scaler(now=2, most=2)
    told = event(cut, "SuccessfulRescale", "New size: 2; reason: Current number of replicas above Spec.MaxReplicas")
    cluster = snapshot(TICKETS, cut, events=[told])
    assert found(cluster) == [(FaultKind.CPU_SATURATION, "Deployment/shop/tickets")]


@pytest.mark.parametrize("rate", [gauge("job:http_requests:rate1m", flat(300), app="tickets")])
def test_requests_that_were_measured_and_did_not_rise_are_no_surge(rate: Series) -> None:
    cluster = snapshot(TICKETS, scaler()).model_copy(update={"metrics": (rate,)})
    assert found(cluster) == [(FaultKind.CPU_SATURATION, "Deployment/shop/tickets")]


@pytest.mark.parametrize(
    "name",
    [
        "job:http_requests:rate1m",
        "service:nginx_ingress_controller_requests:rate5m",
        "http_requests_per_second",
        "app:grpc_server_handled:rate1m",
    ],
)
def test_a_recorded_rate_of_requests_that_rose_is_a_surge(name: str) -> None:
    cluster = snapshot(TICKETS, scaler()).model_copy(update={"metrics": (gauge(name, step(300, 900), app="tickets"),)})
    assert found(cluster) == [(FaultKind.TRAFFIC_SURGE, "Deployment/shop/tickets")]


FORMS = {
    "JSON": '{{"time":"{at}","level":"INFO","msg":"stats","rps":{rate}}}',
    "logfmt": "ts={at} level=info msg=stats qps={rate}",
    "words": "{at} INFO [stats] serving {rate} requests per second",
}
AWAY = ["too many requests in flight", "Task queue is full", "768 worker_connections are not enough", "load shed"]


def talking(form: str, rates: list[int], *away: str) -> ClusterSnapshot:
    """A program that logs its rate every five minutes, and turns visitors away."""
    lines = [
        form.format(at=ago(5 * place + 1), rate=rate) for place, rate in reversed(list(enumerate(reversed(rates))))
    ]
    lines += [f"{ago(2)} WARN {said}" for said in away for _ in range(4)]
    return snapshot(TICKETS, logs=[log(TICKETS[-1], *lines)])


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("away", AWAY)
def test_a_logged_rate_that_rose_while_visitors_are_turned_away_is_a_surge(form: str, away: str) -> None:
    finding = only(talking(form, [90, 100, 95, 110, 310, 320, 400, 420, 410], away), FaultKind.TRAFFIC_SURGE)
    assert (str(finding.object), finding.observed) == ("Deployment/shop/tickets", "410")


def test_visitors_that_are_turned_away_at_the_usual_rate_meet_no_surge() -> None:
    assert FaultKind.TRAFFIC_SURGE not in [kind for kind, _ in found(talking(FORMS["logfmt"], [90] * 9, AWAY[0]))]


def test_a_rate_that_rose_and_hurts_nobody_is_business() -> None:
    assert found(talking(FORMS["JSON"], [90, 100, 95, 110, 310, 320, 400, 420, 410])) == []


def resized(before: str, after: str, *, age: float = 60) -> tuple[Object, Object, Object, Object]:
    """A Deployment whose CPU limit changed with its last revision, so many minutes ago."""
    limits = [{"limits": {"cpu": size}} if size else {} for size in (before, after)]
    was, made = (deployment("thumbs", container(resources=one)) for one in limits)
    new = replica_set(made, revision=2, age=age)
    return made, replica_set(was, replicas=0), new, pod(new, age=age)


LATE = 'Readiness probe failed: Get "http://10.1.0.9:8080/ready": context deadline exceeded'
SLOW = 'level=warn msg="slow request" ms=9210'


def saturated(things: tuple[Object, ...], *lines: str, late: int = 0) -> list[tuple[FaultKind, str]]:
    """What is found of the Deployment with those warnings."""
    stamped = [f"ts={ago(9 - n)} {line}" for n in range(8) for line in lines]
    events = [event(things[3], "Unhealthy", LATE, count=late, minutes=1)] if late else []
    return found(snapshot(*things, events=events, logs=[log(things[3], *stamped)]))


CPU = (FaultKind.CPU_SATURATION, "Deployment/shop/thumbs")


@pytest.mark.parametrize(
    "line",
    [
        SLOW,
        'level=warn msg="Thread starvation or clock leap detected (housekeeper delta=48s)"',
        "WARN Thread[vert.x-eventloop-thread-1] has been blocked for 4231 ms, time limit is 2000 ms",
        "[CRITICAL] WORKER TIMEOUT (pid:12)",
        "warn: event loop delay is 1840 ms",
    ],
)
def test_a_program_that_is_slow_since_its_cpu_limit_was_cut_is_saturated(line: str) -> None:
    assert CPU in saturated(resized("2", "200m"), line)
    assert CPU not in saturated(resized("200m", "2"), line)
    assert CPU not in saturated(resized("2", "200m", age=9_000), line)


def test_probes_that_are_late_since_the_limit_was_cut_tell_it_as_well() -> None:
    assert CPU in saturated(resized("1", "100m"), late=40)
    assert CPU not in saturated(resized("1", "100m"), late=1)


def test_a_first_limit_counts_as_a_cut() -> None:
    assert CPU in saturated(resized("", "100m"), SLOW)


def test_the_kernels_own_count_of_throttled_periods_needs_no_history() -> None:
    made = app("thumbs", container(resources={"limits": {"cpu": "500m"}}))
    for share, expected in ((540, True), (40, False)):
        line = f"{ago(2)} WARN cpu.stat nr_periods=600 nr_throttled={share} throttled_usec=91822"
        cluster = snapshot(made, logs=[log(made[-1], *[line] * 4)])
        assert (CPU in found(cluster)) is expected


WIDE, NARROW = ({"kubernetes.io/egress-bandwidth": size} for size in ("100M", "256k"))


def shaped(
    before: dict[str, str], after: dict[str, str], *lines: str, metrics: tuple[Series, ...] = ()
) -> ClusterSnapshot:
    """A Deployment whose pods' bandwidth changed with its last revision."""
    was, made = (deployment("covers") for _ in range(2))
    for one, notes in ((was, before), (made, after)):
        one["spec"]["template"]["metadata"]["annotations"] = notes
    new = replica_set(made, revision=2, age=60)
    mine = pod(new, age=60)
    stamped = [f"{ago(8 - n)} {line}" for n in range(6) for line in lines]
    things = [node(), made, replica_set(was, replicas=0), new, mine, service("covers")]
    return snapshot(things, logs=[log(mine, *stamped)]).model_copy(update={"metrics": metrics})


STALLED = "WARN slow response path=/c/1 status=200 write_ms=21877 bytes=700120"


def test_a_bandwidth_that_was_cut_and_slow_answers_are_a_network_delay() -> None:
    finding = only(shaped(WIDE, NARROW, STALLED), FaultKind.NETWORK_DELAY)
    assert (str(finding.object), finding.observed, finding.expected) == ("Deployment/shop/covers", "256k", "100M")


def test_a_bandwidth_that_is_used_up_needs_no_complaint() -> None:
    sent = gauge("pod:container_network_transmit_bytes:rate1m", flat(31_000), pod="covers-rev2-x1")
    only(shaped(NARROW, NARROW, metrics=(sent,)), FaultKind.NETWORK_DELAY)


def test_a_bandwidth_that_nobody_suffers_from_is_a_choice() -> None:
    assert found(shaped(WIDE, NARROW)) == []
    assert found(shaped(WIDE, WIDE, STALLED)) == []


def test_a_client_that_waits_for_a_narrow_server_tells_of_it() -> None:
    cluster = shaped(WIDE, NARROW)
    client = app("site", container(env=env(COVERS_URL="http://covers:80")))
    lines = [f"{ago(8 - n)} ERROR cover failed: timeout of 5000ms exceeded url=http://covers/c/1" for n in range(6)]
    both = cluster.model_copy(
        update={"objects": (*cluster.objects, *client), "logs": (*cluster.logs, log(client[-1], *lines))}
    )
    assert (FaultKind.NETWORK_DELAY, "Deployment/shop/covers") in found(both)


def test_a_device_that_a_container_slows_down_is_a_network_delay() -> None:
    slows = container("shape", command=["sh", "-c", "tc qdisc add dev eth0 root netem delay 400ms 50ms"])
    made = deployment("covers", initContainers=[slows])
    owner = replica_set(made)
    assert found(snapshot(made, owner, pod(owner))) == [(FaultKind.NETWORK_DELAY, "Deployment/shop/covers")]


def test_a_route_that_delays_on_purpose_is_named() -> None:
    fault = {"delay": {"fixedDelay": "7s", "percentage": {"value": 100}}}
    route = thing(
        "VirtualService", "covers", api="networking.istio.io/v1", spec={"hosts": ["covers"], "http": [{"fault": fault}]}
    )
    assert found(snapshot(app("covers"), route)) == [(FaultKind.NETWORK_DELAY, "VirtualService/shop/covers")]


def test_an_experiment_on_the_network_is_named_at_its_victim_unless_it_is_paused() -> None:
    spec = {"action": "delay", "selector": {"labelSelectors": {"app": "covers"}}, "delay": {"latency": "300ms"}}
    chaos = thing("NetworkChaos", "slow-covers", api="chaos-mesh.org/v1alpha1", spec=spec)
    assert found(snapshot(app("covers"), chaos)) == [(FaultKind.NETWORK_DELAY, "Deployment/shop/covers")]
    paused = thing("NetworkChaos", "slow-covers", api="chaos-mesh.org/v1alpha1", spec={**spec, "action": "partition"})
    assert found(snapshot(app("covers"), paused)) == []

"""Saturation, leaks, surges and slow networks by their metrics, and what looks like them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_bot.detectors import detect
from sre_bot.detectors.change_points import change, climb
from sre_bot.domain.cluster import ClusterSnapshot, Series
from sre_bot.domain.finding import FaultKind, Finding
from tests.clusters import container, deployment, env, node, pod, service, snapshot
from tests.diagnoses import best_of, diagnose
from tests.measured import Shape, counter, flat, gauge, slope, spike, step

LIMITED = {"limits": {"cpu": "500m", "memory": "512Mi"}}


def fleet(*metrics: Series, nodes: dict[str, str] | None = None) -> ClusterSnapshot:
    """``web`` calls ``orders``, ``orders`` calls ``stock``; all of them run well as far as objects tell."""
    homes = {"web": "node-1", "orders": "node-1", "stock": "node-2", **(nodes or {})}
    calls = {"web": "orders", "orders": "stock"}
    things = [node(name) for name in sorted(set(homes.values()))]
    for name, home in homes.items():
        own = container("app", resources=LIMITED, env=env(UPSTREAM=f"http://{calls[name]}:80") if name in calls else [])
        made = deployment(name, own)
        things += [made, pod(made, node=home), service(name)]
    return snapshot(*things).model_copy(update={"metrics": metrics})


def cores(name: str, shape: Shape) -> Series:
    """The CPU that a workload's pod uses."""
    return counter("container_cpu_usage_seconds_total", shape, pod=f"{name}-x1", container="app")


def requests(name: str, shape: Shape) -> Series:
    """The requests that a workload gets."""
    return counter("http_requests_total", shape, pod=f"{name}-x1", status="200")


def latency(name: str, shape: Shape) -> Series:
    """How long a workload's requests take."""
    return gauge("http_request_latency_p95", shape, pod=f"{name}-x1")


def kinds(*metrics: Series, **rest: dict[str, str]) -> dict[str, str]:
    """Kind and object of each finding."""
    return {str(one.kind): str(one.object) for one in detect(fleet(*metrics, **rest))}


def only(*metrics: Series) -> Finding:
    """The one finding."""
    found = detect(fleet(*metrics))
    assert len(found) == 1, [one.message for one in found]
    return found[0]


def test_cpu_that_rises_to_its_limit_without_more_requests_is_saturation() -> None:
    found = only(cores("orders", step(0.1, 0.49)), requests("orders", flat(20)))
    assert (found.kind, str(found.object)) == (FaultKind.CPU_SATURATION, "Deployment/shop/orders")
    assert found.field == "spec.template.spec.containers[0].resources.limits.cpu"
    assert found.observed == "500m"


def test_cpu_that_always_was_near_its_limit_is_no_news() -> None:
    assert kinds(cores("orders", flat(0.47))) == {}


def test_a_peak_that_is_over_is_no_saturation() -> None:
    assert kinds(cores("orders", spike(0.1, 0.49))) == {}


def test_throttling_that_begins_is_saturation() -> None:
    labels = {"pod": "orders-x1", "container": "app"}
    throttled = counter("container_cpu_cfs_throttled_periods_total", step(0.01, 6), **labels)
    periods = counter("container_cpu_cfs_periods_total", flat(10), **labels)
    assert only(throttled, periods).kind == FaultKind.CPU_SATURATION


def test_more_requests_that_overload_a_service_are_a_surge_at_the_entry() -> None:
    metrics = [requests(name, step(20, 90)) for name in ("web", "orders", "stock")]
    assert kinds(*metrics, cores("stock", step(0.1, 0.49)), latency("web", step(0.05, 0.9))) == {
        "traffic_surge": "Deployment/shop/web"
    }


def test_more_requests_that_nobody_suffers_from_are_business() -> None:
    assert kinds(*(requests(name, step(20, 90)) for name in ("web", "orders", "stock"))) == {}


def test_memory_that_climbs_to_its_limit_is_a_leak() -> None:
    mebibyte = 2**20
    labels = {"pod": "orders-x1", "container": "app"}
    found = only(gauge("container_memory_working_set_bytes", slope(120 * mebibyte, 500 * mebibyte), **labels))
    assert (found.kind, str(found.object)) == (FaultKind.MEMORY_LEAK, "Deployment/shop/orders")


@pytest.mark.parametrize("shape", [flat(480 * 2**20), step(200 * 2**20, 480 * 2**20), slope(100 * 2**20, 200 * 2**20)])
def test_memory_that_stays_or_jumps_or_has_far_to_go_is_no_leak(shape: Shape) -> None:
    assert kinds(gauge("container_memory_working_set_bytes", shape, pod="orders-x1", container="app")) == {}


def test_packets_that_a_pod_loses_are_its_network() -> None:
    lost = counter("container_network_receive_packets_dropped_total", step(0, 30), pod="orders-x1")
    quiet = counter("container_network_receive_packets_dropped_total", flat(0), pod="web-x1")
    assert kinds(lost, quiet) == {"network_delay": "Deployment/shop/orders"}


def test_a_workload_that_got_slow_without_a_reason_below_it_waits_for_its_network() -> None:
    metrics = [latency(name, step(0.05, 0.8)) for name in ("web", "orders")] + [latency("stock", flat(0.02))]
    assert kinds(*metrics) == {"network_delay": "Deployment/shop/orders"}


def test_a_workload_that_got_slow_because_it_is_busy_does_not_wait_for_its_network() -> None:
    found = kinds(latency("orders", step(0.05, 0.8)), cores("orders", step(0.1, 0.49)))
    assert found == {"cpu_saturation": "Deployment/shop/orders"}


def test_what_all_pods_of_a_node_suffer_is_the_nodes() -> None:
    lossy = [
        counter("container_network_transmit_packets_dropped_total", step(0, 30), pod=f"{one}-x1")
        for one in ("web", "orders")
    ]
    sound = counter("container_network_transmit_packets_dropped_total", flat(0), pod="stock-x1")
    assert kinds(*lossy, sound) == {"node_network_degraded": "Node//node-1"}


def test_a_slow_client_is_explained_by_the_saturation_below_it() -> None:
    case = fleet(latency("web", step(0.05, 0.8)), latency("orders", step(0.05, 0.8)), cores("stock", step(0.1, 0.49)))
    best = best_of(diagnose(case))
    assert (best.kind, str(best.object)) == (FaultKind.CPU_SATURATION, "Deployment/shop/stock")


def test_the_evidence_shows_the_series_and_its_newest_value() -> None:
    found = only(cores("orders", step(0.1, 0.49)))
    shown = next(piece for piece in found.evidence if piece.source == "metric")
    assert 'container_cpu_usage_seconds_total{container="app",namespace="shop",pod="orders-x1"}' in shown.excerpt


def test_quiet_metrics_change_nothing() -> None:
    quiet = [shape(name, flat(0.1)) for name in ("web", "orders", "stock") for shape in (cores, requests, latency)]
    assert detect(fleet(*quiet)) == detect(fleet())


@given(st.lists(st.floats(-1e12, 1e12), max_size=60))
def test_any_numbers_have_a_shape_or_none(values: list[float]) -> None:
    points = [(60.0 * place, value) for place, value in enumerate(values)]
    found = change(points)
    assert found is None or found.before != found.after
    climb(points)


@given(st.floats(1, 1000), st.floats(1.6, 50), st.integers(5, 100))
def test_a_step_is_found_where_it_is(level: float, ratio: float, ago: int) -> None:
    points = gauge("some", step(level, level * ratio, ago)).points
    found = change(points)
    assert found is not None and found.rises
    assert found.at == points[-ago - 1][0]

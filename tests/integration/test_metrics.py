"""Metrics over the wire: the lab serves what an incident recorded, the bot reads it, and goes on without."""

import json
from datetime import timedelta
from pathlib import Path

from sre_bot.domain.cluster import Series
from sre_bot.domain.metrics import read_matrix
from sre_bot.lab.client import LabProcess
from sre_bot.tools.prometheus import Prometheus
from tests.clusters import NOW
from tests.measured import counter, flat, gauge
from tests.small_incidents import wrong_port


def answer(*series: Series) -> dict[str, object]:
    """What Prometheus answers."""
    result = [
        {"metric": {"__name__": one.name, **one.labels}, "values": [[at, str(value)] for at, value in one.points]}
        for one in series
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def recorded(folder: Path, *series: Series) -> Path:
    """A small incident that recorded these series."""
    incident = wrong_port().write(folder)
    (incident / "metrics").mkdir()
    (incident / "metrics" / "pods.json").write_text(json.dumps(answer(*series)))
    return incident


async def test_the_recorded_series_of_our_namespaces_and_of_the_nodes_are_read(tmp_path: Path) -> None:
    ours = counter("container_cpu_usage_seconds_total", flat(0.2), pod="a", container="app")
    theirs = ours.model_copy(update={"labels": {**ours.labels, "namespace": "other"}})
    node = gauge("node_memory_MemAvailable_bytes", flat(2**30), instance="10.0.0.1:9100")
    async with await LabProcess.start(recorded(tmp_path, ours, theirs, node)) as lab:
        prometheus = Prometheus(lab.environment["PROMETHEUS_URL"])
        series, unseen = await prometheus.metrics(("shop",), NOW)
    assert series == (ours, node)
    assert unseen == ()


async def test_only_the_window_before_the_snapshot_is_read(tmp_path: Path) -> None:
    ours = gauge("container_memory_working_set_bytes", flat(5.0), pod="a", container="app")
    async with await LabProcess.start(recorded(tmp_path, ours)) as lab:
        series, _ = await Prometheus(lab.environment["PROMETHEUS_URL"]).metrics(("shop",), NOW - timedelta(hours=1))
    assert series[0].points == tuple(
        point for point in ours.points if point[0] <= (NOW - timedelta(hours=1)).timestamp()
    )


async def test_a_server_that_fails_costs_the_metrics_and_nothing_else(tmp_path: Path) -> None:
    async with await LabProcess.start(recorded(tmp_path)) as lab:
        await lab.control.add_fault("prometheus", "status", status=503, times=-1)
        assert await Prometheus(lab.environment["PROMETHEUS_URL"]).metrics(("shop",), NOW) == (
            (),
            ("metrics: Prometheus: query_range: Service Unavailable (HTTP 503)",),
        )


async def test_a_server_that_answers_no_json_is_told_of(tmp_path: Path) -> None:
    async with await LabProcess.start(recorded(tmp_path)) as lab:
        await lab.control.add_fault("prometheus", "status", status=200, body="<html>", times=-1)
        series, unseen = await Prometheus(lab.environment["PROMETHEUS_URL"]).metrics(("shop",), NOW)
    assert series == () and "no JSON" in unseen[0]


async def test_an_incident_without_metrics_configures_none(tmp_path: Path) -> None:
    async with await LabProcess.start(wrong_port().write(tmp_path)) as lab:
        assert "PROMETHEUS_URL" not in lab.environment


def test_malformed_answers_lose_only_what_is_malformed() -> None:
    good = {"metric": {"__name__": "up"}, "values": [[1, "1"], [2, "NaN"], ["x", "1"], [3], None]}
    assert read_matrix({"data": {"result": [good, {"metric": []}, 7]}}) == (
        Series(name="up", labels={}, points=((1.0, 1.0),)),
    )
    for broken in (None, [], {}, {"data": None}, {"data": {"result": 5}}):
        assert read_matrix(broken) == ()

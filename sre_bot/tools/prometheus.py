"""Metrics through Prometheus' HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries).

Only plain selectors are asked, never expressions: rates and means are computed by the detectors, so that any server of
that API will do.
"""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Any

import httpx

from sre_bot.domain.cluster import ClusterSnapshot, Series
from sre_bot.domain.errors import PrometheusError, Reason
from sre_bot.domain.metrics import read_matrix

POD_METRICS = (
    "container_cpu_usage_seconds.*",
    "container_cpu_cfs_(throttled_)?periods.*",
    "container_memory_working_set_bytes",
    "container_network_(receive|transmit)_(packets_dropped|errors).*",
    "kubelet_volume_stats_(available|capacity)_bytes",
    "http_requests.*|http_server_requests.*_(sum|count)|grpc_server_handled.*|istio_requests.*",
    "http_(server_)?requests?_duration_seconds_(sum|count|quantile)",
    "grpc_server_handling_seconds_(sum|count|quantile)",
    "istio_request_duration_milliseconds_(sum|count|quantile)",
)
"""Names of metrics with a ``namespace`` label, as patterns: cAdvisor, the kubelet, and the usual request metrics."""

NODE_METRICS = (
    "node_cpu_seconds_total",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "node_network_receive_drop_total",
    "node_network_transmit_drop_total",
    "node_network_receive_errs_total",
    "node_network_transmit_errs_total",
    "node_netstat_Tcp_RetransSegs",
    "node_netstat_Tcp_OutSegs",
)
"""Metrics of the node exporter."""

WINDOW = timedelta(hours=3)
STEP = timedelta(minutes=1)
MAX_POINTS = 2_000_000
MAX_BYTES = 64 * 1024 * 1024
_AT_ONCE = 4


class Prometheus:
    """One metrics server. ``timeout`` is in seconds, for each request; ``token`` may be empty."""

    def __init__(self, url: str, token: str = "", *, timeout: float = 20.0) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = timeout
        self._trust = httpx.create_ssl_context()

    async def metrics(self, namespaces: tuple[str, ...], until: datetime) -> tuple[tuple[Series, ...], tuple[str, ...]]:
        """The series of some namespaces and of the nodes in the ``WINDOW`` before a moment; what could not be read.

        Never raises: metrics are optional, and a diagnosis goes on without them.
        """
        if not namespaces:
            return (), ()
        within = "|".join(re.escape(name).replace("\\", "\\\\") for name in namespaces)
        queries = [f'{{__name__=~"{name}",namespace=~"{within}"}}' for name in POD_METRICS] + list(NODE_METRICS)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def ask(client: httpx.AsyncClient, query: str) -> tuple[Series, ...] | PrometheusError:
            async with gate:
                try:
                    return await self._range(client, query, until)
                except PrometheusError as error:
                    return error

        async with self._client() as client:
            answers = await asyncio.gather(*(ask(client, query) for query in queries))
        errors = {f"metrics: {answer}" for answer in answers if isinstance(answer, PrometheusError)}
        series = [one for answer in answers if not isinstance(answer, PrometheusError) for one in answer]
        kept, cut = _bounded(series)
        return kept, tuple(sorted(errors)[:3]) + (("metrics: more than were read",) if cut else ())

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=self._timeout, verify=self._trust)

    async def _range(self, client: httpx.AsyncClient, query: str, until: datetime) -> tuple[Series, ...]:
        asked = {
            "query": query,
            "start": str((until - WINDOW).timestamp()),
            "end": str(until.timestamp()),
            "step": str(int(STEP.total_seconds())),
        }
        try:
            answer = await client.get("/api/v1/query_range", params=asked)
        except httpx.HTTPError as error:
            raise PrometheusError(f"cannot be reached: {error}", reason=Reason.UNAVAILABLE) from error
        if not answer.is_success:
            raise PrometheusError.from_status(answer.status_code, f"query_range: {answer.reason_phrase}", None)
        if len(answer.content) > MAX_BYTES:
            raise PrometheusError("an answer is too large", reason=Reason.BAD_ANSWER)
        return read_matrix(_json(answer), query)


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise PrometheusError("an answer is no JSON", reason=Reason.BAD_ANSWER) from error


def _bounded(series: list[Series]) -> tuple[tuple[Series, ...], bool]:
    kept: list[Series] = []
    points = 0
    for one in series:
        points += len(one.points)
        if points > MAX_POINTS:
            return tuple(kept), True
        kept.append(one)
    return tuple(kept), False


async def with_metrics(snapshot: ClusterSnapshot, prometheus: Prometheus | None) -> ClusterSnapshot:
    """The snapshot with the metrics of its namespaces until it was taken; as it is without a metrics server."""
    if prometheus is None:
        return snapshot
    series, unseen = await prometheus.metrics(snapshot.namespaces, snapshot.taken_at)
    return snapshot.model_copy(update={"metrics": series, "unseen": (*snapshot.unseen, *unseen)})

"""Metrics made comparable: one series for each signal of each workload, pod, node and claim.

Names are read by the conventions of the exporters (cAdvisor, kube-state-metrics, node exporter, OpenMetrics suffixes:
https://prometheus.io/docs/practices/naming/): counters become rates per second, ``_sum`` over ``_count`` a mean.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sre_bot.detectors.change_points import Point
from sre_bot.detectors.fields import mappings, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.pods import Pod
from sre_bot.domain.cluster import ObjectRef, Series

Signal = Literal["cpu", "throttling", "memory", "load", "errors", "latency", "loss", "free space"]

_SIGNALS: dict[Signal, re.Pattern[str]] = {
    "throttling": re.compile(r"throttl(?!.{0,200}seconds)"),
    "free space": re.compile(r"volume_stats_available_bytes|volume_free_ratio"),
    "loss": re.compile(r"(network|packet|tcp).{0,200}(drop|loss|lost|err|retrans)|retrans|packet_loss", re.I),
    "errors": re.compile(r"(^|_)(error|errors|failures|failed|5xx)(_|$)"),
    "latency": re.compile(r"(latency|duration|response_time|handling_seconds|requests?_(milli)?seconds)"),
    "load": re.compile(r"requests?(_count)?(_total)?$|handled_total|requests_per|(^|_)(rps|qps|workload|load)$"),
    "memory": re.compile(r"working_set|(^|_)(mem|memory)(_usage)?(_bytes)?$|process_resident_memory"),
    "cpu": re.compile(r"cpu(?!.{0,200}(limit|request|quota|period|capacity|allocatable|cores$|seconds_count))"),
}
_BYTES = re.compile(r"network_(transmit|receive)_bytes")
_OF_A_POD = re.compile(r"^(.+?)(?:-[a-z0-9]{6,10})?-(?:[a-z0-9]{5}|\d{1,3})")
"""The names of pods: the workload's, for a Deployment the template's hash, and a random or ordinal ending."""
_PARTS = ("_bucket", "_created", "_info")
_STATUS = ("status", "code", "status_code", "response_code", "http_status", "grpc_code", "http_response_status_code")
_POD = ("pod", "pod_name", "kubernetes_pod_name")
_WORKLOAD = (
    "deployment",
    "statefulset",
    "daemonset",
    "workload",
    "destination_workload",
    "service",
    "destination_service_name",
    "app",
    "service_name",
    "job",
    "container",
)
_NODE = ("node", "nodename", "kubernetes_node", "instance")
_NAMESPACE = ("namespace", "kubernetes_namespace", "destination_workload_namespace", "exported_namespace")


@dataclass(frozen=True, eq=False)
class Measure:
    """One signal of one object over time; ``source`` is its largest part, the one to show."""

    subject: ObjectRef
    signal: Signal
    points: tuple[Point, ...]
    source: Series

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


def measures(index: ClusterIndex) -> dict[tuple[ObjectRef, Signal], Measure]:
    """Every signal by pod, node and claim, and summed or averaged by workload."""
    places = _Places(index)
    parts: dict[tuple[ObjectRef, Signal], list[tuple[Series, tuple[Point, ...]]]] = defaultdict(list)
    for signal, source, points in _read(index.snapshot.metrics):
        for subject in places.subjects(source) if points else ():
            parts[(subject, signal)].append((source, points))
    return {key: _joined(*key, found) for key, found in sorted(parts.items(), key=lambda item: str(item[0]))}


def byte_rates(index: ClusterIndex) -> dict[tuple[ObjectRef, str], Measure]:
    """The bytes a second that each pod and workload sends (``transmit``) and gets (``receive``)."""
    places, found = _Places(index), dict[tuple[ObjectRef, str], Measure]()
    for one in index.snapshot.metrics:
        match = _BYTES.search(ruled(one.name))
        points = rates(one.points) if one.name.endswith("_total") else one.points
        for subject in places.subjects(one) if match and points else ():
            found[(subject, match[1] if match else "")] = Measure(subject, "load", points, one)
    return found


def _joined(subject: ObjectRef, signal: Signal, parts: Sequence[tuple[Series, tuple[Point, ...]]]) -> Measure:
    """Ratios and times of several parts are the worst of them, amounts their sum."""
    width = min(_width(points) for _, points in parts)
    buckets: dict[float, dict[str, float]] = defaultdict(dict)
    for source, points in parts:
        for at, value in points:
            bucket = buckets[at // width * width]
            bucket[source.title] = max(value, bucket.get(source.title, value))
    add = sum if signal in ("cpu", "memory", "load", "errors", "loss") else min if signal == "free space" else max
    points = tuple((at, float(add(found.values()))) for at, found in sorted(buckets.items()))
    largest = max(parts, key=lambda part: (max(value for _, value in part[1]), part[0].title))[0]
    return Measure(subject, signal, points, largest)


def _width(points: tuple[Point, ...]) -> float:
    gaps = sorted(later[0] - sooner[0] for sooner, later in itertools.pairwise(points))
    return max(gaps[len(gaps) // 2], 1.0) if gaps else 60.0


def _read(series: Iterable[Series]) -> Iterator[tuple[Signal, Series, tuple[Point, ...]]]:
    """Each readable series as a signal; throttled periods and means need a second series of the same labels."""
    known = {(one.name, one.title.partition("{")[2]): one for one in series}
    for (name, labels), one in sorted(known.items()):
        signal = signal_of(name, one.labels)
        if signal is None or name.endswith(_PARTS):
            continue
        if name.endswith("_sum"):
            count = known.get((f"{name.removesuffix('_sum')}_count", labels))
            if signal == "latency" and count is not None:
                yield signal, one, _quotient(rates(one.points), rates(count.points))
        elif name.endswith("_count") and signal == "latency":
            yield "load", one, rates(one.points)
        elif name.endswith("throttled_periods_total"):
            periods = known.get((name.replace("throttled_periods", "periods"), labels))
            yield signal, one, _quotient(rates(one.points), rates(periods.points)) if periods else ()
        elif signal == "free space" and name.endswith("available_bytes"):
            whole = known.get((name.replace("available", "capacity"), labels))
            yield signal, one, _quotient(one.points, whole.points) if whole else ()
        else:
            yield signal, one, rates(one.points) if name.endswith(("_total", "_count")) else one.points


def signal_of(name: str, labels: dict[str, str]) -> Signal | None:
    """What a metric tells; None where it tells nothing that is read here."""
    name = ruled(name)
    found: Iterator[Signal] = (known for known, pattern in _SIGNALS.items() if pattern.search(name))
    signal = next(found, None)
    if signal == "cpu" and labels.get("mode") in ("idle", "iowait", "steal"):
        return None
    if signal == "load" and _is_failure(labels):
        return "errors"
    return signal


def ruled(name: str) -> str:
    """The metric that a recording rule is made of: ``level:metric:operations``.

    https://prometheus.io/docs/practices/rules/#naming. What was recorded is a rate already, and its name has no suffix.
    """
    parts = name.split(":")
    return parts[1] if len(parts) == 3 else max(parts, key=len)


def _is_failure(labels: dict[str, str]) -> bool:
    status = next((labels[name] for name in _STATUS if name in labels), "")
    return status.startswith("5") or status in ("Unavailable", "Internal", "DeadlineExceeded", "Unknown", "error")


def rates(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """A counter's growth per second; where it falls it was reset, and its new value is the growth."""
    return tuple(
        (later[0], (later[1] - sooner[1] if later[1] >= sooner[1] else later[1]) / (later[0] - sooner[0]))
        for sooner, later in itertools.pairwise(points)
        if later[0] > sooner[0]
    )


def _quotient(above: tuple[Point, ...], below: tuple[Point, ...]) -> tuple[Point, ...]:
    whole = dict(below)
    return tuple((at, value / whole[at]) for at, value in above if whole.get(at))


class _Places:
    """Finds the objects that a series measures."""

    def __init__(self, index: ClusterIndex) -> None:
        self._index = index
        self._pods = {(pod.ref.namespace, pod.ref.name): pod for pod in index.pods}
        self._workloads: dict[str, list[ObjectRef]] = defaultdict(list)
        for workload in index.workloads:
            for name in {workload.ref.name, *(workload.labels.get(key, "") for key in ("app", _NAME_LABEL))}:
                self._workloads[name].append(workload.ref)
        self._nodes = {ObjectRef.of(node).name: ObjectRef.of(node) for node in index.of_kind("Node")}
        for node in index.of_kind("Node"):
            for address in mappings(node, "status", "addresses"):
                self._nodes.setdefault(text(address, "address"), ObjectRef.of(node))

    def subjects(self, series: Series) -> tuple[ObjectRef, ...]:
        """The pod and its workload; else the workload, claim or node; nothing where the labels name none of ours."""
        labels = series.labels
        namespace = _first(labels, _NAMESPACE)
        if labels.get("container") == "POD":
            return ()
        if claim := labels.get("persistentvolumeclaim"):
            return (ObjectRef(kind="PersistentVolumeClaim", namespace=namespace, name=claim),)
        pod = self._pods.get((namespace, _first(labels, _POD))) or self._only_pod(namespace, _first(labels, _POD))
        if pod is not None:
            return (pod.ref, pod.workload) if pod.current else (pod.workload,)
        if series.name.startswith("node_") or not any(key in labels for key in (*_POD, *_WORKLOAD)):
            name = _first(labels, _NODE)
            node = self._nodes.get(name) or self._nodes.get(name.rpartition(":")[0])
            return (node,) if node else self._whole(labels)
        gone = _OF_A_POD.fullmatch(_first(labels, _POD))
        return self._named({**labels, "workload": gone[1]} if gone else labels, namespace)

    def _whole(self, labels: dict[str, str]) -> tuple[ObjectRef, ...]:
        """A namespace, for a series that is summed over all of it."""
        name = _first(labels, _NAMESPACE)
        return (ObjectRef(kind="Namespace", namespace="", name=name),) if name in self._index.namespaces else ()

    def _only_pod(self, namespace: str, name: str) -> Pod | None:
        found = [pod for (_, known), pod in self._pods.items() if known == name] if name and not namespace else []
        return found[0] if len(found) == 1 else None

    def _named(self, labels: dict[str, str], namespace: str) -> tuple[ObjectRef, ...]:
        for key in _WORKLOAD:
            found = [ref for ref in self._workloads.get(labels.get(key, ""), ()) if namespace in ("", ref.namespace)]
            if labels.get(key) and len(found) == 1:
                return (found[0],)
        return ()


_NAME_LABEL = "app.kubernetes.io/name"


def _first(labels: dict[str, str], names: tuple[str, ...]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")

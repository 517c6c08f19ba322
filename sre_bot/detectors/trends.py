"""What the measurements did: the changes and climbs of every object, each computed once, and how to show them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median

from sre_bot.detectors.change_points import Change, Climb, change, climb
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.measurements import Measure, Signal, measures
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence

Changes = dict[tuple[ObjectRef, Signal], Change]


def rises(index: ClusterIndex) -> Changes:
    """Every signal whose level rose and still is up, by object."""
    found = {key: change(measure.points) for key, measure in index.once(measures).items()}
    return {key: one for key, one in found.items() if one is not None and one.rises}


def climbs(index: ClusterIndex) -> dict[ObjectRef, Climb]:
    """The pods and workloads whose memory grows steadily."""
    found = {key[0]: climb(one.points) for key, one in index.once(measures).items() if key[1] == "memory"}
    return {ref: one for ref, one in found.items() if one is not None}


def rise(index: ClusterIndex, ref: ObjectRef, signal: Signal) -> Change | None:
    """The rise of one signal of one object."""
    return index.once(rises).get((ref, signal))


def measure(index: ClusterIndex, ref: ObjectRef, signal: Signal) -> Measure | None:
    """One signal of one object; None where it was not measured."""
    return index.once(measures).get((ref, signal))


def slow(index: ClusterIndex) -> Iterator[tuple[ObjectRef, Signal, Change]]:
    """The workloads that got slower or fail more often, by the measurements of their requests."""
    for (ref, signal), one in index.once(rises).items():
        if signal in ("latency", "errors") and ref in index.workload_by_ref:
            yield ref, signal, one


def moment(seconds: float) -> datetime:
    """The time of a point."""
    return datetime.fromtimestamp(seconds, UTC)


def level(measured: Measure) -> float:
    """The present value: the median of the newest five."""
    return median(value for _, value in measured.points[-5:])


def latest(measured: Measure) -> str:
    """The newest recorded value of the series that a measure is shown by, as Prometheus prints it."""
    return format(measured.source.points[-1][1], ".15g")


def seen_metric(measured: Measure, said: str, at: float | None = None) -> Evidence:
    """A series with its newest recorded value, and what it did."""
    shown = f"{measured.source.title} {latest(measured)}; {said}"
    when = moment(at if at is not None else measured.points[-1][0])
    return Evidence.seen("metric", measured.subject, measured.source.name, shown, when)


def course(one: Change) -> str:
    """A change in words."""
    return f"from {one.before:.3g} to {one.after:.3g} at {moment(one.at):%H:%M}"

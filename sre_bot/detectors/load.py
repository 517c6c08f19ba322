"""Measured load: CPU at its limit, and requests that rose by themselves.

The utilisation and saturation of a resource are told apart from the demand for it (Gregg, "The USE Method",
https://www.brendangregg.com/usemethod.html). CPU throttling is the share of enforcement periods in which a container
used up its quota (https://docs.kernel.org/scheduler/sched-bwc.html).
"""

from collections.abc import Iterator

from sre_bot.detectors.calls import calls, selected_workloads
from sre_bot.detectors.change_points import Change
from sre_bot.detectors.demand import RISE, Growth, at_maximum, logged_growth, pressed, turning_away
from sre_bot.detectors.fields import dig, quantity, steps, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.measurements import Measure
from sre_bot.detectors.pods import Container
from sre_bot.detectors.revisions import replica_sets
from sre_bot.detectors.sightings import seen_field
from sre_bot.detectors.trends import course, latest, level, measure, moment, rise, rises, seen_metric, slow
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_FULL = 0.9
_THROTTLED = 0.25
_CUT = 1.5
_HOG = 2.0
_CORES = 0.3


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge the requests of every entry, then the CPU of every workload whose demand did not rise, or rose as usual."""
    surged = index.once(surging)
    for ref in sorted(surged, key=str):
        if _is_entry(index, ref, surged):
            yield from _surge(index, ref, surged)
    passing_on = surged | _behind_a_squeezed_one(index)
    for workload in index.workloads:
        if workload.ref not in passing_on or workload.ref in index.once(squeezed):
            yield from _saturated(index, workload)
    yield from _crowded(index)


def surging(index: ClusterIndex) -> frozenset[ObjectRef]:
    """The workloads that get ``RISE`` times as many requests as before."""
    return frozenset(index.once(growths))


def growths(index: ClusterIndex) -> dict[ObjectRef, Growth]:
    """What shows for each workload that demand rose: measured, else logged, else by how its autoscaler grew."""
    unmeasured = {**index.once(pressed), **index.once(logged_growth)}
    found = {ref: grown for ref, grown in unmeasured.items() if measure(index, ref, "load") is None}
    for workload in index.workloads:
        one, measured = rise(index, workload.ref, "load"), measure(index, workload.ref, "load")
        if one is not None and measured is not None and one.ratio >= RISE:
            said = f"gets {one.ratio:.1f} times as many requests"
            shown = (seen_metric(measured, f"requests went {course(one)}", one.at),)
            found[workload.ref] = Growth(latest(measured), said, moment(one.at), shown)
    return found


def suffering(index: ClusterIndex) -> frozenset[ObjectRef]:
    """The workloads that got slower, fail more often, want more CPU than they get, or turn requests away."""
    slower = {ref for ref, _, _ in slow(index)}
    return frozenset(
        slower | index.once(starving).keys() | index.once(at_maximum).keys() | index.once(turning_away).keys()
    )


def callees(index: ClusterIndex) -> dict[ObjectRef, frozenset[ObjectRef]]:
    """The workloads behind the Services that each workload is configured to call."""
    found: dict[ObjectRef, set[ObjectRef]] = {}
    for call in index.once(calls):
        if call.target.service is not None:
            behind = {one.ref for one in selected_workloads(index, call.target.service)}
            found.setdefault(call.workload.ref, set()).update(behind - {call.workload.ref})
    return {ref: frozenset(called) for ref, called in found.items()}


def _is_entry(index: ClusterIndex, ref: ObjectRef, surged: frozenset[ObjectRef]) -> bool:
    """Whether nobody who calls it has more requests to pass on than before."""
    return not any(ref in called and caller in surged for caller, called in index.once(callees).items())


def _surge(index: ClusterIndex, ref: ObjectRef, surged: frozenset[ObjectRef]) -> Iterator[Finding]:
    """More requests are a fault where somebody suffers from them, and not from a limit that was lowered."""
    hurt, grown = index.once(suffering) - _behind_a_squeezed_one(index), index.once(growths)[ref]
    if not hurt & surged:
        return
    away = index.once(turning_away).get(ref)
    since = f" since {grown.at:%H:%M}" if grown.at else ""
    yield Finding(
        kind=FaultKind.TRAFFIC_SURGE,
        object=ref,
        field="",
        observed=grown.observed,
        expected="",
        message=f"{ref.name} {grown.said}{since}.",
        directness="inferred",
        evidence=(*grown.evidence, *([away] if away else ())),
        since=grown.at,
        hurts=tuple(sorted((hurt | surged) - {ref}, key=str)),
    )


def squeezed(index: ClusterIndex) -> dict[ObjectRef, Evidence]:
    """The workloads that starve since their CPU limit was lowered: the former one would have met the present demand.

    Demand comes and goes by the hour and the day of the week, so that a limit can be too low for days before it shows.
    What the demand takes is what one pod used before it rose, times the rise (the utilisation law: utilisation is the
    arrival rate times the time that each request takes).
    """
    found: dict[ObjectRef, Evidence] = {}
    for ref in index.once(starving):
        container = _hungriest(index.workload_by_ref[ref])
        used = [one.before for pod in index.workload_by_ref[ref].pods if (one := rise(index, pod.ref, "cpu"))]
        load = rise(index, ref, "load")
        former = _former_limit(index, ref, container) if container else None
        if former is not None and used and load is not None and max(used) * load.ratio <= former[0]:
            found[ref] = former[1]
    return found


def _former_limit(index: ClusterIndex, ref: ObjectRef, container: Container) -> tuple[float, Evidence] | None:
    """The largest CPU limit of its kept revisions, where the present one is far lower."""
    field = f"{container.field}.resources.limits.cpu"
    now = quantity(text(container.spec, "resources", "limits", "cpu"))
    sets = index.once(replica_sets).get(ref, ())
    sized = [(quantity(text(one, *steps(field))) or 0.0, str(ObjectRef.of(one)), one) for one in sets]
    most, _, wide = max(sized, key=lambda one: one[:2], default=(0.0, "", {}))
    if not now or most < _CUT * now:
        return None
    return most, seen_field(ObjectRef.of(wide), field, dig(wide, *steps(field)))


def _behind_a_squeezed_one(index: ClusterIndex) -> frozenset[ObjectRef]:
    """The squeezed workloads and all who wait for them."""
    found = set(index.once(squeezed))
    while fresh := {ref for ref, called in index.once(callees).items() if called & found} - found:
        found |= fresh
    return frozenset(found)


def _saturated(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    shown = index.once(starving).get(workload.ref)
    container = _hungriest(workload)
    if shown is None or container is None:
        return
    limit = text(container.spec, "resources", "limits", "cpu")
    field = f"{container.field}.resources.limits.cpu"
    wider = index.once(squeezed).get(workload.ref)
    evidence = (shown, *([seen_field(workload.ref, field, limit)] if limit else ()), *([wider] if wider else ()))
    said = f"all the CPU that its limit {limit} allows" if limit else "far more CPU than before"
    demand = "the limit that it had before would do for its requests" if wider else "its requests did not rise"
    yield Finding(
        kind=FaultKind.CPU_SATURATION,
        object=workload.ref,
        field=field if limit else "",
        observed=limit or latest_of(shown),
        expected="",
        message=f"{workload.ref.name} uses {said}; {demand}.",
        directness="inferred",
        evidence=evidence,
        since=shown.at,
        container=container.name,
    )


def latest_of(shown: Evidence) -> str:
    """The value that a metric's evidence shows."""
    return shown.excerpt.partition("} ")[2].partition(";")[0]


def starving(index: ClusterIndex) -> dict[ObjectRef, Evidence]:
    """The workloads that want more CPU than they get, or much more than they did, with what shows it."""
    found = ((workload.ref, _want(index, workload)) for workload in index.workloads)
    return {ref: shown for ref, shown in found if shown is not None}


def _want(index: ClusterIndex, workload: Workload) -> Evidence | None:
    """What shows that a workload wants more CPU; None where nothing does.

    Pods that are younger than the trouble have no time before it to compare with: for them the level counts, where
    their workload answers more slowly than it did.
    """
    slower = rise(index, workload.ref, "latency") is not None
    throttled = rise(index, workload.ref, "throttling")
    measured = measure(index, workload.ref, "throttling")
    if measured and throttled and throttled.after >= _THROTTLED:
        return seen_metric(measured, f"throttled periods went {course(throttled)}", throttled.at)
    if measured and slower and (share := level(measured)) >= _THROTTLED:
        return seen_metric(measured, f"{min(share, 1):.0%} of the periods are throttled", measured.points[0][0])
    for pod in workload.pods:
        used, grown, limit = measure(index, pod.ref, "cpu"), rise(index, pod.ref, "cpu"), _limit(pod.containers)
        if used and grown and limit and grown.after >= _FULL * limit:
            return seen_metric(used, f"the cores in use went {course(grown)} of {limit:g}", grown.at)
        if used and limit and slower and level(used) >= _FULL * limit:
            return seen_metric(used, f"{level(used):.3g} of {limit:g} cores are in use", used.points[0][0])
    used, grown = measure(index, workload.ref, "cpu"), rise(index, workload.ref, "cpu")
    if used and grown and grown.ratio >= _HOG and grown.after - grown.before >= _CORES:
        return seen_metric(used, f"the cores in use went {course(grown)}", grown.at)
    return None


def full_nodes(index: ClusterIndex) -> dict[ObjectRef, Change]:
    """The nodes whose CPU rose to the full, as a share of it or in cores of what they have."""
    found: dict[ObjectRef, Change] = {}
    for node in index.of_kind("Node"):
        ref, grown = ObjectRef.of(node), rise(index, ObjectRef.of(node), "cpu")
        cores = quantity(text(node, "status", "capacity", "cpu") or text(node, "status", "allocatable", "cpu")) or 1.0
        if grown is not None and any(_FULL * whole <= grown.after <= 1.1 * whole for whole in (1.0, 100.0, cores)):
            found[ref] = grown
    return found


def _crowded(index: ClusterIndex) -> Iterator[Finding]:
    """Full nodes, and a namespace that uses far more CPU than before: the workload there that asks for most of it.

    What is slow on such a node suffers from its neighbour ("noisy neighbour"), whatever its own use.
    """
    nodes = index.once(full_nodes)
    if not nodes:
        return
    for (ref, signal), grown in index.once(rises).items():
        hog = grown.ratio >= _HOG and grown.after - grown.before >= 2 * _CORES
        if ref.kind != "Namespace" or signal != "cpu" or not hog:
            continue
        there = [one for one in index.workloads_in(ref.name) if {pod.node for pod in one.pods} & _names(nodes)]
        measured = measure(index, ref, "cpu")
        if there and measured is not None:
            yield _neighbour(index, max(there, key=_demand), measured, grown, nodes)


def _names(nodes: dict[ObjectRef, Change]) -> set[str]:
    return {node.name for node in nodes}


def _demand(workload: Workload) -> tuple[float, str]:
    """The cores that all its pods ask for; those that ask for nothing may take all: more pods count for more."""
    containers = (one for pod in workload.pods for one in pod.containers)
    asked = (quantity(text(one.spec, "resources", "requests", "cpu")) or 0.1 for one in containers)
    return sum(asked), str(workload.ref)


def _neighbour(
    index: ClusterIndex, workload: Workload, measured: Measure, grown: Change, nodes: dict[ObjectRef, Change]
) -> Finding:
    crowded = sorted(_names(nodes))
    here = {pod.workload for pod in index.current_pods if pod.node in crowded}
    shown = [seen_metric(measured, f"the cores in use went {course(grown)}", grown.at)]
    for node, change in sorted(nodes.items(), key=lambda entry: str(entry[0]))[:3]:
        seen = measure(index, node, "cpu")
        shown += [seen_metric(seen, f"its use went {course(change)}", change.at)] if seen else []
    hurt = {ref for ref, _, _ in slow(index) if ref in here}
    return Finding(
        kind=FaultKind.CPU_SATURATION,
        object=workload.ref,
        field="",
        observed=latest(measured),
        expected="",
        message=f"{workload.ref.name} in namespace {workload.ref.namespace} uses up the CPU of "
        f"{', '.join(crowded[:4])}; what runs beside it gets slow.",
        directness="inferred",
        evidence=(*shown, seen_field(workload.ref, "metadata.name", workload.ref.name)),
        since=moment(grown.at),
        hurts=tuple(sorted(hurt - {workload.ref}, key=str)),
    )


def _limit(containers: tuple[Container, ...]) -> float | None:
    """The cores that a pod may use; None where one of its containers has no limit."""
    limits = [quantity(text(one.spec, "resources", "limits", "cpu")) for one in containers if not one.init]
    known = [limit for limit in limits if limit]
    return sum(known) if limits and len(known) == len(limits) else None


def _hungriest(workload: Workload) -> Container | None:
    """The container with the largest limit: the one that does the work."""
    running = [one for pod in workload.pods[:1] for one in pod.containers if not one.init]
    return max(running, key=lambda one: quantity(text(one.spec, "resources", "limits", "cpu")) or 0.0, default=None)

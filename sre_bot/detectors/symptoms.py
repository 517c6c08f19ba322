"""What hurts, without saying why: the present symptoms that a cause has to explain."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

from sre_bot.detectors.addresses import has_selector
from sre_bot.detectors.calls import names, selected_workloads
from sre_bot.detectors.code import present_traces
from sre_bot.detectors.complaints import complaints
from sre_bot.detectors.fields import condition, mapping, mappings, number, text, when
from sre_bot.detectors.idle import sleeps
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.measurements import measures
from sre_bot.detectors.onset import failing_since
from sre_bot.detectors.outside import is_outside
from sre_bot.detectors.pods import Pod
from sre_bot.detectors.rollouts import is_parked
from sre_bot.detectors.sightings import seen_end, seen_event, seen_field, seen_in, seen_line, seen_waiting
from sre_bot.detectors.trends import course, moment, seen_metric, slow
from sre_bot.detectors.upstreams import persists
from sre_bot.domain.cluster import KubernetesObject, ObjectRef, Value
from sre_bot.domain.finding import Evidence

Ache = Literal[
    "crashing",
    "not starting",
    "not scheduled",
    "not ready",
    "no pods",
    "no endpoints",
    "failing calls",
    "erring",
    "slow",
    "claim pending",
    "node not ready",
]


_START = timedelta(minutes=2)


class Symptom(Value):
    """One object that is not well. ``towards`` names the hosts that its failing calls go to."""

    object: ObjectRef
    ache: Ache
    text: str
    since: datetime | None
    evidence: tuple[Evidence, ...]
    towards: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What makes two symptoms the same: object and ache."""
        return (str(self.object), self.ache)


def symptoms(index: ClusterIndex) -> tuple[Symptom, ...]:
    """Collect all present symptoms, by object."""
    found: dict[tuple[str, str], Symptom] = {}
    for source in _SOURCES:
        for symptom in source(index):
            known = found.get(symptom.key)
            found[symptom.key] = (
                symptom if known is None else known.model_copy(update={"since": earliest(known.since, symptom.since)})
            )
    return tuple(found[key] for key in sorted(found))


def _services(index: ClusterIndex) -> Iterator[Symptom]:
    for service in index.of_kind("Service"):
        ref = ObjectRef.of(service)
        served = {one.ref for one in selected_workloads(index, service)}
        if is_parked(index, service):
            continue
        ready = any(pod.ready for one in served for pod in index.pods_by_workload.get(one, ()))
        asleep = served and all(sleeps(index, index.workload_by_ref[one]) for one in served)
        if has_selector(service) and index.workloads_in(ref.namespace) and not ready and not asleep:
            shown = seen_field(ref, "spec.selector", mapping(service, "spec", "selector"))
            yield Symptom(
                object=ref,
                ache="no endpoints",
                text=f"Service {ref.name} has no ready endpoint",
                since=None,
                evidence=(shown,),
            )


def _claims(index: ClusterIndex) -> Iterator[Symptom]:
    for claim in index.of_kind("PersistentVolumeClaim"):
        if text(claim, "status", "phase") in ("Pending", "Lost") and _is_wanted(index, claim):
            ref = ObjectRef.of(claim)
            yield Symptom(
                object=ref,
                ache="claim pending",
                text=f"The claim {ref.name} is not bound",
                since=when(mapping(claim, "metadata").get("creationTimestamp")),
                evidence=(seen_in(claim, "status.phase"),),
            )


def _is_wanted(index: ClusterIndex, claim: KubernetesObject) -> bool:
    """A claim that waits for its first consumer, and has none, is no symptom."""
    ref = ObjectRef.of(claim)
    mounted = any(
        text(volume, "persistentVolumeClaim", "claimName") == ref.name
        for workload in index.workloads_in(ref.namespace)
        for volume in mappings(workload.spec, "volumes")
    )
    return mounted or any(event.warning for event in index.events_of(ref))


def _nodes(index: ClusterIndex) -> Iterator[Symptom]:
    for node in index.of_kind("Node"):
        ready = condition(node, "Ready")
        if ready and ready.get("status") != "True":
            ref = ObjectRef.of(node)
            yield Symptom(
                object=ref,
                ache="node not ready",
                text=f"Node {ref.name} is not ready",
                since=when(ready.get("lastTransitionTime")),
                evidence=(seen_field(ref, "status.conditions[Ready].status", ready.get("status")),),
            )


def _pods(index: ClusterIndex) -> Iterator[Symptom]:
    for workload in index.workloads:
        for pod in workload.pods:
            yield from _containers(index, workload, pod)
            if not pod.node and pod.phase == "Pending":
                shown = seen_in(pod.thing, "status.phase")
                yield _symptom(workload, "not scheduled", "a pod has no node", pod.created, shown)
            elif is_starting(index, workload, pod):
                continue
            elif (
                not pod.ready and not pod.ended and not any(container.fails(index.now) for container in pod.containers)
            ):
                yield _unready(index, workload, pod)


def is_starting(index: ClusterIndex, workload: Workload, pod: Pod) -> bool:
    """A new pod within the time that its probes allow, beside as many ready ones as the rollout has to keep.

    A rolling update keeps the old pods until then, ``maxUnavailable`` apart; the condition ``Available`` says whether
    enough are left (Deployment API, ``strategy.rollingUpdate``).
    """
    if pod.ready or pod.ended or pod.created is None or any(container.restarts for container in pod.containers):
        return False
    ready = sum(other.ready for other in index.pods_by_workload.get(workload.ref, ()))
    patience = timedelta(seconds=max((_patience(one.spec) for one in pod.containers), default=0))
    available = ready > 0 and condition(workload.thing, "Available").get("status") == "True"
    return (available or ready >= max(1, workload.replicas)) and index.now - pod.created <= max(_START, patience)


def _patience(container: dict[str, Any]) -> int:
    """The seconds that a startup probe gives a container."""
    probe = mapping(container, "startupProbe")
    delay, period = number(probe, "initialDelaySeconds") or 0, number(probe, "periodSeconds") or 10
    return delay + period * (number(probe, "failureThreshold") or 3) if probe else 0


def _containers(index: ClusterIndex, workload: Workload, pod: Pod) -> Iterator[Symptom]:
    for container in pod.containers:
        if container.fails(index.now) and container.last_end:
            yield _symptom(
                workload,
                "crashing",
                f"container {container.name} ends and restarts",
                failing_since(index, container),
                seen_end(container),
            )
        elif container.waiting and container.waiting not in ("ContainerCreating", "PodInitializing"):
            yield _symptom(
                workload,
                "not starting",
                f"container {container.name} waits: {container.waiting}",
                pod.created,
                seen_waiting(container),
            )


def _unready(index: ClusterIndex, workload: Workload, pod: Pod) -> Symptom:
    warnings = [event for event in index.events_of(pod.ref) if event.warning]
    shown = seen_event(warnings[-1]) if warnings else seen_in(pod.thing, "status.phase")
    return _symptom(workload, "not ready", "a pod is not ready", pod.ready_since or pod.created, shown)


def _refusals(index: ClusterIndex) -> Iterator[Symptom]:
    """Workloads that want pods and have none, because nobody may create them."""
    for workload in index.workloads:
        if workload.ref.kind in ("Pod", "CronJob") or workload.pods or not workload.replicas:
            continue
        events = [event for event in index.events_of(workload.ref) if event.reason == "FailedCreate"]
        failed = condition(workload.thing, "ReplicaFailure")
        if failed.get("status") == "True":
            shown = Evidence.seen(
                "object", workload.ref, "status.conditions[ReplicaFailure].message", text(failed, "message")
            )
            yield _symptom(workload, "no pods", "no pod is created", when(failed.get("lastTransitionTime")), shown)
        elif events:
            yield _symptom(workload, "no pods", "no pod is created", events[0].first, seen_event(events[-1]))


def _errors(index: ClusterIndex) -> Iterator[Symptom]:
    for ref, traced in index.once(present_traces).items():
        said = f"logs errors of its own ({traced[-1].trace.header[:80]})"
        yield _symptom(
            index.workload_by_ref[ref], "erring", said, earliest(*(one.at for one in traced)), traced[-1].evidence
        )


def _failing_calls(index: ClusterIndex) -> Iterator[Symptom]:
    """Calls that fail at present; to hosts outside only where they keep failing."""
    for ref, told in index.once(complaints).items():
        outside = [one for one in told if is_outside(index, ref, one.failure.host)]
        heard = [one for one in told if one not in outside or persists(outside)]
        if not heard or ref not in index.workload_by_ref:
            continue
        hosts = tuple(sorted({one.failure.host for one in heard}))
        since = earliest(*(one.trouble.line.first for one in heard))
        said = f"logs failed calls to {', '.join(_names(index, ref, hosts)[:4])}"
        shown = (seen_line(one.trouble.line) for one in heard[-2:])
        yield _symptom(index.workload_by_ref[ref], "failing calls", said, since, *shown).model_copy(
            update={"towards": hosts}
        )


def _slow(index: ClusterIndex) -> Iterator[Symptom]:
    """Requests that take longer or fail more often than before, as measured."""
    for ref, signal, one in slow(index):
        measured = index.once(measures)[(ref, signal)]
        said = "answers more slowly" if signal == "latency" else "fails more requests"
        shown = seen_metric(measured, f"it went {course(one)}", one.at)
        yield _symptom(index.workload_by_ref[ref], "slow", said, moment(one.at), shown)


def _names(index: ClusterIndex, ref: ObjectRef, hosts: tuple[str, ...]) -> list[str]:
    """The hosts, addresses of Services told by their names."""
    targets = {host: index.once(names).resolve(host, index.workload_by_ref[ref]) for host in hosts}
    return [target.name if target.service is not None else host for host, target in targets.items()]


def _symptom(workload: Workload, ache: Ache, what: str, since: datetime | None, *evidence: Evidence) -> Symptom:
    return Symptom(object=workload.ref, ache=ache, text=f"{workload.ref.name}: {what}", since=since, evidence=evidence)


_SOURCES: tuple[Callable[[ClusterIndex], Iterator[Symptom]], ...] = (
    _services,
    _claims,
    _nodes,
    _pods,
    _refusals,
    _errors,
    _failing_calls,
    _slow,
)

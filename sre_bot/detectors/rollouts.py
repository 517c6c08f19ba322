"""Workloads told to run nothing, stuck rollouts, evictions that a budget forbids, autoscalers that cannot act.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/, …/run-application/configure-pdb/,
…/run-application/horizontal-pod-autoscale/.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sre_bot.detectors.calls import callers, names, selected_workloads, selecting
from sre_bot.detectors.complaints import complaints
from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import condition, dig, mapping, mappings, number, steps, text, when
from sre_bot.detectors.idle import is_other_half, sleeps
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import LogLine
from sre_bot.detectors.selectors import matches_selector
from sre_bot.detectors.sightings import seen_event, seen_field, seen_line
from sre_bot.detectors.troubles import troubles
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_LONG_SETTLING = 600
_SEVERAL = re.compile(r"more than one PodDisruptionBudget")
_WARM_UP = timedelta(minutes=5)
_NO_METRIC = re.compile(r"Failed(?:Get|Compute)")
_MISSING_REQUEST = re.compile(r"missing request for (\w+)(?: in container ([\w.-]+))?")


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every workload, every disruption budget and every autoscaler."""
    for workload in index.workloads:
        if workload.ref.kind in ("Deployment", "StatefulSet", "ReplicaSet"):
            yield from _zero(index, workload)
        if workload.ref.kind in ("Deployment", "StatefulSet"):
            yield from _stuck(workload)
    for budget in index.of_kind("PodDisruptionBudget"):
        yield from _budget(index, budget)
    yield from _overlapping(index)
    for scaler in index.of_kind("HorizontalPodAutoscaler"):
        yield from _scaler(index, scaler)


def _zero(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    """``spec.replicas: 0`` where somebody wants the pods: a Service that is called or exposed, or an autoscaler."""
    if workload.thing == {} or dig(workload.thing, "spec", "replicas") != 0 or sleeps(index, workload):
        return
    wanting = tuple(_wanting(index, workload))
    if not wanting:
        return
    events = [event for event in index.events_of(workload.ref) if "to 0" in event.message]
    yield Finding(
        kind=FaultKind.ZERO_REPLICAS,
        object=workload.ref,
        field="spec.replicas",
        observed="0",
        expected="",
        message=f"{workload.ref.name} is scaled to 0, though {', '.join(ref.name for ref in wanting[:3])} needs it.",
        directness="stated",
        evidence=(seen_field(workload.ref, "spec.replicas", 0), *(seen_event(event) for event in events[-1:])),
        since=events[-1].at if events else None,
        hurts=wanting,
    )


def _wanting(index: ClusterIndex, workload: Workload) -> Iterator[ObjectRef]:
    routed = {
        value
        for kind in ("Ingress", "HTTPRoute")
        for thing in index.of_kind(kind, workload.ref.namespace)
        for value in _service_names(thing)
    }
    for service in index.once(selecting).get(workload.ref, ()):
        ref = ObjectRef.of(service)
        if any(one.ref != workload.ref and one.pods for one in selected_workloads(index, service)):
            continue
        if index.once(callers).get(ref) or ref.name in routed or ref in index.once(_missed):
            yield ref
    for scaler in index.of_kind("HorizontalPodAutoscaler", workload.ref.namespace):
        if _scales_up(scaler, workload.ref) and not is_other_half(index, workload):
            yield ObjectRef.of(scaler)


def _scales_up(scaler: KubernetesObject, ref: ObjectRef) -> bool:
    """Whether an autoscaler would keep pods of a workload: 0 replicas switch it off.

    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#implicit-maintenance-mode-deactivation
    """
    target = mapping(scaler, "spec", "scaleTargetRef")
    return (text(target, "kind"), text(target, "name")) == (ref.kind, ref.name)


def _missed(index: ClusterIndex) -> frozenset[ObjectRef]:
    """The Services that somebody calls in vain at present, wherever the address comes from."""
    return frozenset(
        ObjectRef.of(service)
        for ref, told in index.once(complaints).items()
        for one in told
        if ref in index.workload_by_ref
        and (service := index.once(names).resolve(one.failure.host, index.workload_by_ref[ref]).service) is not None
    )


def is_parked(index: ClusterIndex, service: KubernetesObject) -> bool:
    """Whether all that a Service selects is scaled to 0, and nobody calls or exposes it: put aside on purpose."""
    behind = selected_workloads(index, service)
    return bool(behind) and not any(one.pods or one.replicas or any(_wanting(index, one)) for one in behind)


def _service_names(thing: KubernetesObject) -> Iterator[str]:
    for rule in mappings(thing, "spec", "rules"):
        for path in mappings(rule, "http", "paths"):
            yield text(path, "backend", "service", "name")
        for backend in mappings(rule, "backendRefs"):
            yield text(backend, "name")


def _stuck(workload: Workload) -> Iterator[Finding]:
    """``ProgressDeadlineExceeded``, paused with a template that is not rolled out, or held back by the strategy."""
    progressing = condition(workload.thing, "Progressing")
    paused = dig(workload.thing, "spec", "paused") is True
    updated, wanted = number(workload.thing, "status", "updatedReplicas") or 0, workload.replicas
    held = _held_back(workload, updated, wanted)
    if held is not None:
        field, observed, said = held
        shown = seen_field(workload.ref, field, dig(workload.thing, *steps(field)))
    elif paused and updated < wanted:
        field, observed, said = "spec.paused", "true", "is paused in the middle of a rollout"
        shown = seen_field(workload.ref, "spec.paused", True)
    elif progressing.get("reason") == "ProgressDeadlineExceeded":
        field, observed, said = "", "ProgressDeadlineExceeded", "does not finish its rollout"
        shown = Evidence.seen(
            "object",
            workload.ref,
            "status.conditions[Progressing]",
            f"message: {text(progressing, 'message')}\nreason: ProgressDeadlineExceeded",
        )
    else:
        return
    yield Finding(
        kind=FaultKind.ROLLOUT_STUCK,
        object=workload.ref,
        field=field,
        observed=observed,
        expected="false" if field == "spec.paused" else "",
        message=f"{workload.ref.name} {said}.",
        directness="stated",
        evidence=(shown,),
        since=when(progressing.get("lastTransitionTime")),
    )


def _held_back(workload: Workload, updated: int, wanted: int) -> tuple[str, str, str] | None:
    """Field, value and words of a rollout that its own strategy stretches or stops while all its pods are ready.

    A pod counts as available only after ``minReadySeconds``; ``OnDelete`` waits for somebody to delete the pods, and
    a ``partition`` leaves all pods with a lower number as they are (Deployment, StatefulSet and DaemonSet API).
    """
    if updated >= wanted or (number(workload.thing, "status", "readyReplicas") or 0) < wanted:
        return None
    settle = number(workload.thing, "spec", "minReadySeconds") or 0
    if workload.ref.kind == "Deployment":
        said = f"calls each new pod available only after {settle} s, so its rollout takes {settle * wanted // 60} min"
        return ("spec.minReadySeconds", str(settle), said) if settle >= _LONG_SETTLING else None
    if text(workload.thing, "status", "currentRevision") == text(workload.thing, "status", "updateRevision"):
        return None
    partition = number(workload.thing, "spec", "updateStrategy", "rollingUpdate", "partition") or 0
    if text(workload.thing, "spec", "updateStrategy", "type") == "OnDelete":
        return "spec.updateStrategy.type", "OnDelete", "keeps its old pods until somebody deletes them"
    if partition > 0:
        field = "spec.updateStrategy.rollingUpdate.partition"
        return field, str(partition), f"keeps its pods below number {partition} as they were"
    return None


def _budget(index: ClusterIndex, budget: KubernetesObject) -> Iterator[Finding]:
    """A budget that allows no disruption at all blocks drains; it counts where a drain is under way."""
    ref = ObjectRef.of(budget)
    status = mapping(budget, "status")
    healthy, desired = number(status, "currentHealthy") or 0, number(status, "desiredHealthy") or 0
    if status.get("disruptionsAllowed") != 0 or healthy < desired or not number(status, "expectedPods"):
        return
    guarded = [
        one
        for one in index.workloads_in(ref.namespace)
        if matches_selector(mapping(budget, "spec", "selector"), one.labels)
    ]
    drained = [node for node in index.of_kind("Node") if dig(node, "spec", "unschedulable") is True]
    names = {ObjectRef.of(node).name for node in drained}
    told = index.once(_blocked_evictions)
    logged = index.once(_logged_evictions)
    if not told and not logged and not any(pod.node in names for one in guarded for pod in one.pods):
        return
    name = "minAvailable" if "minAvailable" in mapping(budget, "spec") else "maxUnavailable"
    yield Finding(
        kind=FaultKind.PDB_BLOCKS,
        object=ref,
        field=f"spec.{name}",
        observed=text(budget, "spec", name),
        expected="",
        message=f"The budget {ref.name} lets no pod go: {name} is {text(budget, 'spec', name)} of {healthy} healthy.",
        directness="stated",
        evidence=(
            seen_field(ref, f"spec.{name}", dig(budget, "spec", name)),
            seen_field(ref, "status.disruptionsAllowed", 0),
            *(seen_event(event) for event in told[-1:]),
            *(seen_line(line) for line in logged[-1:]),
        ),
        hurts=(*(one.ref for one in guarded), *index.once(_drainers)),
    )


def _scaler(index: ClusterIndex, scaler: KubernetesObject) -> Iterator[Finding]:
    """``AbleToScale`` and ``ScalingActive`` say whether it can act at all."""
    for kind in ("AbleToScale", "ScalingActive"):
        entry = condition(scaler, kind)
        if entry.get("status") == "False" and entry.get("reason") != "ScalingDisabled" and not _warms_up(index, entry):
            yield _cannot_scale(index, scaler, kind, entry)
            return
    told = [event for event in index.events_of(scaler) if event.warning and _NO_METRIC.match(event.reason)]
    if told and not mappings(scaler, "status", "conditions"):
        entry = {"message": told[-1].message, "reason": told[-1].reason}
        finding = _cannot_scale(index, scaler, "ScalingActive", entry)
        observed = finding.observed if finding.observed in told[-1].message else told[-1].message[:80]
        evidence = (seen_event(told[-1]), *finding.evidence[1:])
        yield finding.model_copy(update={"observed": observed, "evidence": evidence, "since": told[-1].first})


def _warms_up(index: ClusterIndex, entry: dict[str, Any]) -> bool:
    """Whether the metrics of new pods are only on their way: they come a minute or so after the pods."""
    since = when(entry.get("lastTransitionTime"))
    early = since is not None and index.now - since <= _WARM_UP
    return early and "did not receive metrics" in text(entry, "message")


def _blocked_evictions(index: ClusterIndex) -> tuple[Event, ...]:
    return tuple(event for event in index.events if "disruption budget" in event.message)


def _overlapping(index: ClusterIndex) -> Iterator[Finding]:
    """Pods of two budgets cannot be evicted at all: the API answers with 500 and a log tells of it.

    https://kubernetes.io/docs/tasks/run-application/configure-pdb/#arbitrary-controllers-and-selectors
    """
    lines = [one.line for found in index.once(troubles).values() for one in found if _SEVERAL.search(one.line.text)]
    if not lines:
        return
    budgets = sorted(index.of_kind("PodDisruptionBudget"), key=lambda one: text(one, "metadata", "creationTimestamp"))
    for place, later in enumerate(budgets):
        ref, selector = ObjectRef.of(later), mapping(later, "spec", "selector")
        for earlier in budgets[:place]:
            other = mapping(earlier, "spec", "selector")
            both = [
                one.ref
                for one in index.workloads_in(ref.namespace)
                if ObjectRef.of(earlier).namespace == ref.namespace
                and matches_selector(selector, one.labels)
                and matches_selector(other, one.labels)
            ]
            if both:
                yield _shared(ref, selector, ObjectRef.of(earlier), tuple(both), lines[-1])


def _shared(
    ref: ObjectRef, selector: dict[str, Any], other: ObjectRef, both: tuple[ObjectRef, ...], line: LogLine
) -> Finding:
    return Finding(
        kind=FaultKind.PDB_BLOCKS,
        object=ref,
        field="spec.selector",
        observed=ref.name,
        expected="",
        message=f"The budgets {ref.name} and {other.name} both guard {both[0].name}, so its pods cannot be evicted.",
        directness="stated",
        evidence=(
            seen_line(line),
            seen_field(ref, "metadata.name", ref.name),
            seen_field(ref, "spec.selector", selector),
            seen_field(other, "metadata.name", other.name),
        ),
        since=line.first,
        hurts=(*both, other),
    )


def _logged_evictions(index: ClusterIndex) -> tuple[LogLine, ...]:
    """What drains and node patchers log: the API's refusal makes no event (…/disruptions/, 429 Too Many Requests)."""
    lines = (one.line for found in index.once(troubles).values() for one in found)
    return tuple(line for line in lines if "disruption budget" in line.text)


def _drainers(index: ClusterIndex) -> tuple[ObjectRef, ...]:
    """The workloads that log such a refusal."""
    found = index.once(troubles).items()
    return tuple(ref for ref, told in found if any("disruption budget" in one.line.text for one in told))


def _cannot_scale(index: ClusterIndex, scaler: KubernetesObject, kind: str, entry: dict[str, Any]) -> Finding:
    """A missing request is the workload's own; a missing target or metric is the autoscaler's."""
    ref, target = ObjectRef.of(scaler), mapping(scaler, "spec", "scaleTargetRef")
    said, reason = text(entry, "message"), text(entry, "reason")
    scaled = ObjectRef(kind=text(target, "kind"), namespace=ref.namespace, name=text(target, "name"))
    told = Evidence.seen("object", ref, f"status.conditions[{kind}]", f"message: {said}\nreason: {reason}")
    blamed, field, observed, shown = ref, "spec.metrics", reason, seen_field(ref, "spec.scaleTargetRef", target)
    if missing := _MISSING_REQUEST.search(said):
        blamed, observed = scaled, missing[0]
        field, shown = _resources(index, scaled, missing[2] or "", missing[1])
    elif index.find(scaled) is None:
        field, observed = "spec.scaleTargetRef.name", scaled.name
    return Finding(
        kind=FaultKind.HPA_CANNOT_SCALE,
        object=blamed,
        field=field,
        observed=observed,
        expected="",
        message=f"The autoscaler {ref.name} cannot scale {scaled.name}: {said[:200]}.",
        directness="stated",
        evidence=(told, shown),
        since=when(entry.get("lastTransitionTime")),
        hurts=(scaled,) if blamed == ref else (ref,),
    )


def _resources(index: ClusterIndex, scaled: ObjectRef, container: str, resource: str) -> tuple[str, Evidence]:
    workload = index.workload_by_ref.get(scaled)
    for place, spec in enumerate(mappings(workload.spec, "containers") if workload else []):
        asks = bool(text(spec, "resources", "requests", resource))
        if workload and (text(spec, "name") == container or (not container and not asks)):
            where = f"{workload.field}.containers[{place}].resources"
            return f"{where}.requests.{resource}", seen_field(scaled, where, spec.get("resources") or {})
    return f"spec.template.spec.containers[0].resources.requests.{resource}", seen_field(
        scaled, "metadata.name", scaled.name
    )

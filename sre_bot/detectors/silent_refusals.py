"""Pods that cannot be created, told from the objects alone.

The controller's events expire, and only a ReplicaSet keeps a condition. A workload that wants pods and has none,
whose ServiceAccount does not exist, or whose requests do not fit what a quota has left
(https://kubernetes.io/docs/concepts/policy/resource-quotas/, …/security/service-accounts/).
"""

from collections.abc import Iterator
from datetime import timedelta

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.fields import (
    condition,
    dig,
    labels_of,
    mapping,
    mappings,
    number,
    quantity,
    step,
    text,
    when,
)
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

_MAKERS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController")
_ENFORCE = "pod-security.kubernetes.io/enforce"
_PATIENCE = timedelta(minutes=1)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every workload that wants pods, has none, and of which nobody says why."""
    for workload in index.workloads:
        lacks = workload.ref.kind in _MAKERS and not workload.pods and _wants_pods(index, workload)
        if lacks and not _is_explained(index, workload):
            yield from _account(index, workload)
            yield from _quotas(index, workload)
            yield from _ranges(index, workload)
            yield from _level(index, workload)


def _wants_pods(index: ClusterIndex, workload: Workload) -> bool:
    thing = workload.thing
    idle = not workload.replicas or dig(thing, "spec", "suspend") is True or dig(thing, "spec", "paused") is True
    over = any(condition(thing, kind).get("status") == "True" for kind in ("Complete", "Failed"))
    made = when(dig(thing, "metadata", "creationTimestamp"))
    empty = workload.ref.kind == "DaemonSet" and not number(thing, "status", "desiredNumberScheduled")
    return bool(thing) and not idle and not over and not empty and (made is None or index.now - made > _PATIENCE)


def _is_explained(index: ClusterIndex, workload: Workload) -> bool:
    """Whether the controller, or the ReplicaSet or Job that it made, tells of a refusal itself."""
    makers = [workload.thing, *(thing for thing in index.of_kinds(("ReplicaSet", "Job")))]
    own = [thing for thing in makers if index.owner_of(thing) == workload.ref]
    said = any(condition(thing, "ReplicaFailure").get("status") == "True" for thing in own)
    return said or any(event.reason == "FailedCreate" for thing in own for event in index.events_of(thing))


def _account(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    namespace, name = workload.ref.namespace, text(workload.spec, "serviceAccountName")
    known = [ObjectRef.of(thing).name for thing in index.of_kind("ServiceAccount", namespace)]
    if not name or not known or name in known:
        return
    field = f"{workload.field}.serviceAccountName"
    why = f"service account {name} does not exist"
    finding = _finding(workload, FaultKind.MISSING_SERVICE_ACCOUNT, field, name, nearest(name, known), why)
    account = ObjectRef(kind="ServiceAccount", namespace=namespace, name=name)
    yield finding.model_copy(update={"hurts": (account,)})


def _quotas(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    """``used`` and what one more pod asks for may not exceed ``hard``; quotas of a scope are not judged."""
    for quota in index.of_kind("ResourceQuota", workload.ref.namespace):
        hard, used = (
            mapping(quota, "status", "hard") or mapping(quota, "spec", "hard"),
            mapping(quota, "status", "used"),
        )
        if mapping(quota, "spec", "scopeSelector") or dig(quota, "spec", "scopes"):
            continue
        for resource in sorted(hard):
            limit, taken, asked = quantity(hard[resource]), quantity(used.get(resource)), _asked(workload, resource)
            if limit is not None and taken is not None and asked and taken + asked > limit:
                yield _over(workload, quota, resource, str(hard[resource]))
                return


def _over(workload: Workload, quota: KubernetesObject, resource: str, hard: str) -> Finding:
    ref, pods = ObjectRef.of(quota), resource in ("pods", "count/pods")
    field = "spec.replicas" if pods else f"{workload.field}.containers"
    why = f"quota {ref.name} allows {hard} of {resource} in all, and they ask for more than is left"
    finding = _finding(workload, FaultKind.QUOTA_EXCEEDED, field, resource, "", why)
    shown = (seen_field(ref, "status", {"hard": dig(quota, "status", "hard"), "used": dig(quota, "status", "used")}),)
    return finding.model_copy(update={"evidence": (*shown, *finding.evidence), "hurts": (ref,)})


def _ranges(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    """A container above a LimitRange's maximum or below its minimum (https://kubernetes.io/docs/concepts/policy/limit-range/)."""
    for thing in index.of_kind("LimitRange", workload.ref.namespace):
        for limit in mappings(thing, "spec", "limits"):
            for bound, group in (("max", "limits"), ("min", "requests")):
                for resource, most in (
                    sorted(mapping(limit, bound).items()) if text(limit, "type") == "Container" else ()
                ):
                    yield from _beyond(workload, ObjectRef.of(thing), bound, group, str(resource), str(most))


def _beyond(workload: Workload, ref: ObjectRef, bound: str, group: str, resource: str, most: str) -> Iterator[Finding]:
    edge = quantity(most)
    for place, container in enumerate(mappings(workload.spec, "containers")):
        written = text(container, "resources", group, resource)
        size = quantity(written)
        if edge is None or size is None or (size <= edge if bound == "max" else size >= edge):
            continue
        field = step(f"{workload.field}.containers[{place}].resources.{group}", resource)
        why = f"{ref.name} bounds {resource} of a container at {most}, and {written} is asked"
        finding = _finding(workload, FaultKind.LIMIT_RANGE_VIOLATION, field, written, most, why)
        shown = (seen_field(workload.ref, field, written), seen_field(ref, f"spec.limits.{bound}", {resource: most}))
        yield finding.model_copy(update={"evidence": (*shown, *finding.evidence[1:]), "hurts": (ref,)})


def _level(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    """Pods that the namespace's enforced level forbids, by the plainest of its rules.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    namespace = index.get("Namespace", "", workload.ref.namespace)
    level = labels_of(namespace).get(_ENFORCE, "privileged")
    broken = next(_broken(workload, restricted=level == "restricted"), None) if level != "privileged" else None
    if namespace is None or broken is None:
        return
    field, value = broken
    why = f"the namespace enforces the level {level}, which {field} breaks"
    finding = _finding(workload, FaultKind.ADMISSION_DENIED, field, level, "", why)
    shown = (
        seen_field(ObjectRef.of(namespace), "metadata.labels", {_ENFORCE: level}),
        seen_field(workload.ref, field, value),
    )
    yield finding.model_copy(update={"evidence": (*shown, *finding.evidence[1:]), "hurts": (ObjectRef.of(namespace),)})


def _broken(workload: Workload, *, restricted: bool) -> Iterator[tuple[str, object]]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if workload.spec.get(name) is True:
            yield f"{workload.field}.{name}", True
    for place, volume in enumerate(mappings(workload.spec, "volumes")):
        if "hostPath" in volume:
            yield f"{workload.field}.volumes[{place}].hostPath", volume.get("hostPath")
    for place, container in enumerate(mappings(workload.spec, "containers")):
        where = f"{workload.field}.containers[{place}].securityContext"
        context = mapping(container, "securityContext")
        if context.get("privileged") is True:
            yield f"{where}.privileged", True
        if restricted and context.get("allowPrivilegeEscalation") is not False:
            yield where, context


def _asked(workload: Workload, resource: str) -> float:
    """What one pod asks for of a quota's resource: its containers' requests or limits, or itself."""
    if resource in ("pods", "count/pods"):
        return 1.0
    group, _, name = resource.partition(".")
    if group not in ("requests", "limits"):
        group, name = "requests", resource
    containers = mappings(workload.spec, "containers")
    return sum(quantity(text(one, "resources", group, name)) or 0.0 for one in containers)


def _finding(workload: Workload, kind: FaultKind, field: str, observed: str, expected: str, why: str) -> Finding:
    return Finding(
        kind=kind,
        object=workload.ref,
        field=field,
        observed=observed,
        expected=expected,
        message=f"{workload.ref.name} has no pods, and none can be created: {why}.",
        directness="inferred",
        evidence=(
            seen_field(workload.ref, field, observed if field.endswith("Name") else workload.replicas),
            seen_field(workload.ref, "status", mapping(workload.thing, "status") or {"replicas": 0}),
        ),
        since=None,
    )

"""Pods that the API server refuses to create: quota, limits, policies, webhooks, missing accounts.

The controller that tries says so in ``FailedCreate`` events on itself and, for a ReplicaSet, in the ReplicaFailure
condition; there is no pod to look at. Sources: https://kubernetes.io/docs/concepts/policy/resource-quotas/,
…/policy/limit-range/, …/security/pod-security-admission/,
…/reference/access-authn-authz/extensible-admission-controllers/.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.calls import selected_workloads
from sre_bot.detectors.certificates import EXPIRED
from sre_bot.detectors.fields import condition, dig, labels_of, mappings, number, quantity, step, text, when
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_event, seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_QUOTA = re.compile(r"exceeded quota: ([\w.-]+), requested: ([^,]+(?:,[^ ]+)*), used: (.+?), limited: ([^\n]+)")
_QUOTA_UNSET = re.compile(r"failed quota: ([\w.-]+): must specify ([^\n]+)")
_QUOTA_NEW = re.compile(r"status unknown for quota: ([\w.-]+)(?:, resources: (\S+))?")
_LIMIT = re.compile(
    r"(maximum|minimum) ([\w./-]+) usage per (\w+) is (\S+?), but (limit|request) is (\S+?)\.?(?=[,\s\]]|$)"
    r"|(maximum|minimum) ([\w./-]+) usage per (\w+) is (\S+?)\.\s+No (limit|request) is specified"
    r"|(?<![\w./-])([\w./-]{1,300}) max limit to request ratio per (\w+) is (\S+?), but"
    r" (?:provided ratio is (\S+)|no \w+ is specified)"
)
_ACCOUNT = re.compile(r'serviceaccount "([^"]+)" not found')
_DENIED = re.compile(
    r'admission webhook "([^"]+)" denied|violates PodSecurity "([^"]+)"|ValidatingAdmissionPolicy \'([^\']+)\' .*denied'
    r'|failed calling webhook "([^"]+)"|unable to validate against any security context constraint'
    r"|(PodSecurityPolicy): unable"
    r"|(?:pods|jobs\.batch) \"[^\"]*\" is forbidden: (?!error looking|unable to create new)([^\n]{1,80})"
)
"""Last the words of any other plug-in: whatever forbids a pod is an admission."""
_BY_POLICY = re.compile(r'admission webhook "[^"]+" denied|ValidatingAdmissionPolicy')
_RUNTIME_CLASS = re.compile(
    r'RuntimeClass "?([\w.-]+)"? not found|runtimeclass(?:es)?\.node\.k8s\.io "([\w.-]+)" not found'
)
_CALLED = re.compile(r"failed calling webhook [^\n]{0,500}?https://([\w-]+)\.([\w-]+)\.svc")
_LEVEL = "pod-security.kubernetes.io/"
_POLICIES = (
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "ClusterPolicy",
    "Policy",
)
_PRIORITY = re.compile(r"no PriorityClass with name (\S+) was found")
_INVALID = re.compile(
    r'is invalid: ([\w.\[\]"/-]+): (?:Invalid value|Required value|Unsupported value|Forbidden|Duplicate value)'
)


class Refusal(NamedTuple):
    """What the API server said to the controller of a workload."""

    message: str
    evidence: Evidence
    since: datetime | None


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every workload that has fewer pods than it wants."""
    for workload in index.workloads:
        refusal = _refusal(index, workload)
        if refusal is not None:
            yield from _judge(index, workload, refusal)


def _refusal(index: ClusterIndex, workload: Workload) -> Refusal | None:
    """The newest refusal of a workload that still lacks pods, from it or from what it owns."""
    if workload.ref.kind == "Pod" or _has_enough(workload):
        return None
    owners = [workload.ref, *index.once(_owned).get(workload.ref, ())]
    for ref in owners:
        failure = condition(index.find(ref) or {}, "ReplicaFailure")
        if failure.get("status") == "True":
            since = when(failure.get("lastTransitionTime"))
            said = text(failure, "message")
            return Refusal(
                said, Evidence.seen("object", ref, "status.conditions[ReplicaFailure].message", said, since), since
            )
    events = [event for ref in owners for event in index.events_of(ref) if event.reason == "FailedCreate"]
    if not events:
        return None
    newest = max(events, key=lambda event: (str(event.at), event.message))
    return Refusal(newest.message, seen_event(newest), earliest(*(event.first for event in events)))


def _has_enough(workload: Workload) -> bool:
    ready = sum(pod.ready or pod.ended for pod in workload.pods)
    wanted = number(workload.thing, "status", "desiredNumberScheduled") or workload.replicas
    return ready >= max(1, wanted)


def _owned(index: ClusterIndex) -> dict[ObjectRef, tuple[ObjectRef, ...]]:
    """The ReplicaSets and Jobs that each workload made."""
    found: dict[ObjectRef, list[ObjectRef]] = {}
    for thing in index.of_kinds(("ReplicaSet", "Job")):
        ref, owner = ObjectRef.of(thing), index.owner_of(thing)
        if owner != ref:
            found.setdefault(owner, []).append(ref)
    return {owner: tuple(refs) for owner, refs in found.items()}


def _judge(index: ClusterIndex, workload: Workload, refusal: Refusal) -> Iterator[Finding]:
    said = refusal.message
    if _BY_POLICY.search(said):
        yield _denied(index, workload, refusal, said)
    elif match := _QUOTA.search(said):
        yield _quota(index, workload, refusal, match[1], match[2], match[4])
    elif match := _QUOTA_UNSET.search(said) or _QUOTA_NEW.search(said):
        yield _unset(workload, refusal, match)
    elif match := _LIMIT.search(said):
        yield _limit(index, workload, refusal, match)
    elif match := _ACCOUNT.search(said):
        yield _account(index, workload, refusal, match[1])
    elif EXPIRED.search(said):
        return  # the webhook's certificate is to blame, and ``certificates`` says so
    elif silent := _silent_webhook(index, said):
        yield _of_the_webhook(workload, refusal, *silent)
    else:
        yield from _other(index, workload, refusal, said)


def _other(index: ClusterIndex, workload: Workload, refusal: Refusal, said: str) -> Iterator[Finding]:
    """Names of classes that do not exist, fields that do not validate, and whatever else forbids."""
    for pattern, field in ((_PRIORITY, "priorityClassName"), (_RUNTIME_CLASS, "runtimeClassName")):
        if match := pattern.search(said):
            name = next(group for group in match.groups() if group)
            why = f"the class {name} does not exist"
            yield _finding(workload, refusal, FaultKind.INVALID_CONFIG, f"{workload.field}.{field}", name, "", why)
            return
    if match := _INVALID.search(said):
        why = f"the field {match[1]} is invalid"
        yield _finding(workload, refusal, FaultKind.INVALID_CONFIG, match[1], match[1], "", why)
    elif _DENIED.search(said):
        yield _denied(index, workload, refusal, said)


def _denied(index: ClusterIndex, workload: Workload, refusal: Refusal, said: str) -> Finding:
    """A policy's refusal, with the policy and the namespace's level as far as they can be seen."""
    match = _DENIED.search(said)
    named = next((group for group in match.groups() if group), match[0]) if match else said[:80]
    why = f"{named} refuses them"
    finding = _finding(workload, refusal, FaultKind.ADMISSION_DENIED, workload.field, named, "", why)
    space = index.get("Namespace", "", workload.ref.namespace)
    levels = {key: value for key, value in labels_of(space).items() if key.startswith(_LEVEL)}
    shown = [seen_field(ObjectRef.of(space), "metadata.labels", levels)] if space and levels else []
    policies = [one for one in index.of_kinds(_POLICIES) if re.search(rf"\b{re.escape(_name(one))}\b", said)]
    shown += [seen_field(ObjectRef.of(one), "metadata.name", _name(one)) for one in policies[:3]]
    return finding.model_copy(update={"evidence": (*finding.evidence, *shown)})


def _name(thing: KubernetesObject) -> str:
    return text(thing, "metadata", "name")


def _unset(workload: Workload, refusal: Refusal, match: re.Match[str]) -> Finding:
    """A quota that bounds a resource wants it said for every container; a quite new one has not counted yet."""
    field, what = f"{workload.field}.containers[0].resources", (match[2] or match[1])[:200]
    why = (
        f"quota {match[1]} wants {what} to be set" if match.re is _QUOTA_UNSET else f"quota {match[1]} has not counted"
    )
    return _finding(workload, refusal, FaultKind.QUOTA_EXCEEDED, field, what, "", why)


def _silent_webhook(index: ClusterIndex, said: str) -> tuple[ObjectRef, Workload] | None:
    """The Service and the workload behind a webhook that cannot be called, where that workload has no ready pod.

    With ``failurePolicy: Fail`` a webhook that does not answer refuses everything
    (…/reference/access-authn-authz/extensible-admission-controllers/#failure-policy).
    """
    called = _CALLED.search(said)
    service = index.get("Service", called[2], called[1]) if called else None
    behind = selected_workloads(index, service) if service is not None else ()
    dead = [one for one in behind if not any(pod.ready for pod in one.pods)]
    return (ObjectRef.of(service), dead[0]) if service is not None and dead and len(dead) == len(behind) else None


def _of_the_webhook(workload: Workload, refusal: Refusal, service: ObjectRef, server: Workload) -> Finding:
    """The webhook's own workload is to blame: scaled to 0, or ill; in the latter case its own fault is the cause."""
    none = number(server.thing, "spec", "replicas") == 0
    field = "spec.replicas" if none else ""
    said = "is scaled to 0" if none else "has no ready pod"
    return Finding(
        kind=FaultKind.ZERO_REPLICAS if none else FaultKind.ADMISSION_DENIED,
        object=server.ref if none else workload.ref,
        field=field if none else workload.field,
        observed="0" if none else service.name,
        expected="",
        message=f"The pods of {workload.ref.name} are refused: their webhook's {server.ref.name} {said}.",
        directness="stated",
        evidence=(refusal.evidence, seen_field(server.ref, "spec.replicas", server.replicas)),
        since=refusal.since,
        hurts=(workload.ref, service) if none else (server.ref, service),
    )


def _quota(index: ClusterIndex, workload: Workload, refusal: Refusal, quota: str, asked: str, limited: str) -> Finding:
    """``used + requested`` may not exceed ``hard`` for any resource of the quota."""
    resource = asked.split("=")[0].strip()
    field, value = _demand(workload, resource)
    thing = index.get("ResourceQuota", workload.ref.namespace, quota)
    extra = [seen_field(ObjectRef.of(thing), "spec.hard", thing.get("spec", {}).get("hard"))] if thing else []
    finding = _finding(
        workload,
        refusal,
        FaultKind.QUOTA_EXCEEDED,
        field,
        asked,
        "",
        f"quota {quota} allows {limited} in all, and they ask for {asked} more",
    )
    ref = ObjectRef(kind="ResourceQuota", namespace=workload.ref.namespace, name=quota)
    shown = [seen_field(workload.ref, field, value)] if value else []
    return finding.model_copy(update={"evidence": (*finding.evidence, *shown, *extra), "hurts": (ref,)})


def _demand(workload: Workload, resource: str) -> tuple[str, str]:
    """The field that asks for the resource: the largest request or limit, or the number of replicas for ``pods``."""
    if resource in ("pods", "count/pods"):
        return "spec.replicas", str(workload.replicas)
    group, _, name = (
        resource.partition(".") if resource.startswith(("requests.", "limits.")) else ("requests", "", resource)
    )
    found = [
        (quantity(text(container, "resources", group, name)) or 0.0, place)
        for place, container in enumerate(mappings(workload.spec, "containers"))
        if text(container, "resources", group, name)
    ]
    if not found:
        return f"{workload.field}.containers[0].resources", ""
    place = max(found)[1]
    container = mappings(workload.spec, "containers")[place]
    return step(f"{workload.field}.containers[{place}].resources.{group}", name), text(
        container, "resources", group, name
    )


def _limit(index: ClusterIndex, workload: Workload, refusal: Refusal, match: re.Match[str]) -> Finding:
    """A LimitRange bounds each container (or pod) from above, from below, and in limit per request."""
    ranges = index.of_kind("LimitRange", workload.ref.namespace)
    bounds = tuple(seen_field(ObjectRef.of(one), "spec.limits", dig(one, "spec", "limits")) for one in ranges[:3])
    if match[12]:
        observed, bound, resource, group = match[15] or "", match[14], match[12], "limits"
    elif match[7]:
        observed, bound, resource, group = "", match[10], match[8], f"{match[11]}s"
    else:
        observed, bound, resource, group = match[6], match[4], match[2], f"{match[5]}s"
    size = quantity(observed)
    place = next(
        (
            n
            for n, c in enumerate(mappings(workload.spec, "containers"))
            if size is not None and quantity(text(c, "resources", group, resource)) == size
        ),
        0,
    )
    field = step(f"{workload.field}.containers[{place}].resources.{group}", resource)
    written = text(workload.spec, "containers", place, "resources", group, resource)
    finding = _finding(
        workload,
        refusal,
        FaultKind.LIMIT_RANGE_VIOLATION,
        field,
        written or observed or match[0],
        bound,
        f"the namespace's limit range allows {bound} of {resource}",
    )
    shown = (seen_field(workload.ref, field, written),) if written else ()
    return finding.model_copy(update={"evidence": (*finding.evidence, *shown, *bounds)})


def _account(index: ClusterIndex, workload: Workload, refusal: Refusal, name: str) -> Finding:
    """The ServiceAccount must exist before the pod (https://kubernetes.io/docs/concepts/security/service-accounts/)."""
    known = [text(thing, "metadata", "name") for thing in index.of_kind("ServiceAccount", workload.ref.namespace)]
    field = f"{workload.field}.serviceAccountName"
    finding = _finding(
        workload,
        refusal,
        FaultKind.MISSING_SERVICE_ACCOUNT,
        field,
        name,
        nearest(name, known),
        f"service account {name} does not exist",
    )
    account = ObjectRef(kind="ServiceAccount", namespace=workload.ref.namespace, name=name)
    evidence = (*finding.evidence, seen_field(workload.ref, field, name))
    return finding.model_copy(update={"evidence": evidence, "hurts": (account,)})


def _finding(
    workload: Workload, refusal: Refusal, kind: FaultKind, field: str, observed: str, expected: str, why: str
) -> Finding:
    return Finding(
        kind=kind,
        object=workload.ref,
        field=field,
        observed=observed,
        expected=expected,
        message=f"The pods of {workload.ref.name} are refused: {why}.",
        directness="stated",
        evidence=(refusal.evidence,),
        since=refusal.since,
    )

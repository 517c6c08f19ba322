"""Mounts that fail: a claim that does not exist, a volume that another node holds, a host path of another type.

The kubelet and the attach/detach controller say so in events of the pod, which stays in ContainerCreating
(https://kubernetes.io/docs/concepts/storage/volumes/).
"""

import re
from collections.abc import Iterator
from datetime import datetime

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import condition, mappings, text, texts
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.sightings import seen_event, seen_field
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_NO_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
_DENIED = re.compile(r"access denied by server|permission denied|mount error\(13\)", re.IGNORECASE)
_MULTI_ATTACH = re.compile(r"Multi-Attach error for volume|ReadWriteOncePod access mode")


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge the volumes of every pod that does not start."""
    for pod in index.current_pods:
        if not pod.ready and not pod.ended:
            for event in index.events_of(pod.ref):
                yield from _mount(index, pod.workload, pod.template, pod.field, event)
            said = text(condition(pod.thing, "PodScheduled"), "message")
            if match := _NO_CLAIM.search(said):
                shown = Evidence.seen("object", pod.ref, "status.conditions[PodScheduled].message", said)
                yield _no_claim(index, pod.workload, pod.template, pod.field, match[1], shown, pod.created)


def _mount(
    index: ClusterIndex, workload: ObjectRef, spec: dict[str, object], field: str, event: Event
) -> Iterator[Finding]:
    if match := _NO_CLAIM.search(event.message):
        yield _no_claim(index, workload, spec, field, match[1], seen_event(event), event.first)
    elif _MULTI_ATTACH.search(event.message):
        claims = [text(volume, "persistentVolumeClaim", "claimName") for volume in mappings(spec, "volumes")]
        name = next((claim for claim in claims if claim), "")
        ref = ObjectRef(kind="PersistentVolumeClaim", namespace=workload.namespace, name=name)
        modes = texts(index.find(ref), "spec", "accessModes")
        finding = _volume_finding(
            FaultKind.PVC_ACCESS_MODE_MISMATCH,
            ref,
            "spec.accessModes",
            ", ".join(modes),
            "ReadWriteMany",
            event,
            f"The claim {name} is wanted on two nodes at once, which its access mode forbids",
        )
        yield finding.model_copy(
            update={"hurts": (workload,), "evidence": (*finding.evidence, seen_field(ref, "spec.accessModes", modes))}
        )
    elif event.reason == "FailedMount" and (denied := _DENIED.search(event.message)):
        volume = next((one for one in mappings(spec, "volumes") if f'"{text(one, "name")}"' in event.message), {})
        place = mappings(spec, "volumes").index(volume) if volume else 0
        finding = _volume_finding(
            FaultKind.VOLUME_PERMISSION_DENIED,
            workload,
            f"{field}.volumes[{place}]",
            denied[0],
            "",
            event,
            f"{workload.name} may not mount a volume",
        )
        shown = seen_field(workload, f"{field}.volumes[{place}]", volume)
        yield finding.model_copy(update={"evidence": (*finding.evidence, shown)})
    elif event.reason == "FailedMount" and "hostPath type check failed" in event.message:
        yield _volume_finding(
            FaultKind.INVALID_CONFIG,
            workload,
            f"{field}.volumes",
            "hostPath type check failed",
            "",
            event,
            f"A hostPath of {workload.name} is not there or of another type",
        )


def _no_claim(
    index: ClusterIndex,
    workload: ObjectRef,
    spec: dict[str, object],
    field: str,
    name: str,
    shown: Evidence,
    since: datetime | None,
) -> Finding:
    """A volume of a claim that nobody made, with the claim of nearly that name."""
    known = [ObjectRef.of(claim).name for claim in index.of_kind("PersistentVolumeClaim", workload.namespace)]
    volumes = enumerate(mappings(spec, "volumes"))
    place = next((n for n, one in volumes if text(one, "persistentVolumeClaim", "claimName") == name), 0)
    path = f"{field}.volumes[{place}].persistentVolumeClaim.claimName"
    return Finding(
        kind=FaultKind.INVALID_CONFIG,
        object=workload,
        field=path,
        observed=name,
        expected=nearest(name, known),
        message=f"{workload.name} mounts the claim {name}, which does not exist.",
        directness="stated",
        evidence=(shown, seen_field(workload, path, name)),
        since=since,
    )


def _volume_finding(
    kind: FaultKind, ref: ObjectRef, field: str, observed: str, expected: str, event: Event, message: str
) -> Finding:
    since: datetime | None = event.first
    return Finding(
        kind=kind,
        object=ref,
        field=field,
        observed=observed,
        expected=expected,
        message=f"{message}.",
        directness="stated",
        evidence=(seen_event(event),),
        since=since,
    )

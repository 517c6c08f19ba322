"""Volumes: claims that do not bind, mounts that fail, files that may not be written, disks that are full.

Static binding needs the class, a capacity at least as large, all access modes, the volume mode, and the labels of the
claim's selector (https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding).
"""

import re
from collections.abc import Iterator
from datetime import datetime

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import dig, labels_of, mapping, mappings, quantity, text, texts, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.selectors import matches_selector
from sre_bot.detectors.sightings import seen_event, seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_CLASS_MISSING = re.compile(r'storageclass(?:\.storage\.k8s\.io)? "([^"]+)" not found')
_NO_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
_MULTI_ATTACH = re.compile(r"Multi-Attach error for volume|ReadWriteOncePod access mode")
_DISK_FULL = re.compile(r"no space left on device", re.IGNORECASE)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every claim that is not bound, then the volumes of every pod that does not start."""
    for claim in index.of_kind("PersistentVolumeClaim"):
        if text(claim, "status", "phase") in ("Pending", "Lost", ""):
            yield from _claim(index, claim)
    for pod in index.current_pods:
        if not pod.ready and not pod.ended:
            for event in index.events_of(pod.ref):
                yield from _mount(index, pod.workload, pod.template, pod.field, event)


def _claim(index: ClusterIndex, claim: KubernetesObject) -> Iterator[Finding]:
    events = [
        event
        for event in index.events_of(claim)
        if event.reason not in ("WaitForFirstConsumer", "ProvisioningSucceeded")
    ]
    evidence = tuple(seen_event(event) for event in events[-2:])
    wanted = text(claim, "spec", "storageClassName")
    stated = next((match[1] for event in reversed(events) if (match := _CLASS_MISSING.search(event.message))), "")
    if stated or (wanted and _class_is_absent(index, wanted) and not _static(index, claim)):
        yield _missing_class(index, claim, stated or wanted, evidence)
        return
    if any(event.reason == "WaitForPodScheduled" for event in events) and len(events) == 1:
        return
    yield from _static_binding(index, claim, evidence, events)


def _class_is_absent(index: ClusterIndex, name: str) -> bool:
    return bool(index.of_kind("StorageClass")) and index.get("StorageClass", "", name) is None


def _static(index: ClusterIndex, claim: KubernetesObject) -> list[KubernetesObject]:
    """The volumes of the claim's class, and the one that it names."""
    wanted, named = text(claim, "spec", "storageClassName"), text(claim, "spec", "volumeName")
    return [
        volume
        for volume in index.of_kind("PersistentVolume")
        if text(volume, "spec", "storageClassName") == wanted or ObjectRef.of(volume).name == named
    ]


def _missing_class(index: ClusterIndex, claim: KubernetesObject, name: str, evidence: tuple[Evidence, ...]) -> Finding:
    known = [text(thing, "metadata", "name") for thing in index.of_kind("StorageClass")]
    ref = ObjectRef.of(claim)
    return _finding(
        index,
        claim,
        FaultKind.STORAGE_CLASS_MISSING,
        "spec.storageClassName",
        name,
        nearest(name, known) or (known[0] if len(known) == 1 else ""),
        f"The claim {ref.name} asks for storage class {name}, which does not exist",
        evidence,
    )


def _static_binding(
    index: ClusterIndex, claim: KubernetesObject, evidence: tuple[Evidence, ...], events: list[Event]
) -> Iterator[Finding]:
    """Of the volumes that could be meant, the one that fails the fewest conditions; its first failure is the cause."""
    if _is_dynamic(index, claim):
        return
    judged = sorted(
        (
            (len(failures), str(ObjectRef.of(volume)), failures, volume)
            for volume in _candidates(index, claim)
            if (failures := _failures(claim, volume))
        ),
        key=lambda entry: entry[:2],
    )
    for _, _, failures, volume in judged[:1]:
        kind, field, observed, expected, why = failures[0]
        ref = ObjectRef.of(volume)
        path = {"spec.resources.requests.storage": "spec.capacity.storage", "spec.selector": "metadata.labels"}.get(
            field, field
        )
        seen = (
            *evidence,
            seen_field(ref, path, labels_of(volume) if path == "metadata.labels" else dig(volume, *path.split("."))),
        )
        yield _finding(
            index,
            claim,
            kind,
            field,
            observed,
            expected,
            f"The claim {ObjectRef.of(claim).name} does not bind to volume {ref.name}: {why}",
            seen,
        )


def _is_dynamic(index: ClusterIndex, claim: KubernetesObject) -> bool:
    storage = index.get("StorageClass", "", text(claim, "spec", "storageClassName"))
    provisioner = text(storage, "provisioner")
    return bool(provisioner) and "no-provisioner" not in provisioner and not text(claim, "spec", "volumeName")


def _candidates(index: ClusterIndex, claim: KubernetesObject) -> list[KubernetesObject]:
    named = text(claim, "spec", "volumeName")
    volumes = index.of_kind("PersistentVolume")
    chosen = [volume for volume in volumes if ObjectRef.of(volume).name == named] if named else list(volumes)
    same_class = [
        volume
        for volume in chosen
        if text(volume, "spec", "storageClassName") == text(claim, "spec", "storageClassName")
    ]
    return same_class or (chosen if named else [])


Failure = tuple[FaultKind, str, str, str, str]


def _failures(claim: KubernetesObject, volume: KubernetesObject) -> list[Failure]:
    """Everything that keeps a claim from a volume, the most specific first."""
    found: list[Failure] = []
    owner = mapping(volume, "spec", "claimRef")
    ref = ObjectRef.of(claim)
    if owner and (text(owner, "namespace"), text(owner, "name")) != (ref.namespace, ref.name):
        said = f"{text(owner, 'namespace')}/{text(owner, 'name')}"
        found.append(
            (FaultKind.PV_ALREADY_BOUND, "spec.volumeName", ObjectRef.of(volume).name, "", f"it belongs to {said}")
        )
    asked, has = text(claim, "spec", "resources", "requests", "storage"), text(volume, "spec", "capacity", "storage")
    if (quantity(asked) or 0) > (quantity(has) or 0):
        found.append(
            (
                FaultKind.PVC_CAPACITY_MISMATCH,
                "spec.resources.requests.storage",
                asked,
                has,
                f"{asked} is asked, {has} is there",
            )
        )
    modes, offered = texts(claim, "spec", "accessModes"), texts(volume, "spec", "accessModes")
    if not set(modes) <= set(offered):
        found.append(
            (
                FaultKind.PVC_ACCESS_MODE_MISMATCH,
                "spec.accessModes",
                ", ".join(modes),
                ", ".join(offered),
                f"{', '.join(modes)} is asked, {', '.join(offered)} is offered",
            )
        )
    selector = mapping(claim, "spec", "selector")
    if selector and not matches_selector(selector, labels_of(volume)):
        shown = ", ".join(f"{key}: {value}" for key, value in sorted(mapping(selector, "matchLabels").items()))
        found.append((FaultKind.PVC_SELECTOR_MISMATCH, "spec.selector", shown, "", "its labels are others"))
    return found


def _finding(
    index: ClusterIndex,
    claim: KubernetesObject,
    kind: FaultKind,
    field: str,
    observed: str,
    expected: str,
    message: str,
    evidence: tuple[Evidence, ...],
) -> Finding:
    ref = ObjectRef.of(claim)
    value = dig(claim, *field.split("."))
    return Finding(
        kind=kind,
        object=ref,
        field=field,
        observed=observed,
        expected=expected,
        message=f"{message}.",
        directness="stated" if evidence and evidence[0].source == "event" else "inferred",
        evidence=(seen_field(ref, field, value), *evidence),
        since=when(dig(claim, "metadata", "creationTimestamp")),
        hurts=users_of(index, ref),
    )


def users_of(index: ClusterIndex, claim: ObjectRef) -> tuple[ObjectRef, ...]:
    """The workloads that mount a claim, those of a StatefulSet's own template included."""
    found = {
        workload.ref
        for workload in index.workloads_in(claim.namespace)
        if any(
            text(volume, "persistentVolumeClaim", "claimName") == claim.name
            for spec in (workload.spec, *(pod.spec for pod in workload.pods))
            for volume in mappings(spec, "volumes")
        )
    }
    return tuple(sorted(found, key=str))


def _mount(
    index: ClusterIndex, workload: ObjectRef, spec: dict[str, object], field: str, event: Event
) -> Iterator[Finding]:
    if match := _NO_CLAIM.search(event.message):
        known = [ObjectRef.of(claim).name for claim in index.of_kind("PersistentVolumeClaim", workload.namespace)]
        place = next(
            (
                n
                for n, volume in enumerate(mappings(spec, "volumes"))
                if text(volume, "persistentVolumeClaim", "claimName") == match[1]
            ),
            0,
        )
        path = f"{field}.volumes[{place}].persistentVolumeClaim.claimName"
        yield _volume_finding(
            FaultKind.INVALID_CONFIG,
            workload,
            path,
            match[1],
            nearest(match[1], known),
            event,
            f"{workload.name} mounts the claim {match[1]}, which does not exist",
        )
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

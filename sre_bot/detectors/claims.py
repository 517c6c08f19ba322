"""Claims that do not bind, and the reason: class, capacity, access and volume mode, labels, another owner.

Static binding needs the class, a capacity at least as large, all access modes, the volume mode, and the labels of the
claim's selector (https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding).
"""

import re
from collections.abc import Iterator

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import dig, labels_of, mapping, mappings, quantity, text, texts, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.selectors import matches_selector
from sre_bot.detectors.sightings import seen_event, seen_field, seen_in
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_CLASS_MISSING = re.compile(r'storageclass(?:\.storage\.k8s\.io)? "([^"]+)" not found')
_MISMATCHES = (
    (re.compile(r"requested PV is too small|OutOfRange|volume size|capacity (?:is )?(?:too|out of)", re.I), "storage"),
    (re.compile(r"incompatible accessMode|AccessModes?\b|access mode|MULTI_NODE|multi.?writer", re.I), "accessModes"),
    (re.compile(r"incompatible volumeMode|block (?:access|volume)\S{0,100} .{0,300}not supported", re.I), "volumeMode"),
)
"""What the volume controller and the drivers' provisioners say of a claim that a volume, or the driver, cannot meet."""
_TAKEN = re.compile(r'volume "([^"]+)" already bound to a different claim')
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every claim that is not bound."""
    for claim in index.of_kind("PersistentVolumeClaim"):
        if text(claim, "status", "phase") in ("Pending", "Lost", ""):
            yield from _claim(index, claim)


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
    binding = tuple(_static_binding(index, claim, evidence))
    yield from binding or _by_words(index, claim, evidence, events) or _without_class(index, claim, evidence, events)


def _by_words(
    index: ClusterIndex, claim: KubernetesObject, evidence: tuple[Evidence, ...], events: list[Event]
) -> tuple[Finding, ...]:
    """The reason that a controller gives, where the volume itself is hidden or is the driver's to make."""
    ref = ObjectRef.of(claim)
    for event in reversed(events):
        if taken := _TAKEN.search(event.message):
            said = f"The claim {ref.name} wants the volume {taken[1]}, which belongs to another claim"
            shown = (seen_event(event), *_released(index, taken[1]))
            return (_finding(index, claim, FaultKind.PV_ALREADY_BOUND, "spec.volumeName", taken[1], "", said, shown),)
        if event.reason in ("VolumeMismatch", "ProvisioningFailed"):
            found = next((part for pattern, part in _MISMATCHES if pattern.search(event.message)), "")
            if found:
                return (_mismatch(index, claim, found, event),)
    return ()


def _released(index: ClusterIndex, name: str) -> tuple[Evidence, ...]:
    """That a volume still belongs to a claim which is deleted, though its data is kept (``Released``)."""
    volume = index.find(ObjectRef(kind="PersistentVolume", namespace="", name=name))
    released = volume is not None and text(volume, "status", "phase") == "Released"
    return (seen_in(volume, "status.phase"),) if volume is not None and released else ()


def _mismatch(index: ClusterIndex, claim: KubernetesObject, part: str, event: Event) -> Finding:
    kind = FaultKind.PVC_CAPACITY_MISMATCH if part == "storage" else FaultKind.PVC_ACCESS_MODE_MISMATCH
    field = "spec.resources.requests.storage" if part == "storage" else f"spec.{part}"
    asked = dig(claim, *field.split("."))
    observed = str(asked[0]) if isinstance(asked, list) and asked else str(asked or "")
    said = f"The claim {ObjectRef.of(claim).name} cannot be met: {event.message[:200]}"
    return _finding(index, claim, kind, field, observed, "", said, (seen_event(event),))


def _without_class(
    index: ClusterIndex, claim: KubernetesObject, evidence: tuple[Evidence, ...], events: list[Event]
) -> tuple[Finding, ...]:
    """A claim that names no class gets the default one; where there is none, nobody makes a volume for it.

    https://kubernetes.io/docs/concepts/storage/persistent-volumes/#class-1
    """
    classes = index.of_kind("StorageClass")
    told = any("no storage class is set" in event.message for event in events)
    unset = "storageClassName" not in mapping(claim, "spec") and not text(claim, "spec", "volumeName")
    annotated = any(text(one, "metadata", "annotations", _DEFAULT_CLASS) == "true" for one in classes)
    if not unset or not told or annotated:
        return ()
    said = f"The claim {ObjectRef.of(claim).name} names no storage class, and none is the default"
    known = ObjectRef.of(classes[0]).name if len(classes) == 1 else ""
    field, observed = "spec.storageClassName", "no storage class is set"
    return (_finding(index, claim, FaultKind.STORAGE_CLASS_MISSING, field, observed, known, said, evidence),)


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


def _static_binding(index: ClusterIndex, claim: KubernetesObject, evidence: tuple[Evidence, ...]) -> Iterator[Finding]:
    """Of the volumes that could be meant, the one that fails the fewest conditions; its first failure is the cause.

    A volume that another claim uses rightly comes last: nobody wants it where another one is free.
    """
    if _is_dynamic(index, claim):
        return
    judged = sorted(
        (
            (_in_use(index, volume), len(failures), str(ObjectRef.of(volume)), failures, volume)
            for volume in _candidates(index, claim)
            if (failures := _failures(claim, volume))
        ),
        key=lambda entry: entry[:3],
    )
    for _, _, _, failures, volume in judged[:1]:
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


def _in_use(index: ClusterIndex, volume: KubernetesObject) -> bool:
    """Whether a volume is bound and, as far as can be seen, to a claim that is there; a released one is not."""
    owner = mapping(volume, "spec", "claimRef")
    namespace, phase = text(owner, "namespace"), text(volume, "status", "phase")
    gone = index.could_read("PersistentVolumeClaim", namespace) and not index.get(
        "PersistentVolumeClaim", namespace, text(owner, "name")
    )
    return bool(owner) and phase == "Bound" and not gone


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
    mode, has_mode = (text(one, "spec", "volumeMode") or "Filesystem" for one in (claim, volume))
    if mode != has_mode:
        why = f"{mode} is asked, {has_mode} is offered"
        found.append((FaultKind.PVC_ACCESS_MODE_MISMATCH, "spec.volumeMode", mode, has_mode, why))
    selector = mapping(claim, "spec", "selector")
    if selector and not matches_selector(selector, labels_of(volume)):
        asked, borne = mapping(selector, "matchLabels"), labels_of(volume)
        missed = (f"{key}: {value}" for key, value in sorted(asked.items()) if borne.get(str(key)) != str(value))
        shown = next(missed, "")
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

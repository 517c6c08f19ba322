"""ConfigMaps, Secrets, keys and ServiceAccounts that a pod specification mentions and the namespace lacks.

A container does not start until they exist (https://kubernetes.io/docs/concepts/configuration/configmap/ and
…/secret/); optional references are exempt.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.calls import configurations
from sre_bot.detectors.configuration import Configuration, Reference, keys_of
from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import dig, mappings, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_event, seen_field, seen_waiting
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_OBJECT = re.compile(r'(configmap|secret) "([^"/]+)" not found')
_KEY = re.compile(r"couldn't find key (\S+) in (ConfigMap|Secret) [^\s/]+/(\S+)")
_VOLUME_KEY = re.compile(r"(?:configmap )?references non-existent (config|secret) key: (\S+)")
_KINDS = {"configmap": "ConfigMap", "secret": "Secret"}
_MISSING = {"ConfigMap": FaultKind.MISSING_CONFIG_MAP, "Secret": FaultKind.MISSING_SECRET}


class Complaint(NamedTuple):
    """What the kubelet says of a pod that does not start."""

    message: str
    evidence: Evidence
    since: datetime | None


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge the references of every workload that has a pod which does not start, or has no pod at all."""
    for workload in index.workloads:
        configuration = index.once(configurations)[workload.ref]
        stated = tuple(_complaints(index, workload))
        for reference in configuration.references:
            yield from _reference(index, workload, configuration, reference, stated)
        if any(not pod.ready and not pod.ended for pod in workload.pods):
            yield from _sub_paths(index, workload)


def _sub_paths(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    """A ``subPath`` that is no key of the mounted object: the kubelet makes an empty folder of that name instead.

    https://kubernetes.io/docs/concepts/storage/volumes/#using-subpath
    """
    volumes = {text(one, "name"): one for one in mappings(workload.spec, "volumes")}
    for group in ("initContainers", "containers"):
        for position, container in enumerate(mappings(workload.spec, group)):
            for place, mount in enumerate(mappings(container, "volumeMounts")):
                wanted, volume = text(mount, "subPath"), volumes.get(text(mount, "name"), {})
                field = f"{workload.field}.{group}[{position}].volumeMounts[{place}].subPath"
                for kind, word, naming in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
                    name, whole = text(volume, word, naming), not dig(volume, word, "items")
                    thing = index.get(kind, workload.ref.namespace, name) if name and wanted and whole else None
                    if thing is not None and wanted.split("/")[0] not in keys_of(thing):
                        reference = Reference(kind, name, wanted, field, text(container, "name"), optional=False)
                        yield _missing_key(index, workload, reference, ())


def _complaints(index: ClusterIndex, workload: Workload) -> Iterator[Complaint]:
    """What the kubelet says of the pods that do not start: waiting messages and FailedMount or Failed events."""
    for pod in workload.pods:
        if pod.ready:
            continue
        for container in pod.containers:
            if container.waiting == "CreateContainerConfigError" and container.waiting_message:
                yield Complaint(container.waiting_message, seen_waiting(container), pod.created)
        for event in index.events_of(pod.ref):
            if event.reason in ("FailedMount", "Failed") and _is_about_references(event):
                yield Complaint(event.message, seen_event(event), event.first)


def _is_about_references(event: Event) -> bool:
    return any(pattern.search(event.message) for pattern in (_OBJECT, _KEY, _VOLUME_KEY))


def _reference(
    index: ClusterIndex,
    workload: Workload,
    configuration: Configuration,
    reference: Reference,
    stated: tuple[Complaint, ...],
) -> Iterator[Finding]:
    if reference.optional or not reference.name:
        return
    thing = index.get(reference.kind, workload.ref.namespace, reference.name)
    told = tuple(one for one in stated if _tells(one.message, reference))
    missing_key = bool(reference.key) and thing is not None and reference.key not in keys_of(thing)
    if not told and not _would_hurt(index, workload, reference, missing=thing is None or missing_key):
        return
    if missing_key or (told and reference.key and any(reference.key in one.message for one in told)):
        yield _missing_key(index, workload, reference, told)
    elif thing is None:
        yield _missing_object(index, workload, reference, told)


def _would_hurt(index: ClusterIndex, workload: Workload, reference: Reference, *, missing: bool) -> bool:
    """Whether an absence that nobody complains of counts: readable, and a pod of the workload is not ready."""
    unready = any(not pod.ready and not pod.ended and any(c.waiting for c in pod.containers) for pod in workload.pods)
    return missing and unready and index.could_read(reference.kind, workload.ref.namespace)


def _tells(message: str, reference: Reference) -> bool:
    if match := _OBJECT.search(message):
        return (_KINDS[match[1]], match[2]) == (reference.kind, reference.name)
    if match := _KEY.search(message):
        return (match[2], match[3], match[1]) == (reference.kind, reference.name, reference.key)
    match = _VOLUME_KEY.search(message)
    return match is not None and bool(reference.volume) and match[2] == reference.key


def _missing_object(
    index: ClusterIndex, workload: Workload, reference: Reference, told: tuple[Complaint, ...]
) -> Finding:
    known = [text(thing, "metadata", "name") for thing in index.of_kind(reference.kind, workload.ref.namespace)]
    close = nearest(reference.name, known)
    field = reference.field if reference.field.endswith(("name", "secretName")) else f"{reference.field}.name"
    return Finding(
        kind=_MISSING[reference.kind],
        object=workload.ref,
        field=field,
        observed=reference.name,
        expected=close,
        message=f"{workload.ref.name} needs {reference.kind} {reference.name}, which does not exist in "
        f"{workload.ref.namespace}" + (f"; {close} does." if close else "."),
        directness="stated" if told else "inferred",
        evidence=(
            *(one.evidence for one in told[:3]),
            seen_field(workload.ref, field, reference.name),
            *_candidate(index, workload, reference, close),
        ),
        since=earliest(*(one.since for one in told)) or _first_pod(workload),
        container=reference.container,
        hurts=(ObjectRef(kind=reference.kind, namespace=workload.ref.namespace, name=reference.name),),
    )


def _candidate(index: ClusterIndex, workload: Workload, reference: Reference, close: str) -> tuple[Evidence, ...]:
    thing = index.get(reference.kind, workload.ref.namespace, close) if close else None
    return (seen_field(ObjectRef.of(thing), "metadata.name", close),) if thing else ()


def _missing_key(index: ClusterIndex, workload: Workload, reference: Reference, told: tuple[Complaint, ...]) -> Finding:
    holder = ObjectRef(kind=reference.kind, namespace=workload.ref.namespace, name=reference.name)
    known = keys_of(index.find(holder) or {})
    close = nearest(reference.key, known, 0.5) or (known[0] if len(known) == 1 else "")
    field = reference.field if reference.field.endswith(("key", "subPath")) else f"{reference.field}.key"
    return Finding(
        kind=FaultKind.MISSING_KEY,
        object=workload.ref,
        field=field,
        observed=reference.key,
        expected=close,
        message=f"{workload.ref.name} reads {reference.key} of {reference.kind} {reference.name}, which has no such key"
        + (f"; it has {close}." if close else "."),
        directness="stated" if told else "inferred",
        evidence=(
            *(one.evidence for one in told[:3]),
            seen_field(workload.ref, field, reference.key),
            seen_field(holder, "data", sorted(known)),
        ),
        since=earliest(*(one.since for one in told)) or _first_pod(workload),
        container=reference.container,
        hurts=(holder,),
    )


def _first_pod(workload: Workload) -> datetime | None:
    return earliest(*(pod.created for pod in workload.pods if not pod.ready))

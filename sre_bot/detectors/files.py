"""Files that a process may not read or write, and disks that are full, as logs and evictions tell.

A volume belongs to root unless ``fsGroup`` says otherwise; ``readOnly`` mounts, read-only root file systems and the
process's user decide the rest (https://kubernetes.io/docs/tasks/configure-pod-container/security-context/).
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.calls import clients
from sre_bot.detectors.configuration import keys_of
from sre_bot.detectors.fields import condition, dig, mapping, mappings, text, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import RECENT, earliest
from sre_bot.detectors.pods import Container, Pod
from sre_bot.detectors.sightings import seen_event, seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_REFUSED = re.compile(
    r"permission denied|EACCES|EPERM|operation not permitted|read-only file system|EROFS|not writable"
    r"|AccessDeniedException|UnauthorizedAccessException|Access to the path \S+ is denied",
    re.IGNORECASE,
)
_READ_ONLY = re.compile(r"read-only file system|EROFS", re.IGNORECASE)
_FULL = re.compile(
    r"no space left on device|ENOSPC|disk (?:is )?full|disk quota exceeded|OutOfDisk"
    r"|(?:not enough|insufficient|out of|low on) (?:free )?(?:disk|storage) space|flood.?stage|disk usage exceeded"
    r"|free disk space is (?:insufficient|low)|disk[_ ]free[_ ]limit|minimum free drive threshold",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"no such file or directory|FileNotFoundError|FileNotFoundException|NoSuchFileException|ENOENT", re.IGNORECASE
)
_REMEMBERED = timedelta(hours=3)
_PATH = re.compile(r"(?<![\w/.:])(/(?:[\w.@+-]+/?)+)")
_EVICTED = re.compile(
    r'Usage of EmptyDir volume "([^"]+)" exceeds the limit "([^"]+)"'
    r'|exceeded its local ephemeral storage limit "([^"]+)"'
    r"|ephemeral local storage usage exceeds the total limit of containers (\S+?)\.?(?:\s|$)"
    r"|low on resource: ephemeral-storage"
)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the logs of every workload for refused and failed writes, then the evictions for storage."""
    for lines in index.once(troubles).values():
        for one in lines:
            if said := _FULL.search(one.line.text):
                yield _full(index, one, said)
            elif _REFUSED.search(one.line.text):
                yield from _refused(one)
            elif one.fatal and _ABSENT.search(one.line.text):
                yield from _absent(index, one)
    for pod in index.pods:
        yield from _evicted(index, pod)


def _refused(one: Trouble) -> Iterator[Finding]:
    paths = _PATH.findall(one.line.text)
    mount, path = mount_of(one.container, paths)
    if mount is None:
        if (
            _READ_ONLY.search(one.line.text)
            and dig(one.container.spec, "securityContext", "readOnlyRootFilesystem") is True
        ):
            field = f"{one.container.field}.securityContext.readOnlyRootFilesystem"
            yield _finding(
                one,
                FaultKind.VOLUME_PERMISSION_DENIED,
                one.workload,
                field,
                path or "/",
                "",
                seen_field(one.workload, field, True),
            )
        return
    position = mappings(one.container.spec, "volumeMounts").index(mount)
    where = f"{one.container.field}.volumeMounts[{position}]"
    if mount.get("readOnly") is True:
        yield _finding(
            one,
            FaultKind.VOLUME_PERMISSION_DENIED,
            one.workload,
            f"{where}.readOnly",
            path,
            "",
            seen_field(one.workload, where, mount),
        )
        return
    field = f"{one.pod.field}.securityContext.fsGroup"
    context = {**mapping(one.pod.spec, "securityContext"), **mapping(one.container.spec, "securityContext")}
    yield _finding(
        one,
        FaultKind.VOLUME_PERMISSION_DENIED,
        one.workload,
        field,
        path,
        "",
        seen_field(one.workload, where, mount),
        seen_field(one.workload, f"{one.pod.field}.securityContext", context),
    )


def _absent(index: ClusterIndex, one: Trouble) -> Iterator[Finding]:
    """A file that a program wants: not in the ConfigMap that is mounted there, or mounted under nearly that folder."""
    for path in _PATH.findall(one.line.text):
        mount, _ = mount_of(one.container, [path])
        folder, _, name = path.rpartition("/")
        if mount is not None:
            yield from _key_for(index, one, mount, name)
            return
        places = {
            text(entry, "mountPath").rstrip("/"): n
            for n, entry in enumerate(mappings(one.container.spec, "volumeMounts"))
        }
        near = nearest(folder, tuple(places), 0.75)
        if near:
            field = f"{one.container.field}.volumeMounts[{places[near]}].mountPath"
            finding = _finding(
                one, FaultKind.INVALID_CONFIG, one.workload, field, near, folder, seen_field(one.workload, field, near)
            )
            yield finding.model_copy(
                update={"message": f"{one.workload.name} looks for {path}; its volume is mounted at {near}."}
            )
            return


def _key_for(index: ClusterIndex, one: Trouble, mount: dict[str, object], name: str) -> Iterator[Finding]:
    """A mounted ConfigMap or Secret shows each key as a file of that name (…/concepts/configuration/configmap/)."""
    for place, volume in enumerate(mappings(one.pod.spec, "volumes")):
        for kind, word, naming in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
            thing = index.get(kind, one.workload.namespace, text(volume, word, naming))
            if text(volume, "name") != text(mount, "name") or thing is None or mapping(volume, word).get("items"):
                continue
            keys = keys_of(thing)
            if name and name not in keys:
                field = f"{one.pod.field}.volumes[{place}].{word}.{naming}"
                holder = ObjectRef.of(thing)
                finding = _finding(
                    one,
                    FaultKind.MISSING_KEY,
                    one.workload,
                    field,
                    name,
                    nearest(name, keys, 0.5),
                    seen_field(holder, "data", sorted(keys)),
                    hurts=(holder,),
                )
                said = f"{one.workload.name} reads the file {name}, and {kind} {holder.name} has no such key."
                yield finding.model_copy(update={"message": said})


def mount_of(container: Container, paths: list[str]) -> tuple[dict[str, object] | None, str]:
    """The mount under which one of the paths lies, the deepest, with that path; else None with the first path."""
    mounts = sorted(mappings(container.spec, "volumeMounts"), key=lambda mount: -len(text(mount, "mountPath")))
    for path in paths:
        for mount in mounts:
            place = text(mount, "mountPath").rstrip("/")
            if place and (path.rstrip("/") == place or path.startswith(f"{place}/")):
                return mount, path
    return None, paths[0] if paths else ""


def _full(index: ClusterIndex, one: Trouble, said: re.Match[str]) -> Finding:
    """The volume of the path that the line names; else the only claim of the pod; else the container's own storage."""
    paths = _PATH.findall(one.line.text)
    mount, path = mount_of(one.container, paths)
    claim = claim_of(one.pod, text(mount, "name")) if mount else _only_claim(one.pod)
    if claim is not None:
        return _finding(
            one,
            FaultKind.DISK_FULL,
            claim,
            "spec.resources.requests.storage",
            path or said[0],
            "",
            hurts=tuple(sorted({one.workload, *index.once(clients).get(one.workload, ())}, key=str)),
        )
    volume = next(
        (v for v in mappings(one.pod.spec, "volumes") if mount and text(v, "name") == text(mount, "name")), {}
    )
    place = mappings(one.pod.spec, "volumes").index(volume) if volume else 0
    if "emptyDir" in volume:
        field = f"{one.pod.field}.volumes[{place}].emptyDir.sizeLimit"
        return _finding(
            one,
            FaultKind.DISK_FULL,
            one.workload,
            field,
            text(volume, "emptyDir", "sizeLimit") or path,
            "",
            seen_field(one.workload, f"{one.pod.field}.volumes[{place}]", volume),
        )
    field = f"{one.container.field}.resources.limits.ephemeral-storage"
    return _finding(one, FaultKind.DISK_FULL, one.workload, field, path or said[0], "")


def claim_of(pod: Pod, volume: str) -> ObjectRef | None:
    """The claim behind a volume of a pod; None where it is no claim."""
    for entry in mappings(pod.spec, "volumes"):
        name = text(entry, "persistentVolumeClaim", "claimName")
        if text(entry, "name") == volume and name:
            return ObjectRef(kind="PersistentVolumeClaim", namespace=pod.ref.namespace, name=name)
    return None


def _only_claim(pod: Pod) -> ObjectRef | None:
    claims = [ref for entry in mappings(pod.spec, "volumes") if (ref := claim_of(pod, text(entry, "name")))]
    return claims[0] if len(claims) == 1 else None


def _evicted(index: ClusterIndex, pod: Pod) -> Iterator[Finding]:
    """The kubelet evicts pods over ``ephemeral-storage`` or ``sizeLimit`` (…/concepts/storage/ephemeral-storage/)."""
    said = text(pod.thing, "status", "message")
    match = _EVICTED.search(said) if text(pod.thing, "status", "reason") == "Evicted" else None
    workload = index.workload_by_ref.get(pod.workload)
    lacks = workload is not None and not (workload.ready and len(workload.pods) >= workload.replicas > 0)
    node = index.get("Node", "", pod.node)
    if "low on resource" in said and condition(node, "DiskPressure").get("status") == "True":
        return  # the node's own disk, and the node's own fault
    if match is None or not (lacks or ((match[1] or match[3] or match[4]) and _recurs(index, pod))):
        return
    volume, limit = match[1], match[2] or match[3] or match[4] or "low on resource: ephemeral-storage"
    place = next((n for n, one in enumerate(mappings(pod.template, "volumes")) if text(one, "name") == volume), 0)
    field = f"{pod.field}.volumes[{place}].emptyDir.sizeLimit"
    if not volume:
        field = f"{pod.field}.containers[0].resources.limits.ephemeral-storage"
    events = tuple(seen_event(event) for event in index.events_of(pod.ref) if event.reason == "Evicted")
    yield Finding(
        kind=FaultKind.DISK_FULL,
        object=pod.workload,
        field=field,
        observed=limit,
        expected="",
        message=f"Pods of {pod.workload.name} are evicted for their use of local storage: {said[:200]}",
        directness="stated",
        evidence=(Evidence.seen("object", pod.ref, "status.message", said), *events[-1:]),
        since=when(dig(pod.thing, "status", "startTime")),
    )


def _recurs(index: ClusterIndex, pod: Pod) -> bool:
    """Whether a workload's pods are evicted lately, or again and again within hours, for a limit of their own."""
    ends = [
        container.ended_at
        for one in index.pods_by_workload.get(pod.workload, ())
        if text(one.thing, "status", "reason") == "Evicted"
        for container in one.containers
        if container.ended_at
    ]
    newest = max(ends, default=None)
    age = index.now - newest if newest else None
    return age is not None and (age <= RECENT or (len(ends) > 1 and age <= _REMEMBERED))


def _finding(
    one: Trouble,
    kind: FaultKind,
    ref: ObjectRef,
    field: str,
    observed: str,
    expected: str,
    *shown: Evidence,
    hurts: tuple[ObjectRef, ...] = (),
) -> Finding:
    place = f" at {observed}" if observed.startswith("/") else ""
    what = "has no space left" if kind == FaultKind.DISK_FULL else "may not use its files"
    return Finding(
        kind=kind,
        object=ref,
        field=field,
        observed=observed,
        expected=expected,
        message=f"{one.workload.name} {what}{place}: {one.line.text.strip()[:160]}",
        directness="inferred" if shown else "logged",
        evidence=(seen_line(one.line), *shown),
        since=earliest(one.line.first),
        container=one.container.name,
        hurts=hurts,
    )

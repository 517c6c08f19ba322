"""Commits that bring a fault without touching its field, and commits that touch its field and bring nothing.

Which commits can be guilty, by what is at fault:

====================================  ==============================================================================
what is at fault                      a commit can be guilty that …
====================================  ==============================================================================
a field of the object                 set that field, or what fills it: a patch, a chart's value, a generator
a reference                           removed, renamed or emptied what is referenced, alone or among many others
a comparison (ports, labels, room)    changed either side: Service and pods, policy and labels, quota and requests
a volume that was given away          had its claim deleted and made anew (Argo CD's ``Replace``, ``Force``)
room, a quota                         took twice as much of it for a neighbour, where no own change explains it
a disk that fills                     raised what is kept, or stopped who takes it away
a slow or lossy network               added the experiment, the delay or the bandwidth that is in force
an unreachable registry               named another registry; a new tag of the same one asks the same machine
code                                  changed a file of the trace, or a library that the trace names
====================================  ==============================================================================

None can be guilty that came after the onset, raised a limit, relabelled what no selector reads, or only restarted
pods so that an older change took effect: the older one explains field and value, and scores above it.
"""

import re
from collections.abc import Iterator

from sre_bot.detectors.fields import quantity, steps
from sre_bot.domain.finding import FaultKind, Finding
from sre_bot.reasoning.charges import Charge, involved, same_object
from sre_bot.reasoning.source import FieldChange

_CLAIMED = (FaultKind.PV_ALREADY_BOUND,)
_MADE_ANEW = re.compile(r"\b(?:Replace|Force)=true")
_KEPT_FOR_A_READER = re.compile(
    r"wal\b|pg_wal|pg_xlog|replication slot|bin-?log|relay-?log|oplog|queue|journal|commit.?log|segment", re.IGNORECASE
)
_SHORT: dict[FaultKind, tuple[str, ...]] = {
    FaultKind.INSUFFICIENT_CPU: ("cpu",),
    FaultKind.INSUFFICIENT_MEMORY: ("memory",),
    FaultKind.QUOTA_EXCEEDED: ("cpu", "memory"),
}
"""Kinds of which neighbours can be guilty, and what they take."""

_RUNS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")


def roundabout_charges(finding: Finding, change: FieldChange) -> Iterator[Charge]:
    """What speaks against one change although it set no field of the finding."""
    ref = change.object
    shown = f"{ref} {change.field}: {change.before} -> {change.after}"
    known = ref == finding.object or any(same_object(ref, one) for one in (finding.object, *involved(finding)))
    if known and _made_anew(finding, change):
        yield Charge(0.8, f"it has {ref.kind} {ref.name} deleted and made anew at each sync", change.path, shown)
    elif known and _stopped_a_reader(finding, change):
        yield Charge(0.7, f"it stopped {ref.name}, for which the data is kept", change.path, shown)
    elif known and _began_an_experiment(change):
        yield Charge(0.9, f"it started the experiment {ref.name}", change.path, shown)
    elif not same_object(ref, finding.object) and _took_the_room(finding, change):
        yield Charge(0.38, f"it gave {ref.name} far more of what is short", change.path, shown)


def _made_anew(finding: Finding, change: FieldChange) -> bool:
    """Whether an object is deleted and created instead of patched: a new claim does not get the old one's volume.

    https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/#replace-resource-instead-of-applying-changes
    """
    options = steps(change.field)[-1:] == ["argocd.argoproj.io/sync-options"]
    asks = bool(_MADE_ANEW.search(change.after or "")) and not _MADE_ANEW.search(change.before or "")
    return finding.kind in _CLAIMED and change.object.kind == "PersistentVolumeClaim" and options and asks


def _stopped_a_reader(finding: Finding, change: FieldChange) -> bool:
    """Whether a reader went for whom a full disk keeps what it has not read: a replication slot, a queue.

    https://www.postgresql.org/docs/current/warm-standby.html#STREAMING-REPLICATION-SLOTS: slots retain WAL until
    the consumer has received it, and can fill the space of ``pg_wal``.
    """
    if finding.kind != FaultKind.DISK_FULL or change.object.kind not in _RUNS or change.object == finding.object:
        return False
    kept = any(_KEPT_FOR_A_READER.search(piece.excerpt) for piece in finding.evidence)
    gone = not change.field and change.after is None
    emptied = change.field == "spec.replicas" and change.after == "0" and change.before != "0"
    return kept and (gone or emptied or (change.field == "spec.suspend" and change.after == "true"))


def _began_an_experiment(change: FieldChange) -> bool:
    """Whether fault injection was declared (Chaos Mesh names its kinds so: ``NetworkChaos``, ``StressChaos``)."""
    return change.object.kind.endswith("Chaos") and not change.field and change.before is None


def _took_the_room(finding: Finding, change: FieldChange) -> bool:
    """Whether a neighbour began to ask for twice as much or more of what is short; weaker than any change of its own.

    A quota is shared by a namespace (https://kubernetes.io/docs/concepts/policy/resource-quotas/), the room of the
    nodes by all of them; each node's room is what its pods' requests leave.
    """
    ref, parts = change.object, steps(change.field)
    resource = _SHORT.get(finding.kind)
    if resource is None or ref.kind not in _RUNS:
        return False
    if finding.kind == FaultKind.QUOTA_EXCEEDED and ref.namespace not in ("", finding.object.namespace):
        return False
    asks = "requests" in parts and parts[-1] in resource
    before, after = quantity(change.before or "0"), quantity(change.after or "0")
    return bool((asks or change.field == "spec.replicas") and after and before is not None and after >= 2 * before)


def acquitted(finding: Finding, change: FieldChange) -> bool:
    """Whether a change cannot have brought a fault although it set the very field that bears it."""
    if finding.kind != FaultKind.REGISTRY_UNREACHABLE or steps(change.field)[-1:] != ["image"]:
        return False
    return change.before is not None and change.after is not None and registry(change.before) == registry(change.after)


def registry(image: str) -> str:
    """The host that an image is pulled from (https://github.com/distribution/reference, ``ParseNormalizedNamed``)."""
    host, slash, _ = image.partition("/")
    return host if slash and (host == "localhost" or "." in host or ":" in host) else "docker.io"

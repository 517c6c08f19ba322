"""What speaks against one commit: its diff weighed against one finding, on the scale of ``suspects``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sre_bot.detectors.fields import quantity, steps
from sre_bot.detectors.pods import template_path
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import FaultKind, Finding
from sre_bot.reasoning.manifests import Difference
from sre_bot.reasoning.source import FieldChange
from sre_bot.reasoning.versions import Version, changed_lines

_POOL = re.compile(r"pool|max.?conn|connections?\b|max.?open|max.?idle|workers|threads|concurren", re.IGNORECASE)
_RETENTION = re.compile(
    r"retention|retain|keep|ttl|expire|max.?age|history|days|wal_|segments|log.?level", re.IGNORECASE
)
_PROBE = ("livenessProbe", "startupProbe", "readinessProbe", "ports", "image", "args", "command", "env", "data")
_PLACE = ("resources", "replicas", "nodeSelector", "affinity", "tolerations", "topologySpreadConstraints")
_BEARING: dict[FaultKind, tuple[str, ...]] = {
    FaultKind.OOM_KILLED: ("resources", "image", "args", "command", "env", "data"),
    FaultKind.MEMORY_LEAK: ("image", "args", "env", "data"),
    FaultKind.CODE_REGRESSION: ("image",),
    FaultKind.INVALID_CONFIG: ("data", "env", "args", "image"),
    FaultKind.INVALID_COMMAND: ("command", "args", "image"),
    FaultKind.INVALID_CREDENTIALS: ("env", "envFrom", "data", "stringData"),
    FaultKind.CONNECTION_EXHAUSTION: ("env", "data", "args", "replicas"),
    FaultKind.QUOTA_EXCEEDED: ("replicas", "resources", "hard"),
    FaultKind.LIMIT_RANGE_VIOLATION: ("resources", "limits"),
    FaultKind.INSUFFICIENT_CPU: _PLACE,
    FaultKind.INSUFFICIENT_MEMORY: _PLACE,
    FaultKind.POD_ANTI_AFFINITY_CONFLICT: _PLACE,
    FaultKind.TAINT_NOT_TOLERATED: _PLACE,
    FaultKind.ADMISSION_DENIED: (
        "securityContext",
        "hostPath",
        "hostNetwork",
        "privileged",
        "capabilities",
        "image",
        "annotations",
        "pod-security.kubernetes.io/enforce",
    ),
    FaultKind.VOLUME_PERMISSION_DENIED: ("securityContext", "volumeMounts", "volumes", "image"),
    FaultKind.IMAGE_PULL_DENIED: ("image", "imagePullSecrets"),
    FaultKind.PERMISSION_DENIED: ("rules", "subjects", "roleRef", "serviceAccountName"),
    FaultKind.LIVENESS_PROBE_PORT: _PROBE,
    FaultKind.LIVENESS_PROBE_PATH: _PROBE,
    FaultKind.LIVENESS_PROBE_PROTOCOL: _PROBE,
    FaultKind.LIVENESS_PROBE_TIMING: _PROBE,
    FaultKind.READINESS_PROBE_PORT: _PROBE,
    FaultKind.READINESS_PROBE_PATH: _PROBE,
    FaultKind.READINESS_PROBE_PROTOCOL: _PROBE,
    FaultKind.DNS_MISCONFIGURED: ("dnsPolicy", "dnsConfig", "hostAliases", "hostNetwork", "data"),
    FaultKind.PORT_CONFLICT: ("ports", "args", "env", "command"),
    FaultKind.HOST_PORT_CONFLICT: ("ports", "replicas", "hostNetwork", "strategy", "updateStrategy"),
    FaultKind.INIT_CONTAINER_FAILED: ("initContainers",),
    FaultKind.JOB_FAILED: ("backoffLimit", "activeDeadlineSeconds", "args", "command", "image", "env"),
    FaultKind.READ_ONLY_DATABASE: ("args", "command", "env", "data"),
    FaultKind.CPU_SATURATION: ("resources", "args", "env", "data", "image", "replicas", "maxReplicas"),
    FaultKind.NETWORK_DELAY: ("annotations", "dnsConfig"),
    FaultKind.DISK_FULL: ("storage", "sizeLimit", "ephemeral-storage", "args", "env", "data"),
    FaultKind.HPA_CANNOT_SCALE: ("resources", "metrics", "scaleTargetRef"),
    FaultKind.PDB_BLOCKS: ("minAvailable", "maxUnavailable", "replicas"),
}
"""For some kinds: the parts of the object whose change may have brought the fault."""


_MORE = (("up", "replicas"), ("up", "requests", "cpu"), ("up", "requests", "memory"), ("up", "limits"))
_AMOUNTS: dict[FaultKind, tuple[tuple[str, ...], ...]] = {
    FaultKind.OOM_KILLED: (("down", "limits", "memory"),),
    FaultKind.MEMORY_LEAK: (),
    FaultKind.CPU_SATURATION: (("down", "limits", "cpu"), ("down", "replicas"), ("down", "maxReplicas")),
    FaultKind.INSUFFICIENT_CPU: (("up", "replicas"), ("up", "requests", "cpu"), ("up", "limits", "cpu")),
    FaultKind.INSUFFICIENT_MEMORY: (("up", "replicas"), ("up", "requests", "memory"), ("up", "limits", "memory")),
    FaultKind.QUOTA_EXCEEDED: (*_MORE, ("down", "hard")),
    FaultKind.POD_ANTI_AFFINITY_CONFLICT: (("up", "replicas"),),
    FaultKind.HOST_PORT_CONFLICT: (("up", "replicas"),),
    FaultKind.TAINT_NOT_TOLERATED: (),
    FaultKind.CONNECTION_EXHAUSTION: (("up", "replicas"),),
}
"""For kinds that depend on amounts: which way which amount must have gone to bring the fault."""


_OF_ITS_OWN = (FaultKind.CPU_SATURATION, FaultKind.NETWORK_DELAY, FaultKind.OOM_KILLED, FaultKind.MEMORY_LEAK)
"""Kinds of which those who are hurt are mere victims: a change of theirs brings nothing of it."""


_OF_TWO_SIDES = (
    FaultKind.SERVICE_PORT_MISMATCH,
    FaultKind.SERVICE_SELECTOR_MISMATCH,
    FaultKind.SERVICE_PROTOCOL_MISMATCH,
    FaultKind.NETWORK_POLICY_BLOCKS,
    FaultKind.INGRESS_BACKEND_MISSING,
    FaultKind.GATEWAY_MISROUTE,
)
_MISSED: dict[FaultKind, tuple[str, ...]] = {
    FaultKind.INGRESS_BACKEND_MISSING: ("Service",),
    FaultKind.GATEWAY_MISROUTE: ("Service", "Gateway"),
    FaultKind.DEPENDENCY_WRONG_ADDRESS: ("Service",),
    FaultKind.TLS_SECRET_MISSING: ("Secret", "Certificate", "SealedSecret", "ExternalSecret"),
    FaultKind.INGRESS_CLASS_MISSING: ("IngressClass",),
    FaultKind.STORAGE_CLASS_MISSING: ("StorageClass",),
    FaultKind.ADMISSION_DENIED: ("PriorityClass", "RuntimeClass"),
    FaultKind.MISSING_SERVICE_ACCOUNT: ("ServiceAccount",),
    FaultKind.MISSING_CONFIG_MAP: ("ConfigMap",),
    FaultKind.MISSING_SECRET: ("Secret", "SealedSecret", "ExternalSecret"),
    FaultKind.PERMISSION_DENIED: ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"),
}
"""For kinds that miss an object by its name: what kind of object it is."""


_SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")
_GENERATED = re.compile(r"-[a-z0-9]{10}")


@dataclass(frozen=True, slots=True)
class Charge:
    """What speaks against one commit. ``overturns``: until then what the finding holds was right."""

    score: float
    reason: str
    path: str
    excerpt: str
    overturns: bool = False


def field_charge(finding: Finding, change: FieldChange) -> Iterator[Charge]:
    """Weigh one changed field, the strongest reason only."""
    compared = involved(finding)
    own = same_object(change.object, finding.object)
    if not own and not any(same_object(change.object, ref) for ref in compared):
        yield from _removal_charge(finding, change)
        return
    shown = f"{change.object} {change.field}: {change.before} -> {change.after}"
    where = change.field or "the object"
    if own and _alike(change.field, finding.field) and _holds(change.after, finding.observed):
        yield Charge(0.95, f"it set {where} of {change.object.name} to {_brief(finding.observed)}", change.path, shown)
    elif own and change.object.kind == "Secret" and _alike(change.field, finding.field):
        yield Charge(0.9, f"it changed {where} of {change.object.name}", change.path, shown)
    elif not own and _is_the_credential(finding, change):
        yield Charge(0.85, f"it changed {where} of {change.object.name}", change.path, shown)
    elif _took_away(finding, change, own=own):
        yield Charge(0.9, f"it took away {where} of {change.object.name}", change.path, shown, overturns=not own)
    elif _moved_away(finding, change) or (not own and _left_behind(finding, change)):
        yield Charge(
            0.85,
            f"it changed {where} of {change.object.name} from {_brief(change.before)} to {_brief(change.after)}",
            change.path,
            shown,
            overturns=not own,
        )
    elif own and not change.field and change.before is None:
        yield Charge(0.8, f"it added {change.object.kind} {change.object.name}", change.path, shown)
    elif not own and _writes_it(finding, change):
        yield Charge(0.9, f"it set {where} of {change.object.name} to {_brief(finding.observed)}", change.path, shown)
    elif not own and _meets(finding, change):
        yield Charge(0.6, f"it changed {where} of {change.object.name}, which the finding meets", change.path, shown)
    elif own and _lies_within(change.field, finding.field):
        yield Charge(
            0.75, f"it changed {where} of {change.object.name}, a part of what is at fault", change.path, shown
        )
    elif (reason := _fills(finding, change)) is not None:
        yield Charge(0.7, f"it {reason} of {change.object.name}", change.path, shown)
    elif own and _same_part(change, finding.field) and not harmless(finding, change.field, change):
        yield Charge(0.6, f"it changed {where} of {change.object.name}, beside the fault", change.path, shown)
    elif (own or finding.kind not in _OF_ITS_OWN or change.object.kind in _SCALERS) and _bears(finding, change):
        yield Charge(0.4, f"it changed {where} of {change.object.name}", change.path, shown)


def involved(finding: Finding) -> frozenset[ObjectRef]:
    """The objects that the finding compares: those of its evidence and those that it hurts."""
    named = {piece.subject for piece in finding.evidence if piece.source == "object" and piece.subject.count("/") == 2}
    return frozenset({ObjectRef.parse(subject) for subject in named} | set(finding.hurts))


def same_object(declared: ObjectRef, live: ObjectRef) -> bool:
    """The same object; what Kustomize generates bears a hash of its content after its name."""
    if declared.kind != live.kind or declared.namespace not in ("", live.namespace):
        return False
    generated = live.kind in ("ConfigMap", "Secret") and live.name.startswith(f"{declared.name}-")
    return declared.name == live.name or (
        generated and _GENERATED.fullmatch(live.name[len(declared.name) :]) is not None
    )


def _alike(left: str, right: str) -> bool:
    """The same field, places in lists apart: a list may have grown since."""
    return bool(right) and [one for one in steps(left) if isinstance(one, str)] == [
        one for one in steps(right) if isinstance(one, str)
    ]


def _holds(value: str | None, wanted: str) -> bool:
    if value is None or not wanted:
        return False
    return value == wanted or (
        len(wanted) > 2 and re.search(rf"(?<![\w.-]){re.escape(wanted)}(?![\w-])", value) is not None
    )


def _took_away(finding: Finding, change: FieldChange, *, own: bool) -> bool:
    """A variable, key, or object of the observed name existed before and is gone after."""
    if finding.kind not in (
        FaultKind.MISSING_ENV,
        FaultKind.MISSING_KEY,
        FaultKind.MISSING_CONFIG_MAP,
        FaultKind.MISSING_SECRET,
        FaultKind.MISSING_SERVICE_ACCOUNT,
        FaultKind.DEPENDENCY_WRONG_ADDRESS,
        FaultKind.INGRESS_BACKEND_MISSING,
        FaultKind.TLS_SECRET_MISSING,
        FaultKind.INVALID_CONFIG,
    ):
        return False
    gone = change.after is None or (change.before is not None and not _holds(change.after, finding.observed))
    if not gone or change.before is None:
        return False
    if not change.field:
        return change.object.name == finding.observed.split(".")[0]
    last = steps(change.field)[-1]
    return last == finding.observed or (
        _holds(change.before, finding.observed) and (own or change.field.startswith("data"))
    )


def _moved_away(finding: Finding, change: FieldChange) -> bool:
    """The other side had what the finding still holds, and now has what it would have to hold."""
    return bool(finding.expected) and _holds(change.before, finding.observed) and _holds(change.after, finding.expected)


def _removal_charge(finding: Finding, change: FieldChange) -> Iterator[Charge]:
    """An object that is missed by name was declared before, and was removed or renamed."""
    ref = change.object
    gone = not change.field and change.before is not None and change.after is None
    if _is_issued_elsewhere(finding, change):
        shown = f"{ref} {change.field}: {change.before} -> {change.after}"
        yield Charge(0.85, f"it changed {change.field} of {ref.name} from {finding.observed}", change.path, shown)
    named = finding.observed.split(".")[0] == ref.name and ref.kind in _MISSED.get(finding.kind, ())
    if gone and named and (ref.namespace in ("", finding.object.namespace) or f".{ref.namespace}" in finding.observed):
        shown = f"{ref}: {change.before} -> nothing"
        yield Charge(0.9, f"it took away {ref.kind} {ref.name}", change.path, shown, overturns=True)


def _is_issued_elsewhere(finding: Finding, change: FieldChange) -> bool:
    """A Certificate wrote the Secret that is missed, and writes another one now (cert-manager, ``spec.secretName``)."""
    of_its_kind = change.object.kind in _MISSED.get(finding.kind, ()) and change.field == "spec.secretName"
    return of_its_kind and change.before == finding.observed and change.after != finding.observed


def _left_behind(finding: Finding, change: FieldChange) -> bool:
    """The pods had the port or the label that their Service still asks for, and gave it up."""
    return (
        finding.kind in _OF_TWO_SIDES
        and change.before in (finding.observed, finding.observed.rpartition(": ")[2])
        and change.after != change.before
        and ("ports" in steps(change.field) or "labels" in steps(change.field))
    )


def _is_the_credential(finding: Finding, change: FieldChange) -> bool:
    """The very entry of a Secret that a refused client is given (``data`` and ``stringData`` are one)."""
    if finding.kind != FaultKind.INVALID_CREDENTIALS or change.object.kind != "Secret" or not change.field:
        return False
    return any(
        same_object(change.object, ObjectRef.parse(piece.subject))
        and steps(piece.locator)[-1:] == steps(change.field)[-1:]
        for piece in finding.evidence
        if piece.source == "object" and piece.subject.startswith("Secret/")
    )


def _writes_it(finding: Finding, change: FieldChange) -> bool:
    """The wrong value itself, written under the same name in an object that the faulty one is made from."""
    names = [part for part in steps(finding.field) if isinstance(part, str)]
    return bool(change.field) and steps(change.field)[-1:] == names[-1:] and change.after == finding.observed


def _meets(finding: Finding, change: FieldChange) -> bool:
    """A compared object was added, or the very field of it changed that the finding speaks of."""
    if not change.field:
        return change.before is None
    leaf = str(steps(change.field)[-1])
    return leaf == str((steps(finding.field) or [""])[-1]) or (len(leaf) > 3 and _holds(finding.observed, leaf))


def _same_part(change: FieldChange, field: str) -> bool:
    """Whether a change stands beside a field: to share no more than the pod's specification is no neighbourhood."""
    left, right = steps(change.field), steps(field)
    shared = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        shared += 1
    near = bool(right) and shared >= max(3, len(right) - 1)
    return near and left[:shared] != steps(template_path(change.object.kind))


def _lies_within(inner: str, outer: str) -> bool:
    """Whether a field stands below another one: a value in a list of peers, a verb of a rule."""
    left = [one for one in steps(inner) if isinstance(one, str)]
    right = [one for one in steps(outer) if isinstance(one, str)]
    return len(right) >= 2 and len(left) > len(right) and left[: len(right)] == right


def _fills(finding: Finding, change: FieldChange) -> str | None:
    """Settings that make a client take more of what ran out: a larger pool or more pods, a longer retention."""
    words = {FaultKind.CONNECTION_EXHAUSTION: _POOL, FaultKind.DISK_FULL: _RETENTION}.get(finding.kind)
    if words is None:
        return None
    named = " ".join((change.field, *filter(None, (change.name,))))
    after, before = _amount(change.after), _amount(change.before)
    if after is None or not words.search(named) or (before is not None and after <= before):
        return None
    return f"raised {change.name or change.field} from {_brief(change.before)} to {_brief(change.after)}"


def _amount(value: str | None) -> float | None:
    """The number that a setting begins with, whatever its unit."""
    match = re.match(r"\d+(?:\.\d+)?", value or "")
    return float(match[0]) if match else None


def _bears(finding: Finding, change: FieldChange) -> bool:
    parts = {one for one in steps(change.field) if isinstance(one, str)}
    return bears_parts(finding, parts) and not harmless(finding, change.field, change)


def bears_parts(finding: Finding, parts: set[str]) -> bool:
    """Whether a fault of this kind depends on one of these parts of an object."""
    return bool(parts & set(_BEARING.get(finding.kind, ())))


def harmless(finding: Finding, field: str, change: FieldChange | Difference) -> bool:
    """Whether a changed amount went the way that cannot bring the fault: a limit raised, a demand lowered.

    Memory kills where a limit went down, and does not fit where a request went up; a CPU request holds nobody back.
    """
    wanted = _AMOUNTS.get(finding.kind)
    if wanted is None or not {"resources", "replicas", "maxReplicas"} & set(re.split(r"[.\[\]/\s]+", field)):
        return False
    before, after = quantity(change.before or ""), quantity(change.after or "")
    way = "down" if before is None or (after is not None and after < before) else "up"
    return not any(way == asked and all(word in field for word in words) for asked, *words in wanted)


def line_charge(finding: Finding, version: Version) -> Iterator[Charge]:
    """In a file that is no plain manifest, the wrong value appears in the added lines, with its key."""
    removed, added = changed_lines(version.change.patch)
    key = next((str(one) for one in reversed(steps(finding.field)) if isinstance(one, str)), "")
    whole = key == version.path.rsplit("/", 1)[-1]
    for line in added:
        if _holds(line, finding.observed) and key and (whole or key.lower() in line.lower()):
            yield Charge(
                0.85 if whole else 0.7,
                f"it wrote {_brief(finding.observed)} into {version.path}",
                version.path,
                line.strip(),
            )
            return
    gone = [
        line
        for line in removed
        if _holds(line, finding.observed) and not any(_holds(new, finding.observed) for new in added)
    ]
    if gone and finding.kind in (FaultKind.MISSING_ENV, FaultKind.MISSING_KEY):
        yield Charge(0.7, f"it removed {_brief(finding.observed)} from {version.path}", version.path, gone[0].strip())


def _brief(value: str | None) -> str:
    said = "nothing" if value is None else value.replace("\n", " ")
    return said if len(said) <= 80 else f"{said[:77]}…"

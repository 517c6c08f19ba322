"""Harm: what no fix may do to get rid of a symptom, unless the fault is exactly about that."""

from collections.abc import Iterator
from typing import Any

from sre_bot.domain.errors import BadManifest, NoSafeFix
from sre_bot.domain.finding import FaultKind
from sre_bot.domain.fix import FileEdit, Fix
from sre_bot.repair.case import Case
from sre_bot.repair.changes import Change, changes_of
from sre_bot.repair.conditions.objects import containers, part, table
from sre_bot.repair.conditions.workloads import amount
from sre_bot.repair.fields import ABSENT, FieldPath, field_text
from sre_bot.repair.manifests import Manifests

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_ABOUT = {
    "securityContext": (FaultKind.VOLUME_PERMISSION_DENIED, FaultKind.ADMISSION_DENIED),
    "limits": (FaultKind.LIMIT_RANGE_VIOLATION, FaultKind.QUOTA_EXCEEDED, FaultKind.CPU_SATURATION),
}


def harms(case: Case, fix: Fix) -> Iterator[str]:
    """The harms that a fix does, as sentences. A revert is judged for deletions and scaling alike."""
    try:
        changes = [
            change
            for edit in fix.edits
            if edit.path.endswith((".yaml", ".yml", ".json"))
            for change in changes_of(edit)
        ]
    except BadManifest:
        return
    for change in changes:
        problem = _harm(case, change)
        if problem:
            yield f"{change.manifest.ref.kind}/{change.manifest.ref.name}: {problem}"
    for edit in fix.edits:
        yield from _overcommitted(edit)
    if not fix.reverts:
        yield from _strangers(case, changes)


def _overcommitted(edit: FileEdit) -> Iterator[str]:
    """Requests above their limits, which the API refuses; those that were there before are not the fix's fault."""
    if edit.after is not None and edit.path.endswith((".yaml", ".yml", ".json")):
        known = set(_excesses(edit.path, edit.before or ""))
        yield from (excess for excess in _excesses(edit.path, edit.after) if excess not in known)


def _excesses(path: str, text: str) -> Iterator[str]:
    for manifest in Manifests.read({path: text}, "").objects:
        for container in containers(manifest.body):
            for resource, request in table(container, "resources", "requests").items():
                limit = part(container, "resources", "limits", resource)
                if limit is not None and amount(request) > amount(limit):
                    where = f"{manifest.ref.kind}/{manifest.ref.name}: {container.get('name')}"
                    yield f"{where} would request {request} of {resource}, more than its limit of {limit}"


def _strangers(case: Case, changes: list[Change]) -> Iterator[str]:
    """Objects that have nothing to do with the finding must stay as they are."""
    allowed = {(ref.kind, ref.name) for ref in (case.finding.object, *case.finding.hurts)}
    try:
        allowed.add((case.manifest.ref.kind, case.manifest.ref.name))
    except (NoSafeFix, BadManifest):
        return
    for change in changes:
        ref = change.manifest.ref
        if (ref.kind, ref.name) not in allowed and ref.kind not in ("ConfigMap", "Kustomization"):
            yield f"{ref.kind}/{ref.name} is changed too, although the fault is in {case.finding.object}"


def _harm(case: Case, change: Change) -> str:
    path, after = change.path, change.after
    if not path:
        return "it would be deleted" if after is ABSENT else ""
    if path[-1] == "replicas" and after == 0:
        return "it would be scaled to 0"
    if change.manifest.ref.kind == "Secret":
        return "secrets are not edited automatically"
    for name in _PROBES:
        if name in path and after is ABSENT:
            return f"{field_text(path)} would be dropped"
    if after is ABSENT and "limits" in path and case.finding.kind not in _ABOUT["limits"]:
        return f"{field_text(path)} would be dropped"
    if case.finding.kind not in _ABOUT["securityContext"] and _weakens(path, after):
        return f"the security of {field_text(path)} would be weakened"
    return _dropped_container(path, after)


def _dropped_container(path: FieldPath, after: Any) -> str:
    is_container = len(path) > 1 and path[-2] in ("containers", "initContainers")
    return f"{field_text(path)} would be removed" if is_container and after is ABSENT else ""


_UNSAFE = {
    "privileged": True,
    "allowPrivilegeEscalation": True,
    "runAsNonRoot": False,
    "readOnlyRootFilesystem": False,
    "runAsUser": 0,
    "hostNetwork": True,
    "hostPID": True,
    "hostIPC": True,
}


def _weakens(path: FieldPath, after: Any) -> bool:
    """Whether a security setting would allow more than before; taking one out, or touching capabilities, counts."""
    if "securityContext" in path and (after is ABSENT or "capabilities" in path):
        return True
    if isinstance(after, dict):
        return any(_weakens((*path, key), value) for key, value in after.items())
    if isinstance(after, list):
        return any(_weakens((*path, index), value) for index, value in enumerate(after))
    last = str(path[-1])
    return after is not ABSENT and (last == "hostPath" or (last in _UNSAFE and _UNSAFE[last] == after))

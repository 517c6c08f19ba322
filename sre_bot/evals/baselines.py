"""Three trivial answers, which anything that thinks must beat. They share no code with detectors and reasoning."""

import re
from collections.abc import Mapping
from typing import Any

from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.source import Commit
from sre_bot.evals.answers import Answer, Claim
from sre_bot.evals.case import Case

CERTAIN = 1.0
"""They know no doubt."""
_KINDS_OF_REASONS = {
    "BackOff": "invalid_command",
    "Failed": "image_not_found",
    "FailedAttachVolume": "disk_full",
    "FailedCreate": "quota_exceeded",
    "FailedGetResourceMetric": "hpa_cannot_scale",
    "FailedMount": "missing_config_map",
    "FailedScheduling": "insufficient_cpu",
    "NodeNotReady": "node_not_ready",
    "OOMKilling": "oom_killed",
    "ProvisioningFailed": "storage_class_missing",
    "Unhealthy": "liveness_probe_path",
}
"""The kind that a person in a hurry reads into an event's reason."""
_ANY_KIND = "invalid_config"
_MANIFEST_HEADS = (r"^kind: (\w+)", r"^ +name: ([\w.-]+)")


def latest_commit(case: Case) -> Answer:
    """Blame the newest commit, and the first object that is written in the first manifest it touches."""
    if case.history is None or not case.history.commits:
        return Answer(verdict="needs_human")
    commit = case.history.commits[0]
    named = _touched(commit, case.history.tree.files, case.scope.namespaces[0])
    kind = _ANY_KIND if named.startswith(("ConfigMap/", "Deployment/", "Service/")) else "code_regression"
    return Answer(
        verdict="fix", hypotheses=(Claim(kind=kind, object=named, confidence=CERTAIN, culprit=commit.subject),)
    )


def newest_warning(case: Case) -> Answer:
    """Blame the object of the newest Warning event, or call the cluster healthy where there is none."""
    warnings = [event for event in case.snapshot.events if event.get("type") == "Warning"]
    if not warnings:
        return Answer(verdict="no_action", hypotheses=(Claim(kind="healthy", object="//", confidence=CERTAIN),))
    newest = max(warnings, key=_last_seen)
    kind = _KINDS_OF_REASONS.get(str(newest.get("reason")), _ANY_KIND)
    return Answer(verdict="fix", hypotheses=(Claim(kind=kind, object=_involved(newest), confidence=CERTAIN),))


def always_abstain(_: Case) -> Answer:
    """Name nothing and hand over to a person."""
    return Answer(verdict="needs_human")


BASELINES = {"latest_commit": latest_commit, "newest_warning": newest_warning, "always_abstain": always_abstain}
"""Every baseline by the name that the JSON gives it."""


def _touched(commit: Commit, files: Mapping[str, str], namespace: str) -> str:
    """``Kind/namespace/name`` from the first lines of a manifest that look like it; the file's path otherwise."""
    for change in commit.changes:
        kind, name = (re.search(head, files.get(change.path, ""), re.MULTILINE) for head in _MANIFEST_HEADS)
        if kind and name:
            return f"{kind[1]}/{namespace}/{name[1]}"
    return commit.changes[0].path if commit.changes else ""


def _last_seen(event: KubernetesObject) -> tuple[str, str]:
    series: dict[str, Any] = event.get("series") or {}
    moment = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or ""
    return str(moment), str(ObjectRef.of(event))


def _involved(event: KubernetesObject) -> str:
    about: dict[str, Any] = event.get("involvedObject") or event.get("regarding") or {}
    return f"{about.get('kind', '')}/{about.get('namespace', '')}/{about.get('name', '')}"

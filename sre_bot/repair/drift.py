"""Drift: the repository says something else than the cluster, so that no commit is what is missing."""

from contextlib import suppress
from typing import Any

from sre_bot.domain.errors import BadManifest, NoSafeFix
from sre_bot.domain.finding import FaultKind as Kind
from sre_bot.repair.case import Case, shown
from sre_bot.repair.conditions.workloads import amount
from sre_bot.repair.fields import ABSENT, field_text, value_at

_LITERAL = frozenset(
    (
        Kind.SERVICE_PORT_MISMATCH,
        Kind.SERVICE_PROTOCOL_MISMATCH,
        Kind.OOM_KILLED,
        Kind.MISSING_CONFIG_MAP,
        Kind.MISSING_SECRET,
        Kind.MISSING_KEY,
        Kind.DEPENDENCY_WRONG_ADDRESS,
        Kind.DEPENDENCY_WRONG_PORT,
        Kind.LIVENESS_PROBE_PORT,
        Kind.LIVENESS_PROBE_PATH,
        Kind.READINESS_PROBE_PORT,
        Kind.READINESS_PROBE_PATH,
        Kind.IMAGE_NOT_FOUND,
        Kind.STORAGE_CLASS_MISSING,
        Kind.INGRESS_CLASS_MISSING,
        Kind.INGRESS_BACKEND_MISSING,
        Kind.ZERO_REPLICAS,
        Kind.CRONJOB_SUSPENDED,
        Kind.CONFIG_DRIFT,
    )
)
"""The kinds whose findings observe the very value of the field."""


def drift(case: Case) -> str:
    """Why a commit would not help: the field holds something else than what was observed. Empty where it may.

    In an overlay the last word is the rendering's, so nothing is concluded there.
    """
    if case.finding.kind not in _LITERAL or case.manifests.is_overlay:
        return ""
    with suppress(NoSafeFix, BadManifest):
        current = value_at(case.manifest.body, case.field) if case.field else ABSENT
        if not _agrees(current, case.finding.observed):
            return (
                f"{field_text(case.field)} of {case.label()} is {shown(current)} in the repository and "
                f"{shown(case.finding.observed)} in the cluster: deploy the repository instead of changing it"
            )
    return ""


def _agrees(current: Any, observed: str) -> bool:
    """Whether a value of a manifest can be what was observed; quantities may be written in another unit."""
    if current is ABSENT or current is None or isinstance(current, dict | list) or not observed:
        return True
    text = str(current).lower() if isinstance(current, bool) else str(current)
    return observed in text or text in observed or (amount(text) == amount(observed) != -1)

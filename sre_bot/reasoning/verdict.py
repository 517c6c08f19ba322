"""The verdict: what to do about the best hypothesis, and how to say it."""

from sre_bot.domain.diagnosis import Diagnosis, Hypothesis, Verdict
from sre_bot.domain.finding import FaultKind
from sre_bot.reasoning.confidence import score, squeeze
from sre_bot.reasoning.correlation import Correlation
from sre_bot.reasoning.summary import summarise
from sre_bot.reasoning.suspects import EXACT

CALM_CONFIDENCE = 0.9
UNSEEN_PENALTY = 0.2
CALM = (FaultKind.HEALTHY, FaultKind.RECOVERED)
BEYOND_THE_REPOSITORY = frozenset(
    {
        FaultKind.UPSTREAM_OUTAGE,
        FaultKind.NODE_NOT_READY,
        FaultKind.KUBELET_DOWN,
        FaultKind.CONTAINER_RUNTIME_DOWN,
        FaultKind.KUBE_PROXY_DOWN,
        FaultKind.SCHEDULER_DOWN,
        FaultKind.NODE_NETWORK_DEGRADED,
        FaultKind.NODE_CORDONED,
        FaultKind.TRAFFIC_SURGE,
        FaultKind.REGISTRY_UNREACHABLE,
        FaultKind.NETWORK_DELAY,
    }
)
"""Kinds that no change of a repository removes, unless a commit brought the very value that is at fault."""


def conclude(
    correlation: Correlation, hypotheses: tuple[Hypothesis, ...], *, fix_threshold: float, repairable: bool
) -> Diagnosis:
    """Weigh the hypotheses and decide: ``fix``, ``no_action``, or ``needs_human``.

    ``fix`` needs a cause whose place in the repository is known, and a confidence of at least ``fix_threshold``.
    ``repairable`` is False where there is no repository that we may write to.
    """
    weighed = tuple(_weighed(one, hypotheses, correlation) for one in hypotheses)
    ranked = tuple(sorted(weighed, key=lambda one: (-one.confidence, -len(one.explains))))
    verdict = _verdict(ranked, fix_threshold, repairable=repairable)
    return Diagnosis(verdict=verdict, hypotheses=ranked, summary=summarise(verdict, ranked, correlation))


def _weighed(one: Hypothesis, all_: tuple[Hypothesis, ...], correlation: Correlation) -> Hypothesis:
    if one.kind in CALM:
        return one.model_copy(update={"confidence": CALM_CONFIDENCE - (UNSEEN_PENALTY if correlation.unseen else 0.0)})
    own = any(piece.source in ("log", "event", "metric") for piece in one.finding.evidence)
    hurting = len(correlation.symptoms) + own
    share = (len(one.explains) + own) / hurting if hurting else None
    culprit = one.culprit.score if one.culprit else 0.0
    rivals = sum(_competes(one, other) for other in all_)
    return one.model_copy(
        update={"confidence": squeeze(score(one.finding, share=share, culprit=culprit, rivals=rivals))}
    )


def _competes(one: Hypothesis, other: Hypothesis) -> bool:
    return other is not one and other.kind not in CALM and bool(set(one.explains) & set(other.explains))


def _verdict(ranked: tuple[Hypothesis, ...], threshold: float, *, repairable: bool) -> Verdict:
    if not ranked:
        return "needs_human"
    best = ranked[0]
    if best.kind in CALM:
        return "no_action"
    if not repairable or best.confidence < threshold:
        return "needs_human"
    if best.kind in BEYOND_THE_REPOSITORY and not (best.finding.field and best.culprit and best.culprit.score >= EXACT):
        return "needs_human"
    if best.kind == FaultKind.CONFIG_DRIFT or (best.kind == FaultKind.DISK_FULL and not _is_declared(best)):
        return "needs_human"
    return "fix" if _has_place(best) else "needs_human"


def _is_declared(best: Hypothesis) -> bool:
    """Whether a full disk is one that the repository sizes; a StatefulSet's claims keep their size once they exist.

    No change of a client frees what is already stored (https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/).
    """
    return best.object.kind != "PersistentVolumeClaim" or any(
        piece.source == "manifest" and piece.locator != "0" for piece in best.finding.evidence
    )


def _has_place(best: Hypothesis) -> bool:
    """Whether a repair can be written: a commit to revert, or a line and, where only a log speaks, its right value."""
    if best.culprit is not None:
        return True
    known = best.finding.directness != "logged" or bool(best.finding.expected)
    return known and any(piece.source == "manifest" for piece in best.finding.evidence)

"""The verdict: what to do about the best hypothesis, and how to say it."""

import math

from sre_bot.domain.diagnosis import Diagnosis, Hypothesis, Verdict
from sre_bot.domain.finding import FaultKind
from sre_bot.reasoning.alternatives import CALM, alternatives
from sre_bot.reasoning.complainers import is_complained_of
from sre_bot.reasoning.confidence import calm, score, squeeze
from sre_bot.reasoning.correlation import Correlation
from sre_bot.reasoning.summary import summarise
from sre_bot.reasoning.suspects import EXACT

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
    correlation: Correlation,
    hypotheses: tuple[Hypothesis, ...],
    *,
    fix_threshold: float,
    repairable: bool,
    complaint: str = "",
) -> Diagnosis:
    """Weigh the hypotheses and decide: ``fix``, ``no_action``, or ``needs_human``.

    ``fix`` needs a cause whose place in the repository is known, and a confidence of at least ``fix_threshold``.
    ``repairable`` is False where there is no repository that we may write to. ``complaint`` are the ticket's words;
    they help to rank the alternatives, which are listed after the causes and decide nothing, and tell whether a log
    that complains of something forbids to say that nothing is wrong.
    """
    weighed = tuple(_weighed(one, hypotheses, correlation) for one in hypotheses)
    complaining = {who.object: who.present for who in correlation.unrest}
    ranked = tuple(sorted(weighed, key=lambda one: _rank(one, complaining.get(one.object, 0))))
    if ranked and ranked[0].kind in CALM and is_complained_of(correlation, ranked[0].kind, complaint):
        ranked = ()
    verdict = _verdict(ranked, fix_threshold, repairable=repairable)
    others = alternatives(ranked, correlation, complaint)
    summary = summarise(verdict, ranked, correlation, others)
    well = bool(ranked) and ranked[0].kind in CALM
    listed = (*ranked[:1], *others, *ranked[1:]) if well else (*ranked, *others)
    return Diagnosis(verdict=verdict, hypotheses=listed, summary=summary)


def _rank(one: Hypothesis, complaining: int) -> tuple[float, int, int, float]:
    """Surest first; of equals who explains more, who complains more, and where it began first: no name decides."""
    if one.kind in CALM:
        return (-one.confidence, 0, 0, 0.0)  # they come in an order of their own
    since = one.finding.since
    return (-one.confidence, -len(one.explains), -complaining, since.timestamp() if since else math.inf)


def _weighed(one: Hypothesis, all_: tuple[Hypothesis, ...], correlation: Correlation) -> Hypothesis:
    if one.kind in CALM:
        loudest = max((who.present for who in correlation.unrest), default=0)
        sure = calm(unseen=bool(correlation.unseen), heard=correlation.heard, complaining=loudest)
        return one.model_copy(update={"confidence": sure})
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
    if best.kind in BEYOND_THE_REPOSITORY and not (best.culprit and best.culprit.score >= EXACT):
        return "needs_human"
    if best.kind == FaultKind.CONFIG_DRIFT or (best.kind == FaultKind.DISK_FULL and not _is_declared(best)):
        return "needs_human"
    if best.kind == FaultKind.PV_ALREADY_BOUND and _is_released(best):
        return "needs_human"
    return "fix" if _has_place(best) else "needs_human"


def _is_declared(best: Hypothesis) -> bool:
    """Whether a full disk is one that the repository sizes; a StatefulSet's claims keep their size once they exist.

    No change of a client frees what is already stored (https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/).
    """
    return best.object.kind != "PersistentVolumeClaim" or any(
        piece.source == "manifest" and piece.locator != "0" for piece in best.finding.evidence
    )


def _is_released(best: Hypothesis) -> bool:
    """Whether a volume waits for a person: its claim is gone, its data and its claim's name are still on it.

    https://kubernetes.io/docs/concepts/storage/persistent-volumes/#retain
    """
    return any(
        piece.subject.startswith("PersistentVolume/") and piece.locator == "status.phase"
        for piece in best.finding.evidence
    )


def _has_place(best: Hypothesis) -> bool:
    """Whether a repair can be written: a commit to revert, or a line and, where only a log speaks, its right value."""
    if best.culprit is not None:
        return True
    known = best.finding.directness != "logged" or bool(best.finding.expected)
    return known and any(piece.source == "manifest" for piece in best.finding.evidence)

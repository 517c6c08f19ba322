"""How sure we are: one documented sum of what speaks for and against, squeezed into a probability.

``confidence = 1 / (1 + exp(-(BASE + …) / TEMPERATURE))`` with

- directness: the object or its events say so; inferred by comparison; only a log says so
- sources: each further independent source that agrees (events, objects, logs, repository)
- share: the share of all symptoms that the cause explains (its own log or events count as one), from -1 to +1 around a
  half; a penalty where nothing hurts
- culprit: the best suspect's score, a change that explains the fault and came before it
- competitors: rivals that explain the same symptoms as well and are not effects of this one
- unshown: a field that only a commit shows, nothing in the cluster
- vague: kinds that say only that something failed, or that rest on a guess

The weights are set by hand so that a stated cause with a guilty commit comes near 0.92, a bare comparison near 0.7,
and a lone log line near 0.55. The temperature and the ceiling are not fitted to the incidents at hand, all of which the
rules get right since they were made with them: that would say "certain". They are set so that the mean statement on
them is about 0.85, what we expect to get right of incidents that nobody has seen, until other figures are at hand.
"""

import math

from sre_bot.domain.finding import FaultKind, Finding

BASE = -0.6
DIRECTNESS = {"stated": 1.9, "inferred": 1.2, "logged": 0.5}
SOURCE = 0.4
SHARE = 0.8
CULPRIT = 1.4
COMPETITOR = -0.5
VAGUE = -0.9
UNSHOWN = -0.5
TEMPERATURE = 1.7
"""Divides the sum: an unseen incident is never as clear as the ones at hand."""

CEILING = 0.95

VAGUE_KINDS = frozenset(
    {
        FaultKind.ROLLOUT_STUCK,
        FaultKind.JOB_FAILED,
        FaultKind.INIT_CONTAINER_FAILED,
        FaultKind.INVALID_COMMAND,
        FaultKind.UPSTREAM_OUTAGE,
        FaultKind.INVALID_CONFIG,
    }
)


def score(finding: Finding, *, share: float | None, culprit: float, rivals: float) -> float:
    """The weighted sum for a finding. ``share`` is None where nothing hurts; ``rivals`` counts equal competitors."""
    sources = {piece.source for piece in finding.evidence}
    return (
        BASE
        + DIRECTNESS[finding.directness]
        + SOURCE * (len(sources) - 1)
        + (SHARE * (2 * share - 1) if share is not None else -SHARE / 2)
        + CULPRIT * culprit
        + COMPETITOR * rivals
        + (VAGUE if finding.kind in VAGUE_KINDS else 0.0)
        + (UNSHOWN if _is_unshown(finding) else 0.0)
    )


def _is_unshown(finding: Finding) -> bool:
    shown = any(piece.source == "object" and piece.subject == str(finding.object) for piece in finding.evidence)
    return bool(finding.field) and finding.directness == "logged" and not shown


def squeeze(total: float) -> float:
    """The logistic function, kept within 0.02 and ``CEILING``: nothing is certain."""
    return round(min(CEILING, max(0.02, 1 / (1 + math.exp(-total / TEMPERATURE)))), 3)

"""How sure we are: one documented sum of what speaks for and against, squeezed into a probability.

``confidence = 1 / (1 + exp(-(BASE + …) / TEMPERATURE))`` with

- directness: the object or its events say so; inferred by comparison; only a log says so
- sources: each further independent source that agrees (events, objects, logs, repository)
- share: the share of all symptoms that the cause explains (its own log or events count as one), from -1 to +1 around a
  half; a penalty where nothing hurts
- culprit: the best suspect's score, a change that explains the fault and came before it
- competitors: rivals that explain the same symptoms as well and are not effects of this one
- unshown: a field that only a commit shows, nothing in the cluster
- vague: kinds that say only that something failed, or that rest on a guess; a stuck rollout without a field most of
  all, which by its definition is named where no narrower kind was found

The weights are set by hand. The temperature comes from ``sre-bot eval --fit``: Platt scaling on retellings of the tuned
incidents from which something was left out, since on the whole ones the rules do not err (docs/diagnosis.md). That
nothing is wrong is said with ``CALM``, less what speaks for doubt.
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
NO_NARROWER = -1.8
UNSHOWN = -0.5
TEMPERATURE = 1.5
"""Divides the sum: an unseen incident is never as clear as the ones at hand."""

CEILING = 0.95
CALM = 0.9
UNSEEN, DEAF, LOUD = 0.2, 0.4, 0.4
LOUD_LINES = 10

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
        + (NO_NARROWER if finding.kind == FaultKind.ROLLOUT_STUCK and not finding.field else 0.0)
        + (UNSHOWN if _is_unshown(finding) else 0.0)
    )


def calm(*, unseen: bool, heard: bool, complaining: int) -> float:
    """How sure we are that nothing is wrong: less where something could not be read, and where a log complains loudly.

    ``complaining`` counts the lines of the loudest workload that tell of a present trouble; ``heard`` says whether any
    log was read at all.
    """
    doubt = UNSEEN * unseen + DEAF * (not heard) + LOUD * (complaining >= LOUD_LINES)
    return round(max(0.3, CALM - doubt), 3)


def _is_unshown(finding: Finding) -> bool:
    shown = any(piece.source == "object" and piece.subject == str(finding.object) for piece in finding.evidence)
    return bool(finding.field) and finding.directness == "logged" and not shown


def squeeze(total: float) -> float:
    """The logistic function, kept within 0.02 and ``CEILING``: nothing is certain."""
    return round(min(CEILING, max(0.02, 1 / (1 + math.exp(-total / TEMPERATURE)))), 3)

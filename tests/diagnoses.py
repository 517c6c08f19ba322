"""The whole of the reasoning in one call, as the graph makes it."""

from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.diagnosis import Diagnosis, Hypothesis
from sre_bot.domain.source import SourceHistory
from sre_bot.reasoning import judge


def diagnose(
    cluster: ClusterSnapshot,
    source: SourceHistory | None = None,
    *,
    threshold: float = 0.6,
    repairable: bool | None = None,
) -> Diagnosis:
    """Detect, correlate, propose, conclude."""
    chosen = source is not None if repairable is None else repairable
    return judge(cluster, source, fix_threshold=threshold, repairable=chosen).diagnosis


def best_of(diagnosis: Diagnosis) -> Hypothesis:
    """The first hypothesis; fails where there is none."""
    assert diagnosis.best is not None, diagnosis.summary
    return diagnosis.best

"""The whole of the judgement in one call: from what was read to a verdict. Pure, and the same for the same input."""

from sre_bot.detectors import find
from sre_bot.detectors.index import ClusterIndex
from sre_bot.domain.cluster import ClusterSnapshot, Value
from sre_bot.domain.diagnosis import Diagnosis
from sre_bot.domain.source import SourceHistory
from sre_bot.reasoning.correlation import Correlation, relate
from sre_bot.reasoning.hypotheses import propose
from sre_bot.reasoning.source import read_source
from sre_bot.reasoning.verdict import conclude


class Judgement(Value):
    """The case and the answer to it."""

    correlation: Correlation
    diagnosis: Diagnosis


def judge(
    snapshot: ClusterSnapshot,
    history: SourceHistory | None,
    *,
    fix_threshold: float,
    repairable: bool,
    complaint: str = "",
) -> Judgement:
    """Detect, correlate, propose, conclude, as the workflow's nodes do one by one.

    ``repairable`` is False where no change of ours could be deployed, whatever the cause is. ``complaint`` are a
    ticket's words.
    """
    index = ClusterIndex(snapshot)  # once: it reads every log
    correlation = relate(index, find(index), read_source(index, history))
    hypotheses = propose(correlation, history)
    diagnosis = conclude(
        correlation, hypotheses, fix_threshold=fix_threshold, repairable=repairable, complaint=complaint
    )
    return Judgement(correlation=correlation, diagnosis=diagnosis)

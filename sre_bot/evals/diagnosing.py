"""The analysis without graph, record or model: one pure call on what was read."""

from sre_bot.domain.diagnosis import Diagnosis
from sre_bot.evals.case import Case
from sre_bot.graph.obstacles import obstacle
from sre_bot.reasoning import judge


def diagnose(case: Case, fix_threshold: float) -> Diagnosis:
    """Diagnose one case with the rules alone. The same case always gives the same answer."""
    why_not = obstacle(case.scope, case.history, case.snapshot.unseen)
    complaint = f"{case.ticket.summary}\n{case.ticket.description}"
    judgement = judge(
        case.snapshot, case.history, fix_threshold=fix_threshold, repairable=not why_not, complaint=complaint
    )
    return judgement.diagnosis

"""The diagnosis in prose, for a tired person: cause, place, onset, effects, commit, confidence."""

from sre_bot.domain.diagnosis import Hypothesis, Verdict
from sre_bot.domain.finding import FaultKind
from sre_bot.reasoning.correlation import Correlation


def summarise(
    verdict: Verdict, ranked: tuple[Hypothesis, ...], correlation: Correlation, others: tuple[Hypothesis, ...] = ()
) -> str:
    """A few sentences without markup. ``others`` are what is only possible; it is spoken of where there is no cause."""
    if not ranked:
        return f"{_nothing(correlation)}{_lead(others)}"
    best = ranked[0]
    if best.kind in (FaultKind.HEALTHY, FaultKind.RECOVERED):
        return _calm(ranked, correlation)
    sentences = [
        _sentence(best.finding.message),
        _expected(best),
        _since(best, correlation),
        _effects(best),
        _culprit(best),
        _confidence(best, ranked),
        _next(verdict),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _sentence(said: str) -> str:
    return said if said.endswith((".", "!", "?")) else f"{said}."


def _expected(best: Hypothesis) -> str:
    """The right value, unless the cause has said it already."""
    right = best.finding.expected
    return f"It should be {right}." if right and len(right) <= 120 and right not in best.finding.message else ""


def _nothing(correlation: Correlation) -> str:
    if not correlation.symptoms:
        return "The cluster shows neither faults nor workloads to judge; a person has to look."
    hurting = "; ".join(symptom.text for symptom in correlation.symptoms[:5])
    return f"Something is wrong ({hurting}), but nothing that was read explains it; a person has to look."


def _lead(others: tuple[Hypothesis, ...]) -> str:
    if not others:
        return ""
    best = others[0]
    return f" The best lead is {best.kind.value.replace('_', ' ')} of {best.object} ({best.confidence:.0%})."


def _calm(ranked: tuple[Hypothesis, ...], correlation: Correlation) -> str:
    recovered = [one for one in ranked if one.kind == FaultKind.RECOVERED]
    if not recovered:
        well = "The workload is" if len(ranked) == 1 else f"All {len(ranked)} workloads are"
        return f"{well} ready, with no present fault. Nothing needs to be done."
    named = ", ".join(one.object.name for one in recovered[:3])
    since = recovered[0].finding.since
    when = f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""
    verb = "has" if len(recovered) == 1 else "have"
    return f"The trouble is over: {named} failed earlier and {verb} been well{when}. Nothing needs to be done."


def _since(best: Hypothesis, correlation: Correlation) -> str:
    since = best.finding.since or correlation.onset
    return f"It began at {since:%Y-%m-%d %H:%M} UTC or before." if since else ""


def _effects(best: Hypothesis) -> str:
    if not best.explains:
        return ""
    shown = "; ".join(best.explains[:4])
    more = f" and {len(best.explains) - 4} more" if len(best.explains) > 4 else ""
    return f"This explains: {shown}{more}."


def _culprit(best: Hypothesis) -> str:
    if best.culprit is None:
        return "No commit that was read explains it."
    return f"Commit {best.culprit.sha[:9]} “{best.culprit.subject}” brought it: {best.culprit.reason}."


def _confidence(best: Hypothesis, ranked: tuple[Hypothesis, ...]) -> str:
    said = f"Confidence {best.confidence:.0%}"
    if len(ranked) > 1:
        rival = ranked[1]
        return (
            f"{said}; next in line is {rival.kind.value.replace('_', ' ')} of {rival.object} ({rival.confidence:.0%})."
        )
    return f"{said}."


def _next(verdict: Verdict) -> str:
    return "" if verdict == "fix" else "A person has to decide what to do."

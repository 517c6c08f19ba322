"""What else it could be: ranked below the causes, with what probability these leave over.

Three sources, each with a weight: causes that look like the first (``confusions``), findings that were taken for
effects, and leads from what changed. The probability that the first cause leaves is shared out by weight; a part stays
with what nobody thought of. Alternatives never outrank a cause and never decide a verdict.
"""

from collections.abc import Iterator
from itertools import chain

from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.finding import FaultKind, Finding
from sre_bot.reasoning.confidence import VAGUE_KINDS
from sre_bot.reasoning.confusions import CONFUSIONS, permitted, places
from sre_bot.reasoning.correlation import Correlation
from sre_bot.reasoning.hypotheses import GENERALITY, effect_of
from sre_bot.reasoning.leads import Lead, leads, standing

MOST = 5
"""So many hypotheses are listed; more causes than that are all kept."""

CALM = (FaultKind.HEALTHY, FaultKind.RECOVERED)
_EFFECT = 0.5
_MOST_EFFECTS = 20
_ELSEWHERE = 0.35
_LEAD = 0.4
_COPIES = ("Pod", "ReplicaSet")
"""Objects of a workload, in which nothing is wrong that is not wrong in it."""

_LEAD_WHERE_VAGUE = 1.0
_UNTHOUGHT = 0.5
_LEAST = 0.01
_FOLLOWS = "another finding explains it"


def alternatives(causes: tuple[Hypothesis, ...], correlation: Correlation, complaint: str) -> tuple[Hypothesis, ...]:
    """Other possible answers, best first, with confidences. ``causes`` are weighed and ranked, and may be none."""
    first = causes[0] if causes else None
    known = {_key(one) for one in causes}
    pool = {}
    for lead in sorted(_pool(first, correlation, complaint), key=lambda one: -one.weight):
        if _key(lead.hypothesis) not in known:
            pool.setdefault(_key(lead.hypothesis), lead)
    room = MOST - (1 if first and first.kind in CALM else len(causes))
    chosen = list(pool.values())[: max(0, room)]
    return tuple(_shared(chosen, 1.0 - first.confidence if first else 1.0, first))


def _key(one: Hypothesis) -> tuple[str, str]:
    return (one.kind, str(one.object))


def _shared(chosen: list[Lead], left: float, first: Hypothesis | None) -> Iterator[Hypothesis]:
    whole = sum(lead.weight for lead in chosen) + _UNTHOUGHT
    most = first.confidence if first else 1.0
    for lead in chosen:
        share = round(min(left * lead.weight / whole, most), 3)
        if share >= _LEAST or first is None or first.kind in CALM:
            yield lead.hypothesis.model_copy(update={"confidence": share, "tentative": True})


def _pool(first: Hypothesis | None, correlation: Correlation, complaint: str) -> Iterator[Lead]:
    vague = first is None or first.kind in CALM or first.kind in VAGUE_KINDS
    explained = frozenset[str]() if first is None or vague else frozenset(first.explains)
    for lead in leads(correlation, complaint, explained):
        yield lead.model_copy(update={"weight": lead.weight * (_LEAD_WHERE_VAGUE if vague else _LEAD)})
    if first is None or first.kind in CALM:
        yield from _calm_otherwise(first, correlation)
        return
    yield from _effects(correlation)
    yield from _confused(first, correlation)


def _effects(correlation: Correlation) -> Iterator[Lead]:
    general = [finding for finding in correlation.findings if finding.kind in GENERALITY]
    for finding in general[:_MOST_EFFECTS]:
        if effect_of(finding, correlation) is not None:
            yield Lead(hypothesis=Hypothesis(finding=finding, confidence=0.0, against=(_FOLLOWS,)), weight=_EFFECT)


def _confused(first: Hypothesis, correlation: Correlation) -> Iterator[Lead]:
    """Other kinds of the same or a neighbouring object, and the same kind of a neighbouring object."""
    told = " ".join([first.finding.message, *(piece.excerpt for piece in first.finding.evidence)])
    around = tuple(_around(first.finding, correlation))
    for other in CONFUSIONS.get(first.kind, ()):
        ref = next((ref for ref in around if ref.kind in places(other.kind)), None)
        if ref is not None and permitted(other, told):
            yield Lead(hypothesis=_instead(first, other.kind, ref, correlation), weight=other.share)
    elsewhere = [ref for ref in around if ref != first.object and ref.kind in places(first.kind)]
    for ref in elsewhere[:1]:
        yield Lead(hypothesis=_instead(first, first.kind, ref, correlation), weight=_ELSEWHERE)


def _around(finding: Finding, correlation: Correlation) -> Iterator[ObjectRef]:
    """The object, whom it hurts, what its evidence compares, and their neighbours in the graph, each once."""
    named = [ObjectRef.parse(one.subject) for one in finding.evidence if one.source == "object"]
    near = [finding.object, *finding.hurts, *named]
    links = correlation.topology.links
    beside = [link.target for link in links if link.source == finding.object and link.why != "runs on"]
    behind = [link.source for link in links if link.target == finding.object and link.why != "runs on"]
    seen: set[ObjectRef] = set()
    nodes = [link.target for link in links if link.source == finding.object and link.why == "runs on"]
    for ref in chain(near, beside, behind, nodes):
        if ref not in seen and (ref == finding.object or ref.kind not in _COPIES):
            seen.add(ref)
            yield ref


def _instead(first: Hypothesis, kind: FaultKind, ref: ObjectRef, correlation: Correlation) -> Hypothesis:
    said = f"The same evidence would show if it were {kind.value.replace('_', ' ')} of {ref.kind} {ref.name} instead."
    own = standing(ref, correlation) if ref != first.object else ()
    evidence = (*first.finding.evidence, *own)
    finding = first.finding.model_copy(update={"kind": kind, "object": ref, "message": said, "evidence": evidence})
    against = (f"{first.kind.value.replace('_', ' ')} of {first.object} explains it better",)
    return Hypothesis(finding=finding, confidence=0.0, against=against, explains=first.explains)


def _calm_otherwise(first: Hypothesis | None, correlation: Correlation) -> Iterator[Lead]:
    """Well now, but was it before? Or, where something is amiss that nobody minds: nothing is wrong."""
    if first is None:
        quiet = not correlation.unrest
        for finding in correlation.calm[:1] if quiet else ():
            yield Lead(hypothesis=Hypothesis(finding=finding, confidence=0.0), weight=0.5)
    elif first.kind == FaultKind.HEALTHY:
        for one in correlation.unrest:
            past = next((well for well in correlation.calm if well.object == one.object), None)
            if past is not None and one.told > one.present:
                over = past.model_copy(
                    update={"kind": FaultKind.RECOVERED, "evidence": (*one.evidence, *past.evidence)}
                )
                weight = 0.4 if not one.present else 0.1
                yield Lead(hypothesis=Hypothesis(finding=over, confidence=0.0), weight=weight)
    else:
        yield Lead(
            hypothesis=Hypothesis(finding=first.finding.model_copy(update={"kind": FaultKind.HEALTHY}), confidence=0.0),
            weight=0.3,
        )

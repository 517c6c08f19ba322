"""Findings and symptoms brought together: who depends on whom, in which order, what explains what."""

from datetime import datetime, timedelta
from functools import cached_property

from sre_bot.detectors.fields import number
from sre_bot.detectors.idle import is_other_half, sleeps
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.recovery import assess
from sre_bot.detectors.symptoms import Symptom, symptoms
from sre_bot.domain.cluster import ClusterSnapshot, ObjectRef, Value
from sre_bot.domain.finding import Finding
from sre_bot.reasoning.complained_changes import complained_changes
from sre_bot.reasoning.complained_drift import complained_drift
from sre_bot.reasoning.complained_removals import complained_removals
from sre_bot.reasoning.source import SourceReport
from sre_bot.reasoning.timeline import Happening, onset, timeline
from sre_bot.reasoning.topology import Topology, topology
from sre_bot.reasoning.unrest import Unrest, unrest

_REAL = ("calls", "selects", "routes to", "runs on", "is guarded by", "binds")
"""Links between objects that both exist; what is read or mounted may be missing."""


class Correlation(Value):
    """The case so far.

    ``calm`` says per workload that it is healthy, or recovered and from what;
    ``idle`` are the workloads that are scaled to 0, and not by an autoscaler that wakes them;
    ``complained_drift`` are live values that the repository has otherwise and that their workload's warnings name;
    ``complained_changes`` are settings that a commit changed or took, and that their readers' warnings name since;
    ``unrest`` are the workloads that complain in their logs;
    ``heard`` says whether any log was read.
    """

    taken_at: datetime
    findings: tuple[Finding, ...]
    symptoms: tuple[Symptom, ...]
    topology: Topology
    timeline: tuple[Happening, ...]
    onset: datetime | None
    calm: tuple[Finding, ...]
    unseen: tuple[str, ...]
    source: SourceReport
    idle: tuple[ObjectRef, ...] = ()
    complained_drift: tuple[Finding, ...] = ()
    complained_changes: tuple[Finding, ...] = ()
    unrest: tuple[Unrest, ...] = ()
    heard: bool = True

    def explained_by(self, finding: Finding) -> tuple[Symptom, ...]:
        """The symptoms that a cause at the finding's object explains: its own, and those of all who depend on it."""
        victims = self.topology.victims_of(finding.object)
        for hurt in finding.hurts:
            victims |= self.topology.victims_of(hurt) if _carries(finding, hurt) else {hurt}
        return tuple(symptom for symptom in self.symptoms if symptom.object in victims)

    def stands(self, ref: ObjectRef) -> bool:
        """Whether an object is known to be in the cluster: it suffers, complains, is declared, or is depended on."""
        return ref in self._standing

    @cached_property
    def _standing(self) -> frozenset[ObjectRef]:
        return frozenset(
            {
                *(one.object for one in (*self.symptoms, *self.unrest, *self.source.manifests)),
                *(ref for link in self.topology.links if link.why in _REAL for ref in (link.source, link.target)),
            }
        )

    def silence_of(self, symptom: Symptom) -> timedelta:
        """How long before the snapshot a symptom was last logged; zero for one that the objects themselves show."""
        logged = [one.at for one in symptom.evidence if one.source == "log" and one.at]
        if not logged or len(logged) < len(symptom.evidence):
            return timedelta(0)
        return max(self.taken_at - max(logged), timedelta(0))


def _carries(finding: Finding, hurt: object) -> bool:
    """Whether those who depend on a hurt object suffer too: they do when it is a workload or a Service."""
    return getattr(hurt, "kind", "") not in ("ConfigMap", "Secret", "Node")


def correlate(snapshot: ClusterSnapshot, findings: tuple[Finding, ...], source: SourceReport) -> Correlation:
    """Build the case from a snapshot, what the detectors found in it, and what the repository tells."""
    return relate(ClusterIndex(snapshot), findings, source)


def _is_idle(index: ClusterIndex, workload: Workload) -> bool:
    """Scaled to 0, neither asleep on purpose nor the half of a pair that a Service has turned from."""
    empty = number(workload.thing, "spec", "replicas") == 0
    return empty and not sleeps(index, workload) and not is_other_half(index, workload)


def relate(index: ClusterIndex, findings: tuple[Finding, ...], source: SourceReport) -> Correlation:
    """The same, on an index that is already built."""
    aches, links = symptoms(index), topology(index)
    return Correlation(
        taken_at=index.now,
        findings=findings,
        symptoms=aches,
        topology=links,
        timeline=timeline(index, source),
        onset=onset(findings, aches),
        calm=tuple(assess(index)),
        unseen=index.snapshot.unseen,
        source=source,
        complained_drift=tuple(complained_drift(index, source.drift)),
        complained_changes=(
            *complained_changes(index, source, links),
            *complained_removals(index, source, links),
        ),
        unrest=unrest(index),
        heard=bool(index.snapshot.logs),
        idle=tuple(one.ref for one in index.workloads if _is_idle(index, one)),
    )

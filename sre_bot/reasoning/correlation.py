"""Findings and symptoms brought together: who depends on whom, in which order, what explains what."""

from datetime import datetime, timedelta

from sre_bot.detectors.fields import number
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.recovery import assess
from sre_bot.detectors.symptoms import Symptom, symptoms
from sre_bot.domain.cluster import ClusterSnapshot, ObjectRef, Value
from sre_bot.domain.finding import Finding
from sre_bot.reasoning.complained_drift import complained_drift
from sre_bot.reasoning.source import SourceReport
from sre_bot.reasoning.timeline import Happening, onset, timeline
from sre_bot.reasoning.topology import Topology, topology


class Correlation(Value):
    """The case so far.

    ``calm`` says per workload that it is healthy, or recovered and from what;
    ``idle`` are the workloads that are scaled to 0;
    ``complained_drift`` are live values that the repository has otherwise and that their workload's warnings name.
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

    def explained_by(self, finding: Finding) -> tuple[Symptom, ...]:
        """The symptoms that a cause at the finding's object explains: its own, and those of all who depend on it."""
        victims = self.topology.victims_of(finding.object)
        for hurt in finding.hurts:
            victims |= self.topology.victims_of(hurt) if _carries(finding, hurt) else {hurt}
        return tuple(symptom for symptom in self.symptoms if symptom.object in victims)

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


def relate(index: ClusterIndex, findings: tuple[Finding, ...], source: SourceReport) -> Correlation:
    """The same, on an index that is already built."""
    aches = symptoms(index)
    return Correlation(
        taken_at=index.now,
        findings=findings,
        symptoms=aches,
        topology=topology(index),
        timeline=timeline(index, source),
        onset=onset(findings, aches),
        calm=tuple(assess(index)),
        unseen=index.snapshot.unseen,
        source=source,
        complained_drift=tuple(complained_drift(index, source.drift)),
        idle=tuple(one.ref for one in index.workloads if number(one.thing, "spec", "replicas") == 0),
    )

"""A workload's own last revision: what its ReplicaSets tell of the template before the present one.

A Deployment keeps its old ReplicaSets, each with the pod template of its revision
(https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#revision-history-limit).
"""

from collections import defaultdict

from sre_bot.detectors.fields import dig, steps, text
from sre_bot.detectors.index import ClusterIndex, revision
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Finding


def previous_revisions(index: ClusterIndex) -> dict[ObjectRef, KubernetesObject]:
    """The ReplicaSet before the newest one, for every workload that has several."""
    owned: dict[ObjectRef, list[KubernetesObject]] = defaultdict(list)
    for thing in index.of_kind("ReplicaSet"):
        owned[index.owner_of(thing)].append(thing)
    return {owner: sorted(sets, key=_age)[-2] for owner, sets in owned.items() if len(sets) > 1}


def replica_sets(index: ClusterIndex) -> dict[ObjectRef, tuple[KubernetesObject, ...]]:
    """The ReplicaSets of each workload."""
    found: dict[ObjectRef, list[KubernetesObject]] = {}
    for thing in index.of_kind("ReplicaSet"):
        found.setdefault(index.owner_of(thing), []).append(thing)
    return {ref: tuple(things) for ref, things in found.items()}


def newest_revisions(index: ClusterIndex) -> dict[ObjectRef, KubernetesObject]:
    """The newest ReplicaSet of every workload that has any."""
    return {ref: max(sets, key=_age) for ref, sets in index.once(replica_sets).items()}


def _age(thing: KubernetesObject) -> tuple[int, str, str]:
    return (revision(thing), text(thing, "metadata", "creationTimestamp"), text(thing, "metadata", "name"))


def with_last_good(index: ClusterIndex, finding: Finding) -> Finding:
    """Expect the previous revision's value, where nothing else is known and it differs."""
    before = index.once(previous_revisions).get(finding.object)
    if before is None or finding.expected or not finding.field.startswith("spec.template."):
        return finding
    value = dig(before, *steps(finding.field))
    known = text(before, *steps(finding.field))
    if not known or known == finding.observed:
        return finding
    shown = seen_field(ObjectRef.of(before), finding.field, value)
    return finding.model_copy(update={"expected": known, "evidence": (*finding.evidence, shown)})

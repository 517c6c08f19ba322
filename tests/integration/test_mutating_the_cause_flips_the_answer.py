"""A diagnosis hangs on the field that it names: with that field right, and all else as recorded, it says another."""

import copy
from typing import Any

import pytest

from sre_bot.detectors.fields import dig, steps
from sre_bot.domain.cluster import ClusterSnapshot, KubernetesObject, ObjectRef
from sre_bot.domain.diagnosis import Diagnosis
from sre_bot.domain.finding import Finding
from sre_bot.reasoning import judge
from sre_bot.tools.snapshot_folder import read_snapshot
from tests.acceptance_stage import INCIDENTS

DOZEN = (
    "fleet-fuel-and-driver-hours-missing",
    "pets-cannot-be-registered",
    "payout-runs-stop",
    "loan-decisions-take-for-ever",
    "warehouse-stock-differs",
    "returns-page-unavailable",
    "no-seat-plans",
    "help-centre-search-says-not-found",
    "choir-site-unreachable",
    "orders-cannot-be-placed",
    "firewall-log-has-gaps",
    "citizens-see-not-found-page",
)
"""The first by the SHA-256 of their names whose cause is inferred from a name, a port, a protocol or an address.

What an event or a status states is apart, since that was said of the wrong field and stays said; and so are sizes of
resources and images, since what was measured stays measured.
"""

TEMPLATE = ("spec", "template")


def diagnosed(snapshot: ClusterSnapshot) -> Diagnosis:
    return judge(snapshot, None, fix_threshold=0.6, repairable=False).diagnosis


def decisive(snapshot: ClusterSnapshot) -> Finding | None:
    """The first cause, where the wrong value stands in a field of its object and the right one is known."""
    best = diagnosed(snapshot).best
    if best is None or not best.finding.field or not best.finding.expected or best.finding.directness == "stated":
        return None
    stands = any(
        str(dig(one, *steps(best.finding.field))) == best.finding.observed
        for one in snapshot.objects
        if ObjectRef.of(one) == best.object
    )
    return best.finding if stands else None


def righted(snapshot: ClusterSnapshot, finding: Finding) -> ClusterSnapshot:
    """The snapshot with the right value in the object, and in the ReplicaSets and pods that were made from it."""
    path = tuple(steps(finding.field))
    objects = [_righted(one, _path_in(one, finding, path), finding) for one in snapshot.objects]
    return snapshot.model_copy(update={"objects": tuple(objects)})


def _path_in(thing: KubernetesObject, finding: Finding, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    ref = ObjectRef.of(thing)
    if ref == finding.object:
        return path
    copied = ref.namespace == finding.object.namespace and ref.name.startswith(f"{finding.object.name}-")
    if not copied or path[:2] != TEMPLATE:
        return ()
    return {"ReplicaSet": path, "Pod": path[2:]}.get(ref.kind, ())


def _righted(thing: KubernetesObject, path: tuple[str | int, ...], finding: Finding) -> KubernetesObject:
    if not path or str(dig(thing, *path)) != finding.observed:
        return thing
    changed: Any = copy.deepcopy(thing)
    number = isinstance(dig(thing, *path), int)
    dig(changed, *path[:-1])[path[-1]] = (
        int(finding.expected) if number and finding.expected.isdecimal() else finding.expected
    )
    return changed


@pytest.mark.parametrize("incident", DOZEN)
def test_with_the_decisive_field_right_the_answer_is_another(incident: str) -> None:
    snapshot = read_snapshot(INCIDENTS / incident, ())
    finding = decisive(snapshot)
    assert finding is not None
    assert finding.key not in {one.finding.key for one in diagnosed(righted(snapshot, finding)).causes}

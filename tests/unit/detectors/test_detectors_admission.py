import pytest

from sre_bot.domain.finding import FaultKind
from tests.clusters import Object, app, container, deployment, event, found, only, replica_set, snapshot, thing

QUOTA = (
    'Error creating: pods "api-rev1-7xk2p" is forbidden: exceeded quota: team, requested: requests.memory=4Gi, '
    "used: requests.memory=7Gi, "
    "limited: requests.memory=8Gi"
)
BIG = container(resources={"requests": {"memory": "4Gi"}, "limits": {"cpu": "2"}})


def refused(message: str, *containers: Object):
    made = deployment("api", *(containers or (BIG,)))
    owner = replica_set(made)
    return snapshot(made, owner, events=[event(owner, "FailedCreate", message)])


def test_a_quota_that_is_used_up_names_the_demand() -> None:
    finding = only(refused(QUOTA), FaultKind.QUOTA_EXCEEDED)
    assert str(finding.object) == "Deployment/shop/api"
    assert finding.field == "spec.template.spec.containers[0].resources.requests.memory"
    assert finding.observed == "requests.memory=4Gi"


def test_the_quota_is_named_as_hurt_and_its_bounds_are_evidence() -> None:
    made = deployment("api", BIG)
    owner = replica_set(made)
    quota = thing("ResourceQuota", "team", spec={"hard": {"requests.memory": "8Gi"}})
    finding = only(snapshot(made, owner, quota, events=[event(owner, "FailedCreate", QUOTA)]), FaultKind.QUOTA_EXCEEDED)
    assert "ResourceQuota/shop/team" in [piece.subject for piece in finding.evidence]


def test_the_condition_of_the_replica_set_is_enough_without_events() -> None:
    made = deployment("api", BIG)
    owner = replica_set(made)
    owner["status"] = {
        "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": QUOTA}]
    }
    assert found(snapshot(made, owner)) == [(FaultKind.QUOTA_EXCEEDED, "Deployment/shop/api")]


@pytest.mark.parametrize(
    ("said", "bound", "field"),
    [
        ('pods "api-x" is forbidden: maximum cpu usage per Container is 1, but limit is 2', "1", "limits.cpu"),
        (
            'pods "api-x" is forbidden: minimum memory usage per Container is 8Gi, but request is 4Gi',
            "8Gi",
            "requests.memory",
        ),
    ],
)
def test_a_limit_range_is_no_quota(said: str, bound: str, field: str) -> None:
    finding = only(refused(f"Error creating: {said}"), FaultKind.LIMIT_RANGE_VIOLATION)
    assert (finding.expected, finding.field) == (bound, f"spec.template.spec.containers[0].resources.{field}")


@pytest.mark.parametrize(
    "said",
    [
        'admission webhook "policy.example.com" denied the request: images must be signed',
        'pods "api-x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
        "pods \"api-x\" is forbidden: ValidatingAdmissionPolicy 'no-root' with binding 'all' denied request: root",
        'Internal error occurred: failed calling webhook "inject.mesh.io": failed to call webhook: connection refused',
    ],
)
def test_policies_and_webhooks_that_refuse_are_an_admission_matter(said: str) -> None:
    assert found(refused(f"Error creating: {said}")) == [(FaultKind.ADMISSION_DENIED, "Deployment/shop/api")]


def test_a_refusal_of_the_past_is_no_fault_of_a_workload_that_has_its_pods() -> None:
    objects = app("api", BIG)
    assert found(snapshot(objects, events=[event(objects[1], "FailedCreate", QUOTA, minutes=40)])) == []

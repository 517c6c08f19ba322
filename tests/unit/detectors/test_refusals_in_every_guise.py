from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clusters import Object, ago, app, container, deployment, event, found, pod, replica_set, snapshot, thing
from tests.variants import answer, cron_job, family, named

API = "Deployment/shop/api"
ASKS = container(resources={"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}})
QUOTA = thing("ResourceQuota", "team", spec={"hard": {"requests.cpu": "4"}})
OVER = 'pods "api-x" is forbidden: exceeded quota: team, requested: {0}, used: {1}, limited: {2}'
CPU = OVER.format("requests.cpu=2", "requests.cpu=3", "requests.cpu=4")
RANGE = 'pods "api-x" is forbidden: maximum memory usage per Container is 4Gi, but limit is 8Gi'
HOOK = 'admission webhook "rules.policy.example" denied the request: image tag latest is forbidden'
ABSENT = 'pods "api-" is forbidden: error looking up service account shop/runner: serviceaccount "runner" not found'
LEVEL = (
    'pods "api-x" is forbidden: violates PodSecurity "restricted:v1.30": allowPrivilegeEscalation != false '
    '(container "app" must set securityContext.allowPrivilegeEscalation=false), runAsNonRoot != true'
)


def told(kind: str, message: str, **rest: Any) -> tuple[list[Object], list[Object]]:
    """A workload without pods, and its controller's account of why."""
    made = family(kind, rest.pop("asks", ASKS), **rest)
    words = {"StatefulSet": f"create Pod api-0 in StatefulSet api failed error: {message}"}
    return made, [event(made[-1], "FailedCreate", words.get(kind, f"Error creating: {message}"))]


def failed(message: str) -> list[Object]:
    """A Deployment whose events have expired: only the condition is left, on it and on its ReplicaSet."""
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": message,
        "lastTransitionTime": ago(90),
    }
    made = deployment("api", ASKS, status={"conditions": [condition]})
    return [made, {**replica_set(made), "status": {"conditions": [condition]}}]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet"])
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(CPU, "quota_exceeded", id="quota"),
        pytest.param(RANGE, "limit_range_violation", id="range"),
        pytest.param(HOOK, "admission_denied", id="webhook"),
        pytest.param(LEVEL, "admission_denied", id="level"),
        pytest.param(ABSENT, "missing_service_account", id="account"),
    ],
)
def test_whoever_makes_the_pods_the_refusal_is_its_workloads(kind: str, message: str, expected: str) -> None:
    made, events = told(kind, message)
    assert named(made, events=events) == (expected, f"{made[0]['kind']}/shop/api")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (CPU, "quota_exceeded"),
        (RANGE, "limit_range_violation"),
        (HOOK, "admission_denied"),
        (ABSENT, "missing_service_account"),
    ],
)
def test_a_refusal_whose_events_have_expired_is_read_from_the_condition(message: str, expected: str) -> None:
    said = answer(failed(message), QUOTA)
    assert (said.kind, said.object, said.verdict) == (expected, API, "fix")


@pytest.mark.parametrize(
    "message",
    [
        OVER.format("pods=1", "pods=10", "pods=10"),
        OVER.format("count/pods=1", "count/pods=10", "count/pods=10"),
        OVER.format("limits.memory=8Gi", "limits.memory=60Gi", "limits.memory=64Gi"),
        OVER.format("limits.cpu=4,requests.cpu=2", "limits.cpu=8,requests.cpu=3", "limits.cpu=8,requests.cpu=4"),
        OVER.format("requests.nvidia.com/gpu=1", "requests.nvidia.com/gpu=4", "requests.nvidia.com/gpu=4"),
        OVER.format(
            "requests.ephemeral-storage=20Gi", "requests.ephemeral-storage=0", "requests.ephemeral-storage=9Gi"
        ),
        'pods "api-x" is forbidden: failed quota: team: must specify limits.cpu for: app; limits.memory for: app',
        'pods "api-x" is forbidden: [exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4, '
        "exceeded quota: second, requested: cpu=2, used: cpu=8, limited: cpu=9]",
        'pods "api-x" is forbidden: status unknown for quota: team, resources: limits.cpu',
        'persistentvolumeclaims "data-api-0" is forbidden: exceeded quota: team, requested: requests.storage=50Gi, '
        "used: requests.storage=80Gi, limited: requests.storage=100Gi",
    ],
)
def test_every_resource_of_a_quota_is_a_quota(message: str) -> None:
    made, events = told("StatefulSet", message)
    assert named(made, events=events) == ("quota_exceeded", "StatefulSet/shop/api")


@pytest.mark.parametrize(
    "message",
    [
        "minimum cpu usage per Container is 500m, but request is 100m",
        "maximum cpu usage per Pod is 2, but limit is 4",
        "maximum cpu usage per Container is 2.  No limit is specified",
        "memory max limit to request ratio per Container is 4, but provided ratio is 8.000000",
        (
            "[maximum cpu usage per Container is 1, but limit is 4, maximum memory usage per Container is 4Gi, but "
            "limit "
            "is 8Gi]"
        ),
        "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
    ],
)
def test_every_bound_of_a_limit_range_is_one(message: str) -> None:
    made, events = told("Deployment", f'pods "api-x" is forbidden: {message}')
    said = answer(made, events=events)
    assert (said.kind, said.object, said.verdict) == ("limit_range_violation", API, "fix")


@pytest.mark.parametrize(
    "message",
    [
        'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource Pod/shop/api was blocked',
        'admission webhook "validation.gatekeeper.sh" denied the request: [must-have-owner] label owner is missing',
        'admission webhook "pods.policy.example" denied the request without explanation',
        (
            "pods \"api-x\" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'no-latest' denied "
            "request: "
            "no"
        ),
        'pods "api-x" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes (volume "host")',
        'pods "api-x" is forbidden: unable to validate against any security context constraint: [provider "anyuid"]',
        'Internal error occurred: failed calling webhook "pods.policy.example": failed to call webhook: Post '
        '"https://policy.guard.svc:443/v?timeout=10s": dial tcp 10.96.3.4:443: connect: connection refused',
        'pods "api-x" is forbidden: PodSecurityPolicy: unable to admit pod: []',
        'admission webhook "rules.policy.example" denied the request: serviceaccount "runner" not found in the list',
    ],
)
def test_whatever_policy_refuses_it_is_an_admission(message: str) -> None:
    made, events = told("Deployment", message)
    assert named(made, events=events) == ("admission_denied", API)


def test_a_refused_new_revision_counts_though_the_old_pods_still_serve() -> None:
    older = deployment("api", container())
    newer = deployment("api", ASKS, replicas=2)
    former, latest = replica_set(older, revision=1), replica_set(newer, revision=2, age=60)
    served = [pod(former, name=f"api-rev1-{n}") for n in range(2)]
    said = answer(
        newer, former, latest, served, events=[event(latest, "FailedCreate", f"Error creating: {CPU}")], before=[older]
    )
    assert (said.kind, said.object, said.verdict, said.culprit) == ("quota_exceeded", API, "fix", "change something")


def test_a_job_that_a_cron_job_could_not_make_is_the_cron_jobs_refusal() -> None:
    made = cron_job("nightly")
    told_ = event(
        made,
        "FailedCreate",
        (
            'Error creating job: jobs.batch "nightly-1" is forbidden: exceeded quota: team, requested: '
            "count/jobs.batch=1, used: count/jobs.batch=5, limited: count/jobs.batch=5"
        ),
    )
    assert named(made, events=[told_]) == ("quota_exceeded", "CronJob/shop/nightly")


def test_a_refusal_that_is_over_is_no_fault() -> None:
    objects = app("api")
    assert named(objects, events=[event(objects[1], "FailedCreate", f"Error creating: {CPU}", minutes=50)])[0] in (
        "healthy",
        "recovered",
    )


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job"])
def test_without_a_word_an_account_that_does_not_exist_is_inferred(kind: str) -> None:
    made = family(kind, ASKS, serviceAccountName="runner")
    accounts = [thing("ServiceAccount", name) for name in ("default", "runners")]
    assert named(made, accounts) == ("missing_service_account", f"{kind}/shop/api")


def test_without_a_word_a_full_quota_is_inferred_by_its_arithmetic() -> None:
    made = family("StatefulSet", ASKS)
    full = {"hard": {"requests.cpu": "4"}, "used": {"requests.cpu": "2500m"}}
    assert named(made, {**QUOTA, "status": full}) == ("quota_exceeded", "StatefulSet/shop/api")


@pytest.mark.parametrize(
    "full",
    [
        {"hard": {"requests.cpu": "4"}, "used": {"requests.cpu": "2"}},
        {"hard": {"requests.cpu": "4"}},
        {"hard": {"services": "4"}, "used": {"services": "4"}},
    ],
)
def test_a_quota_with_room_refuses_nothing(full: Object) -> None:
    made = family("StatefulSet", ASKS)
    assert named(made, {**QUOTA, "status": full})[0] == "none"


@pytest.mark.parametrize("idle", [{"replicas": 0}, {"template": {"paused": True}}, {"age": 0.5}])
def test_a_workload_that_wants_no_pods_yet_lacks_no_account(idle: Object) -> None:
    made = family("Deployment", ASKS, serviceAccountName="runner", rest=idle)
    assert named(made, thing("ServiceAccount", "default"))[0] != "missing_service_account"


@settings(max_examples=60, deadline=None)
@given(st.permutations(["quota", "range", "hook", "account"]), st.text(max_size=60))
def test_whatever_is_said_and_in_whichever_order_every_refusal_has_one_finding(order: list[str], noise: str) -> None:
    words = {"quota": CPU, "range": RANGE, "hook": HOOK, "account": ABSENT}
    made = [family("Deployment", ASKS, name=name) for name in order]
    events = [event(one[-1], "FailedCreate", f"Error creating: {words[one[0]['metadata']['name']]}") for one in made]
    events.append(event(made[0][0], "Noise", noise))
    kinds = sorted(kind for kind, _ in found(snapshot(made, events=events)))
    assert kinds == ["admission_denied", "limit_range_violation", "missing_service_account", "quota_exceeded"]

from typing import Any

import pytest

from tests.clusters import (
    Object,
    ago,
    app,
    container,
    deployment,
    ended,
    env,
    event,
    log,
    looping,
    node,
    pod,
    replica_set,
    running,
    thing,
    workload,
)
from tests.variants import answer, cron_job, family, job, named, pods_of

API = "Deployment/shop/api"


def stopped(reason: str, message: str, kind: str = "Failed") -> Object:
    return {
        "conditions": [
            {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": ago(20)}
        ],
        "failed": 3,
    }


JOBS = [
    ("BackoffLimitExceeded", "Job has reached the specified backoff limit"),
    ("DeadlineExceeded", "Job was active longer than specified deadline"),
    ("PodFailurePolicy", "Container app for pod shop/api-x failed with exit code 3 matching FailJob rule at index 0"),
    ("FailedIndexes", "Job has failed indexes"),
    ("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"),
]


@pytest.mark.parametrize(("reason", "message"), JOBS)
@pytest.mark.parametrize("owned", [True, False])
@pytest.mark.parametrize("condition", ["Failed", "FailureTarget"])
def test_a_job_that_gave_up_is_named_or_the_cron_job_that_made_it(
    reason: str, message: str, condition: str, *, owned: bool
) -> None:
    cron = cron_job("nightly") if owned else None
    failed = job("nightly-1", owner=cron, status=stopped(reason, message, condition))
    kind, object_ = named(*([cron] if cron else []), failed, app("web"), node())
    assert (kind, object_) == ("job_failed", "CronJob/shop/nightly" if owned else "Job/shop/nightly-1")


def test_a_job_whose_pod_tells_the_reason_is_of_that_kind() -> None:
    made = job("import", container(image="registry.example/none:1"), status=stopped(*JOBS[1]))
    waits = {
        "name": "app",
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}},
    }
    assert named(made, pod(made, waits, name="import-x", phase="Pending"), app("web"), node()) == (
        "image_not_found",
        "Job/shop/import",
    )


def test_a_failed_pod_of_a_job_with_a_reason_in_its_log_is_of_that_kind() -> None:
    made = job("import", container(env=env(LOG_LEVEL="info")), status=stopped(*JOBS[0]))
    died = {"name": "app", "ready": False, "restartCount": 0, "state": {"terminated": ended(1)}, "lastState": {}}
    dead = pod(made, died, name="import-x", phase="Failed")
    line = "Error: environment variable LEDGER_URL is not set"
    assert named(made, dead, app("web"), node(), logs=[log(dead, line)]) == ("missing_env", "Job/shop/import")


def test_a_later_success_of_the_same_cron_job_makes_the_failure_history() -> None:
    cron = cron_job("nightly")
    failed = job("nightly-1", owner=cron, status={**stopped(*JOBS[0]), "startTime": ago(90)})
    done = job(
        "nightly-2", owner=cron, status={"startTime": ago(30), "conditions": [{"type": "Complete", "status": "True"}]}
    )
    assert named(cron, failed, done, app("web"), node())[0] in ("healthy", "recovered")


def test_a_suspended_cron_job_is_named_and_the_commit_that_did_it() -> None:
    said = answer(cron_job("nightly", suspend=True), app("web"), node(), before=[cron_job("nightly"), app("web")[0]])
    assert (said.kind, said.object, said.verdict, said.culprit) == (
        "cronjob_suspended",
        "CronJob/shop/nightly",
        "fix",
        "change something",
    )


def progress(reason: str, **rest: Any) -> Object:
    message = 'ReplicaSet "api-rev2" has timed out progressing.'
    return {
        "conditions": [
            {
                "type": "Progressing",
                "status": "False",
                "reason": reason,
                "message": message,
                "lastTransitionTime": ago(20),
            }
        ],
        **rest,
    }


def test_a_rollout_that_ran_out_of_time_without_a_narrower_reason_is_stuck() -> None:
    made = deployment("api", status=progress("ProgressDeadlineExceeded"))
    owner = replica_set(made, revision=2)
    assert named(made, owner, pod(owner, running(ready=False)), node()) == ("rollout_stuck", API)


@pytest.mark.parametrize(
    ("template", "status"),
    [
        ({"paused": True}, {"updatedReplicas": 0, "replicas": 2}),
        ({"minReadySeconds": 3_600}, {"updatedReplicas": 1, "replicas": 3, "readyReplicas": 3, "availableReplicas": 2}),
    ],
)
def test_a_rollout_that_its_own_strategy_holds_back_is_stuck(template: Object, status: Object) -> None:
    made = deployment("api", replicas=2, template=template, status=status)
    former, latest = replica_set(made, revision=1), replica_set(made, revision=2, age=90)
    pods = [pod(former, name="api-a"), pod(former, name="api-b"), pod(latest, name="api-c", age=90)]
    assert named(made, former, latest, pods, node())[0] in ("rollout_stuck", "healthy")


@pytest.mark.parametrize(
    ("strategy", "field"),
    [
        ({"type": "OnDelete"}, "spec.updateStrategy.type"),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, "spec.updateStrategy.rollingUpdate.partition"),
    ],
)
def test_a_stateful_set_that_keeps_its_old_pods_is_stuck(strategy: Object, field: str) -> None:
    revisions = {
        "currentRevision": "api-1",
        "updateRevision": "api-2",
        "updatedReplicas": 0,
        "replicas": 2,
        "readyReplicas": 2,
    }
    made = workload("StatefulSet", "api", replicas=2, template={"updateStrategy": strategy}, status=revisions)
    said = answer(made, [pod(made, name=f"api-{n}") for n in range(2)], node())
    assert (said.kind, said.object, said.field) == ("rollout_stuck", "StatefulSet/shop/api", field)


def budget(**spec: Any) -> Object:
    status = {"disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2, "expectedPods": 2}
    chosen = {"selector": {"matchLabels": {"app": "api"}}, **spec}
    return thing("PodDisruptionBudget", "api", api="policy/v1", spec=chosen, status=status)


@pytest.mark.parametrize(
    "spec", [{"minAvailable": 2}, {"minAvailable": "100%"}, {"maxUnavailable": 0}, {"maxUnavailable": "0%"}]
)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_budget_that_lets_nobody_go_blocks_the_drain_of_a_node(spec: Object, kind: str) -> None:
    assert named(pods_of(kind), budget(**spec), node(cordoned=True)) == ("pdb_blocks", "PodDisruptionBudget/shop/api")


@pytest.mark.parametrize("spec", [{"minAvailable": 2}, {"maxUnavailable": 0}])
def test_a_strict_budget_while_nobody_drains_is_no_fault(spec: Object) -> None:
    assert named(pods_of("Deployment"), budget(**spec), node())[0] == "healthy"


def test_an_eviction_that_is_refused_tells_of_the_budget_without_a_cordon() -> None:
    objects = pods_of("Deployment")
    told = event(objects[-1], "EvictionBlocked", "Cannot evict pod as it would violate the pod's disruption budget.")
    assert named(objects, budget(minAvailable=2), node(), events=[told])[0] == "pdb_blocks"


def test_a_crashing_program_is_no_stuck_rollout() -> None:
    made = deployment("api", container(env=env(A="b")), status=progress("ProgressDeadlineExceeded"))
    owner = replica_set(made, revision=2)
    crashed = pod(owner, looping(1))
    line = "Error: environment variable LEDGER_URL is not set"
    assert named(made, owner, crashed, node(), logs=[log(crashed, line)]) == ("missing_env", API)
    assert family("Deployment")[0]["kind"] == "Deployment"

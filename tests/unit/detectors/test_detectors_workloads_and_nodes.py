from typing import Any

import pytest

from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    NOW,
    Object,
    ago,
    app,
    container,
    deployment,
    ended,
    env,
    event,
    found,
    looping,
    node,
    only,
    pod,
    replica_set,
    running,
    service,
    snapshot,
    thing,
    waiting,
    workload,
)

API = container(ports=[{"containerPort": 8080}])


def test_a_workload_scaled_to_nothing_that_others_call() -> None:
    client = app("web", container(env=env(API_URL="http://api")))
    finding = only(snapshot(deployment("api", API, replicas=0), service("api"), client), FaultKind.ZERO_REPLICAS)
    assert (str(finding.object), finding.field, finding.observed) == ("Deployment/shop/api", "spec.replicas", "0")


def test_a_workload_scaled_to_nothing_that_nobody_calls_is_left_alone() -> None:
    assert found(snapshot(deployment("api", API, replicas=0), service("api"), app("web"))) == []


def test_one_of_two_versions_scaled_to_nothing_is_left_alone() -> None:
    blue = deployment("api-blue", API, labels={"app": "api", "version": "blue"}, replicas=0)
    client = app("web", container(env=env(API_URL="http://api")))
    assert (
        found(snapshot(blue, app("api-green", API, labels={"app": "api", "version": "green"}), service("api"), client))
        == []
    )


def test_a_rollout_that_passed_its_deadline_is_stuck() -> None:
    late = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]
    assert found(snapshot(deployment("api", API, status={"conditions": late}))) == [
        (FaultKind.ROLLOUT_STUCK, "Deployment/shop/api")
    ]


def test_a_rollout_paused_half_way_is_stuck() -> None:
    finding = only(
        snapshot(deployment("api", API, template={"paused": True}, status={"updatedReplicas": 0})),
        FaultKind.ROLLOUT_STUCK,
    )
    assert finding.field == "spec.paused"


def test_pods_of_an_older_revision_are_not_judged() -> None:
    made = deployment("api", API)
    old, new = replica_set(made, revision=1, replicas=0), replica_set(made, revision=2)
    crashed = pod(old, looping(137, "OOMKilled"), name="api-rev1-x")
    assert found(snapshot(made, old, new, crashed, pod(new, name="api-rev2-x"))) == []


def test_a_pod_that_is_being_deleted_is_not_judged() -> None:
    made = deployment("api", API)
    owner = replica_set(made)
    gone = pod(owner, looping(137, "OOMKilled"), metadata={"deletionTimestamp": ago(1)})
    assert found(snapshot(made, owner, gone, pod(owner, name="api-rev1-y"))) == []


def test_a_budget_that_allows_no_eviction_while_a_node_is_drained() -> None:
    budget = thing(
        "PodDisruptionBudget",
        "api",
        api="policy/v1",
        spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "api"}}},
        status={"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1},
    )
    finding = only(snapshot(app("api", API), budget, node(cordoned=True)), FaultKind.PDB_BLOCKS)
    assert (str(finding.object), finding.field, finding.observed) == (
        "PodDisruptionBudget/shop/api",
        "spec.minAvailable",
        "1",
    )
    assert found(snapshot(app("api", API), budget, node())) == []


def test_an_autoscaler_without_requests_to_measure_against() -> None:
    said = "failed to get cpu utilization: missing request for cpu in container app of Pod api-x"
    scaler = thing(
        "HorizontalPodAutoscaler",
        "api",
        api="autoscaling/v2",
        spec={"scaleTargetRef": {"kind": "Deployment", "name": "api"}},
        status={
            "conditions": [
                {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": said}
            ]
        },
    )
    finding = only(snapshot(app("api", API), scaler), FaultKind.HPA_CANNOT_SCALE)
    assert (str(finding.object), finding.observed) == (
        "Deployment/shop/api",
        "missing request for cpu in container app",
    )
    assert finding.field == "spec.template.spec.containers[0].resources.requests.cpu"


def test_a_container_that_uses_all_the_cpu_it_may_is_saturated() -> None:
    objects = app("api", container(resources={"limits": {"cpu": "500m"}}))
    measured = thing(
        "PodMetrics", objects[-1]["metadata"]["name"], containers=[{"name": "app", "usage": {"cpu": "499123456n"}}]
    )
    finding = only(snapshot(objects, measured), FaultKind.CPU_SATURATION)
    assert (finding.observed, finding.field) == ("500m", "spec.template.spec.containers[0].resources.limits.cpu")


def test_pods_whose_network_cannot_be_set_up_are_their_nodes_fault() -> None:
    made = deployment("api", API)
    owner = replica_set(made)
    child = pod(owner, waiting("ContainerCreating"), phase="Pending", age=10)
    said = 'Failed to create pod sandbox: failed to setup network for sandbox "x": plugin type="calico" failed'
    assert found(snapshot(made, owner, child, node(), events=[event(child, "FailedCreatePodSandBox", said)])) == [
        (FaultKind.NODE_NOT_READY, "Node//node-1")
    ]


def test_failed_attempts_of_a_job_that_completed_are_no_fault() -> None:
    done = job(failed=False)
    attempt = pod(
        None,
        name="import-x1",
        phase="Failed",
        ready=False,
        metadata={"ownerReferences": [{"kind": "Job", "name": "import", "controller": True}]},
    )
    attempt["status"]["containerStatuses"] = [
        {"name": "app", "ready": False, "restartCount": 0, "state": {"terminated": ended(127)}}
    ]
    assert found(snapshot(done, attempt)) == []
    assert (FaultKind.INVALID_COMMAND, "Job/shop/import") in found(snapshot(job(), attempt))


def test_an_autoscaler_of_a_workload_that_is_off_is_no_fault() -> None:
    scaler = thing(
        "HorizontalPodAutoscaler",
        "api",
        spec={"scaleTargetRef": {"kind": "Deployment", "name": "api"}},
        status={
            "conditions": [{"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled", "message": "zero"}]
        },
    )
    assert found(snapshot(app("api", API), scaler)) == []


def job(name: str = "import", *, owner: Object | None = None, failed: bool = True, start: float = 30.0):
    condition = {
        "type": "Failed" if failed else "Complete",
        "status": "True",
        "reason": "BackoffLimitExceeded",
        "message": "limit",
    }
    owners = (
        {"ownerReferences": [{"kind": "CronJob", "name": owner["metadata"]["name"], "controller": True}]}
        if owner
        else {}
    )
    return thing(
        "Job",
        name,
        api="batch/v1",
        metadata=owners,
        spec={"template": {"spec": {"containers": [container()]}}},
        status={"startTime": ago(start), "conditions": [condition]},
    )


def cron(**spec: Any):
    return thing(
        "CronJob",
        "nightly",
        api="batch/v1",
        spec={
            "schedule": "0 2 * * *",
            "jobTemplate": {"spec": {"template": {"spec": {"containers": [container()]}}}},
            **spec,
        },
        status={"lastScheduleTime": ago(9_000)},
    )


def test_a_failed_job_is_named() -> None:
    assert found(snapshot(job())) == [(FaultKind.JOB_FAILED, "Job/shop/import")]


def test_a_failed_job_of_a_cron_job_is_the_cron_jobs_fault_unless_a_later_one_went_well() -> None:
    owner = cron()
    assert found(snapshot(owner, job("a", owner=owner))) == [(FaultKind.JOB_FAILED, "CronJob/shop/nightly")]
    assert found(snapshot(owner, job("a", owner=owner, start=90), job("b", owner=owner, failed=False, start=5))) == []


def test_a_suspended_cron_job_is_named() -> None:
    finding = only(snapshot(cron(suspend=True)), FaultKind.CRONJOB_SUSPENDED)
    assert (finding.field, finding.observed, finding.expected) == ("spec.suspend", "true", "false")


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        ("Unknown", "Kubelet stopped posting node status.", FaultKind.KUBELET_DOWN),
        (
            "False",
            "[container runtime is down, PLEG is not healthy: pleg was last seen active 3m]",
            FaultKind.CONTAINER_RUNTIME_DOWN,
        ),
        (
            "False",
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady",
            FaultKind.NODE_NOT_READY,
        ),
    ],
)
def test_a_node_that_is_not_ready_says_what_is_down(status: str, said: str, kind: FaultKind) -> None:
    broken = node(
        ready={"type": "Ready", "status": status, "reason": "x", "message": said, "lastTransitionTime": ago(9)}
    )
    finding = only(snapshot(broken, app("api", API)), kind)
    assert (str(finding.object), [str(ref) for ref in finding.hurts]) == ("Node//node-1", ["Deployment/shop/api"])


def test_a_node_under_disk_pressure() -> None:
    assert found(
        snapshot(
            node(
                conditions=[
                    {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure", "message": "full"}
                ]
            )
        )
    ) == [(FaultKind.NODE_NOT_READY, "Node//node-1")]


def test_a_proxy_that_is_not_ready_on_its_node() -> None:
    proxy = workload(
        "DaemonSet", "kube-proxy", container(image="registry.k8s.io/kube-proxy:v1.33"), namespace="kube-system"
    )
    assert (FaultKind.KUBE_PROXY_DOWN, "DaemonSet/kube-system/kube-proxy") in found(
        snapshot(proxy, pod(proxy, waiting("CrashLoopBackOff", ended=ended(1))), node())
    )


def test_the_clock_of_the_snapshot_counts_and_not_ours() -> None:
    status = running(restarts=1, up=5, ended=ended(137, "OOMKilled", minutes=5))
    cluster = snapshot(app("api", API, status=[status]))
    assert found(cluster) == [(FaultKind.OOM_KILLED, "Deployment/shop/api")]
    later = cluster.model_copy(update={"taken_at": NOW.replace(hour=18)})
    assert found(later) == []


def test_a_warning_about_a_pod_that_is_ready_is_no_fault() -> None:
    objects = app("api", API)
    assert (
        found(
            snapshot(
                objects, events=[event(objects[-1], "BackOff", "Back-off restarting failed container", minutes=30)]
            )
        )
        == []
    )

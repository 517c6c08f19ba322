"""Every kind of workload after a sync: how it recovers, and how it goes on failing."""

import copy
from pathlib import Path
from typing import Any

from tests.lab_worlds import Lab, is_ready, lab_of
from tests.small_incidents import (
    BORN,
    NAMESPACE,
    NODE,
    SmallIncident,
    crashing,
    live,
    metadata,
    owned,
    pod,
    service,
    text,
    warning,
    wrong_port,
)

Json = dict[str, Any]
TEMPLATE: Json = {
    "metadata": {"labels": {"app": "it"}},
    "spec": {"containers": [{"name": "app", "image": "shop/it:1"}]},
}
CONTAINER = "containers[0].image"


def manifest(kind: str, api_version: str = "apps/v1", **spec: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "it", "namespace": "shop"}, "spec": spec}


def standing(thing: Json, status: Json) -> Json:
    return {**copy.deepcopy(thing), "metadata": metadata("it"), "status": status}


def fixed(thing: Json) -> dict[str, str | None]:
    return {"deploy/it.yaml": text(thing).replace("shop/it:1", "shop/it:2")}


def incident(thing: Json, *objects: Json, path: str) -> SmallIncident:
    heals: list[Json] = [{"object": f"{thing['kind']}/it", "path": path, "equals": "shop/it:2"}]
    files = {"deploy/it.yaml": text(thing)}
    return SmallIncident(objects=[NAMESPACE, NODE, *objects], files=files, heals=heals)


def failed(broken: Json) -> Json:
    status = crashing(broken)
    return {**status, "phase": "Failed"}


def images(lab: Lab) -> set[str]:
    return {one["spec"]["containers"][0]["image"] for one in lab.pods("it")}


async def test_a_stateful_set_makes_its_pods_anew_under_their_old_names(tmp_path: Path) -> None:
    selector = {"matchLabels": {"app": "it"}}
    it = manifest("StatefulSet", replicas=2, serviceName="it", selector=selector, template=TEMPLATE)
    pods = [pod(f"it-{place}", TEMPLATE, crashing, owned("StatefulSet", "it")) for place in range(2)]
    recorded = incident(it, standing(it, {"replicas": 2}), *pods, path=f"spec.template.spec.{CONTAINER}")
    async with lab_of(recorded, tmp_path) as lab:
        uids = {one["metadata"]["uid"] for one in lab.pods("it")}
        await lab.deploy(fixed(it))
        assert [one["metadata"]["name"] for one in lab.pods("it")] == ["it-0", "it-1"]
        assert not uids & {one["metadata"]["uid"] for one in lab.pods("it")}
        assert all(map(is_ready, lab.pods("it")))
        assert lab.one("StatefulSet", "it")["status"]["readyReplicas"] == 2
        assert await lab.health() == "Healthy"
        await lab.deploy({"deploy/it.yaml": text(it)})
        assert not any(map(is_ready, lab.pods("it")))
        assert await lab.health() == "Progressing"


async def test_a_daemon_set_keeps_one_pod_for_each_that_it_had(tmp_path: Path) -> None:
    it = manifest("DaemonSet", selector={"matchLabels": {"app": "it"}}, template=TEMPLATE)
    status = {"desiredNumberScheduled": 1, "numberUnavailable": 1}
    recorded = incident(
        it,
        standing(it, status),
        pod("it-aaaaa", TEMPLATE, crashing, owned("DaemonSet", "it")),
        path=f"spec.template.spec.{CONTAINER}",
    )
    async with lab_of(recorded, tmp_path) as lab:
        assert await lab.health() == "Progressing"
        await lab.deploy(fixed(it))
        assert [is_ready(one) for one in lab.pods("it")] == [True]
        assert lab.one("DaemonSet", "it")["status"]["numberReady"] == 1
        assert await lab.health() == "Healthy"


async def test_a_failed_job_is_replaced_and_completes(tmp_path: Path) -> None:
    it = manifest("Job", "batch/v1", template=TEMPLATE, backoffLimit=0)
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "limit reached"}
    recorded = incident(
        it,
        standing(it, {"failed": 1, "conditions": [condition]}),
        pod("it-aaaaa", TEMPLATE, failed, owned("Job", "it", "batch/v1")),
        path=f"spec.template.spec.{CONTAINER}",
    )
    async with lab_of(recorded, tmp_path) as lab:
        assert await lab.health() == "Degraded"
        await lab.deploy(fixed(it))
        assert lab.one("Job", "it")["status"]["succeeded"] == 1
        assert [one["status"]["phase"] for one in lab.pods("it")] == ["Succeeded"]
        assert await lab.health() == "Healthy"


async def test_a_job_that_is_not_repaired_fails_again(tmp_path: Path) -> None:
    it = manifest("Job", "batch/v1", template=TEMPLATE, backoffLimit=0)
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "limit reached"}
    broken = pod("it-aaaaa", TEMPLATE, failed, owned("Job", "it", "batch/v1"))
    recorded = incident(it, standing(it, {"failed": 1, "conditions": [condition]}), broken, path="spec.never")
    async with lab_of(recorded, tmp_path) as lab:
        await lab.deploy(fixed(it))
        assert images(lab) == {"shop/it:2"}
        assert [one["status"]["phase"] for one in lab.pods("it")] == ["Failed"]
        assert lab.one("Job", "it")["status"]["conditions"][0]["reason"] == "BackoffLimitExceeded"
        assert await lab.health() == "Degraded"


async def test_a_cron_job_runs_once_more_and_its_failed_job_is_gone(tmp_path: Path) -> None:
    it = manifest("CronJob", "batch/v1", schedule="* * * * *", jobTemplate={"spec": {"template": TEMPLATE}})
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata("it-1", ownerReferences=owned("CronJob", "it", "batch/v1")),
        "spec": {"template": TEMPLATE},
        "status": {"failed": 1},
    }
    broken = pod("it-1-aaaaa", TEMPLATE, failed, owned("Job", "it-1", "batch/v1"))
    path = f"spec.jobTemplate.spec.template.spec.{CONTAINER}"
    async with lab_of(incident(it, standing(it, {}), job, broken, path=path), tmp_path) as lab:
        await lab.deploy(fixed(it))
        jobs = lab.world.cluster.of_kind("Job")
        assert [one["status"].get("succeeded") for one in jobs] == [1]
        assert [one["status"]["phase"] for one in lab.pods("it")] == ["Succeeded"]
        assert images(lab) == {"shop/it:2"}


async def test_a_bare_pod_is_replaced_under_its_name(tmp_path: Path) -> None:
    it = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it", "namespace": "shop", "labels": {"app": "it"}}}
    it["spec"] = TEMPLATE["spec"]
    recorded = incident(it, pod("it", TEMPLATE, crashing), path=f"spec.{CONTAINER}")
    async with lab_of(recorded, tmp_path) as lab:
        uid = lab.pods("it")[0]["metadata"]["uid"]
        await lab.deploy(fixed(it))
        assert [one["metadata"]["name"] for one in lab.pods("it")] == ["it"]
        assert lab.pods("it")[0]["metadata"]["uid"] != uid
        assert is_ready(lab.pods("it")[0])
        assert (await lab.world.delivery.current()).status == "Synced"


async def test_a_claim_is_bound_and_the_pods_that_waited_for_it_start(tmp_path: Path) -> None:
    it = manifest(
        "PersistentVolumeClaim",
        "v1",
        storageClassName="slow",
        accessModes=["ReadWriteOnce"],
        resources={"requests": {"storage": "5Gi"}},
    )
    recorded = SmallIncident(
        objects=[NAMESPACE, NODE, standing(it, {"phase": "Pending"}), pod("user", TEMPLATE, failed)],
        files={"deploy/it.yaml": text(it)},
        heals=[{"object": "PersistentVolumeClaim/it", "path": "spec.storageClassName", "equals": "fast"}],
    )
    async with lab_of(recorded, tmp_path) as lab:
        assert await lab.health() == "Progressing"
        await lab.deploy({"deploy/it.yaml": text(it).replace("slow", "fast")})
        claim = lab.one("PersistentVolumeClaim", "it")
        assert (claim["status"]["phase"], claim["status"]["capacity"]) == ("Bound", {"storage": "5Gi"})
        assert is_ready(lab.one("Pod", "user"))
        await lab.deploy({"deploy/it.yaml": text(it)})
        assert lab.one("PersistentVolumeClaim", "it")["status"]["phase"] == "Pending"


async def test_pods_that_nobody_could_create_come_with_the_repair_and_go_with_its_revert(tmp_path: Path) -> None:
    recorded = wrong_port()
    checkout, replica_set, *pods = recorded.objects[2:6]
    recorded.objects = [one for one in recorded.objects if one not in pods]
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    replica_set["status"] = {"replicas": 0, "conditions": [failure]}
    checkout["status"] = {"observedGeneration": 1, "unavailableReplicas": 2, "conditions": [failure]}
    recorded.events = [warning(replica_set, "FailedCreate", "Error creating: exceeded quota")]
    path = "spec.template.spec.containers[0].image"
    recorded.heals = [{"object": "Deployment/checkout", "path": path, "equals": "shop/checkout:3"}]
    async with lab_of(recorded, tmp_path) as lab:
        broken = await lab.file("deploy/checkout.yaml")
        moment = lab.world.clock.stamp()
        await lab.deploy({"deploy/checkout.yaml": broken.replace("checkout:1", "checkout:2")})
        assert lab.pods("checkout") == []
        newest = lab.one("Deployment", "checkout")["status"]["conditions"]
        assert "ReplicaFailure" in [one["type"] for one in newest]
        assert "FailedCreate" in [reason for reason, _ in lab.warnings_since(moment)]
        await lab.deploy({"deploy/checkout.yaml": broken.replace("checkout:1", "checkout:3")})
        assert all(map(is_ready, lab.pods("checkout")))
        assert len(lab.pods("checkout")) == 2
        await lab.deploy({"deploy/checkout.yaml": broken})
        assert lab.pods("checkout") == []


async def test_the_recordings_own_objects_are_served_once_healed(tmp_path: Path) -> None:
    recorded = wrong_port()
    after = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("told-after")}
    changed = {**after, "metadata": metadata("known-before"), "data": {"state": "well"}}
    recorded.objects.append({**changed, "data": {"state": "ill"}})
    recorded.after = "cluster-after/"
    recorded.extra = {"cluster-after/shop/all.yaml": text(after, changed)}
    async with lab_of(recorded, tmp_path) as lab:
        broken = await lab.file("deploy/checkout.yaml")
        await lab.deploy({"deploy/checkout.yaml": broken.replace("targetPort: web", "targetPort: http")})
        assert lab.one("ConfigMap", "told-after")
        assert lab.one("ConfigMap", "known-before")["data"] == {"state": "well"}
        await lab.deploy({"deploy/checkout.yaml": broken})
        assert lab.one("ConfigMap", "known-before")["data"] == {"state": "ill"}


async def test_a_pod_that_no_node_would_take_is_scheduled_once_healed(tmp_path: Path) -> None:
    def pending(thing: Json) -> Json:
        thing["spec"].pop("nodeName")
        return {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
        }

    full = {
        **copy.deepcopy(NODE),
        "metadata": {"name": "a-full", "uid": "u", "labels": {}},
        "spec": {"unschedulable": True},
    }
    recorded = wrong_port()
    recorded.objects = [NAMESPACE, NODE, full, *live({**manifest("Deployment"), **_waiting()}, pending)]
    recorded.files = {"deploy/it.yaml": text({**manifest("Deployment"), **_waiting()})}
    recorded.heals = [{"object": "Deployment/it", "path": "spec.template.spec.nodeSelector", "absent": True}]
    recorded.harms = []
    async with lab_of(recorded, tmp_path) as lab:
        repaired = _waiting()
        del repaired["spec"]["template"]["spec"]["nodeSelector"]
        await lab.deploy({"deploy/it.yaml": text({**manifest("Deployment"), **repaired})})
        assert [one["spec"]["nodeName"] for one in lab.pods("it")] == ["worker-1"]
        assert lab.pods("it")[0]["status"]["hostIP"] == "10.0.0.10"


def _waiting() -> Json:
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["nodeSelector"] = {"disk": "none"}
    return {"spec": {"replicas": 1, "selector": {"matchLabels": {"app": "it"}}, "template": template}}


async def test_new_objects_are_dated_by_the_incidents_clock(tmp_path: Path) -> None:
    async with lab_of(wrong_port(), tmp_path) as lab:
        lab.world.clock.advance(3600)
        await lab.deploy({"deploy/more.yaml": text(service("more", 1))})
        born = lab.one("Service", "more")["metadata"]["creationTimestamp"]
        assert BORN < born <= lab.world.clock.stamp()
        assert born.startswith("2026-03-17T11:2")

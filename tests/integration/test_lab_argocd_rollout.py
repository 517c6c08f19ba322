"""The cluster after a sync: what recovers, what keeps failing, what gets worse."""

import copy
from pathlib import Path
from typing import Any

from tests.lab_worlds import is_ready, lab_of
from tests.small_incidents import (
    BORN,
    HASH,
    NAMESPACE,
    NODE,
    SmallIncident,
    crash_loop,
    deployment,
    live,
    metadata,
    owned,
    service,
    text,
    with_mode,
    wrong_port,
)

Json = dict[str, Any]
WORKER = "deploy/worker.yaml"


async def test_a_healed_template_gets_a_new_replica_set_and_new_ready_pods(tmp_path: Path) -> None:
    async with lab_of(crash_loop(), tmp_path) as lab:
        before = {pod["metadata"]["name"] for pod in lab.pods("worker")}
        await lab.deploy({WORKER: with_mode(await lab.file(WORKER))})
        pods = lab.pods("worker")
        assert len(pods) == 2
        assert all(map(is_ready, pods))
        assert not before & {pod["metadata"]["name"] for pod in pods}
        assert all(pod["spec"]["containers"][0]["env"] == [{"name": "MODE", "value": "x"}] for pod in pods)
        old = lab.one("ReplicaSet", f"worker-{HASH}")
        new = next(one for one in lab.world.cluster.of_kind("ReplicaSet") if one is not old)
        assert (old["spec"]["replicas"], new["spec"]["replicas"]) == (0, 2)
        assert new["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
        assert new["metadata"]["labels"]["pod-template-hash"] in new["metadata"]["name"]
        assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods} == {
            new["metadata"]["labels"]["pod-template-hash"]
        }


async def test_a_healed_deployment_says_that_it_is_complete(tmp_path: Path) -> None:
    async with lab_of(crash_loop(), tmp_path) as lab:
        await lab.deploy({WORKER: with_mode(await lab.file(WORKER))})
        worker = lab.one("Deployment", "worker")
        conditions = {one["type"]: (one["status"], one["reason"]) for one in worker["status"]["conditions"]}
        assert worker["metadata"]["generation"] == worker["status"]["observedGeneration"] == 2
        assert worker["status"]["readyReplicas"] == worker["status"]["updatedReplicas"] == 2
        assert conditions["Available"] == ("True", "MinimumReplicasAvailable")
        assert conditions["Progressing"] == ("True", "NewReplicaSetAvailable")
        assert await lab.health() == "Healthy"


async def test_after_healing_there_is_no_warning_and_the_logs_are_quiet(tmp_path: Path) -> None:
    async with lab_of(crash_loop(), tmp_path) as lab:
        moment = lab.world.clock.stamp()
        await lab.deploy({WORKER: with_mode(await lab.file(WORKER))})
        assert lab.warnings_since(moment) == []
        for pod in lab.pods("worker"):
            assert "MODE" not in (lab.log(pod) or "")
            assert lab.log(pod)
            assert lab.log(pod, previous=True) is None


async def test_a_rollout_is_told_in_ordinary_events(tmp_path: Path) -> None:
    async with lab_of(crash_loop(), tmp_path) as lab:
        await lab.deploy({WORKER: with_mode(await lab.file(WORKER))})
        told = {(event["reason"], event["involvedObject"]["kind"]) for event in lab.world.cluster.of_kind("Event")}
        assert {("ScalingReplicaSet", "Deployment"), ("SuccessfulCreate", "ReplicaSet")} <= told
        assert {("Scheduled", "Pod"), ("Started", "Pod")} <= told


async def test_a_wrong_fix_fails_as_before_on_new_pods(tmp_path: Path) -> None:
    async with lab_of(crash_loop(), tmp_path) as lab:
        moment = lab.world.clock.stamp()
        manifest = (await lab.file(WORKER)).replace("shop/worker:1", "shop/worker:2")
        await lab.deploy({WORKER: manifest})
        pods = lab.pods("worker")
        names = [pod["metadata"]["name"] for pod in pods]
        assert len(pods) == 2
        assert not any(map(is_ready, pods))
        assert not any(HASH in name for name in names)
        for pod in pods:
            status = pod["status"]["containerStatuses"][0]
            assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
            assert status["image"] == "shop/worker:2"
            assert pod["metadata"]["name"] in status["state"]["waiting"]["message"]
            assert status["lastState"]["terminated"]["finishedAt"] >= moment
            assert lab.log(pod) == f"{pod['metadata']['name']}: MODE is not set\n" == lab.log(pod, previous=True)
        assert lab.warnings_since(moment) == sorted(("BackOff", name) for name in names)
        assert await lab.health() == "Progressing"


async def test_a_rollout_that_stays_stuck_passes_its_deadline(tmp_path: Path) -> None:
    async with lab_of(crash_loop(), tmp_path) as lab:
        await lab.deploy({WORKER: (await lab.file(WORKER)).replace("shop/worker:1", "shop/worker:2")})
        changed = lab.world.cluster.changed
        async with changed:
            lab.world.clock.advance(700)
            await changed.wait()
        assert await lab.health() == "Degraded"
        reasons = [one["reason"] for one in lab.one("Deployment", "worker")["status"]["conditions"]]
        assert "ProgressDeadlineExceeded" in reasons


async def test_a_harmful_change_is_degraded_at_once(tmp_path: Path) -> None:
    async with lab_of(crash_loop(), tmp_path) as lab:
        await lab.deploy({WORKER: (await lab.file(WORKER)).replace("replicas: 2", "replicas: 0")})
        assert lab.world.delivery.outcome == "harmed"
        assert lab.pods("worker") == []
        assert await lab.health() == "Degraded"


async def test_taking_the_fix_back_brings_the_failure_back(tmp_path: Path) -> None:
    async with lab_of(crash_loop(), tmp_path) as lab:
        broken = await lab.file(WORKER)
        await lab.deploy({WORKER: with_mode(broken)})
        await lab.deploy({WORKER: broken})
        pods = lab.pods("worker")
        assert len(pods) == 2
        assert not any(map(is_ready, pods))
        brought_back = lab.one("ReplicaSet", f"worker-{HASH}")
        assert brought_back["spec"]["replicas"] == 2
        assert brought_back["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
        await lab.deploy({WORKER: with_mode(broken)})
        assert all(map(is_ready, lab.pods("worker")))


async def test_a_sync_that_changes_nothing_changes_nothing(tmp_path: Path) -> None:
    async with lab_of(crash_loop(), tmp_path) as lab:
        before = {pod["metadata"]["uid"] for pod in lab.pods("worker")}
        head = await lab.world.hub.head("main")
        await lab.sync(head or "")
        assert {pod["metadata"]["uid"] for pod in lab.pods("worker")} == before
        assert lab.one("Deployment", "worker")["metadata"]["generation"] == 1


async def test_a_failure_that_goes_on_goes_on_being_told(tmp_path: Path) -> None:
    async with lab_of(crash_loop(), tmp_path) as lab:
        moment = lab.world.clock.stamp()
        await lab.sync(await lab.world.hub.head("main") or "")
        assert [reason for reason, _ in lab.warnings_since(moment)] == ["BackOff", "BackOff"]


async def test_a_repaired_service_gets_its_endpoints_and_its_clients_fall_quiet(tmp_path: Path) -> None:
    async with lab_of(wrong_port(), tmp_path) as lab:
        uids = {pod["metadata"]["uid"] for pod in lab.pods("checkout")}
        assert lab.addresses("checkout") == []
        await lab.deploy(
            {
                "deploy/checkout.yaml": (await lab.file("deploy/checkout.yaml")).replace(
                    "targetPort: web", "targetPort: http"
                )
            }
        )
        assert len(lab.addresses("checkout")) == 2
        assert len(lab.one("Endpoints", "checkout")["subsets"][0]["addresses"]) == 2
        assert lab.one("Endpoints", "checkout")["subsets"][0]["ports"][0]["port"] == 5050
        assert {pod["metadata"]["uid"] for pod in lab.pods("checkout")} == uids
        assert "refused" not in (lab.log(lab.pods("client")[0]) or "")


async def test_a_wrong_repair_of_a_service_leaves_endpoints_as_its_port_says(tmp_path: Path) -> None:
    async with lab_of(wrong_port(), tmp_path) as lab:
        await lab.deploy(
            {
                "deploy/checkout.yaml": (await lab.file("deploy/checkout.yaml")).replace(
                    "targetPort: web", "targetPort: 81"
                )
            }
        )
        assert lab.one("Endpoints", "checkout")["subsets"][0]["ports"][0]["port"] == 81
        assert lab.log(lab.pods("client")[0]) == "connection refused\n"


async def test_pods_that_fail_without_a_change_of_template_recover_too(tmp_path: Path) -> None:
    incident = crash_loop()
    incident.heals = [{"object": "ConfigMap/settings", "path": "data.MODE", "exists": True}]
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"MODE": "x"}}
    async with lab_of(incident, tmp_path) as lab:
        await lab.deploy({"deploy/settings.yaml": text(settings)})
        assert lab.one("ConfigMap", "settings")["metadata"]["namespace"] == "shop"
        pods = lab.pods("worker")
        assert len(pods) == 2
        assert all(map(is_ready, pods))
        assert [one["metadata"]["name"] for one in lab.world.cluster.of_kind("ReplicaSet")] == [f"worker-{HASH}"]


async def test_old_ready_pods_serve_until_the_new_ones_are_ready(tmp_path: Path) -> None:
    async with lab_of(wrong_port(), tmp_path, speed=10) as lab:
        repaired = (await lab.file("deploy/checkout.yaml")).replace("targetPort: web", "targetPort: http")
        sha = await lab.world.hub.push(
            "main", {"deploy/checkout.yaml": repaired.replace("checkout:1", "checkout:2")}, "x"
        )
        await lab.world.delivery.sync(sha, prune=False, dry_run=False, by="somebody")
        changed = lab.world.cluster.changed
        async with changed:
            await changed.wait()
        assert len(lab.pods("checkout")) == 4
        assert len(lab.addresses("checkout")) == 2
        assert await lab.health() == "Progressing"
        await lab.world.delivery.rest()
        assert {pod["spec"]["containers"][0]["image"] for pod in lab.pods("checkout")} == {"shop/checkout:2"}
        assert await lab.health() == "Healthy"


async def test_scaling_makes_and_takes_away_pods(tmp_path: Path) -> None:
    async with lab_of(wrong_port(), tmp_path) as lab:
        manifest = await lab.file("deploy/checkout.yaml")
        await lab.deploy({"deploy/checkout.yaml": manifest.replace("replicas: 2", "replicas: 3")})
        assert len(lab.pods("checkout")) == 3
        await lab.deploy({"deploy/checkout.yaml": manifest.replace("replicas: 2", "replicas: 1")})
        assert len(lab.pods("checkout")) == 1
        assert [
            one["metadata"]["name"]
            for one in lab.world.cluster.of_kind("ReplicaSet")
            if "checkout" in one["metadata"]["name"]
        ] == [f"checkout-{HASH}"]


async def test_what_left_the_repository_stays_unless_it_is_pruned(tmp_path: Path) -> None:
    async with lab_of(wrong_port(), tmp_path) as lab:
        await lab.deploy({"deploy/client.yaml": None})
        assert len(lab.pods("client")) == 1
        comparison = await lab.world.delivery.current()
        assert [one.key[3] for one in comparison.resources if one.requires_pruning] == ["client"]
        assert comparison.status == "OutOfSync"
        await lab.sync(await lab.world.hub.head("main") or "", prune=True)
        assert lab.pods("client") == []
        assert not [one for one in lab.world.cluster.of_kind("ReplicaSet") if "client" in one["metadata"]["name"]]
        assert (await lab.world.delivery.current()).status == "Synced"


async def test_fields_that_only_the_cluster_sets_survive_a_sync(tmp_path: Path) -> None:
    checkout = deployment("checkout")
    things = live(checkout)
    things[0]["spec"]["progressDeadlineSeconds"] = 600
    things[0]["spec"]["template"]["spec"]["containers"].append({"name": "injected", "image": "mesh"})
    checkout["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    things[0]["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    incident = SmallIncident([NAMESPACE, NODE, *things], files={"deploy/a.yaml": text(checkout)})
    async with lab_of(incident, tmp_path) as lab:
        assert (await lab.world.delivery.current()).status == "Synced"
        del checkout["spec"]["template"]["spec"]["nodeSelector"]
        await lab.deploy({"deploy/a.yaml": text(checkout)})
        spec = lab.one("Deployment", "checkout")["spec"]
        assert spec["progressDeadlineSeconds"] == 600
        assert [one["name"] for one in spec["template"]["spec"]["containers"]] == ["app", "injected"]
        assert "nodeSelector" not in spec["template"]["spec"]


async def test_drift_is_out_of_sync_and_a_sync_undoes_it(tmp_path: Path) -> None:
    checkout = deployment("checkout")
    things = live(checkout)
    things[0]["spec"]["replicas"] = 0
    del things[2:]
    incident = SmallIncident([NAMESPACE, NODE, *things], files={"deploy/a.yaml": text(checkout)})
    incident.heals = [{"object": "Deployment/checkout", "path": "spec.replicas", "at_least": 2}]
    async with lab_of(incident, tmp_path) as lab:
        assert (await lab.world.delivery.current()).status == "OutOfSync"
        await lab.sync("main")
        assert (await lab.world.delivery.current()).status == "Synced"
        assert len(lab.pods("checkout")) == 2


async def test_a_new_workload_starts_from_nothing(tmp_path: Path) -> None:
    async with lab_of(wrong_port(), tmp_path) as lab:
        await lab.deploy({"deploy/more.yaml": text(deployment("more"), service("more", "http"))})
        assert all(map(is_ready, lab.pods("more")))
        assert len(lab.addresses("more")) == 2


async def test_an_innocent_pod_with_an_old_restart_is_left_alone(tmp_path: Path) -> None:
    incident = crash_loop()
    bystander = live(deployment("bystander", replicas=1))
    ended = {"exitCode": 1, "reason": "Error", "startedAt": BORN, "finishedAt": "2026-03-16T10:00:00Z"}
    bystander[2]["status"]["containerStatuses"][0].update(restartCount=4, lastState={"terminated": ended})
    incident.objects += bystander
    async with lab_of(incident, tmp_path) as lab:
        await lab.deploy({WORKER: with_mode(await lab.file(WORKER))})
        assert [pod["metadata"]["uid"] for pod in lab.pods("bystander")] == [bystander[2]["metadata"]["uid"]]
        assert all(map(is_ready, lab.pods("worker")))


async def test_a_stuck_rollout_gets_stuck_again_beside_its_old_pods(tmp_path: Path) -> None:
    incident = crash_loop()
    old = live(deployment("worker", replicas=2))[1:]
    for thing in old:
        thing["metadata"]["name"] = thing["metadata"]["name"].replace(HASH, "old")
        thing["metadata"]["labels"]["pod-template-hash"] = "old"
        if thing["kind"] == "ReplicaSet":
            thing["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "0"}
        else:
            thing["metadata"]["ownerReferences"] = owned("ReplicaSet", "worker-old")
    incident.objects = [*incident.objects[:-1], *old]
    async with lab_of(incident, tmp_path) as lab:
        assert len(lab.pods("worker")) == 3
        broken = await lab.file(WORKER)
        await lab.deploy({WORKER: broken.replace("worker:1", "worker:2")})
        assert sorted(map(is_ready, lab.pods("worker"))) == [False, True, True]
        await lab.deploy({WORKER: with_mode(broken)})
        assert [is_ready(pod) for pod in lab.pods("worker")] == [True, True]
        await lab.deploy({WORKER: broken})
        assert sorted(map(is_ready, lab.pods("worker"))) == [False, True, True]


async def test_what_the_server_fills_in_is_no_drift(tmp_path: Path) -> None:
    claim: Json = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    manifest: Json = {**deployment("db"), "kind": "StatefulSet"}
    manifest["spec"] |= {"serviceName": "db", "volumeClaimTemplates": [claim]}
    standing: Json = {**copy.deepcopy(manifest), "metadata": metadata("db")}
    standing["spec"]["volumeClaimTemplates"][0] |= {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    standing["spec"]["volumeClaimTemplates"][0]["spec"]["volumeMode"] = "Filesystem"
    standing["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "500m"}}
    manifest["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": 0.5}}
    incident = SmallIncident([NAMESPACE, NODE, standing], files={"deploy/db.yaml": text(manifest)})
    async with lab_of(incident, tmp_path) as lab:
        assert (await lab.world.delivery.current()).status == "Synced"

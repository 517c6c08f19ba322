from typing import Any

import pytest

from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    Object,
    app,
    config_map,
    container,
    deployment,
    event,
    found,
    log,
    looping,
    node,
    only,
    pending,
    pod,
    replica_set,
    running,
    snapshot,
    thing,
)


def claim(name: str = "data", **spec: Any) -> Object:
    wanted = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
        "storageClassName": "manual",
        **spec,
    }
    return thing("PersistentVolumeClaim", name, spec=wanted, status={"phase": "Pending"})


def volume(name: str = "pv-1", labels: Object | None = None, **spec: Any) -> Object:
    has = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "10Gi"}, "storageClassName": "manual", **spec}
    return thing(
        "PersistentVolume",
        name,
        namespace="",
        metadata={"labels": labels or {}},
        spec=has,
        status={"phase": "Available"},
    )


def user() -> list[Object]:
    made = deployment("db", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])
    owner = replica_set(made)
    return [made, owner, pod(owner, phase="Pending", node="", ready=False, age=20)]


def storage_class(name: str) -> Object:
    return thing("StorageClass", name, namespace="", provisioner="kubernetes.io/no-provisioner")


def test_a_storage_class_that_does_not_exist_is_named_with_the_nearest_one() -> None:
    asking = claim(storageClassName="fast-sd")
    told = event(asking, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast-sd" not found')
    finding = only(snapshot(asking, storage_class("fast-ssd"), user(), events=[told]), FaultKind.STORAGE_CLASS_MISSING)
    assert (str(finding.object), finding.observed, finding.expected) == (
        "PersistentVolumeClaim/shop/data",
        "fast-sd",
        "fast-ssd",
    )


@pytest.mark.parametrize(
    ("asks", "has", "kind"),
    [
        ({"resources": {"requests": {"storage": "50Gi"}}}, {}, FaultKind.PVC_CAPACITY_MISMATCH),
        ({"accessModes": ["ReadWriteMany"]}, {}, FaultKind.PVC_ACCESS_MODE_MISMATCH),
        ({"selector": {"matchLabels": {"tier": "gold"}}}, {}, FaultKind.PVC_SELECTOR_MISMATCH),
        ({"volumeName": "pv-1"}, {"claimRef": {"namespace": "shop", "name": "other"}}, FaultKind.PV_ALREADY_BOUND),
    ],
)
def test_a_claim_that_no_volume_satisfies_says_in_what(asks: Object, has: Object, kind: FaultKind) -> None:
    cluster = snapshot(claim(**asks), volume(labels={"tier": "silver"}, **has), storage_class("manual"), user())
    assert found(cluster) == [(kind, "PersistentVolumeClaim/shop/data")]


def test_the_volume_that_fails_the_fewest_conditions_is_the_one_that_is_meant() -> None:
    near, far = (
        volume("near", capacity={"storage": "5Gi"}),
        volume("far", accessModes=["ReadOnlyMany"], capacity={"storage": "1Gi"}),
    )
    finding = only(snapshot(claim(), near, far, storage_class("manual"), user()), FaultKind.PVC_CAPACITY_MISMATCH)
    assert finding.expected == "5Gi"


def test_a_claim_that_waits_for_its_first_consumer_is_no_fault() -> None:
    asking = claim(storageClassName="dynamic")
    dynamic = thing("StorageClass", "dynamic", namespace="", provisioner="ebs.csi.aws.com")
    told = event(
        asking, "WaitForFirstConsumer", "waiting for first consumer to be created before binding", warning=False
    )
    assert found(snapshot(asking, dynamic, app("api"), events=[told])) == []


def test_a_claim_on_two_nodes_at_once_is_a_matter_of_its_access_mode() -> None:
    objects = user()
    told = event(
        objects[-1], "FailedAttachVolume", 'Multi-Attach error for volume "pv-1" Volume is already used by pod(s) db-x0'
    )
    bound = claim()
    bound["status"]["phase"] = "Bound"
    finding = only(snapshot(objects, bound, events=[told]), FaultKind.PVC_ACCESS_MODE_MISMATCH)
    assert (finding.observed, finding.expected) == ("ReadWriteOnce", "ReadWriteMany")


MOUNTS = [{"name": "d", "mountPath": "/data"}]


def writing(line: str, crash: bool = True, volumes: list[Object] | None = None, **spec: Any):
    objects = app(
        "api",
        {**container(volumeMounts=MOUNTS), **spec},
        status=[looping(1) if crash else running()],
        volumes=volumes or [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}],
    )
    return snapshot(objects, logs=[log(objects[-1], line)])


def test_a_volume_that_the_process_may_not_write_is_a_matter_of_the_group() -> None:
    finding = only(
        writing("PermissionError: [Errno 13] Permission denied: '/data/cache.db'"), FaultKind.VOLUME_PERMISSION_DENIED
    )
    assert (finding.field, finding.observed) == ("spec.template.spec.securityContext.fsGroup", "/data/cache.db")


def test_a_mount_that_is_read_only_is_named_itself() -> None:
    mounts = [{"name": "d", "mountPath": "/data", "readOnly": True}]
    finding = only(
        writing("open /data/cache.db: read-only file system", volumeMounts=mounts), FaultKind.VOLUME_PERMISSION_DENIED
    )
    assert finding.field == "spec.template.spec.containers[0].volumeMounts[0].readOnly"


def test_a_refusal_outside_all_volumes_is_no_matter_of_volumes() -> None:
    assert FaultKind.VOLUME_PERMISSION_DENIED not in [
        kind for kind, _ in found(writing("Permission denied: '/etc/shadow'"))
    ]


def test_a_full_volume_is_named_by_its_claim() -> None:
    finding = only(writing("write /data/wal/000012: no space left on device"), FaultKind.DISK_FULL)
    assert (str(finding.object), finding.field) == (
        "PersistentVolumeClaim/shop/data",
        "spec.resources.requests.storage",
    )


def test_a_full_scratch_volume_is_named_by_its_size_limit() -> None:
    volumes = [{"name": "d", "emptyDir": {"sizeLimit": "64Mi"}}]
    finding = only(writing("ENOSPC: no space left on device, write '/data/tmp'", volumes=volumes), FaultKind.DISK_FULL)
    assert (finding.field, finding.observed) == ("spec.template.spec.volumes[0].emptyDir.sizeLimit", "64Mi")


def test_pods_evicted_for_local_storage_are_a_full_disk_of_their_workload() -> None:
    made = deployment("api")
    owner = replica_set(made)
    evicted = pod(owner, name="api-x0", phase="Failed", ready=False)
    evicted["status"].update(reason="Evicted", message='Usage of EmptyDir volume "tmp" exceeds the limit "64Mi". ')
    assert found(snapshot(made, owner, evicted)) == [(FaultKind.DISK_FULL, "Deployment/shop/api")]


def test_a_file_that_the_mounted_config_map_lacks_is_a_missing_key() -> None:
    volumes = [{"name": "d", "configMap": {"name": "conf"}}]
    objects = app("api", container(volumeMounts=MOUNTS), status=[looping(1)], volumes=volumes)
    cluster = snapshot(
        objects,
        config_map("conf", **{"app.yml": "a: 1"}),
        logs=[log(objects[-1], "open /data/app.yaml: no such file or directory")],
    )
    finding = only(cluster, FaultKind.MISSING_KEY)
    assert (finding.observed, finding.expected) == ("app.yaml", "app.yml")


def test_a_volume_mounted_beside_the_folder_that_the_program_reads() -> None:
    mounts = [{"name": "d", "mountPath": "/etc/shop-config"}]
    volumes = [{"name": "d", "configMap": {"name": "conf"}}]
    finding = only(
        writing(
            "FileNotFoundError: [Errno 2] No such file or directory: '/etc/shop-conf/app.yml'",
            volumes=volumes,
            volumeMounts=mounts,
        ),
        FaultKind.INVALID_CONFIG,
    )
    assert (finding.observed, finding.expected) == ("/etc/shop-config", "/etc/shop-conf")


def test_a_file_that_nobody_mounts_is_not_a_matter_of_volumes() -> None:
    assert found(writing("open /opt/other/app.yml: no such file or directory")) == []


def test_a_volume_in_another_zone_keeps_the_pod_from_its_node() -> None:
    made = deployment("db", nodeSelector={"zone": "a"})
    owner = replica_set(made)
    said = "0/1 nodes are available: 1 node(s) had volume node affinity conflict."
    assert (FaultKind.NODE_AFFINITY_MISMATCH, "Deployment/shop/db") in found(
        snapshot(made, owner, pending(owner, said), node(labels={"zone": "a"}))
    )

import pytest

from tests.clusters import (
    Object,
    ago,
    config_map,
    container,
    log,
    looping,
    node,
    running,
    waiting,
)
from tests.variants import answer, claim, mounts, named, pods_of

CLAIM = "PersistentVolumeClaim/shop/data"


DENIED = [
    "mkdir: cannot create directory '/data/db': Permission denied",
    "PermissionError: [Errno 13] Permission denied: '/data/index.lock'",
    "Error: EACCES: permission denied, open '/data/store.json'",
    "java.nio.file.AccessDeniedException: /data/journal/0.log",
    "open /data/wal/00001: permission denied",
    "System.UnauthorizedAccessException: Access to the path '/data/keys' is denied.",
    "Errno::EACCES: Permission denied @ rb_sysopen - /data/cache.db",
    "PHP Warning:  fopen(/data/app.log): Failed to open stream: Permission denied in /srv/index.php on line 4",
    'initdb: error: could not change permissions of directory "/data/pg": Operation not permitted',
    "chown: changing ownership of '/data': Operation not permitted",
    "redis: Can't open the append-only file: Permission denied /data/appendonly.aof",
    "touch: /data/ready: Read-only file system",
    "OSError: [Errno 30] Read-only file system: '/data/tmp'",
]


@pytest.mark.parametrize("line", DENIED)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_volume_that_a_process_may_not_use_is_named_in_every_languages_words(line: str, kind: str) -> None:
    spec = container(volumeMounts=[{"name": "data", "mountPath": "/data"}])
    objects = pods_of(kind, spec, volumes=[mounts()], statuses=[looping(1)])
    said = answer(objects, claim(phase="Bound"), node(), logs=[log(objects[-1], line)])
    assert (said.kind, said.object) == ("volume_permission_denied", f"{kind}/shop/api")


@pytest.mark.parametrize(
    "source", [{"emptyDir": {}}, {"hostPath": {"path": "/srv"}}, {"nfs": {"server": "nas", "path": "/x"}}]
)
def test_whatever_the_volume_is_made_of_its_permissions_are_judged(source: Object) -> None:
    spec = container(volumeMounts=[{"name": "data", "mountPath": "/data"}])
    objects = pods_of("Deployment", spec, volumes=[{"name": "data", **source}], statuses=[looping(1)])
    assert named(objects, node(), logs=[log(objects[-1], DENIED[1])])[0] == "volume_permission_denied"


def test_a_read_only_root_is_a_matter_of_the_security_context() -> None:
    spec = container(securityContext={"readOnlyRootFilesystem": True})
    objects = pods_of("Deployment", spec, statuses=[looping(1)])
    line = 'nginx: [emerg] mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)'
    said = answer(objects, node(), logs=[log(objects[-1], line)])
    assert (said.kind, said.field.rsplit(".", 1)[-1]) == ("volume_permission_denied", "readOnlyRootFilesystem")


def test_an_init_container_that_may_not_write_is_the_same_fault() -> None:
    first = container("prepare", volumeMounts=[{"name": "data", "mountPath": "/data"}])
    objects = pods_of(
        "StatefulSet",
        initContainers=[first],
        volumes=[mounts()],
        statuses=[waiting("PodInitializing")],
        made={"init": [looping(1, name="prepare")], "phase": "Pending"},
    )
    said = answer(objects, claim(phase="Bound"), node(), logs=[log(objects[-1], DENIED[0], name="prepare")])
    assert (said.kind, said.object) == ("volume_permission_denied", "StatefulSet/shop/api")


FULL = [
    "OSError: [Errno 28] No space left on device: '/data/segment-4'",
    "Error: ENOSPC: no space left on device, write '/data/x'",
    "java.io.IOException: No space left on device",
    "write /data/wal/00012: no space left on device",
    'PANIC:  could not write to file "/data/pg_wal/xlogtemp.31": No space left on device',
    (
        "2026-03-10T11:59:00Z [ERROR] InnoDB: Write to file ./ibdata1 failed at offset 1, 16384 bytes should have been "
        "written. "
        "Operating system error number 28. No space left on device"
    ),
    "Write error saving DB on disk(rdbSaveRio): No space left on device",
    "System.IO.IOException: No space left on device : '/data/queue/seg'",
    "disk usage exceeded flood-stage watermark [95%] on [/data], all indices on this node will be marked read-only",
    'Disk full (/data/tmp/#sql_1); waiting for someone to free some space... errno: 28 "No space left on device"',
    "write error: disk quota exceeded: /data/out",
]


@pytest.mark.parametrize("line", FULL)
def test_a_full_volume_is_its_claims_in_every_stores_words(line: str) -> None:
    spec = container(volumeMounts=[{"name": "data", "mountPath": "/data"}])
    objects = pods_of("StatefulSet", spec, volumes=[mounts()], statuses=[looping(1)])
    said = answer(objects, claim(phase="Bound"), node(), logs=[log(objects[-1], line)])
    assert (said.kind, said.object) == ("disk_full", CLAIM)


@pytest.mark.parametrize(
    ("message", "volumes"),
    [
        (
            'Usage of EmptyDir volume "cache" exceeds the limit "1Gi". ',
            [{"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}}],
        ),
        ('Container app exceeded its local ephemeral storage limit "2Gi". ', []),
        ("Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. ", []),
        (
            (
                "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 300Mi. Container "
                "app was "
                "using 9Gi, request is 0, has larger consumption of ephemeral-storage. "
            ),
            [],
        ),
    ],
)
def test_an_eviction_for_local_storage_is_a_full_disk(message: str, volumes: list[Object]) -> None:
    limited = container(resources={"limits": {"ephemeral-storage": "2Gi"}})
    objects = pods_of("Deployment", limited, volumes=volumes, made={"phase": "Failed", "ready": False, "age": 30})
    objects[-1]["status"] |= {"reason": "Evicted", "message": message, "startTime": ago(20), "containerStatuses": []}
    assert named(objects, node(), config_map("x")) == ("disk_full", "Deployment/shop/api")


def test_a_line_about_another_machines_disk_in_a_running_program_is_no_full_disk() -> None:
    objects = pods_of("Deployment", container(), statuses=[running()])
    line = "2026-03-10T09:00:00Z warn: last night's copy failed: no space left on device"
    assert named(objects, node(), logs=[log(objects[-1], line, "2026-03-10T11:59:00Z ok")])[0] == "healthy"

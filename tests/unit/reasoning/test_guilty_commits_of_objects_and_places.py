"""The commit that brought a fault of placement, storage, images, references or limits is found beside innocent ones."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.clusters import (
    Object,
    config_map,
    container,
    deployment,
    ended,
    env,
    event,
    key_ref,
    log,
    looping,
    node,
    pending,
    pod,
    replica_set,
    running,
    service,
    snapshot,
    thing,
    waiting,
    workload,
)
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest
from tests.variants import claim, cron_job, job, mounts

REFUSED = 'pods "api-x" is forbidden: '
PLAIN: dict[str, Any] = {"resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}}
PORTS = [{"name": "http", "containerPort": 8080}]
BUSY = 'Get "http://10.1.0.9:{0}/live": dial tcp 10.1.0.9:{0}: connect: connection refused'


class Story(NamedTuple):
    """What the cluster shows now, and what the changed object was before."""

    before: Object
    now: Object
    pods: list[Object]
    events: list[Object] = []  # noqa: RUF012 -- never changed
    logs: list[Any] = []  # noqa: RUF012 -- never changed
    beside: list[Object] = []  # noqa: RUF012 -- never changed


def api(*containers: Object, **spec: Any) -> Object:
    return deployment("api", *containers, **spec)


def one(now: Object, *statuses: Object, **rest: Any) -> list[Object]:
    owner = replica_set(now, revision=2, age=60)
    return [owner, pod(owner, *statuses, age=60, **rest)]


def refused(before: Object, now: Object, why: str, *beside: Object) -> Story:
    owner = replica_set(now, revision=2, age=60)
    return Story(
        before, now, [owner], [event(owner, "FailedCreate", f"Error creating: {REFUSED}{why}")], beside=list(beside)
    )


def unplaced(before: Object, now: Object, why: str, *nodes: Object) -> Story:
    owner = replica_set(now, revision=2, age=60)
    return Story(
        before, now, [owner, pending(owner, f"0/1 nodes are available: 1 {why}. preemption: no.")], beside=list(nodes)
    )


def asks(**requests: str) -> Object:
    return container(resources={"requests": requests})


def probed(word: str, port: int) -> Object:
    spec: dict[str, Any] = {"ports": PORTS, word: {"httpGet": {"path": "/live", "port": port}}}
    return container(**spec)


def _probe(word: str, status: Object) -> Story:
    now = api(probed(word, 9090))
    made = one(now, status)
    said = f"{word.removesuffix('Probe').capitalize()} probe failed: {BUSY.format(9090)}"
    return Story(api(probed(word, 8080)), now, made, [event(made[-1], "Unhealthy", said, part="app")])


def _log(before: Object, now: Object, *lines: str, code: int = 1, beside: tuple[Object, ...] = ()) -> Story:
    made = one(now, looping(code))
    return Story(before, now, made, logs=[log(made[-1], *lines)], beside=list(beside))


def _volume(**context: Any) -> Object:
    mounted = container(volumeMounts=[{"name": "data", "mountPath": "/data"}])
    return api(mounted, volumes=[mounts()], **({"securityContext": context} if context else {}))


def _key() -> Story:
    reads = api(container(env=[key_ref("MODE", "ConfigMap", "conf", "mode")]))
    said = waiting("CreateContainerConfigError", "couldn't find key mode in ConfigMap shop/conf")
    return Story(config_map("conf", mode="a"), config_map("conf", modus="a"), [reads, *one(reads, said)])


def _class() -> Story:
    now, user = claim(storage="fast-ssd"), api(volumes=[mounts()])
    owner = replica_set(user)
    told = event(now, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast-ssd" not found')
    return Story(
        claim(storage="gp3"),
        now,
        [user, owner, pending(owner, "pod has unbound immediate PersistentVolumeClaims")],
        [told],
    )


def _quota() -> Story:
    made = api(asks(cpu="2"))
    owner = replica_set(made, revision=2, age=60)
    before, now = (thing("ResourceQuota", "team", spec={"hard": {"requests.cpu": cpu}}) for cpu in ("8", "3"))
    why = "exceeded quota: team, requested: requests.cpu=2, used: requests.cpu=2, limited: requests.cpu=3"
    return Story(before, now, [made, owner], [event(owner, "FailedCreate", f"Error creating: {REFUSED}{why}")])


def _range() -> Story:
    made = api(container(resources={"limits": {"memory": "512Mi"}}))
    owner = replica_set(made, revision=2, age=60)
    before, now = (
        thing("LimitRange", "sizes", spec={"limits": [{"type": "Container", "max": {"memory": most}}]})
        for most in ("1Gi", "256Mi")
    )
    why = "maximum memory usage per Container is 256Mi, but limit is 512Mi"
    return Story(before, now, [made, owner], [event(owner, "FailedCreate", f"Error creating: {REFUSED}{why}")])


def _level() -> Story:
    made = api(container(securityContext={"privileged": True}))
    owner = replica_set(made, revision=2, age=60)
    key = "pod-security.kubernetes.io/enforce"
    before, now = (
        thing("Namespace", "shop", namespace="", metadata={"labels": {key: level}})
        for level in ("privileged", "restricted")
    )
    why = 'violates PodSecurity "restricted:latest": privileged (container "app" must not set privileged=true)'
    return Story(before, now, [made, owner], [event(owner, "FailedCreate", f"Error creating: {REFUSED}{why}")])


def _budget() -> Story:
    status = {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}
    before, now = (
        thing(
            "PodDisruptionBudget",
            "api",
            api="policy/v1",
            spec={"selector": {"matchLabels": {"app": "api"}}, "minAvailable": least},
            status=status,
        )
        for least in (0, 1)
    )
    return Story(before, now, [api(), *one(api())], beside=[node(cordoned=True)])


def _scaler() -> Story:
    now = api(container())
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "api"}, "minReplicas": 1}
    why = "failed to get cpu utilization: missing request for cpu in container app of Pod api-x"
    shown = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": why}
    hpa = thing("HorizontalPodAutoscaler", "api", api="autoscaling/v2", spec=spec, status={"conditions": [shown]})
    return Story(api(container(**PLAIN)), now, one(now), beside=[hpa])


def _job() -> Story:
    before = job("import", container(args=["--batch=50"]))
    failed = [
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the limit"}
    ]
    return Story(before, job("import", container(args=["--batch=0"]), status={"conditions": failed}), [])


def _set(template: Object) -> Object:
    status = {"currentRevision": "a", "updateRevision": "b", "updatedReplicas": 0, "replicas": 1, "readyReplicas": 1}
    return workload("StatefulSet", "api", template=template, status=status)


def _partition() -> Story:
    now = _set({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}})
    return Story(
        _set({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}),
        now,
        [pod(now, name="api-0")],
    )


def _init() -> Story:
    def made(*args: str) -> Object:
        return api(initContainers=[container("migrate", args=list(args))])

    now = made("up", "--to=43")
    pods = one(now, waiting("PodInitializing"), init=[looping(3, name="migrate")])
    return Story(made("up", "--to=42"), now, pods, logs=[log(pods[-1], "migration 43 failed", name="migrate")])


SELECTOR = "node(s) didn't match Pod's node affinity/selector"
RULE = {
    "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]}
}
TERMS = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["eu-9"]}]}]
ZONE = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": TERMS}}}
TAINTED = node("t", taints=[{"key": "pool", "value": "batch", "effect": "NoSchedule"}])
TOLERATES = [{"key": "pool", "operator": "Exists"}]
GONE = "manifest unknown: manifest unknown"
LOST = 'failed to do request: Head "https://mirror.internal/v2/app": dial tcp: lookup mirror.internal: no such host'
PRIVATE = "pull access denied, repository does not exist or may require authorization: authorization failed"
SECRET = [{"name": "regcred"}]
ABSENT = 'error looking up service account shop/runner: serviceaccount "runner" not found'
OVER = "exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4"
LOUD = api(container(args=["serve", "--verbos"]))
TLS = {"httpGet": {"path": "/", "port": 8080, "scheme": "HTTPS"}}
SHORT = "maximum cpu usage per Container is 2, but limit is 4"
WIDE = container(ports=[{"containerPort": 8080, "hostPort": 8080}])

STORIES: dict[str, tuple[Callable[[], Story], str]] = {
    "replicas over a quota": (lambda: refused(api(replicas=4), api(replicas=5), OVER), "quota_exceeded"),
    "a lowered quota": (_quota, "quota_exceeded"),
    "a limit over the range": (
        lambda: refused(api(container(**PLAIN)), api(container(resources={"limits": {"cpu": "4"}})), SHORT),
        "limit_range_violation",
    ),
    "a lowered range": (_range, "limit_range_violation"),
    "a stricter level": (_level, "admission_denied"),
    "a privileged container": (
        lambda: refused(
            api(),
            api(container(securityContext={"privileged": True})),
            'violates PodSecurity "baseline:latest": privileged',
        ),
        "admission_denied",
    ),
    "another account": (lambda: refused(api(), api(serviceAccountName="runner"), ABSENT), "missing_service_account"),
    "a selector": (
        lambda: unplaced(api(), api(nodeSelector={"disk": "nvme"}), SELECTOR, node("n", labels={"disk": "ssd"})),
        "node_selector_mismatch",
    ),
    "an affinity": (
        lambda: unplaced(api(), api(affinity=ZONE), SELECTOR, node("n", labels={"zone": "eu-1"})),
        "node_affinity_mismatch",
    ),
    "an anti-affinity": (
        lambda: unplaced(api(), api(affinity=RULE), "node(s) didn't match pod anti-affinity rules", node()),
        "pod_anti_affinity_conflict",
    ),
    "a toleration taken away": (
        lambda: unplaced(api(tolerations=TOLERATES), api(), "node(s) had untolerated taint(s)", TAINTED),
        "taint_not_tolerated",
    ),
    "a request for cores": (
        lambda: unplaced(api(asks(cpu="1")), api(asks(cpu="64")), "Insufficient cpu", node()),
        "insufficient_cpu",
    ),
    "a request for memory": (
        lambda: unplaced(api(asks(memory="1Gi")), api(asks(memory="99Gi")), "Insufficient memory", node()),
        "insufficient_memory",
    ),
    "a host port": (
        lambda: unplaced(
            api(container(ports=PORTS)), api(WIDE), "node(s) didn't have free ports for the requested pod ports", node()
        ),
        "host_port_conflict",
    ),
    "a class": (_class, "storage_class_missing"),
    "a tag": (
        lambda: Story(
            api(), (now := api(container(image="registry.example/app:9"))), one(now, waiting("ErrImagePull", GONE))
        ),
        "image_not_found",
    ),
    "a mirror that is not there": (
        lambda: Story(
            api(),
            (now := api(container(image="mirror.internal/app:1.0"))),
            one(now, waiting("ErrImagePull", LOST)),
        ),
        "registry_unreachable",
    ),
    "a pull secret taken away": (
        lambda: Story(
            api(imagePullSecrets=SECRET),
            (now := api()),
            [
                replica_set(api(imagePullSecrets=SECRET), revision=1, replicas=0),
                *one(now, waiting("ErrImagePull", PRIVATE)),
            ],
        ),
        "image_pull_denied",
    ),
    "a renamed map": (
        lambda: Story(
            api(),
            (now := api(container(envFrom=[{"configMapRef": {"name": "conf"}}]))),
            one(now, waiting("CreateContainerConfigError", 'configmap "conf" not found')),
        ),
        "missing_config_map",
    ),
    "a renamed key": (_key, "missing_key"),
    "a group taken away": (
        lambda: _log(
            _volume(fsGroup=1000), _volume(), "open /data/wal: permission denied", beside=(claim(phase="Bound"),)
        ),
        "volume_permission_denied",
    ),
    "a user": (
        lambda: _log(
            _volume(runAsUser=0),
            _volume(runAsUser=1000),
            "open /data/wal: permission denied",
            beside=(claim(phase="Bound"),),
        ),
        "volume_permission_denied",
    ),
    "an argument of an init container": (_init, "init_container_failed"),
    "a flag": (lambda: _log(api(container(args=["serve"])), LOUD, "unknown flag: --verbos", code=2), "invalid_command"),
    "a memory limit": (
        lambda: Story(
            api(container(**PLAIN)),
            (now := api(container(resources={"limits": {"memory": "64Mi"}}))),
            one(now, looping(137, "OOMKilled")),
        ),
        "oom_killed",
    ),
    "a liveness port": (
        lambda: _probe("livenessProbe", running(restarts=5, up=0.5, ready=False, ended=ended(137))),
        "liveness_probe_port",
    ),
    "a readiness port": (lambda: _probe("readinessProbe", running(ready=False)), "readiness_probe_port"),
    "a variable taken away": (
        lambda: _log(
            api(container(env=env(A="1", QUEUE_URL="amqp://mq"))),
            api(container(env=env(A="1"))),
            "QUEUE_URL is not set",
        ),
        "missing_env",
    ),
    "a second program on a port": (
        lambda: Story(
            api(container(ports=PORTS)),
            (now := api(container(ports=PORTS), container("proxy", ports=PORTS))),
            (made := one(now, running(), looping(1, name="proxy"))),
            logs=[log(made[-1], "listen tcp :8080: bind: address already in use", name="proxy")],
        ),
        "port_conflict",
    ),
    "a budget": (_budget, "pdb_blocks"),
    "requests taken away": (_scaler, "hpa_cannot_scale"),
    "arguments of a job": (_job, "job_failed"),
    "a suspended schedule": (
        lambda: Story(cron_job("nightly"), cron_job("nightly", suspend=True), []),
        "cronjob_suspended",
    ),
    "no replicas": (lambda: Story(api(replicas=2), api(replicas=0), [service("api"), *_client()]), "zero_replicas"),
    "a partition": (_partition, "rollout_stuck"),
}


def _client() -> list[Object]:
    made = deployment("web", container(env=env(API_URL="http://api")))
    owner = replica_set(made)
    return [made, owner, pod(owner, name="web-x")]


@pytest.mark.parametrize("story", STORIES)
def test_the_commit_that_brought_it_is_found_between_innocent_ones(story: str) -> None:
    tell, kind = STORIES[story]
    told = tell()
    bystander = deployment("idler", container(image="registry.example/idler:1"))
    cluster = snapshot(
        told.now, told.pods, told.beside, bystander, node("spare", cpu="1"), events=told.events, logs=told.logs
    )
    declared = [
        one for one in (*told.pods, *told.beside) if one["kind"] in ("Deployment", "Service", "PersistentVolumeClaim")
    ]
    newer = deployment("idler", container(image="registry.example/idler:2"))
    repository = history(
        {"deploy/main.yaml": manifest(told.before), "deploy/rest.yaml": manifest(*declared, newer)},
        ("tidy up the idler", 300, {"deploy/rest.yaml": manifest(*declared, bystander)}),
        ("the guilty one", 62, {"deploy/main.yaml": manifest(told.now)}),
        ("a line for the readers", 50, {"README.md": "More words.\n"}),
    )
    diagnosis = diagnose(cluster, repository)
    best = best_of(diagnosis)
    culprit = best.culprit.subject if best.culprit else "none"
    assert (best.kind.value, culprit, diagnosis.verdict) == (kind, "the guilty one", "fix")

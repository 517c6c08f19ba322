"""Faults of which the decisive word has expired or was never said: objects compared with each other tell them."""

from typing import Any

import pytest

from tests.clusters import (
    Object,
    ago,
    app,
    config_map,
    container,
    deployment,
    event,
    log,
    looping,
    node,
    pending,
    pod,
    replica_set,
    running,
    thing,
    waiting,
    workload,
)
from tests.variants import answer, claim, mounts, named, pods_of

API = "Deployment/shop/api"
BACK_OFF = waiting("ImagePullBackOff", 'Back-off pulling image "mirror.example/api:9"')
SPEC = container(image="mirror.example/api:9")
RUNC = "OCI runtime create failed: runc create failed: unable to start container process: "
OVER_A_FILE = (
    f'{RUNC}error mounting "/var/lib/kubelet/pods/1/volume-subpaths/c/app/0" to rootfs at "/etc/app/app.yaml": '
    "not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?"
)


def test_a_back_off_without_a_reason_is_an_absent_image_where_the_others_get_theirs() -> None:
    well = app("web", container(image="mirror.example/web:1"))
    assert named(pods_of("Deployment", SPEC, statuses=[BACK_OFF]), well, node()) == ("image_not_found", API)


def test_a_back_off_without_a_reason_of_all_that_a_registry_serves_is_the_registrys() -> None:
    other = app("web", container(image="mirror.example/web:1"), status=[BACK_OFF])
    assert named(pods_of("Deployment", SPEC, statuses=[BACK_OFF]), other, node())[0] == "registry_unreachable"


def test_a_back_off_without_a_reason_and_without_its_pull_secret_is_a_refusal() -> None:
    objects = pods_of("Deployment", SPEC, statuses=[BACK_OFF], imagePullSecrets=[{"name": "regcred"}])
    assert named(objects, node(), thing("Secret", "other", data={})) == ("image_pull_denied", API)


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("shown", ["log", "state"])
def test_a_sub_path_that_is_no_key_of_the_mounted_object_is_a_missing_key(kind: str, shown: str) -> None:
    mounted = container(volumeMounts=[{"name": "c", "mountPath": "/etc/app/app.yaml", "subPath": "app.yaml"}])
    source = {"configMap": {"name": "conf"}} if kind == "ConfigMap" else {"secret": {"secretName": "conf"}}
    status = looping(1) if shown == "log" else waiting("RunContainerError", OVER_A_FILE)
    objects = pods_of("Deployment", mounted, volumes=[{"name": "c", **source}], statuses=[status])
    held = {"application.yaml": "eA=="}
    holder = config_map("conf", **held) if kind == "ConfigMap" else thing("Secret", "conf", data=held)
    lines = [log(objects[-1], "IsADirectoryError: [Errno 21] Is a directory: '/etc/app/app.yaml'")]
    said = answer(objects, holder, node(), logs=lines if shown == "log" else [])
    assert (said.kind, said.object, said.observed) == ("missing_key", API, "app.yaml")


def test_a_sub_path_that_is_there_is_no_missing_key() -> None:
    mounted = container(volumeMounts=[{"name": "c", "mountPath": "/etc/app/app.yaml", "subPath": "app.yaml"}])
    volumes = [{"name": "c", "configMap": {"name": "conf"}}]
    objects = pods_of("Deployment", mounted, volumes=volumes, statuses=[looping(1)])
    assert named(objects, config_map("conf", **{"app.yaml": "x"}), node())[0] != "missing_key"


def test_a_claim_that_nobody_made_is_told_by_the_condition_alone() -> None:
    made = deployment("api", volumes=[mounts("datas")])
    owner = replica_set(made)
    waits = pending(owner, '0/1 nodes are available: persistentvolumeclaim "datas" not found.')
    said = answer(made, owner, waits, claim("data", phase="Bound"), node())
    assert (said.kind, said.object, said.observed) == ("invalid_config", API, "datas")


def test_a_file_server_that_refuses_the_mount_is_a_matter_of_permission() -> None:
    volumes = [{"name": "data", "nfs": {"server": "nas", "path": "/x"}}]
    objects = pods_of("Deployment", volumes=volumes, statuses=[waiting("ContainerCreating")], made={"phase": "Pending"})
    said = (
        'MountVolume.SetUp failed for volume "data" : mount failed: exit status 32\nOutput: mount.nfs: access '
        "denied by server"
    )
    assert named(objects, node(), events=[event(objects[-1], "FailedMount", said)]) == ("volume_permission_denied", API)


def test_an_eviction_from_a_node_whose_own_disk_is_full_is_the_nodes() -> None:
    full = {
        "type": "DiskPressure",
        "status": "True",
        "reason": "KubeletHasDiskPressure",
        "message": "kubelet has disk pressure",
        "lastTransitionTime": ago(20),
    }
    made = deployment("api")
    owner = replica_set(made)
    evicted = pod(owner, name="api-gone", phase="Failed", ready=False, age=30)
    evicted["status"] |= {"reason": "Evicted", "message": "The node was low on resource: ephemeral-storage. "}
    waits = pending(
        owner, ("0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }.")
    )
    assert named(made, owner, evicted, waits, node(conditions=[full])) == ("node_not_ready", "Node//node-1")


def test_without_the_nodes_a_mixture_with_the_control_planes_taint_is_not_blamed_on_it() -> None:
    said = "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 node(s) were unschedulable"
    made = deployment("api")
    owner = replica_set(made)
    assert named(made, owner, pending(owner, f"0/3 nodes are available: {said}."))[0] == "none"


def rules(**rule: Any) -> list[Object]:
    """A launcher that asks for Jobs in vain, with its role and binding."""
    whole = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "create"], **rule}
    api = "rbac.authorization.k8s.io/v1"
    subject = {"kind": "ServiceAccount", "name": "runner", "namespace": "shop"}
    bound: dict[str, Any] = {"roleRef": {"kind": "Role", "name": "runner"}, "subjects": [subject]}
    roles = [thing("Role", "runner", api=api, rules=[whole]), thing("RoleBinding", "runner", api=api, **bound)]
    return [*pods_of("Deployment", serviceAccountName="runner", statuses=[running()]), *roles]


REFUSED = (
    '2026-03-10T11:5{0}:00Z ERROR jobs.batch "sweep" is forbidden: User "system:serviceaccount:shop:runner" cannot {1} '
    'resource "jobs" in API group "batch" in the namespace "shop"'
)


@pytest.mark.parametrize(
    ("rule", "verb", "part"),
    [
        ({"apiGroups": ["", "apps"]}, "create", "apiGroups"),
        ({"apiGroups": ["extensions"]}, "list", "apiGroups"),
        ({"resources": ["jobs/status"]}, "create", "resources"),
        ({"verbs": ["get"]}, "create", "verbs"),
        ({"resourceNames": ["other"]}, "get", "resourceNames"),
        ({"resourceNames": ["sweep"]}, "create", "resourceNames"),
    ],
)
def test_the_part_of_a_rule_that_falls_short_makes_its_commit_guilty(rule: Object, verb: str, part: str) -> None:
    objects = rules(**rule)
    lines = [REFUSED.format(n, verb) for n in range(6, 10)]
    whole = [one for one in rules() if one["kind"] != "Pod" and one["kind"] != "ReplicaSet"]
    said = answer(objects, node(), logs=[log(objects[2], *lines)], before=whole)
    assert (said.kind, said.object, said.field) == ("permission_denied", "Role/shop/runner", f"rules[0].{part}")
    assert (said.culprit, said.verdict) == ("change something", "fix")


@pytest.mark.parametrize(
    "rule",
    [
        {"apiGroups": ["*"]},
        {"resources": ["*"]},
        {"verbs": ["*"]},
        {"resourceNames": ["sweep"], "verbs": ["get", "delete"]},
    ],
)
def test_a_refusal_of_an_hour_ago_that_the_role_grants_by_now_is_over(rule: Object) -> None:
    objects = rules(**rule)
    line = REFUSED.replace("11:5{0}", "10:5{0}").format(1, "get")
    assert named(objects, node(), logs=[log(objects[2], line)])[0] in ("healthy", "recovered")


PORTS = [{"containerPort": 8080}]


def test_two_containers_that_declare_one_port_are_in_conflict_though_neither_says_so() -> None:
    spec = [container(ports=PORTS), container("proxy", ports=PORTS)]
    objects = pods_of("Deployment", *spec, statuses=[running(), looping(1, name="proxy")])
    assert named(objects, node()) == ("port_conflict", API)


def test_a_shared_declaration_of_containers_that_run_is_no_conflict() -> None:
    spec = [container(ports=PORTS), container("proxy", ports=PORTS)]
    assert named(pods_of("Deployment", *spec), node())[0] == "healthy"


def unmade(*beside: Object, **spec: Any) -> tuple[str, str]:
    """What is said of a workload that has no pods, and of which nobody tells why."""
    limits = {"resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "4"}}}
    return named(deployment("api", container(**limits, **spec)), *beside, node())


@pytest.mark.parametrize(("bound", "least"), [("max", "2"), ("min", "500m")])
def test_without_a_word_the_arithmetic_of_a_limit_range_tells(bound: str, least: str) -> None:
    limits = [{"type": "Container", bound: {"cpu": least}}]
    assert unmade(thing("LimitRange", "sizes", spec={"limits": limits})) == ("limit_range_violation", API)


def test_a_limit_range_that_is_kept_refuses_nothing() -> None:
    limits = [{"type": "Container", "max": {"cpu": "8"}, "min": {"cpu": "50m"}}, {"type": "Pod", "max": {"cpu": "1"}}]
    assert unmade(thing("LimitRange", "sizes", spec={"limits": limits}))[0] == "none"


@pytest.mark.parametrize(("level", "expected"), [("baseline", "admission_denied"), ("privileged", "none")])
def test_without_a_word_the_level_of_the_namespace_tells(level: str, expected: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": level}
    space = thing("Namespace", "shop", namespace="", metadata={"labels": labels})
    assert unmade(space, securityContext={"privileged": True})[0] == expected


def test_the_workload_whose_pods_want_no_others_beside_them_is_named() -> None:
    rule = {"labelSelector": {"matchLabels": {"app": "api"}}, "topologyKey": "kubernetes.io/hostname"}
    alone = app("ledger", affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [rule]}})
    made = deployment("api")
    owner = replica_set(made)
    waits = pending(owner, "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.")
    assert named(made, owner, waits, alone, node()) == ("pod_anti_affinity_conflict", "Deployment/shop/ledger")


def test_a_scheduler_of_ones_own_that_is_ill_is_named_itself() -> None:
    made = deployment("api", schedulerName="batcher")
    owner = replica_set(made)
    silent = pod(owner, phase="Pending", node="", age=20, ready=False, conditions=[])
    silent["status"]["containerStatuses"] = []
    ill = app("batcher", status=[running(ready=False)], namespace="kube-system")
    assert named(made, owner, silent, ill, node()) == ("scheduler_down", "Deployment/kube-system/batcher")


def budget(name: str, age: float) -> Object:
    """A budget of the same pods that lets one go."""
    spec = {"selector": {"matchLabels": {"app": "api"}}, "maxUnavailable": 1}
    status = {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2}
    return thing("PodDisruptionBudget", name, api="policy/v1", age=age, spec=spec, status=status)


@pytest.mark.parametrize("several", [True, False])
def test_two_budgets_of_the_same_pods_block_an_eviction_that_is_logged(*, several: bool) -> None:
    patcher = app("patcher")
    said = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    lines = log(patcher[-1], *[f"2026-03-10T11:5{n}:00Z ERROR eviction refused: {said}" for n in range(9)])
    others = [budget("tier", 60)] if several else []
    answered = named(app("api"), patcher, budget("api", 9_000), others, node(), logs=[lines])
    assert (answered == ("pdb_blocks", "PodDisruptionBudget/shop/tier")) is several


def test_the_half_of_a_pair_that_the_service_has_turned_from_may_idle() -> None:
    blue = deployment("api-blue", labels={"app": "api", "color": "blue"}, replicas=0)
    green = app("api-green", labels={"app": "api", "color": "green"})
    routed = {**thing("Service", "api"), "spec": {"selector": {"color": "green"}, "ports": [{"port": 80}]}}
    said = answer(blue, green, routed, node(), before=[{**blue, "spec": {**blue["spec"], "replicas": 3}}])
    assert (said.kind, said.verdict) == ("healthy", "no_action")


def test_a_daemon_whose_required_affinity_no_node_meets_runs_nowhere_without_a_word() -> None:
    terms = [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["nvme"]}]}]
    rule = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    status = {"desiredNumberScheduled": 0, "numberReady": 0}
    agent = workload("DaemonSet", "agent", affinity=rule, status=status)
    assert named(agent, app("web"), node(labels={"disk": "ssd"})) == ("node_affinity_mismatch", "DaemonSet/shop/agent")
    assert named(agent, app("web"), node(labels={"disk": "nvme"}))[0] == "healthy"

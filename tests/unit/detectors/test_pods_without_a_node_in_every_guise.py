from typing import Any

import pytest

from tests.clusters import (
    Object,
    app,
    container,
    deployment,
    event,
    node,
    pending,
    pod,
    replica_set,
    workload,
)
from tests.variants import answer, family, named

API = "Deployment/shop/api"


TAIL = " preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."


AFFINITY = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."


POOL = [{"key": "pool", "value": "batch", "effect": "NoSchedule"}]


MASTER = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]


TERMS = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["eu-9"]}]}]


ZONE = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": TERMS}}}


RULE = {"labelSelector": {"matchLabels": {"app": "api"}}, "topologyKey": "kubernetes.io/hostname"}


APART = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [RULE]}}


NODES = [node(f"n{n}", labels={"disk": "ssd", "zone": f"eu-{n}"}) for n in range(3)]


LARGE = container(resources={"requests": {"cpu": "64", "memory": "2Gi"}})


def unplaced(message: str, *containers: Object, kind: str = "Deployment", **spec: Any) -> list[Object]:
    """A workload of which one pod has no node; the scheduler says why."""
    chain = family(kind, *containers, **spec) if kind != "Pod" else []
    inner = {"containers": list(containers) or [container()], **spec}
    owner = chain[-1] if chain else None
    return [*chain, pending(owner, message, **({} if chain else {"name": "api", "spec": inner}))]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod"])
@pytest.mark.parametrize(
    ("message", "spec", "expected"),
    [
        (AFFINITY, {"nodeSelector": {"disk": "nvme"}}, "node_selector_mismatch"),
        (AFFINITY, {"affinity": ZONE}, "node_affinity_mismatch"),
        (
            "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.",
            {"affinity": APART},
            "pod_anti_affinity_conflict",
        ),
    ],
)
def test_whoever_owns_the_pod_its_placement_is_judged(kind: str, message: str, spec: Object, expected: str) -> None:
    objects = unplaced(message + TAIL, kind=kind, **spec)
    said = answer(objects, NODES)
    assert (said.kind, said.object, said.verdict) == (expected, f"{objects[0]['kind']}/shop/api", "fix")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job", "Pod"])
@pytest.mark.parametrize(
    ("reason", "asks", "expected"),
    [
        ("Insufficient cpu", {"cpu": "64"}, "insufficient_cpu"),
        ("Insufficient memory", {"memory": "640Gi"}, "insufficient_memory"),
        ("Insufficient nvidia.com/gpu", {"nvidia.com/gpu": "8"}, "insufficient_cpu"),
        ("Insufficient ephemeral-storage", {"ephemeral-storage": "5Ti"}, "insufficient_cpu"),
        ("Insufficient hugepages-2Mi", {"hugepages-2Mi": "1Gi"}, "insufficient_cpu"),
    ],
)
def test_every_resource_that_no_node_has_is_named(kind: str, reason: str, asks: Object, expected: str) -> None:
    objects = unplaced(
        f"0/3 nodes are available: 3 {reason}.{TAIL}", container(resources={"requests": asks}), kind=kind
    )
    said = answer(objects, NODES)
    assert (said.kind, said.object, said.observed) == (
        expected,
        f"{objects[0]['kind']}/shop/api",
        next(iter(asks.values())),
    )


@pytest.mark.parametrize(
    "reason",
    [
        "node(s) didn't match pod affinity rules",
        "node(s) didn't satisfy existing pods anti-affinity rules",
        "node(s) didn't match pod topology spread constraints",
        "node(s) didn't match pod topology spread constraints (missing required label)",
    ],
)
def test_every_rule_between_pods_is_one(reason: str) -> None:
    spread = [{"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}]
    objects = unplaced(f"0/3 nodes are available: 3 {reason}.{TAIL}", affinity=APART, topologySpreadConstraints=spread)
    assert named(objects, NODES) == ("pod_anti_affinity_conflict", API)


def test_the_words_of_an_event_are_enough_where_the_condition_has_none() -> None:
    made = family("Deployment", nodeSelector={"disk": "nvme"})
    silent = pod(made[-1], phase="Pending", node="", age=20, ready=False, conditions=[])
    silent["status"]["containerStatuses"] = []
    told = event(silent, "FailedScheduling", AFFINITY + TAIL)
    autoscaler = event(
        silent, "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 node(s) didn't match", warning=False
    )
    assert named(made, silent, NODES, events=[told, autoscaler]) == ("node_selector_mismatch", API)


def test_an_autoscalers_refusal_under_the_same_reason_does_not_hide_the_schedulers() -> None:
    made = family("Deployment", nodeSelector={"disk": "nvme"})
    silent = pod(made[-1], phase="Pending", node="", age=20, ready=False, conditions=[])
    silent["status"]["containerStatuses"] = []
    told = event(silent, "FailedScheduling", AFFINITY + TAIL, minutes=5)
    provisioner = event(
        silent, "FailedScheduling", 'Failed to schedule pod, incompatible with nodepool "default"', minutes=1
    )
    assert named(made, silent, NODES, events=[told, provisioner]) == ("node_selector_mismatch", API)


def test_a_new_revision_that_finds_no_node_counts_though_the_old_pods_serve() -> None:
    older, newer = deployment("api"), deployment("api", nodeSelector={"disk": "nvme"})
    former, latest = replica_set(older, revision=1), replica_set(newer, revision=2, age=30)
    said = answer(
        newer, former, latest, pod(former), pending(latest, AFFINITY + TAIL, name="api-rev2-x"), NODES, before=[older]
    )
    assert (said.kind, said.object, said.verdict, said.culprit) == (
        "node_selector_mismatch",
        API,
        "fix",
        "change something",
    )


@pytest.mark.parametrize("operator", ["Exists", "In", "Gt"])
def test_every_operator_of_required_node_affinity_is_understood(operator: str) -> None:
    values = {"values": ["9"]} if operator != "Exists" else {}
    terms = [{"matchExpressions": [{"key": "rack", "operator": operator, **values}]}]
    rule = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    assert named(unplaced(AFFINITY, affinity=rule), NODES) == ("node_affinity_mismatch", API)


@pytest.mark.parametrize(
    ("ports", "network"),
    [
        ([{"containerPort": 80, "hostPort": 80}], False),
        ([{"containerPort": 53, "hostPort": 53, "protocol": "UDP"}], False),
        ([{"containerPort": 9100}], True),
    ],
)
def test_a_port_of_the_host_that_is_taken_is_named(ports: list[Object], network: bool) -> None:
    message = "0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports." + TAIL
    objects = unplaced(message, container(ports=ports), hostNetwork=network)
    said = answer(objects, NODES)
    assert (said.kind, said.object, said.verdict) == ("host_port_conflict", API, "fix")


@pytest.mark.parametrize(
    "reason", ["node(s) had volume node affinity conflict", "node(s) didn't match PersistentVolume's node affinity"]
)
def test_a_volume_in_another_zone_is_a_matter_of_affinity(reason: str) -> None:
    objects = unplaced(f"0/3 nodes are available: 3 {reason}.{TAIL}", kind="StatefulSet", affinity=ZONE)
    assert named(objects, NODES) == ("node_affinity_mismatch", "StatefulSet/shop/api")


def daemon(**selector: str) -> Object:
    status = {"desiredNumberScheduled": 0, "numberReady": 0}
    return workload("DaemonSet", "agent", nodeSelector=selector, status=status)


def test_a_daemon_that_asks_for_a_label_of_another_value_runs_nowhere_without_a_word() -> None:
    said = answer(daemon(disk="nvme"), NODES, app("web"))
    assert (said.kind, said.object, said.observed) == ("node_selector_mismatch", "DaemonSet/shop/agent", "nvme")


@pytest.mark.parametrize(
    "selector", [{"nvidia.com/gpu.present": "true"}, {"kubernetes.io/os": "windows"}, {"disk": "ssd"}]
)
def test_a_daemon_for_machines_that_are_not_there_is_no_fault(selector: Object) -> None:
    assert named(daemon(**selector), NODES, app("web"))[0] == "healthy"

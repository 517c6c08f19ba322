from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clusters import (
    Object,
    container,
    deployment,
    found,
    node,
    pending,
    pod,
    replica_set,
    running,
    snapshot,
    thing,
)
from tests.variants import answer, family, named, pods_of

API = "Deployment/shop/api"


TAIL = " preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."


AFFINITY = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."


POOL = [{"key": "pool", "value": "batch", "effect": "NoSchedule"}]


MASTER = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]


NODES = [node(f"n{n}", labels={"disk": "ssd", "zone": f"eu-{n}"}) for n in range(3)]


LARGE = container(resources={"requests": {"cpu": "64", "memory": "2Gi"}})


def unplaced(message: str, *containers: Object, kind: str = "Deployment", **spec: Any) -> list[Object]:
    """A workload of which one pod has no node; the scheduler says why."""
    chain = family(kind, *containers, **spec) if kind != "Pod" else []
    inner = {"containers": list(containers) or [container()], **spec}
    owner = chain[-1] if chain else None
    return [*chain, pending(owner, message, **({} if chain else {"name": "api", "spec": inner}))]


def filled(name: str, cpu: str) -> list[Object]:
    """Another workload that takes most of a node."""
    made = deployment(f"guest-{name}", container(resources={"requests": {"cpu": cpu}}))
    owner = replica_set(made)
    return [made, owner, pod(owner, node=name)]


@pytest.mark.parametrize(
    "said",
    [
        "node(s) had untolerated taint {pool: batch}",
        "node(s) had untolerated taint(s)",
        "node(s) had taint {pool: batch}, that the pod didn't tolerate",
    ],
)
@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_a_taint_on_every_fitting_node_is_named_in_every_releases_words(said: str, effect: str) -> None:
    taint = [{"key": "pool", "value": "batch", "effect": effect}]
    chosen = [node("a", labels={"disk": "nvme"}, taints=taint), node("b"), node("c", taints=MASTER)]
    message = f"0/3 nodes are available: 1 {said}, 2 node(s) didn't match Pod's node affinity/selector."
    answered = answer(unplaced(message, nodeSelector={"disk": "nvme"}), chosen)
    assert (answered.kind, answered.object, answered.verdict) == ("taint_not_tolerated", API, "fix")


def test_a_toleration_of_another_value_tolerates_nothing() -> None:
    wrong = [{"key": "pool", "operator": "Equal", "value": "web", "effect": "NoSchedule"}]
    objects = unplaced("0/1 nodes are available: 1 node(s) had untolerated taint {pool: batch}.", tolerations=wrong)
    assert named(objects, node("a", taints=POOL)) == ("taint_not_tolerated", API)


def test_the_control_planes_taint_counts_where_there_is_no_other_node() -> None:
    objects = unplaced(
        "0/1 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }."
    )
    assert named(objects, node("a", taints=MASTER)) == ("taint_not_tolerated", API)


def test_a_pool_for_others_is_no_obstacle_where_the_ordinary_nodes_are_full() -> None:
    message = "0/3 nodes are available: 1 node(s) had untolerated taint {pool: batch}, 2 Insufficient cpu." + TAIL
    objects = unplaced(message, LARGE)
    assert named(objects, node("a", taints=POOL), node("b"), node("c")) == ("insufficient_cpu", API)


def test_a_cordoned_node_with_room_is_the_cause_where_the_others_are_full() -> None:
    message = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable." + TAIL
    asks = container(resources={"requests": {"cpu": "2"}})
    nodes = [node("a", cordoned=True), node("b")]
    assert named(unplaced(message, asks), nodes, filled("b", "3500m")) == ("node_cordoned", "Node//a")


def test_a_cordoned_node_without_room_is_not_the_cause() -> None:
    message = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable." + TAIL
    nodes = [node("a", cordoned=True), node("b")]
    assert named(unplaced(message, LARGE), nodes) == ("insufficient_cpu", API)


def test_of_a_pool_that_is_cordoned_the_node_is_named_whatever_taints_others_have() -> None:
    message = (
        "0/2 nodes are available: 1 node(s) had untolerated taint {pool: batch}, 1 node(s) were unschedulable." + TAIL
    )
    cordon = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    nodes = [node("a", cordoned=True, taints=cordon), node("b", taints=POOL)]
    assert named(unplaced(message), nodes) == ("node_cordoned", "Node//a")


def test_a_lost_node_with_room_is_the_cause_where_the_others_are_full() -> None:
    message = (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint "
        "{node.kubernetes.io/unreachable: }."
    )
    gone = {
        "type": "Ready",
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
    }
    lost = node("a", ready=gone, taints=[{"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}])
    asks = container(resources={"requests": {"cpu": "2"}})
    assert named(unplaced(message, asks), lost, node("b"), filled("b", "3500m")) == ("kubelet_down", "Node//a")


def test_a_node_full_of_pods_is_a_matter_of_room() -> None:
    assert named(unplaced("0/3 nodes are available: 3 Too many pods." + TAIL), NODES) == ("insufficient_cpu", API)


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        (
            "OutOfcpu",
            "Pod was rejected: Node didn't have enough resource: cpu, requested: 64000, used: 100, capacity: 4000",
            "insufficient_cpu",
        ),
        (
            "OutOfmemory",
            "Pod Node didn't have enough resource: memory, requested: 9, used: 8, capacity: 7",
            "insufficient_memory",
        ),
        (
            "NodePorts",
            "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports",
            "host_port_conflict",
        ),
        (
            "NodeAffinity",
            "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
            "node_selector_mismatch",
        ),
    ],
)
def test_what_the_kubelet_refuses_is_judged_as_the_scheduler_would(reason: str, message: str, expected: str) -> None:
    asks = container(
        resources={"requests": {"cpu": "64", "memory": "99Gi"}}, ports=[{"containerPort": 80, "hostPort": 80}]
    )
    made = family("Deployment", asks, nodeSelector={"disk": "nvme"}, nodeName="n1")
    refused = pod(made[-1], phase="Failed", node="n1", age=5, ready=False)
    refused["status"] |= {"reason": reason, "message": message, "containerStatuses": []}
    assert named(made, refused, NODES) == (expected, API)


def test_a_scheduler_that_does_not_exist_is_the_workloads_field() -> None:
    made = family("Deployment", schedulerName="volcano")
    silent = pod(made[-1], phase="Pending", node="", age=20, ready=False, conditions=[])
    silent["status"]["containerStatuses"] = []
    said = answer(made, silent, NODES)
    assert (said.kind, said.object, said.field) == ("scheduler_down", API, "spec.template.spec.schedulerName")


@pytest.mark.parametrize("shown", ["static pod", "lease", "deployment"])
def test_a_dead_scheduler_is_found_by_whatever_is_left_of_it(shown: str) -> None:
    made = family("Deployment")
    silent = pod(made[-1], phase="Pending", node="", age=20, ready=False, conditions=[])
    silent["status"]["containerStatuses"] = []
    image = container("kube-scheduler", "registry.k8s.io/kube-scheduler:v1.31.2")
    rests = {
        "static pod": [
            pod(
                None,
                running("kube-scheduler", ready=False),
                name="kube-scheduler-cp",
                namespace="kube-system",
                spec={"containers": [image]},
            )
        ],
        "lease": [thing("Lease", "kube-scheduler", namespace="kube-system", api="coordination.k8s.io/v1", spec={})],
        "deployment": [deployment("kube-scheduler", image, namespace="kube-system", replicas=0)],
    }
    kind, blamed = named(made, silent, NODES, rests[shown])
    assert (kind, blamed.split("/")[1]) == ("scheduler_down", "kube-system")


def test_a_pod_that_waits_for_its_gate_is_not_the_schedulers() -> None:
    made = family("Deployment")
    gated = [
        {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "Scheduling is blocked"}
    ]
    waits = pod(made[-1], phase="Pending", node="", age=20, ready=False, conditions=gated)
    waits["status"]["containerStatuses"] = []
    assert named(made, waits, NODES)[0] == "none"


@pytest.mark.parametrize("key", ["pool", "example.com/pool"])
def test_without_the_right_to_read_nodes_the_taint_is_taken_from_the_words(key: str) -> None:
    message = "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
    said = answer(unplaced(message + f"2 node(s) had untolerated taint {{{key}: batch}}.{TAIL}"))
    assert (said.kind, said.object, said.observed) == ("taint_not_tolerated", API, key)


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(4)), st.sampled_from(["1", "500m", "64", "3900m"]))
def test_the_order_of_nodes_changes_nothing_and_a_placed_pod_is_no_fault(order: list[int], cpu: str) -> None:
    asks = container(resources={"requests": {"cpu": cpu}})
    nodes = [node(f"n{n}", taints=POOL if n == 0 else None, cordoned=n == 1) for n in order]
    message = (
        "0/4 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 2 Insufficient cpu."
    )
    waits = snapshot(unplaced(message, asks), nodes)
    straight = snapshot(unplaced(message, asks), sorted(nodes, key=lambda one: one["metadata"]["name"]))
    assert found(waits) == found(straight)
    assert found(snapshot(pods_of("Deployment", asks, made={"node": "n2"}), nodes)) == []

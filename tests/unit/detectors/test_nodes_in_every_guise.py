from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clusters import (
    Object,
    ago,
    app,
    container,
    deployment,
    event,
    found,
    log,
    looping,
    node,
    pod,
    replica_set,
    running,
    snapshot,
    thing,
    waiting,
    workload,
)
from tests.variants import named, pods_of

NODE = "Node//node-1"
STOPPED = "Kubelet stopped posting node status."


def ready(status: str, reason: str, message: str) -> Object:
    return {"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": ago(20)}


def lost(status: str, reason: str, message: str, *others: Object, **rest: Any) -> list[Object]:
    """A node in trouble, a well one, and a workload on the first."""
    sick = node("node-1", ready=ready(status, reason, message), conditions=list(others), **rest)
    on_it = pods_of("Deployment", made={"ready": False, "since": 15})
    return [sick, node("node-2"), *on_it]


def unknown(kind: str) -> Object:
    return {"type": kind, "status": "Unknown", "reason": "NodeStatusUnknown", "message": STOPPED}


@pytest.mark.parametrize(
    ("status", "reason", "message", "expected"),
    [
        ("Unknown", "NodeStatusUnknown", STOPPED, "kubelet_down"),
        ("Unknown", "NodeStatusUnknown", "", "kubelet_down"),
        ("Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.", "kubelet_down"),
        ("False", "KubeletNotReady", "container runtime is down", "container_runtime_down"),
        (
            "False",
            "KubeletNotReady",
            "[container runtime is down, PLEG is not healthy: pleg was last seen active 4m ago; threshold is 3m0s]",
            "container_runtime_down",
        ),
        (
            "False",
            "KubeletNotReady",
            "PLEG is not healthy: pleg was last seen active 5m2s ago; threshold is 3m0s",
            "node_not_ready",
        ),
        (
            "False",
            "KubeletNotReady",
            "container runtime not ready: RuntimeReady=false reason:ContainerdNotReady message:x",
            "container_runtime_down",
        ),
        (
            "False",
            "KubeletNotReady",
            (
                'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial '
                'unix /run/containerd/containerd.sock: connect: connection refused"'
            ),
            "container_runtime_down",
        ),
        (
            "False",
            "KubeletNotReady",
            "dial unix /var/run/crio/crio.sock: connect: no such file or directory",
            "container_runtime_down",
        ),
        (
            "False",
            "KubeletNotReady",
            "dial unix /run/cri-dockerd.sock: connect: connection refused",
            "container_runtime_down",
        ),
        (
            "False",
            "KubeletNotReady",
            (
                "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network "
                "plugin returns error: cni plugin not initialized"
            ),
            "node_not_ready",
        ),
        (
            "False",
            "KubeletNotReady",
            (
                "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:no CNI "
                "configuration file in /etc/cni/net.d/. Has your network provider started?"
            ),
            "node_not_ready",
        ),
        (
            "False",
            "KubeletNotReady",
            (
                "[container runtime status check may not have completed yet, PLEG is not healthy: pleg has yet to be "
                "successful]"
            ),
            "node_not_ready",
        ),
        ("False", "KubeletNotReady", "node is shutting down", "node_not_ready"),
        ("False", "KubeletNotReady", "CSINode is not yet initialized", "node_not_ready"),
    ],
)
def test_the_component_that_a_lost_node_misses_is_named(status: str, reason: str, message: str, expected: str) -> None:
    assert named(lost(status, reason, message)) == (expected, NODE)


@pytest.mark.parametrize(
    ("kind", "reason", "message"),
    [
        ("DiskPressure", "KubeletHasDiskPressure", "kubelet has disk pressure"),
        ("MemoryPressure", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
        ("PIDPressure", "KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
        ("NetworkUnavailable", "NoRouteCreated", "RouteController failed to create a route"),
        ("KernelDeadlock", "DockerHung", "task docker:20744 blocked for more than 120 seconds."),
        ("ReadonlyFilesystem", "FilesystemIsReadOnly", "Remounting filesystem read-only"),
    ],
)
def test_a_node_under_pressure_is_not_ready_for_more(kind: str, reason: str, message: str) -> None:
    pressed = {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": ago(20)}
    assert named(node("node-1", conditions=[pressed]), app("api")) == ("node_not_ready", NODE)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ContainerRuntimeUnhealthy", "container_runtime_down"), ("KubeletUnhealthy", "kubelet_down")],
)
def test_a_problem_detectors_conditions_name_the_component(kind: str, expected: str) -> None:
    told = {
        "type": kind,
        "status": "True",
        "reason": kind,
        "message": "it does not answer",
        "lastTransitionTime": ago(20),
    }
    assert named(node("node-1", conditions=[told]), app("api")) == (expected, NODE)


def test_the_victims_of_a_lost_node_are_no_causes() -> None:
    gone = lost("Unknown", "NodeStatusUnknown", STOPPED, unknown("MemoryPressure"), unknown("DiskPressure"))
    told = [
        event(gone[-1], "NodeNotReady", "Node is not ready"),
        event(gone[0], "NodeNotReady", "Node node-1 status is now: NodeNotReady", warning=False),
    ]
    assert named(gone, events=told) == ("kubelet_down", NODE)


def proxies(*states: Object | None, where: tuple[str, ...] = ("node-1", "node-2")) -> list[Object]:
    """kube-proxy on several nodes; None where its pod is missing."""
    made = workload(
        "DaemonSet",
        "kube-proxy",
        container("kube-proxy", "registry.k8s.io/kube-proxy:v1.30.1"),
        namespace="kube-system",
    )
    pods = [
        pod(made, state, name=f"kube-proxy-{place}", node=place)
        for place, state in zip(where, states, strict=True)
        if state is not None
    ]
    return [made, *pods, *(node(place) for place in where), *app("api")]


@pytest.mark.parametrize(
    "state",
    [
        looping(1, name="kube-proxy"),
        running("kube-proxy", ready=False),
        waiting("CreateContainerError", "context deadline exceeded", "kube-proxy"),
        None,
    ],
)
def test_a_node_without_its_proxy_is_told_from_the_others(state: Object | None) -> None:
    objects = proxies(state, running("kube-proxy"))
    logs = [log(objects[1], "E0310 server.go:494] failed complete: unknown mode", name="kube-proxy")] if state else []
    assert named(objects, logs=logs) == ("kube_proxy_down", "DaemonSet/kube-system/kube-proxy")


def test_a_proxy_that_runs_nowhere_is_down() -> None:
    made = {**proxies(None, None)[0], "status": {"desiredNumberScheduled": 0, "numberReady": 0}}
    assert named(made, proxies(None, None)[1:]) == ("kube_proxy_down", "DaemonSet/kube-system/kube-proxy")


@pytest.mark.parametrize(
    "labels",
    [{"kubernetes.io/os": "windows"}, {"type": "virtual-kubelet"}, {"eks.amazonaws.com/compute-type": "fargate"}],
)
def test_a_node_that_has_no_proxy_by_design_misses_none(labels: Object) -> None:
    objects = [*proxies(running("kube-proxy"), where=("node-1",)), node("far", labels=labels)]
    assert named(objects)[0] == "healthy"


def test_a_tainted_node_that_the_proxy_does_not_tolerate_misses_none() -> None:
    taints = [{"key": "pool", "value": "x", "effect": "NoSchedule"}]
    assert named([*proxies(running("kube-proxy"), where=("node-1",)), node("far", taints=taints)])[0] == "healthy"


def test_an_unready_proxy_on_a_lost_node_is_the_nodes_fault() -> None:
    objects = [
        one
        for one in proxies(running("kube-proxy", ready=False), running("kube-proxy"))
        if one["metadata"]["name"] != "node-1"
    ]
    assert named(objects, lost("Unknown", "NodeStatusUnknown", STOPPED))[0] == "kubelet_down"


def test_a_network_that_cannot_be_set_up_on_one_node_is_that_nodes() -> None:
    objects = pods_of("Deployment", statuses=[waiting("ContainerCreating")], made={"phase": "Pending", "age": 20})
    said = (
        'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "1": '
        'plugin type="calico" failed (add): connection is unauthorized'
    )
    assert named(objects, node(), events=[event(objects[-1], "FailedCreatePodSandBox", said)]) == (
        "node_not_ready",
        NODE,
    )


def test_a_node_that_came_back_is_recovered() -> None:
    told = event(node("node-1"), "NodeNotReady", "Node node-1 status is now: NodeNotReady", minutes=60, warning=False)
    assert named(node("node-1"), app("api"), events=[told])[0] == "recovered"


@pytest.mark.parametrize(
    "noise",
    [
        ("InvalidDiskCapacity", "invalid capacity 0 on image filesystem"),
        ("FreeDiskSpaceFailed", "Failed to garbage collect required amount of images."),
        ("ImageGCFailed", "failed to get imageFs info: unable to find data in memory cache"),
        ("Rebooted", "Node node-1 has been rebooted, boot id: 1"),
    ],
)
def test_a_ready_nodes_ordinary_warnings_are_no_fault(noise: tuple[str, str]) -> None:
    assert named(node("node-1"), app("api"), events=[event(node("node-1"), *noise)])[0] in ("healthy", "recovered")


def test_a_cordoned_node_that_nobody_waits_for_is_no_fault() -> None:
    assert named(node("node-1", cordoned=True), node("node-2"), app("api"))[0] == "healthy"


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(5)), st.integers(0, 4))
def test_of_many_nodes_in_any_order_the_lost_one_is_named(order: list[int], sick: int) -> None:
    gone = ready("Unknown", "NodeStatusUnknown", STOPPED)
    nodes = [node(f"n{n}", ready=gone if n == sick else None) for n in order]
    made = deployment("api")
    owner = replica_set(made)
    cluster = snapshot(nodes, made, owner, pod(owner, node="n0"), thing("Lease", "n0", namespace="kube-node-lease"))
    assert found(cluster) == [("kubelet_down", f"Node//n{sick}")]

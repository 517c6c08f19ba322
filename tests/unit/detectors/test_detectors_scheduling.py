from typing import Any

from sre_bot.domain.finding import FaultKind
from tests.clusters import Object, container, deployment, found, node, only, pending, pod, replica_set, snapshot

AFFINITY = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes: 1 x."


def refused(message: str, *containers: Object, **spec: Any):
    made = deployment("batch", *containers, **spec)
    owner = replica_set(made)
    return [made, owner, pending(owner, message)]


def test_a_node_selector_that_no_node_has_is_named_with_key_and_value() -> None:
    finding = only(
        snapshot(refused(AFFINITY, nodeSelector={"disk": "nvme"}), node(labels={"disk": "ssd"})),
        FaultKind.NODE_SELECTOR_MISMATCH,
    )
    assert (str(finding.object), finding.field) == ("Deployment/shop/batch", "spec.template.spec.nodeSelector.disk")
    assert (finding.observed, finding.expected) == ("nvme", "ssd")


def test_the_same_words_about_required_affinity_are_an_affinity_mismatch() -> None:
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["eu-9"]}]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    finding = only(
        snapshot(refused(AFFINITY, affinity=affinity), node(labels={"zone": "eu-1"})), FaultKind.NODE_AFFINITY_MISMATCH
    )
    assert finding.observed == "eu-9"


def test_a_bare_pod_is_named_itself() -> None:
    lone = pending(None, AFFINITY, name="import", spec={"containers": [container()], "nodeSelector": {"disk": "nvme"}})
    assert found(snapshot(lone, node())) == [(FaultKind.NODE_SELECTOR_MISMATCH, "Pod/shop/import")]


def test_a_taint_that_keeps_every_node_is_not_tolerated() -> None:
    message = "0/1 nodes are available: 1 node(s) had untolerated taint(s)."
    tainted = node(taints=[{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}])
    finding = only(snapshot(refused(message), tainted), FaultKind.TAINT_NOT_TOLERATED)
    assert (finding.observed, finding.expected) == ("dedicated", "dedicated=gpu:NoSchedule")


def test_a_taint_that_is_tolerated_is_not_blamed() -> None:
    message = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {other: x}."
    tolerations = [{"key": "dedicated", "operator": "Exists"}]
    tainted = node("a", taints=[{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}])
    other = node("b", taints=[{"key": "other", "value": "x", "effect": "NoSchedule"}])
    asks = container(resources={"requests": {"cpu": "64"}})
    findings = found(snapshot(refused(message, asks, tolerations=tolerations), tainted, other))
    assert (FaultKind.INSUFFICIENT_CPU, "Deployment/shop/batch") in findings


def test_a_cordoned_node_is_named_and_not_the_workload() -> None:
    message = "0/1 nodes are available: 1 node(s) were unschedulable."
    cordoned = node(cordoned=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}])
    assert found(snapshot(refused(message), cordoned)) == [(FaultKind.NODE_CORDONED, "Node//node-1")]


def test_too_large_a_request_is_insufficient_memory_at_the_largest_container() -> None:
    message = (
        "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available: 1 No preemption victims."
    )
    small, large = (
        container("side", resources={"requests": {"memory": "64Mi"}}),
        container(resources={"requests": {"memory": "96Gi"}}),
    )
    finding = only(snapshot(refused(message, small, large), node()), FaultKind.INSUFFICIENT_MEMORY)
    assert (finding.field, finding.observed) == ("spec.template.spec.containers[1].resources.requests.memory", "96Gi")


def test_required_anti_affinity_is_a_conflict_between_pods() -> None:
    message = "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules."
    assert found(snapshot(refused(message), node("a"), node("b"))) == [
        (FaultKind.POD_ANTI_AFFINITY_CONFLICT, "Deployment/shop/batch")
    ]


def test_a_taken_host_port_is_named() -> None:
    message = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    finding = only(
        snapshot(refused(message, container(ports=[{"containerPort": 80, "hostPort": 80}])), node()),
        FaultKind.HOST_PORT_CONFLICT,
    )
    assert finding.field.endswith("containers[0].ports[0].hostPort")


def test_words_about_preemption_are_no_reasons() -> None:
    message = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes: 1 node(s) were unschedulable."
    asks = container(resources={"requests": {"cpu": "64"}})
    assert [kind for kind, _ in found(snapshot(refused(message, asks), node(cordoned=True)))] == [
        FaultKind.INSUFFICIENT_CPU
    ]


def test_a_pod_that_found_its_node_is_no_fault() -> None:
    made = deployment("batch", nodeSelector={"disk": "nvme"})
    owner = replica_set(made)
    assert found(snapshot(made, owner, pod(owner), node(labels={"disk": "nvme"}))) == []


def test_a_pod_that_waits_without_a_word_means_that_nobody_schedules() -> None:
    made = deployment("batch")
    owner = replica_set(made)
    silent = pod(owner, phase="Pending", node="", age=15, ready=False, conditions=[])
    silent["status"]["containerStatuses"] = []
    assert [kind for kind, _ in found(snapshot(made, owner, silent, node()))] == [FaultKind.SCHEDULER_DOWN]

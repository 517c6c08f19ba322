"""The bot's Kubernetes client on the lab's API: what a snapshot holds, and what it leaves out."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sre_bot.domain.cluster import ClusterSnapshot, ContainerLog, KubernetesObject
from sre_bot.tools.kubernetes import Kubernetes
from sre_bot.tools.kubernetes_api import connect
from tests.kubernetes_lab import Served, served

SHOP = ("shop",)
CRASHING = "checkout-5d9c7f8b6d-9wkrm"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as serving:
        yield serving


def tool(lab: Served) -> Kubernetes:
    return Kubernetes(str(lab.kubeconfig), None)


def find(snapshot: ClusterSnapshot, kind: str, name: str) -> KubernetesObject:
    (thing,) = [one for one in snapshot.objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return thing


def event(number: int, namespace: str = "shop") -> KubernetesObject:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"noise-{number:06}", "namespace": namespace},
        "involvedObject": {"kind": "Pod", "name": "cart-0", "namespace": namespace},
        "reason": "Noise",
        "message": "",
        "type": "Normal",
        "lastTimestamp": f"2026-02-{1 + number // 86400:02}T{number // 3600 % 24:02}:{number // 60 % 60:02}:00Z",
    }


async def test_a_snapshot_is_dated_by_the_servers_clock(lab: Served) -> None:
    snapshot = await tool(lab).snapshot(SHOP)

    assert snapshot.namespaces == SHOP
    assert datetime(2026, 2, 3, 9, 41, tzinfo=UTC) <= snapshot.taken_at < datetime(2026, 2, 3, 9, 42, tzinfo=UTC)


async def test_every_object_carries_kind_and_version_and_is_there_once(lab: Served) -> None:
    snapshot = await tool(lab).snapshot(SHOP)

    names = [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in snapshot.objects]
    assert len(names) == len(set(names))
    assert {
        ("apps/v1", "Deployment", "checkout"),
        ("apps/v1", "ReplicaSet", "checkout-5d9c7f8b6d"),
        ("autoscaling/v2", "HorizontalPodAutoscaler", "checkout"),
        ("batch/v1", "CronJob", "nightly"),
        ("batch/v1", "Job", "report"),
        ("discovery.k8s.io/v1", "EndpointSlice", "checkout-x7k2p"),
        ("networking.k8s.io/v1", "Ingress", "shop"),
        ("networking.k8s.io/v1", "NetworkPolicy", "web-only"),
        ("storage.k8s.io/v1", "StorageClass", "standard"),
        ("v1", "ConfigMap", "checkout-settings"),
        ("v1", "Endpoints", "checkout"),
        ("v1", "Namespace", "shop"),
        ("v1", "Node", "worker-2"),
        ("v1", "PersistentVolume", "pv-cart"),
        ("v1", "PersistentVolumeClaim", "cart-data"),
        ("v1", "Pod", "batch-import"),
        ("v1", "Secret", "checkout-credentials"),
        ("v1", "Service", "checkout"),
        ("v1", "ServiceAccount", "default"),
    } <= set(names)
    assert snapshot.unseen == ()


async def test_an_object_is_read_exactly_as_the_cluster_prints_it(lab: Served) -> None:
    snapshot = await tool(lab).snapshot(SHOP)

    assert find(snapshot, "Service", "checkout") == lab.world.cluster.objects[("", "Service", "shop", "checkout")]


async def test_other_namespaces_are_left_alone_but_for_cluster_dns(lab: Served) -> None:
    snapshot = await tool(lab).snapshot(SHOP)

    elsewhere = [
        (one["kind"], one["metadata"]["name"])
        for one in snapshot.objects
        if one["metadata"].get("namespace", "shop") != "shop"
    ]
    assert elsewhere == [("Deployment", "coredns")]


async def test_routes_are_read_as_custom_resources(lab: Served) -> None:
    snapshot = await tool(lab).snapshot(SHOP)

    assert find(snapshot, "HTTPRoute", "shop")["spec"]["parentRefs"] == [{"name": "edge"}]
    assert find(snapshot, "GatewayClass", "edge")["apiVersion"] == "gateway.networking.k8s.io/v1"


async def test_events_of_both_faces_and_of_nodes_are_merged_once(lab: Served) -> None:
    snapshot = await tool(lab).snapshot((*SHOP, "default"))

    assert [one["metadata"]["name"] for one in snapshot.events] == [
        "worker-2.c3",
        "batch-import.d4",
        f"{CRASHING}.a1",
        "checkout.b2",
    ]
    assert {(one["apiVersion"], one["kind"]) for one in snapshot.events} == {("v1", "Event")}
    assert "Event" not in {one["kind"] for one in snapshot.objects}


async def test_node_events_are_read_though_their_namespace_is_not_in_question(lab: Served) -> None:
    lab.world.cluster.put(event(1, "default"))

    snapshot = await tool(lab).snapshot(SHOP)

    assert {one["metadata"]["name"] for one in snapshot.events if one["metadata"]["namespace"] == "default"} == {
        "worker-2.c3"
    }


async def test_no_secret_value_leaves_the_cluster(lab: Served) -> None:
    snapshot = await tool(lab).snapshot(SHOP)

    everything = snapshot.model_dump_json()
    assert "kestrel" not in everything
    assert "a2VzdHJlbC0xNA" not in everything
    assert find(snapshot, "Secret", "checkout-credentials")["data"] == {"username": "", "password": ""}
    assert "sh.helm.release" not in everything


async def test_what_is_no_secret_stays_beside_it(lab: Served) -> None:
    snapshot = await tool(lab).snapshot(SHOP)

    container = find(snapshot, "Deployment", "checkout")["spec"]["template"]["spec"]["containers"][0]
    settings = find(snapshot, "ConfigMap", "checkout-settings")["data"]["application.yml"]
    assert {"name": "DB_HOST", "value": "db.shop.svc:5432"} in container["env"]
    assert "url: postgres://checkout:***@db.shop.svc:5432/checkout" in settings


async def test_bulk_that_tells_nothing_is_dropped(lab: Served) -> None:
    node = find(await tool(lab).snapshot(SHOP), "Node", "worker-1")

    assert "managedFields" not in node["metadata"]
    assert "images" not in node["status"]
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.33.4"


async def test_logs_hold_the_run_before_the_crash_and_the_running_containers(lab: Served) -> None:
    snapshot = await tool(lab).snapshot(SHOP)

    logs = {(log.pod, log.container, log.previous): log.text for log in snapshot.logs}
    assert logs[(CRASHING, "checkout", True)].endswith('FATAL: password authentication failed for user "checkout"\n')
    assert "password=***" in logs[("checkout-5d9c7f8b6d-4tzlq", "checkout", False)]
    assert logs[("cart-0", "proxy", False)] == "proxy \ufffd\ufffd ready\nbinary  zero\n"
    assert ("cart-0", "cart", False) not in logs


async def test_a_long_log_is_cut_to_its_newest_lines(lab: Served) -> None:
    text = "".join(f"{number:05} {'x' * 90}\n" for number in range(2_000))
    lab.world.cluster.put_log(ContainerLog(namespace="shop", pod="cart-0", container="proxy", text=text))

    (log,) = [one for one in (await tool(lab).snapshot(SHOP)).logs if one.container == "proxy"]

    assert log.truncated
    assert [line[:5] for line in log.text.splitlines()] == [f"{number:05}" for number in range(1_600, 2_000)]


async def test_a_log_of_enormous_lines_still_ends_with_the_newest(lab: Served) -> None:
    text = "".join(f"{number:05} {'x' * 5_000}\n" for number in range(2_000))
    lab.world.cluster.put_log(ContainerLog(namespace="shop", pod="cart-0", container="proxy", text=text))

    (log,) = [one for one in (await tool(lab).snapshot(SHOP)).logs if one.container == "proxy"]

    assert log.truncated
    assert len(log.text) <= 256 * 1024
    assert log.text.splitlines()[-1].startswith("01999 ")


async def test_logs_stop_when_there_is_enough_of_them(lab: Served) -> None:
    template = lab.world.cluster.objects[("", "Pod", "shop", "checkout-5d9c7f8b6d-4tzlq")]
    for number in range(60):
        name = f"loud-{number:02}"
        metadata = {"name": name, "namespace": "shop"}
        lab.world.cluster.put({**template, "metadata": metadata})
        lab.world.cluster.put_log(
            ContainerLog(namespace="shop", pod=name, container="checkout", text=f"{'y' * 620}\n" * 400)
        )

    snapshot = await tool(lab).snapshot(SHOP)

    assert 8 * 2**20 <= sum(len(log.text) for log in snapshot.logs) < 12 * 2**20
    assert any(note.startswith("logs of ") for note in snapshot.unseen)


class _Compactor:
    """Lets the history be compacted just before the first page that continues a list is served."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.compactions = 0
        self.lab: Served | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.lab and not self.compactions and b"continue=" in scope.get("query_string", b""):
            self.compactions += 1
            self.lab.world.cluster.put(event(999_999))
            self.lab.world.cluster.compact()
        await self._app(scope, receive, send)


async def test_a_list_that_expires_on_the_way_is_read_once_more(tmp_path: Path) -> None:
    compactors: list[_Compactor] = []

    def wrap(app: ASGIApp) -> ASGIApp:
        compactors.append(_Compactor(app))
        return compactors[0]

    async with served(tmp_path, wrap=wrap) as lab:
        for number in range(600):
            lab.world.cluster.put(event(number))
        compactors[0].lab = lab
        snapshot = await tool(lab).snapshot(SHOP)

    noise = [one["metadata"]["name"] for one in snapshot.events if one["reason"] == "Noise"]
    assert compactors[0].compactions == 1
    assert noise == [*(f"noise-{number:06}" for number in range(600)), "noise-999999"]


async def test_only_the_newest_of_very_many_events_are_kept(lab: Served) -> None:
    for number in range(20_600):
        lab.world.cluster.put(event(number))

    snapshot = await tool(lab).snapshot(SHOP)

    kept = {one["metadata"]["name"] for one in snapshot.events}
    assert len(snapshot.events) == 20_000
    assert "noise-000000" not in kept
    assert "noise-020599" in kept
    assert "events in shop: only the newest 20000 of 20603 were kept" in snapshot.unseen


async def test_a_list_of_large_objects_is_read_in_smaller_pages(lab: Served) -> None:
    for number in range(40):
        metadata = {"name": f"large-{number:02}", "namespace": "archive"}
        data = {"blob": "z" * 10_000}
        lab.world.cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    async with connect(str(lab.kubeconfig), None, 20.0) as api:
        api.page_bytes = 100_000
        items = await api.list("/api/v1/namespaces/archive/configmaps", keep=1_000)

    assert items.total == len(items.objects) == 41


async def test_the_same_cluster_gives_the_same_snapshot(lab: Served) -> None:
    first, second = await tool(lab).snapshot(SHOP), await tool(lab).snapshot(SHOP)

    assert json.loads(first.model_dump_json(exclude={"taken_at"})) == json.loads(
        second.model_dump_json(exclude={"taken_at"})
    )

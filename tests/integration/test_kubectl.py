"""The real kubectl on a served recording: the judge of the lab's Kubernetes API."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.client import LabProcess
from tests.kubernetes_lab import SHOP, Answer, Served, served, start_kubectl

CRASHING = "checkout-5d9c7f8b6d-9wkrm"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as serving:
        yield serving


async def run(lab: Served, *arguments: str) -> Answer:
    answer = await lab.kubectl(*arguments)
    assert answer.code == 0, answer.err
    return answer


async def test_get_pods_shows_what_is_wrong_with_each(lab: Served) -> None:
    answer = await run(lab, "get", "pods")

    assert answer.rows == [
        ["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
        ["batch-import", "0/1", "Pending", "0", "21m"],
        ["cart-0", "1/2", "ImagePullBackOff", "0", "11m"],
        ["checkout-5d9c7f8b6d-4tzlq", "1/1", "Running", "0", "2d"],
        [CRASHING, "0/1", "CrashLoopBackOff", "7", "(5m", "ago)", "2d"],
    ]


FIRST_ROWS = {
    "deployments": "checkout 1/2 2 1 2d",
    "rs": "checkout-5d9c7f8b6d 2 2 1 2d",
    "svc -o wide": "checkout ClusterIP 10.96.12.8 <none> 80/TCP 14d app=checkout",
    "endpoints": "checkout 10.244.1.20:5050 14d",
    "endpointslices": "checkout-x7k2p IPv4 5050 10.244.1.20,10.244.1.21 14d",
    "jobs": "report Complete 1/1 2m30s 60m",
    "cronjobs": "nightly 0 3 * * * <none> True 0 2d6h 14d",
    "hpa": "checkout Deployment/checkout cpu: 41%/70% 2 6 2 14d",
    "ingress": "shop nginx shop.example.com 203.0.113.7 80 14d",
    "netpol": "web-only tier=web 14d",
    "configmaps": "checkout-settings 2 14d",
    "secrets": "checkout-credentials Opaque 2 14d",
    "pvc": "cart-data Bound pv-cart 5Gi RWO standard <unset> 14d",
    "pv": "pv-cart 5Gi RWO Retain Bound shop/cart-data standard <unset> 14d",
    "sc": "standard (default) disk.example.com Delete WaitForFirstConsumer false 33d",
    "nodes worker-2": "worker-2 NotReady,SchedulingDisabled edge 33d v1.33.4",
    "checkoutpolicies": "strict 3 True 24h",
    "cop strict": "strict 3 True 24h",
    "httproutes": "shop 24h",
}


async def test_get_prints_the_columns_that_people_know(lab: Served) -> None:
    answers = await asyncio.gather(*(run(lab, "get", "--no-headers", *what.split()) for what in FIRST_ROWS))

    assert {what: " ".join(answer.rows[0]) for what, answer in zip(FIRST_ROWS, answers, strict=True)} == FIRST_ROWS


async def test_get_all_names_every_common_workload(lab: Served) -> None:
    answer = await run(lab, "get", "all", "-A", "-o", "name")

    assert {
        "pod/cart-0",
        "service/checkout",
        "deployment.apps/coredns",
        "replicaset.apps/checkout-5d9c7f8b6d",
        "job.batch/report",
        "cronjob.batch/nightly",
        "horizontalpodautoscaler.autoscaling/checkout",
    } <= set(answer.out.split())


async def test_yaml_and_json_hold_the_recorded_object(lab: Served) -> None:
    recorded = lab.world.cluster.objects[("apps", "Deployment", "shop", "checkout")]

    as_yaml = await run(lab, "get", "deployment", "checkout", "-o", "yaml")
    as_json = await run(lab, "get", "deployments", "-o", "json")

    assert yaml.safe_load(as_yaml.out)["spec"] == recorded["spec"]
    assert json.loads(as_json.out)["items"][0] == recorded


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-l", "app in (cart, import)"], ["batch-import", "cart-0"]),
        (["--field-selector", "status.phase=Running"], ["checkout-5d9c7f8b6d-4tzlq", CRASHING]),
        (["--chunk-size=1", "-l", "tier"], ["cart-0", "checkout-5d9c7f8b6d-4tzlq", CRASHING]),
    ],
)
async def test_selectors_and_chunks_work(lab: Served, arguments: list[str], expected: list[str]) -> None:
    answer = await run(lab, "get", "pods", "--no-headers", *arguments)

    assert [row[0] for row in answer.rows] == expected


async def test_watching_prints_a_row_for_each_change(lab: Served) -> None:
    watcher = await start_kubectl(lab.kubeconfig, "get", "pods", "-l", "app=cart", "--watch", "--no-headers")
    try:
        assert watcher.stdout is not None
        async with asyncio.timeout(30):
            first = (await watcher.stdout.readline()).split()
            await _heal(lab, "cart-0")
            second = (await watcher.stdout.readline()).split()
    finally:
        watcher.terminate()
        await watcher.communicate()

    assert first[:3] == [b"cart-0", b"1/2", b"ImagePullBackOff"]
    assert second[:3] == [b"cart-0", b"2/2", b"Running"]


async def _heal(lab: Served, name: str) -> None:
    pod: KubernetesObject = json.loads(json.dumps(lab.world.cluster.objects[("", "Pod", "shop", name)]))
    pod["status"]["phase"] = "Running"
    for status in pod["status"]["containerStatuses"]:
        status.update(ready=True, state={"running": {"startedAt": lab.world.clock.stamp()}})
    lab.world.cluster.put(pod)
    await lab.world.cluster.announce()


TOLD = {
    f"pod {CRASHING}": ["Reason:       CrashLoopBackOff", "Restart Count:  7", "Back-off restarting failed"],
    "pod batch-import": ["FailedScheduling", "1 Insufficient cpu"],
    "deployment checkout": ["1 available | 1 unavailable", "NewReplicaSet:   checkout-5d9c7f8b6d", "Scaled up"],
    "service checkout": ["TargetPort:        5050/TCP", "10.244.1.20:5050"],
    "node worker-2": ["Unschedulable:      true", "NodeStatusUnknown", "NodeNotReady"],
    "pvc cart-data": ["Status:        Bound", "Volume:        pv-cart"],
    "ingress shop": ["shop.example.com", "checkout:80"],
    "hpa checkout": ["41%", "Deployment/checkout"],
    "configmap checkout-settings": ["LOG_LEVEL"],
    "checkoutpolicy strict": ["Limit:  3"],
}


async def test_describe_tells_the_story(lab: Served) -> None:
    answers = await asyncio.gather(*(run(lab, "describe", *what.split()) for what in TOLD))

    untold = {
        what: [text for text in TOLD[what] if text not in answer.out]
        for what, answer in zip(TOLD, answers, strict=True)
    }
    assert untold == {what: [] for what in TOLD}


async def test_logs_of_the_run_before_the_crash(lab: Served) -> None:
    answer = await run(lab, "logs", CRASHING, "--previous", "--tail=1", "-c", "checkout")

    assert answer.out == 'FATAL: password authentication failed for user "checkout"\n'


async def test_logs_of_all_containers(lab: Served) -> None:
    answer = await run(lab, "logs", "checkout-5d9c7f8b6d-4tzlq", "--all-containers", "--since=50s")

    assert answer.out == (
        "2026-02-03T09:40:30Z WARN retrying db.shop.svc:5432 password=kestrel-14\n"
        "  at pool.acquire (pool.py:88)\n"
        "2026-02-03T09:40:50Z INFO GET /checkout 200 14ms\n"
    )


async def test_logs_of_a_container_that_never_started_say_why(lab: Served) -> None:
    answer = await lab.kubectl("logs", "cart-0", "-c", "cart")

    assert answer.code == 1
    assert 'container "cart" in pod "cart-0" is waiting to start: trying and failing to pull image' in answer.err


async def test_events_are_listed_by_both_commands(lab: Served) -> None:
    events = await run(lab, "events", "--for", "pod/batch-import")
    get = await run(lab, "get", "events", "--no-headers")

    assert "FailedScheduling" in events.out
    assert [row[2] for row in get.rows] == ["FailedScheduling", "BackOff", "ScalingReplicaSet"]
    assert get.rows[1][0] in {"60s", "61s", "62s", "63s", "64s", "65s"}


async def test_api_resources_hold_the_custom_kinds(lab: Served) -> None:
    answer = await run(lab, "api-resources", "--no-headers")

    assert ["checkoutpolicies", "cop", "shop.example.com/v1", "true", "CheckoutPolicy"] in answer.rows
    assert ["gatewayclasses", "gateway.networking.k8s.io/v1", "false", "GatewayClass"] in answer.rows
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in answer.rows


async def test_can_i_answers_by_the_role(lab: Served) -> None:
    lab.world.forbidden.add(("", "secrets"))

    assert (await run(lab, "auth", "can-i", "list", "deployments.apps")).out == "yes\n"
    assert (await lab.kubectl("auth", "can-i", "get", "secrets")).out == "no\n"
    assert (await lab.kubectl("auth", "can-i", "delete", "pods")).out == "no\n"
    listed = await run(lab, "auth", "can-i", "--list")
    assert "deployments.apps" in listed.out
    assert "secrets" not in listed.out


async def test_rollout_status_waits_for_the_missing_replica(lab: Served) -> None:
    answer = await lab.kubectl("rollout", "status", "deployment/checkout", "--timeout=1s")

    assert answer.code == 1
    assert "1 of 2 updated replicas are available" in answer.out


async def test_a_write_is_forbidden(lab: Served) -> None:
    answer = await lab.kubectl("delete", "pod", "cart-0")

    assert answer.code == 1
    assert 'cannot delete resource "pods"' in answer.err


async def test_a_wrong_token_is_refused(lab: Served) -> None:
    answer = await lab.kubectl("--token=wrong", "get", "pods")

    assert answer.code == 1
    assert "You must be logged in to the server" in answer.err


async def test_the_kubeconfig_that_the_lab_writes_is_all_that_kubectl_needs(tmp_path: Path) -> None:
    async with await LabProcess.start(SHOP) as running:
        process = await start_kubectl(Path(running.environment["KUBECONFIG"]), "get", "pods", "-A", "-o", "name")
        out, err = await asyncio.wait_for(process.communicate(b""), 60)

    assert out.decode().split()[0] == "pod/batch-import", err


async def test_kustomize_renders_a_tree(lab: Served, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "kustomization.yaml").write_text("namePrefix: eu-\nresources: [map.yaml]\n")
    (tree / "map.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n")

    answer = await run(lab, "kustomize", str(tree))

    assert yaml.safe_load(answer.out)["metadata"]["name"] == "eu-settings"

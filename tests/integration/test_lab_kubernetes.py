"""The lab's Kubernetes API, request by request: who may read what, lists, pages, selectors, errors."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sre_bot.lab.recording import Recording
from sre_bot.lab.world import World
from tests.kubernetes_lab import SHOP, client

PODS = "/api/v1/namespaces/shop/pods"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.of(Recording.load(SHOP), tmp_path)


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client(world, world.token) as connected:
        yield connected


async def fetch(api: httpx.AsyncClient, path: str, **parameters: str) -> dict[str, Any]:
    response = await api.get(path, params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


async def names(api: httpx.AsyncClient, path: str, **parameters: str) -> list[str]:
    return [item["metadata"]["name"] for item in (await fetch(api, path, **parameters))["items"]]


def add_pod(world: World, name: str) -> None:
    metadata = {"name": name, "namespace": "shop"}
    world.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}})


@pytest.mark.parametrize("token", ["", "not-the-token"])
async def test_a_request_without_the_token_is_unauthorised(world: World, token: str) -> None:
    async with client(world, token) as stranger:
        response = await stranger.get(PODS)

    assert response.status_code == 401
    assert response.json()["reason"] == "Unauthorized"


async def test_answers_carry_the_incidents_clock(api: httpx.AsyncClient) -> None:
    response = await api.get("/version")

    assert response.headers["date"].startswith("Tue, 03 Feb 2026 09:41:")


async def test_an_object_is_served_as_it_was_recorded(api: httpx.AsyncClient) -> None:
    service = await fetch(api, "/api/v1/namespaces/shop/services/checkout")

    assert service["kind"] == "Service"
    assert service["apiVersion"] == "v1"
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": 5050, "protocol": "TCP"}]


async def test_items_of_built_in_lists_carry_no_kind_as_in_a_real_cluster(api: httpx.AsyncClient) -> None:
    pods = await fetch(api, PODS)
    routes = await fetch(api, "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes")

    assert pods["kind"] == "PodList"
    assert not any("kind" in item for item in pods["items"])
    assert [item["kind"] for item in routes["items"]] == ["HTTPRoute"]


async def test_a_list_over_all_namespaces_holds_each_of_them(api: httpx.AsyncClient) -> None:
    everywhere = await fetch(api, "/api/v1/configmaps")

    assert {item["metadata"]["namespace"] for item in everywhere["items"]} == {"archive", "shop"}
    assert await names(api, "/api/v1/namespaces/archive/configmaps") == ["unrelated"]


async def test_a_namespace_exists_when_something_is_in_it(api: httpx.AsyncClient) -> None:
    assert await names(api, "/api/v1/namespaces") == ["archive", "default", "kube-system", "shop"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=cart", ["cart-0"]),
        ("app==cart,tier=web", ["cart-0"]),
        ("app!=checkout", ["batch-import", "cart-0"]),
        ("app in (cart,import)", ["batch-import", "cart-0"]),
        ("app notin (cart,import),tier", ["checkout-5d9c7f8b6d-4tzlq", "checkout-5d9c7f8b6d-9wkrm"]),
        ("!tier", ["batch-import"]),
        ("absent=x", []),
    ],
)
async def test_label_selectors_choose(api: httpx.AsyncClient, selector: str, expected: list[str]) -> None:
    assert await names(api, PODS, labelSelector=selector) == expected


@pytest.mark.parametrize(
    ("path", "selector", "expected"),
    [
        (PODS, "metadata.name=cart-0", ["cart-0"]),
        (PODS, "status.phase=Pending,spec.nodeName!=", ["cart-0"]),
        (PODS, "spec.nodeName=", ["batch-import"]),
        ("/api/v1/events", "involvedObject.kind=Node,involvedObject.name=worker-2", ["worker-2.c3"]),
        ("/api/v1/events", "type=Warning,reason=FailedScheduling", ["batch-import.d4"]),
        ("/apis/events.k8s.io/v1/events", "regarding.name=batch-import", ["batch-import.d4"]),
        ("/api/v1/nodes", "spec.unschedulable=false", ["worker-1"]),
        ("/api/v1/secrets", "type!=helm.sh/release.v1", ["checkout-credentials"]),
    ],
)
async def test_field_selectors_choose(api: httpx.AsyncClient, path: str, selector: str, expected: list[str]) -> None:
    assert await names(api, path, fieldSelector=selector) == expected


@pytest.mark.parametrize(
    "parameters", [{"fieldSelector": "spec.image=x"}, {"labelSelector": "app in cart"}, {"limit": "many"}]
)
async def test_a_parameter_that_means_nothing_is_a_bad_request(
    api: httpx.AsyncClient, parameters: dict[str, str]
) -> None:
    response = await api.get(PODS, params=parameters)

    assert (response.status_code, response.json()["reason"]) == (400, "BadRequest")


async def test_pages_together_are_the_list_of_the_moment_when_it_began(world: World, api: httpx.AsyncClient) -> None:
    first = await fetch(api, PODS, limit="3")
    add_pod(world, "zebra")
    world.cluster.delete(("", "Pod", "shop", "checkout-5d9c7f8b6d-9wkrm"))
    second = await fetch(api, PODS, limit="3", **{"continue": first["metadata"]["continue"]})

    assert first["metadata"]["remainingItemCount"] == 1
    assert [item["metadata"]["name"] for item in second["items"]] == ["checkout-5d9c7f8b6d-9wkrm"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]


async def test_an_expired_continue_token_is_gone_and_offers_an_inconsistent_one(
    world: World, api: httpx.AsyncClient
) -> None:
    first = await fetch(api, PODS, limit="3")
    add_pod(world, "zebra")
    world.cluster.compact()
    gone = await api.get(PODS, params={"limit": "3", "continue": first["metadata"]["continue"]})

    assert (gone.status_code, gone.json()["reason"]) == (410, "Expired")
    rest = await names(api, PODS, **{"continue": gone.json()["metadata"]["continue"]})
    assert rest == ["checkout-5d9c7f8b6d-9wkrm", "zebra"]


async def test_a_list_can_be_read_at_an_exact_version(world: World, api: httpx.AsyncClient) -> None:
    before = (await fetch(api, PODS))["metadata"]["resourceVersion"]
    add_pod(world, "zebra")

    exact = await names(api, PODS, resourceVersion=before, resourceVersionMatch="Exact")

    assert "zebra" not in exact
    assert "zebra" in await names(api, PODS, resourceVersion=before)


async def test_a_version_from_the_future_times_out(api: httpx.AsyncClient) -> None:
    response = await api.get(PODS, params={"resourceVersion": "99999999"})

    assert (response.status_code, response.json()["reason"]) == (504, "Timeout")
    assert "Too large resource version" in response.json()["message"]


async def test_what_is_not_there_is_named_in_the_answer(api: httpx.AsyncClient) -> None:
    pod = (await api.get(f"{PODS}/nope")).json()
    deployment = (await api.get("/apis/apps/v1/namespaces/shop/deployments/nope")).json()

    assert (pod["code"], pod["message"]) == (404, 'pods "nope" not found')
    assert deployment["message"] == 'deployments.apps "nope" not found'


@pytest.mark.parametrize("path", ["/api/v1/unicorns", "/apis/apps/v1/namespaces/shop/nodes", f"{PODS}/cart-0/exec"])
async def test_an_unknown_resource_is_not_found(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [("POST", PODS, "create"), ("DELETE", f"{PODS}/cart-0", "delete"), ("PATCH", f"{PODS}/cart-0", "patch")],
)
async def test_the_role_may_not_write(api: httpx.AsyncClient, method: str, path: str, verb: str) -> None:
    response = await api.request(method, path, json={})

    assert response.status_code == 403
    assert f'User "sre-bot" cannot {verb} resource "pods"' in response.json()["message"]
    assert "cart-0" in await names(api, PODS)


async def test_a_forbidden_resource_is_refused_in_the_clusters_own_words(world: World, api: httpx.AsyncClient) -> None:
    world.forbidden |= {("", "nodes"), ("", "pods/log"), ("apps", "deployments")}

    nodes = (await api.get("/api/v1/nodes")).json()
    log = (await api.get(f"{PODS}/cart-0/log")).json()
    deployments = (await api.get("/apis/apps/v1/namespaces/shop/deployments")).json()

    assert nodes["message"] == (
        'nodes is forbidden: User "sre-bot" cannot list resource "nodes" in API group "" at the cluster scope'
    )
    assert 'cannot get resource "pods/log" in API group "" in the namespace "shop"' in log["message"]
    assert deployments["message"] == (
        'deployments.apps is forbidden: User "sre-bot" cannot list resource "deployments" '
        'in API group "apps" in the namespace "shop"'
    )


async def test_an_event_is_one_object_with_two_faces(api: httpx.AsyncClient) -> None:
    core = await fetch(api, "/api/v1/namespaces/shop/events/batch-import.d4")
    new = await fetch(api, "/apis/events.k8s.io/v1/namespaces/shop/events/checkout-5d9c7f8b6d-9wkrm.a1")

    assert core["involvedObject"]["name"] == "batch-import"
    assert core["message"].startswith("0/2 nodes are available")
    assert core["reportingComponent"] == "default-scheduler"
    assert new["regarding"]["name"] == "checkout-5d9c7f8b6d-9wkrm"
    assert (new["deprecatedCount"], new["note"][:8]) == (21, "Back-off")


async def test_custom_resources_are_discovered_from_their_definitions_and_from_the_objects(
    api: httpx.AsyncClient,
) -> None:
    groups = [group["name"] for group in (await fetch(api, "/apis"))["groups"]]
    defined = (await fetch(api, "/apis/shop.example.com/v1"))["resources"]
    recorded = (await fetch(api, "/apis/gateway.networking.k8s.io/v1"))["resources"]

    assert {"shop.example.com", "gateway.networking.k8s.io"} <= set(groups)
    assert [(item["name"], item["shortNames"], item["namespaced"]) for item in defined] == [
        ("checkoutpolicies", ["cop"], True)
    ]
    assert {(item["name"], item["namespaced"]) for item in recorded} == {
        ("httproutes", True),
        ("gatewayclasses", False),
    }


async def test_a_version_that_its_definition_does_not_serve_is_not_served(api: httpx.AsyncClient) -> None:
    assert (await api.get("/apis/shop.example.com/v1alpha1/checkoutpolicies")).status_code == 404


async def test_metadata_alone_is_served_on_demand(api: httpx.AsyncClient) -> None:
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listed = (await api.get("/api/v1/namespaces/shop/secrets", headers={"Accept": accept})).json()

    assert listed["kind"] == "PartialObjectMetadataList"
    assert not any("data" in item for item in listed["items"])

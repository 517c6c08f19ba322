"""The lab's Argo CD over HTTP, held against Argo CD's own API description."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab_worlds import Lab, lab_of
from tests.running_labs import until
from tests.small_incidents import SmallIncident, deployment, service, text, wrong_port
from tests.swagger import problems, request_problems

Json = dict[str, Any]
ONE = "/api/v1/applications/{name}"
SHOP = "/api/v1/applications/shop"
CHECKOUT = "deploy/checkout.yaml"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncGenerator[Lab]:
    """A lab whose clock crawls, so that an operation is still running when a test looks; ``ended`` moves it on."""
    async with lab_of(wrong_port(), tmp_path, speed=0.1) as lab:
        yield lab


@pytest.fixture
async def argocd(lab: Lab) -> AsyncGenerator[httpx.AsyncClient]:
    async with lab.http("argocd") as client:
        yield client


def repaired() -> str:
    return text(deployment("checkout"), service("checkout", "http"))


async def get(client: httpx.AsyncClient, path: str = SHOP, **asked: str) -> Json:
    answer = await client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def sync(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    assert request_problems("POST", ONE + "/sync", body) == []
    return await client.post(f"{SHOP}/sync", json=body)


async def ended(lab: Lab, client: httpx.AsyncClient) -> Json:
    async def later() -> Json:
        lab.world.clock.advance(2)
        return await get(client)

    def over(application: Json) -> bool:
        return "operation" not in application and "finishedAt" in application["status"].get("operationState", {})

    return await until(later, over)


async def test_every_answer_is_as_described(lab: Lab, argocd: httpx.AsyncClient) -> None:
    sha = await lab.push({CHECKOUT: repaired()})
    assert problems("GET", ONE, await get(argocd)) == []
    started = (await sync(argocd, revision=sha)).json()
    assert problems("POST", ONE + "/sync", started) == []
    assert started["operation"]["sync"]["revision"] == sha
    assert problems("GET", ONE, await ended(lab, argocd)) == []
    assert problems("GET", "/api/v1/applications", await get(argocd, "/api/v1/applications")) == []
    tree = await get(argocd, f"{SHOP}/resource-tree")
    assert problems("GET", "/api/v1/applications/{applicationName}/resource-tree", tree) == []
    managed = await get(argocd, f"{SHOP}/managed-resources")
    assert problems("GET", "/api/v1/applications/{applicationName}/managed-resources", managed) == []


async def test_refusals_are_as_described(argocd: httpx.AsyncClient) -> None:
    for method, path in (("GET", ""), ("POST", "/sync"), ("POST", "/rollback")):
        answer = await argocd.request(method, f"/api/v1/applications/none{path}", json={})
        assert (answer.status_code, answer.json()["code"], answer.json()["message"]) == (403, 7, "permission denied")
        assert problems(method, ONE + path, answer.json(), status=403) == []


async def test_a_missing_application_is_not_found_where_its_project_is_named(argocd: httpx.AsyncClient) -> None:
    answer = await argocd.get("/api/v1/applications/none", params={"project": "default"})
    assert (answer.status_code, answer.json()["code"]) == (404, 5)
    assert answer.json()["message"] == 'applications.argoproj.io "none" not found'


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_nobody_gets_in_without_a_token(lab: Lab, token: str) -> None:
    async with lab.http("argocd", token) as stranger:
        answer = await stranger.get(SHOP)
    assert (answer.status_code, answer.json()["code"]) == (401, 16)


async def test_a_session_gives_a_token_for_the_password(lab: Lab) -> None:
    async with lab.http("argocd", "") as stranger:
        refused = await stranger.post("/api/v1/session", json={"username": "sre-bot", "password": "wrong"})
        given = await stranger.post("/api/v1/session", json={"username": "sre-bot", "password": lab.world.token})
        assert problems("POST", "/api/v1/session", given.json()) == []
        headers = {"Authorization": f"Bearer {given.json()['token']}"}
        user = await stranger.get("/api/v1/session/userinfo", headers=headers)
    assert refused.status_code == 401
    assert user.json()["username"] == "sre-bot"


async def test_it_starts_as_it_was_synced_last(argocd: httpx.AsyncClient) -> None:
    application = await get(argocd)
    assert application["status"]["sync"]["status"] == "Synced"
    assert application["status"]["history"][-1]["revision"] == application["status"]["sync"]["revision"]
    assert "operationState" not in application["status"]


async def test_a_push_is_seen_on_refresh_only(lab: Lab, argocd: httpx.AsyncClient) -> None:
    before = (await get(argocd))["status"]["sync"]["revision"]
    sha = await lab.push({CHECKOUT: repaired()})
    assert (await get(argocd))["status"]["sync"]["revision"] == before
    refreshed = (await get(argocd, refresh="normal"))["status"]["sync"]
    assert (refreshed["status"], refreshed["revision"]) == ("OutOfSync", sha)


async def test_a_push_is_seen_by_itself_after_three_minutes(lab: Lab, argocd: httpx.AsyncClient) -> None:
    sha = await lab.push({CHECKOUT: repaired()})
    lab.world.clock.advance(181)
    assert (await get(argocd))["status"]["sync"]["revision"] == sha


async def test_a_sync_runs_then_succeeds_and_is_remembered(lab: Lab, argocd: httpx.AsyncClient) -> None:
    sha = await lab.push({CHECKOUT: repaired()})
    running = (await sync(argocd, revision=sha)).json()["status"]["operationState"]
    assert running["phase"] == "Running"
    status = (await ended(lab, argocd))["status"]
    assert status["operationState"]["phase"] == "Succeeded"
    assert status["operationState"]["message"] == "successfully synced (all tasks run)"
    assert status["operationState"]["syncResult"]["revision"] == sha
    assert status["sync"] | {"comparedTo": None} == {"status": "Synced", "revision": sha, "comparedTo": None}
    assert status["history"][-1]["revision"] == sha
    assert status["history"][-1]["initiatedBy"] == {"username": "sre-bot"}
    assert status["history"][-1]["id"] == status["history"][-2]["id"] + 1


async def test_a_second_operation_is_refused_while_one_runs(lab: Lab, argocd: httpx.AsyncClient) -> None:
    await sync(argocd)
    answer = await sync(argocd)
    assert (answer.status_code, answer.json()["code"]) == (400, 9)
    assert answer.json()["error"] == "another operation is already in progress"
    await ended(lab, argocd)
    assert (await sync(argocd)).status_code == 200


async def test_an_operation_can_be_terminated(lab: Lab, argocd: httpx.AsyncClient) -> None:
    sha = await lab.push({CHECKOUT: repaired()})
    await sync(argocd, revision=sha)
    assert (await argocd.delete(f"{SHOP}/operation")).status_code == 200
    status = (await ended(lab, argocd))["status"]
    assert (status["operationState"]["phase"], status["operationState"]["message"]) == (
        "Failed",
        "Operation terminated",
    )
    assert status["history"][-1]["revision"] != sha
    assert (await argocd.delete(f"{SHOP}/operation")).status_code == 400


async def test_a_dry_run_changes_nothing(lab: Lab, argocd: httpx.AsyncClient) -> None:
    sha = await lab.push({CHECKOUT: repaired()})
    await sync(argocd, revision=sha, dryRun=True)
    status = (await ended(lab, argocd))["status"]
    assert (status["operationState"]["phase"], status["sync"]["status"]) == ("Succeeded", "OutOfSync")
    assert status["history"][-1]["revision"] != sha


async def test_an_older_revision_can_be_synced(lab: Lab, argocd: httpx.AsyncClient) -> None:
    first = (await get(argocd))["status"]["sync"]["revision"]
    await lab.push({CHECKOUT: repaired()})
    await sync(argocd, revision="main")
    await ended(lab, argocd)
    await sync(argocd, revision=first)
    status = (await ended(lab, argocd))["status"]
    assert status["operationState"]["syncResult"]["revision"] == first
    assert status["sync"]["status"] == "OutOfSync"


async def test_a_rollback_goes_to_a_revision_of_the_history(lab: Lab, argocd: httpx.AsyncClient) -> None:
    entry = (await get(argocd))["status"]["history"][-1]
    await lab.push({CHECKOUT: repaired()})
    await sync(argocd)
    await ended(lab, argocd)
    body = {"id": entry["id"]}
    assert request_problems("POST", ONE + "/rollback", body) == []
    answer = await argocd.post(f"{SHOP}/rollback", json=body)
    assert problems("POST", ONE + "/rollback", answer.json()) == []
    assert (await ended(lab, argocd))["status"]["history"][-1]["revision"] == entry["revision"]
    unknown = await argocd.post(f"{SHOP}/rollback", json={"id": 99})
    assert (unknown.status_code, unknown.json()["code"]) == (400, 3)


async def test_with_auto_sync_it_syncs_by_itself_and_refuses_rollbacks(tmp_path: Path) -> None:
    async with lab_of(wrong_port(), tmp_path, speed=0.1, auto_sync=True) as lab, lab.http("argocd") as argocd:
        assert "automated" in (await get(argocd))["spec"]["syncPolicy"]
        sha = await lab.push({CHECKOUT: repaired()})
        await get(argocd, refresh="normal")
        status = (await ended(lab, argocd))["status"]
        assert (status["sync"]["status"], status["sync"]["revision"]) == ("Synced", sha)
        assert status["history"][-1]["initiatedBy"] == {"automated": True}
        refused = await argocd.post(f"{SHOP}/rollback", json={"id": 0})
        assert (refused.status_code, refused.json()["code"]) == (400, 9)
        assert refused.json()["message"] == "rollback cannot be initiated when auto-sync is enabled"
        elsewhere = await sync(argocd, revision=sha)
        assert "auto-sync currently set to main" in elsewhere.json()["message"]


async def test_malformed_yaml_is_a_comparison_error(lab: Lab, argocd: httpx.AsyncClient) -> None:
    sha = await lab.push({"deploy/bad.yaml": "a: b: c\n"})
    await sync(argocd, revision=sha)
    application = await ended(lab, argocd)
    assert problems("GET", ONE, application) == []
    status = application["status"]
    assert status["operationState"]["phase"] == "Error"
    assert status["operationState"]["message"].startswith("ComparisonError: Failed to load target state")
    assert [one["type"] for one in status["conditions"]] == ["ComparisonError"]
    assert status["sync"]["status"] == "Unknown"
    await lab.push({"deploy/bad.yaml": None})
    mended = (await get(argocd, refresh="hard"))["status"]
    assert (mended["sync"]["status"], mended.get("conditions")) == ("Synced", None)


async def test_a_revision_that_does_not_exist_is_an_error(lab: Lab, argocd: httpx.AsyncClient) -> None:
    await sync(argocd, revision="f" * 40)
    state = (await ended(lab, argocd))["status"]["operationState"]
    assert state["phase"] == "Error"
    assert "Failed to checkout revision" in state["message"]
    refused = await sync(argocd, revision="no-such-branch")
    assert (refused.status_code, refused.json()["message"]) == (
        400,
        "Unable to resolve 'no-such-branch' to a commit SHA",
    )


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (
            text({**service("x", 1), "metadata": {"name": "x", "namespace": "nowhere"}}),
            'namespaces "nowhere" not found',
        ),
        ("apiVersion: x.io/v1\nkind: Unheard\nmetadata: {name: x}\n", "could not find x.io/Unheard"),
        (repaired().replace("      app: checkout", "      app: other", 1), "field is immutable"),
        (text(deployment("new")).replace("      app: new", "      app: other", 1), "does not match template `labels`"),
    ],
)
async def test_what_the_api_refuses_fails_the_sync_and_changes_nothing(
    lab: Lab, argocd: httpx.AsyncClient, manifest: str, said: str
) -> None:
    name = CHECKOUT if "checkout" in manifest else "deploy/x.yaml"
    sha = await lab.push({name: manifest})
    await sync(argocd, revision=sha)
    status = (await ended(lab, argocd))["status"]
    assert status["operationState"]["phase"] == "Failed"
    assert said in status["operationState"]["message"]
    assert status["history"][-1]["revision"] != sha


async def test_the_tree_shows_what_the_controllers_made(argocd: httpx.AsyncClient) -> None:
    nodes = (await get(argocd, f"{SHOP}/resource-tree"))["nodes"]
    parents = {node["kind"]: [parent["kind"] for parent in node.get("parentRefs", [])] for node in nodes}
    assert parents["Pod"] == ["ReplicaSet"]
    assert parents["ReplicaSet"] == ["Deployment"]
    assert parents["Deployment"] == []


async def test_an_incident_without_delivery_has_no_applications(tmp_path: Path) -> None:
    incident: SmallIncident = wrong_port()
    incident.delivered = False
    async with lab_of(incident, tmp_path) as lab, lab.http("argocd") as argocd:
        assert (await get(argocd, "/api/v1/applications"))["items"] == []
        assert (await argocd.get(SHOP)).status_code == 403

"""The lab as a process: it starts, says where it is, obeys its owner, and ends with it."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sre_bot.domain.errors import BadInput
from sre_bot.lab.client import LabAddress, LabControl, LabProcess
from tests.running_labs import http, running_lab, shared_lab, until
from tests.small_incidents import SmallIncident, deployment, service, text, wrong_port

CHECKOUT = "deploy/checkout.yaml"
REPAIRED = text(deployment("checkout"), service("checkout", "http"))


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncGenerator[LabProcess]:
    async with running_lab(wrong_port(), tmp_path, speed=50) as lab:
        yield lab


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Generator[LabAddress]:
    """A lab for the tests that leave the world as it was."""
    with shared_lab(wrong_port(), tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
async def control(address: LabAddress) -> AsyncGenerator[LabControl]:
    control = LabControl(address)
    yield control
    await control.close()


async def pull_request(lab: LabProcess) -> int:
    base = (await lab.control.state())["application"]["history"][-1]["revision"]
    await lab.control.push("repair", {CHECKOUT: REPAIRED}, "repair", base=base)
    async with http(lab, "github") as github:
        body = {"title": "Repair", "head": "repair", "base": "main", "body": ""}
        answer = await github.post("/repos/acme/shop/pulls", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["number"])


async def test_it_says_how_to_connect(address: LabAddress) -> None:
    assert set(address.urls) == {"jira", "github", "kubernetes", "argocd", "prometheus", "control"}
    assert set(address.environment) >= {
        *("JIRA_URL", "JIRA_USER", "JIRA_TOKEN", "JIRA_PROJECTS", "GITHUB_URL", "GITHUB_TOKEN"),
        *("GITHUB_REPOSITORIES", "KUBECONFIG", "NAMESPACES", "ARGOCD_URL", "ARGOCD_TOKEN", "ARGOCD_APPLICATIONS"),
    }
    assert (address.environment["JIRA_PROJECTS"], address.environment["NAMESPACES"]) == ("OPS", "shop")
    assert address.ticket == "OPS-7"
    assert Path(address.environment["KUBECONFIG"]).is_file()


async def test_its_secrets_are_private_and_the_controls_are_not_the_bots(address: LabAddress) -> None:
    for name in ("kubeconfig", "lab.json"):
        assert stat.S_IMODE((address.data / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(address.data.stat().st_mode) == 0o700
    assert address.control_token not in address.environment.values()
    async with http(address, "control") as as_the_bot:
        assert (await as_the_bot.get("/state")).status_code == 401


async def test_every_service_shows_the_incidents_clock_once(address: LabAddress) -> None:
    for service_name in ("jira", "github", "argocd"):
        async with http(address, service_name) as client:
            dates = (await client.get("/")).headers.get_list("date")
        assert len(dates) == 1
        assert "17 Mar 2026" in dates[0]


async def test_requests_are_logged_and_counted_by_route(lab: LabProcess) -> None:
    async with http(lab, "jira") as jira:
        await jira.get("/rest/api/2/issue/OPS-7", params={"fields": "summary"})
        await jira.get("/rest/api/2/issue/OPS-8")
        await jira.get("/nowhere")
    assert await lab.control.request_counts() == {
        "jira GET /rest/api/2/issue/{key}": 2,
        "jira GET /nowhere": 1,
    }
    first, second, third = await lab.control.requests("jira")
    assert (first["path"], first["query"], first["status"]) == ("/rest/api/2/issue/OPS-7", "fields=summary", 200)
    assert (second["status"], third["status"]) == (404, 404)
    lines = (lab.address.data / "requests.jsonl").read_text().splitlines()
    assert [json.loads(line)["path"] for line in lines] == [first["path"], second["path"], third["path"]]


async def test_a_fault_hits_its_route_as_often_as_it_should(lab: LabProcess) -> None:
    await lab.control.add_fault("jira", "status", method="GET", path="OPS-7$", status=418, body="{}", times=2)
    async with http(lab, "jira") as jira:
        statuses = [(await jira.get("/rest/api/2/issue/OPS-7")).status_code for _ in range(3)]
        other = await jira.get("/rest/api/2/myself")
    assert statuses == [418, 418, 200]
    assert other.status_code == 200
    await lab.control.add_fault("jira", "status", path="OPS-7$", times=-1)
    await lab.control.clear_faults()
    async with http(lab, "jira") as jira:
        assert (await jira.get("/rest/api/2/issue/OPS-7")).status_code == 200


async def test_a_cut_connection_has_no_answer_and_no_effect(lab: LabProcess) -> None:
    await lab.control.add_fault("jira", "cut", method="POST")
    async with http(lab, "jira") as jira:
        with pytest.raises(httpx.TransportError):
            await jira.post("/rest/api/2/issue/OPS-7/comment", json={"body": "x"})
        assert (await jira.get("/rest/api/2/issue/OPS-7/comment")).json()["total"] == 0
    assert [one["status"] for one in await lab.control.requests("jira")] == [0, 200]


async def test_a_timeout_although_performed_has_its_effect(lab: LabProcess) -> None:
    await lab.control.add_fault("jira", "timeout_performed", method="POST")
    async with http(lab, "jira") as jira:
        with pytest.raises(httpx.TransportError):
            await jira.post("/rest/api/2/issue/OPS-7/comment", json={"body": "x"})
        assert (await jira.get("/rest/api/2/issue/OPS-7/comment")).json()["total"] == 1


@pytest.mark.parametrize("fault", [{"service": "jira"}, {"service": "jira", "kind": "cut", "colour": "red"}])
async def test_a_fault_that_is_none_is_refused(address: LabAddress, fault: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {address.control_token}"}
    async with httpx.AsyncClient(base_url=address.urls["control"], headers=headers) as client:
        assert (await client.post("/faults", json=fault)).status_code == 400


async def test_people_review_and_merge(lab: LabProcess) -> None:
    number = await pull_request(lab)
    comment = {"path": CHECKOUT, "line": 3, "body": "why?"}
    asked = await lab.control.review(number, "request_changes", "Explain.", comments=(comment,), reviewer="ann")
    approved = await lab.control.review(number, "approve", reviewer="bob", may_write=False)
    assert (asked["state"], approved["state"]) == ("CHANGES_REQUESTED", "APPROVED")
    async with http(lab, "github") as github:
        reviews = (await github.get(f"/repos/acme/shop/pulls/{number}/reviews")).json()
        rights = (await github.get("/repos/acme/shop/collaborators/bob/permission")).json()
    assert [(one["user"]["login"], one["state"], one["body"]) for one in reviews] == [
        ("ann", "CHANGES_REQUESTED", "Explain."),
        ("bob", "APPROVED", ""),
    ]
    assert rights["permission"] == "read"
    sha = (await lab.control.merge_pull(number))["sha"]
    pull = (await lab.control.state())["pull_requests"][0]
    assert (pull["merged"], pull["merge_sha"], pull["state"]) == (True, sha, "closed")


async def test_people_reject_and_close(lab: LabProcess) -> None:
    number = await pull_request(lab)
    await lab.control.review(number, "reject", "No.")
    assert (await lab.control.state())["pull_requests"][0]["state"] == "closed"
    with pytest.raises(BadInput, match="no pull request 99"):
        await lab.control.close_pull(99)


async def test_people_push_and_force_push(lab: LabProcess) -> None:
    first = (await lab.control.push("topic", {"a.txt": "1\n"}, "one"))["sha"]
    second = (await lab.control.push("topic", {"a.txt": "2\n"}, "two"))["sha"]
    forced = (await lab.control.push("topic", {"a.txt": "3\n"}, "three", force=True))["sha"]
    async with http(lab, "github") as github:
        commit = (await github.get(f"/repos/acme/shop/git/commits/{forced}")).json()
    assert [parent["sha"] for parent in commit["parents"]] == [first]
    assert second != forced


async def test_people_file_move_assign_and_delete_tickets(control: LabControl) -> None:
    key = await control.create_ticket(summary="More trouble", labels=["eu"], assignee="")
    await control.assign_ticket(key, "sre-bot")
    await control.move_ticket(key, "done")
    tickets = {one["key"]: one for one in (await control.state())["tickets"]}
    assert (tickets[key]["status"], tickets[key]["resolution"], tickets[key]["assignee"]) == ("Done", "Done", "sre-bot")
    await control.delete_ticket(key)
    assert key not in {one["key"] for one in (await control.state())["tickets"]}
    with pytest.raises(BadInput, match="no ticket"):
        await control.delete_ticket(key)


async def test_the_clock_runs_fast_and_can_be_put_forward(lab: LabProcess) -> None:
    before = (await lab.control.state())["now"]
    await lab.control.advance(3600)
    assert (await lab.control.state())["now"] >= "2026-03-17T11:2"
    assert before < "2026-03-17T11"


async def test_nothing_of_what_is_expected_is_served(address: LabAddress) -> None:
    """Every page that the services list, with the tokens of both, is searched for words that only the answers hold."""
    pages = {
        "jira": ["/rest/api/2/issue/OPS-7", "/rest/api/2/search?jql=project=OPS", "/rest/api/2/field"],
        "github": ["/repos/acme/shop", "/repos/acme/shop/commits", "/repos/acme/shop/git/trees/main?recursive=1"],
        "argocd": [
            f"/api/v1/applications{rest}" for rest in ("", "/shop", "/shop/resource-tree", "/shop/managed-resources")
        ],
        "control": ["/requests", "/faults", "/state"],
    }
    for service_name, paths in pages.items():
        token = address.control_token if service_name == "control" else None
        async with http(address, service_name, token) as client:
            for path in paths:
                answer = await client.get(path)
                assert answer.status_code == 200, (path, answer.text)
                for secret in ("secret-answer", "guilty subject", "service_port_mismatch", "heals_when", "verdict"):
                    assert secret not in answer.text, path


async def test_close_stops_it_and_takes_its_data_along(tmp_path: Path) -> None:
    lab = await LabProcess.start(wrong_port().write(tmp_path))
    pid, data = lab.address.pid, lab.address.data
    await lab.close()
    await lab.close()
    assert not data.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_it_stops_at_once_although_somebody_waits_for_an_answer(tmp_path: Path) -> None:
    lab = await LabProcess.start(wrong_port().write(tmp_path))
    await lab.control.add_fault("argocd", "delay", seconds=60)
    async with http(lab, "argocd") as argocd:
        waiting = asyncio.create_task(argocd.get("/api/version"))
        await until(lab.control.faults, lambda faults: not faults)
        async with asyncio.timeout(4.9):  # after five seconds it would be killed
            await lab.close()
            await asyncio.wait({waiting})


async def test_data_of_the_owner_is_kept_and_can_be_used_again(tmp_path: Path) -> None:
    folder, data = wrong_port().write(tmp_path / "incident"), tmp_path / "data"
    for _ in range(2):
        async with await LabProcess.start(folder, data=data) as lab:
            control = LabControl(LabAddress.find(data))
            assert (await control.state())["pull_requests"] == []
            assert len(await lab.control.requests()) == 0
            await lab.control.push("main", {"README.md": "again\n"}, "again")
            await control.close()
    assert (data / "git").is_dir()
    with pytest.raises(BadInput, match="no lab is running"):
        LabAddress.find(data)


async def test_two_labs_do_not_share_their_data(tmp_path: Path) -> None:
    folder, data = wrong_port().write(tmp_path / "incident"), tmp_path / "data"
    async with await LabProcess.start(folder, data=data) as lab:
        with pytest.raises(BadInput, match="already serving"):
            await LabProcess.start(folder, data=data)
        assert (await lab.control.state())["now"]


async def test_a_lab_that_is_gone_is_told_in_a_sentence(tmp_path: Path) -> None:
    lab = await LabProcess.start(wrong_port().write(tmp_path))
    control = LabControl(lab.address)
    await lab.close()
    with pytest.raises(BadInput, match="does not answer"):
        await control.state()
    await control.close()


async def test_a_folder_that_is_no_incident_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"the lab did not start: .* has no incident.yaml"):
        await LabProcess.start(tmp_path)


async def test_a_chosen_port_is_used(tmp_path: Path, unused_tcp_port: int) -> None:
    async with running_lab(wrong_port(), tmp_path, ports={"jira": unused_tcp_port}) as lab:
        assert lab.urls["jira"] == f"http://127.0.0.1:{unused_tcp_port}"


async def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed closes the lab's standard input, and that ends the lab."""
    program = """
import asyncio, sys
from pathlib import Path
from sre_bot.lab.client import LabProcess
async def main():
    lab = await LabProcess.start(Path(sys.argv[1]), data=Path(sys.argv[2]))
    print(lab.address.pid, lab.urls["jira"], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    incident: SmallIncident = wrong_port()
    folder, data = incident.write(tmp_path / "incident"), tmp_path / "data"
    command = (sys.executable, "-c", program, str(folder), str(data))
    parent = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout
    url = (await parent.stdout.readline()).decode().split()[1]
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/rest/api/2/serverInfo")).status_code == 200
    parent.kill()
    await parent.wait()
    await until(lambda: asyncio.sleep(0, (data / "lab.json").exists()), lambda there: not there)


async def test_an_application_without_a_commit_is_refused_in_one_sentence(tmp_path: Path) -> None:
    incident = SmallIncident().write(tmp_path)
    with pytest.raises(BadInput, match="needs a repository with a commit"):
        await LabProcess.start(incident)

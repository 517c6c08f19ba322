"""The lab's Jira over HTTP: who gets in, what it searches, how it changes, what Cloud does otherwise."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab_worlds import Lab, lab_of
from tests.small_incidents import wrong_port

Json = dict[str, Any]
ISSUE = "/rest/api/2/issue/OPS-7"
ISSUE3 = "/rest/api/3/issue/OPS-7"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncGenerator[Lab]:
    async with lab_of(wrong_port(), tmp_path) as lab:
        yield lab


@pytest.fixture
async def jira(lab: Lab) -> AsyncGenerator[httpx.AsyncClient]:
    async with lab.http("jira") as client:
        yield client


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncGenerator[httpx.AsyncClient]:
    folder = tmp_path / "cloud"
    folder.mkdir()
    async with lab_of(wrong_port(), folder, cloud=True) as lab, lab.http("jira", "") as client:
        client.auth = httpx.BasicAuth(lab.world.tickets.bot.login, lab.world.token)
        yield client


async def got(client: httpx.AsyncClient, path: str, **asked: Any) -> Any:
    answer = await client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def keys(client: httpx.AsyncClient, jql: str) -> list[str]:
    return [issue["key"] for issue in (await got(client, "/rest/api/2/search", jql=jql))["issues"]]


async def file(client: httpx.AsyncClient, summary: str, **fields: Any) -> str:
    raw = {"project": {"key": "OPS"}, "summary": summary, **fields}
    answer = await client.post("/rest/api/2/issue", json={"fields": raw})
    assert answer.status_code == 201
    return str(answer.json()["key"])


@pytest.mark.parametrize("scheme", ["nothing", "wrong token", "wrong user", "garbage"])
async def test_strangers_are_told_to_log_in(lab: Lab, scheme: str) -> None:
    auths = {
        "wrong token": httpx.BasicAuth("sre-bot", "wrong"),
        "wrong user": httpx.BasicAuth("dreyes", lab.world.token),
    }
    headers = {"Authorization": "Basic ***"} if scheme == "garbage" else {}
    async with lab.http("jira", "") as stranger:
        answer = await stranger.get(ISSUE, auth=auths.get(scheme), headers=headers)
        assert (await stranger.get("/rest/api/2/serverInfo")).status_code == 200
    assert answer.status_code == 401


async def test_cloud_wants_an_address_and_no_bearer(tmp_path: Path) -> None:
    async with lab_of(wrong_port(), tmp_path, cloud=True) as lab, lab.http("jira", "") as client:
        by_name = await client.get(ISSUE, auth=httpx.BasicAuth("sre-bot", lab.world.token))
        by_address = await client.get(ISSUE, auth=httpx.BasicAuth("sre-bot@example.com", lab.world.token))
        by_bearer = await client.get(ISSUE, headers={"Authorization": f"Bearer {lab.world.token}"})
    assert [answer.status_code for answer in (by_name, by_address, by_bearer)] == [401, 200, 401]


async def test_each_kind_of_site_says_what_it_is(jira: httpx.AsyncClient, cloud: httpx.AsyncClient) -> None:
    assert (await got(jira, "/rest/api/2/serverInfo"))["deploymentType"] == "Server"
    assert (await got(cloud, "/rest/api/2/serverInfo"))["deploymentType"] == "Cloud"
    assert (await got(jira, "/rest/api/2/myself"))["name"] == "sre-bot"
    assert "name" not in await got(cloud, "/rest/api/3/myself")


async def test_data_center_has_no_third_version(jira: httpx.AsyncClient) -> None:
    assert (await jira.get(ISSUE3)).status_code == 404
    assert (await jira.get("/rest/api/2/search/jql", params={"jql": "project = OPS"})).status_code == 404


async def test_cloud_has_removed_the_old_search(cloud: httpx.AsyncClient) -> None:
    assert (await cloud.get("/rest/api/2/search", params={"jql": "project = OPS"})).status_code == 410


async def test_only_the_wanted_fields_are_sent(jira: httpx.AsyncClient) -> None:
    assert set((await got(jira, ISSUE, fields="summary,status"))["fields"]) == {"summary", "status"}
    assert {"description", "comment"} <= set((await got(jira, ISSUE))["fields"])


@pytest.mark.parametrize(
    ("jql", "found"),
    [
        ("project = OPS AND assignee = currentUser()", ["OPS-7"]),
        ('project in ("OPS", NONE) and assignee=currentUser() order by created ASC', ["OPS-7"]),
        ("assignee = sre-bot", ["OPS-7"]),
        ("assignee is EMPTY ORDER BY key ASC", ["OPS-8", "OPS-9"]),
        ("assignee is not EMPTY", ["OPS-7"]),
        ("assignee != currentUser() ORDER BY key DESC", ["OPS-9", "OPS-8"]),
        ("resolution = Unresolved ORDER BY key", ["OPS-7", "OPS-8"]),
        ("resolution is not EMPTY", ["OPS-9"]),
        ("statusCategory != Done ORDER BY key", ["OPS-7", "OPS-8"]),
        ('statusCategory = "To Do" AND NOT assignee = currentUser()', ["OPS-8"]),
        ('status in ("Won\'t Do", Done)', ["OPS-9"]),
        ("labels = urgent OR labels in (slow)", ["OPS-9", "OPS-8"]),
        ('(labels = urgent OR labels = slow) AND summary ~ "pay"', ["OPS-8"]),
        ('text ~ "NOBODY can"', ["OPS-7"]),
        ("key not in (OPS-7, OPS-8)", ["OPS-9"]),
        ("priority = highest", ["OPS-8"]),
        ("ORDER BY priority DESC, key ASC", ["OPS-8", "OPS-7", "OPS-9"]),
        ("project = OTHER", []),
    ],
)
async def test_a_search_finds_what_it_asks_for(jira: httpx.AsyncClient, jql: str, found: list[str]) -> None:
    await file(jira, "cannot pay", labels=["urgent"], priority={"name": "Highest"})
    second = await file(jira, "too slow", labels=["slow"])
    moves = (await got(jira, f"/rest/api/2/issue/{second}/transitions"))["transitions"]
    decline = next(move for move in moves if move["to"]["name"] == "Won't Do")
    await jira.post(f"/rest/api/2/issue/{second}/transitions", json={"transition": {"id": decline["id"]}})
    assert await keys(jira, jql) == found


@pytest.mark.parametrize(
    ("jql", "said"),
    [
        ("wishes = fish", "Field 'wishes' does not exist"),
        ("project", "at the end of the query"),
        ("project = ", "at the end of the query"),
        ("project OPS", "Expecting operator"),
        ("project in (OPS", "Expecting ')'"),
        ("project = OPS labels = x", "Expecting operator"),
        ("project = OPS ORDER BY wishes", "Not able to sort"),
        ('project = "OPS', "unexpected character"),
    ],
)
async def test_a_bad_query_is_refused_in_words(jira: httpx.AsyncClient, jql: str, said: str) -> None:
    answer = await jira.get("/rest/api/2/search", params={"jql": jql})
    assert answer.status_code == 400
    assert said in answer.json()["errorMessages"][0]


async def test_a_search_comes_in_pages(jira: httpx.AsyncClient) -> None:
    for number in range(4):
        await file(jira, f"number {number}")
    page = await got(jira, "/rest/api/2/search", jql="project = OPS ORDER BY key", startAt=3, maxResults=5)
    assert [issue["key"] for issue in page["issues"]] == ["OPS-10", "OPS-11"]
    assert (page["total"], page["startAt"]) == (5, 3)


async def test_cloud_pages_by_token_and_wants_a_restriction(cloud: httpx.AsyncClient) -> None:
    for number in range(2):
        await file(cloud, f"number {number}")
    asked = {"jql": "project = OPS ORDER BY key", "maxResults": 2, "fields": ["summary"]}
    first = (await cloud.post("/rest/api/3/search/jql", json=asked)).json()
    rest = await got(cloud, "/rest/api/3/search/jql", **asked, nextPageToken=first["nextPageToken"])
    assert [issue["key"] for issue in first["issues"] + rest["issues"]] == ["OPS-7", "OPS-8", "OPS-9"]
    assert (first["isLast"], rest["isLast"], "nextPageToken" in rest) == (False, True, False)
    assert (await cloud.get("/rest/api/3/search/jql", params={"jql": " "})).status_code == 400


async def test_bodies_are_documents_in_version_three_only(cloud: httpx.AsyncClient) -> None:
    bold = {"type": "text", "text": "soon", "marks": [{"type": "strong"}]}
    link = {"type": "text", "text": "here", "marks": [{"type": "link", "attrs": {"href": "https://x.example"}}]}
    content = [
        {"type": "paragraph", "content": [{"type": "text", "text": "Fixed "}, bold, {"type": "hardBreak"}, link]},
        {"type": "paragraph", "content": [{"type": "text", "text": "Bye."}]},
    ]
    document = {"type": "doc", "version": 1, "content": content}
    assert (await cloud.post(f"{ISSUE3}/comment", json={"body": document})).status_code == 201
    plain = (await got(cloud, f"{ISSUE}/comment"))["comments"][0]["body"]
    assert plain == "Fixed soon\n[here|https://x.example]\n\nBye."
    back = (await got(cloud, f"{ISSUE3}/comment"))["comments"][0]["body"]
    assert back["type"] == "doc"
    assert "https://x.example" in json.dumps(back)
    assert (await got(cloud, ISSUE3))["fields"]["description"]["type"] == "doc"


@pytest.mark.parametrize("body", [{}, {"body": ""}, {"body": " \n"}, {"body": {"type": "no document"}}])
async def test_an_empty_or_broken_comment_is_refused(jira: httpx.AsyncClient, body: Json) -> None:
    answer = await jira.post(f"{ISSUE}/comment", json=body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["comment"])


async def test_a_comment_may_be_too_long(jira: httpx.AsyncClient) -> None:
    assert (await jira.post(f"{ISSUE}/comment", json={"body": "x" * 32_767})).status_code == 201
    assert (await jira.post(f"{ISSUE}/comment", json={"body": "x" * 32_768})).status_code == 400


async def test_a_transition_that_is_not_open_is_refused(jira: httpx.AsyncClient) -> None:
    for wanted in ("9999", ""):
        answer = await jira.post(f"{ISSUE}/transitions", json={"transition": {"id": wanted}})
        assert answer.status_code == 400
    assert (await got(jira, ISSUE))["fields"]["status"]["name"] == "To Do"


async def test_a_finished_ticket_is_resolved_and_a_reopened_one_is_not(jira: httpx.AsyncClient) -> None:
    async def move(target: str) -> Json:
        moves = (await got(jira, f"{ISSUE}/transitions"))["transitions"]
        chosen = next(one["id"] for one in moves if one["to"]["name"] == target)
        assert (await jira.post(f"{ISSUE}/transitions", json={"transition": {"id": chosen}})).status_code == 204
        return (await got(jira, ISSUE))["fields"]

    await move("In Progress")
    assert (await move("Done"))["resolution"]["name"] == "Done"
    assert (await move("To Do"))["resolution"] is None


async def test_an_issue_is_edited_and_deleted(jira: httpx.AsyncClient) -> None:
    fields = {"labels": ["a"], "summary": "New", "description": "Text", "priority": {"name": "Low"}, "assignee": None}
    assert (await jira.put(ISSUE, json={"fields": fields})).status_code == 204
    now = (await got(jira, ISSUE))["fields"]
    assert (now["labels"], now["summary"], now["description"]) == (["a"], "New", "Text")
    assert (now["priority"]["name"], now["assignee"]) == ("Low", None)
    assert (await jira.put(ISSUE, json={"fields": {"wish": 1}})).status_code == 400
    assert (await jira.delete(ISSUE)).status_code == 204
    assert (await jira.get(ISSUE)).status_code == 404


async def test_what_is_no_json_is_refused(jira: httpx.AsyncClient) -> None:
    for content in (b"{", b"[]"):
        assert (await jira.post(f"{ISSUE}/comment", content=content)).status_code == 400


async def test_accounts_are_found_by_name(jira: httpx.AsyncClient) -> None:
    found = await got(jira, "/rest/api/2/user/search", username="reyes")
    assert [one["displayName"] for one in found] == ["Dana Reyes"]

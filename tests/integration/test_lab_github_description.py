"""The lab's GitHub, held against GitHub's own description of its API: every request and answer of a working day."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.github_site import REPOSITORY, Site, served

NEW_TEXT = "kind: ConfigMap\n"


class Session:
    """One account at work, over HTTP alone."""

    def __init__(self, site: Site, token: str) -> None:
        self._client = httpx.AsyncClient(base_url=site.url, headers={"Authorization": f"Bearer {token}"})

    async def ask(self, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
        """Ask the repository's API; the status must be the expected one."""
        response = await self._client.request(method, f"/repos/{REPOSITORY}{path}", json=body)
        assert response.status_code == expect, response.text
        return response.json() if response.content else None

    async def ask_site(self, path: str, *, expect: int = 200, **headers: str) -> Any:
        """Ask outside the repository."""
        response = await self._client.get(path, headers=headers)
        assert response.status_code == expect, response.text
        return response.json() if response.content else None

    async def close(self) -> None:
        await self._client.aclose()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with served(tmp_path) as site:
        yield site


@pytest.fixture
async def bot(site: Site) -> AsyncIterator[Session]:
    session = Session(site, site.token)
    yield session
    await session.close()


@pytest.fixture
async def lead(site: Site) -> AsyncIterator[Session]:
    session = Session(site, site.world.control_token)
    yield session
    await session.close()


async def make_branch(session: Session, branch: str, text: str = NEW_TEXT, path: str = "deploy/new.yaml") -> str:
    """Make a commit and a branch through the Git Data API; returns the commit."""
    base = (await session.ask("GET", "/git/ref/heads/main"))["object"]["sha"]
    tree = (await session.ask("GET", f"/git/commits/{base}"))["tree"]["sha"]
    content = base64.b64encode(text.encode()).decode()
    blob = await session.ask("POST", "/git/blobs", {"content": content, "encoding": "base64"}, expect=201)
    entry = {"path": path, "mode": "100644", "type": "blob", "sha": blob["sha"]}
    new_tree = await session.ask("POST", "/git/trees", {"base_tree": tree, "tree": [entry]}, expect=201)
    commit = {"message": f"Change {path}", "tree": new_tree["sha"], "parents": [base]}
    sha = (await session.ask("POST", "/git/commits", commit, expect=201))["sha"]
    await session.ask("POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": sha}, expect=201)
    return sha


async def open_pull(session: Session, branch: str) -> int:
    given = {"title": "Say it anew", "head": branch, "base": "main", "body": "Because."}
    return (await session.ask("POST", "/pulls", given, expect=201))["number"]


async def test_reading_answers_as_described(site: Site, bot: Session) -> None:
    await bot.ask_site("/user")
    await bot.ask("GET", "")
    await bot.ask("GET", "/branches")
    await bot.ask("GET", "/branches/main")
    head = (await bot.ask("GET", "/commits"))[0]["sha"]
    first = (await bot.ask("GET", "/commits?path=README.md"))[-1]["sha"]
    for sha in (head, first):
        await bot.ask("GET", f"/commits/{sha}")
    for pair in (f"{first}...main", f"main...{first}", "main...main", "acme:main...acme:main"):
        await bot.ask("GET", f"/compare/{pair}")
    await bot.ask("GET", "/git/matching-refs/heads/ma")
    tree = (await bot.ask("GET", f"/git/trees/{head}?recursive=1"))["tree"]
    await bot.ask("GET", f"/git/blobs/{next(entry['sha'] for entry in tree if entry['type'] == 'blob')}")
    for path in ("", "/deploy", "/deploy/checkout.yaml?ref=main"):
        await bot.ask("GET", f"/contents{path}")
    await bot.ask("GET", f"/collaborators/{site.world.bot_account}/permission")
    assert site.judge.complaints == []


async def test_a_pull_requests_life_answers_as_described(site: Site, bot: Session, lead: Session) -> None:
    await make_branch(bot, "fix/one")
    number = await open_pull(bot, "fix/one")
    for below in ("", "/files", "/commits", "/reviews", "/comments"):
        await bot.ask("GET", f"/pulls/{number}{below}")
    await bot.ask("PATCH", f"/pulls/{number}", {"title": "Say it better", "body": "Because I say so."})
    await bot.ask("POST", f"/issues/{number}/comments", {"body": "Ready."}, expect=201)
    await bot.ask("GET", f"/issues/{number}/comments")
    asked = {
        "event": "REQUEST_CHANGES",
        "body": "No.",
        "comments": [{"path": "deploy/new.yaml", "line": 1, "body": "v1?"}],
    }
    review = (await lead.ask("POST", f"/pulls/{number}/reviews", asked))["id"]
    for below in (f"/reviews/{review}", f"/reviews/{review}/comments", "/comments", "/reviews"):
        await bot.ask("GET", f"/pulls/{number}{below}")
    await lead.ask("PUT", f"/pulls/{number}/reviews/{review}/dismissals", {"message": "Never mind."})
    head = (await bot.ask("GET", f"/pulls/{number}"))["head"]["sha"]
    await lead.ask("POST", f"/pulls/{number}/reviews", {"event": "APPROVE", "commit_id": head})
    await bot.ask("GET", f"/pulls/{number}/merge", expect=404)
    await bot.ask("PUT", f"/pulls/{number}/merge", {"sha": head, "commit_title": "Merge it"})
    await bot.ask("GET", f"/pulls/{number}/merge", expect=204)
    await bot.ask("GET", f"/pulls/{number}")
    await bot.ask("GET", "/pulls?state=all&head=acme:fix/one")
    assert site.judge.complaints == []


async def test_writing_files_and_refs_answers_as_described(site: Site, bot: Session) -> None:
    sha = await make_branch(bot, "one")
    content = base64.b64encode(b"hello\n").decode()
    given = {"message": "Greet", "content": content, "branch": "one"}
    made = await bot.ask("PUT", "/contents/docs/hello.txt", given, expect=201)
    await bot.ask("PUT", "/contents/docs/hello.txt", {**given, "sha": made["content"]["sha"]})
    await bot.ask("PATCH", "/git/refs/heads/one", {"sha": sha, "force": True})
    await bot.ask("DELETE", "/git/refs/heads/one", expect=204)
    assert site.judge.complaints == []


async def test_refusals_answer_as_described(site: Site, bot: Session) -> None:
    await make_branch(bot, "one")
    number = await open_pull(bot, "one")
    main = (await bot.ask("GET", "/git/ref/heads/main"))["object"]["sha"]
    unknown = "0" * 39 + "1"
    refusals: list[tuple[int, str, str, Any]] = [
        (404, "GET", "/git/ref/heads/nowhere", None),
        (404, "GET", f"/git/commits/{unknown}", None),
        (404, "GET", "/branches/nowhere", None),
        (404, "GET", "/contents/nothing.txt", None),
        (404, "GET", "/compare/main...nowhere", None),
        (404, "GET", "/pulls/99", None),
        (404, "GET", "/collaborators/nobody/permission", None),
        (422, "GET", "/commits/nowhere", None),
        (422, "POST", "/git/refs", {"ref": "refs/heads/one", "sha": main}),
        (422, "POST", "/git/refs", {"ref": "refs/heads/two", "sha": unknown}),
        (422, "PATCH", "/git/refs/heads/one", {"sha": main}),
        (422, "POST", "/git/trees", {"tree": [{"path": "../up", "mode": "100644", "content": ""}]}),
        (422, "POST", "/git/commits", {"message": "No tree", "tree": unknown}),
        (422, "POST", "/pulls", {"title": "Again", "head": "one", "base": "main"}),
        (422, "POST", "/pulls", {"title": "Nothing", "head": "main", "base": "one"}),
        (422, "POST", f"/pulls/{number}/reviews", {"event": "APPROVE"}),
        (409, "PUT", f"/pulls/{number}/merge", {"sha": main}),
        (409, "PUT", "/contents/README.md", {"message": "m", "content": "", "sha": unknown}),
    ]
    for status, method, path, body in refusals:
        await bot.ask(method, path, body, expect=status)
    await bot.ask("PATCH", f"/pulls/{number}", {"state": "closed"})
    await bot.ask("PUT", f"/pulls/{number}/merge", {}, expect=405)
    assert site.judge.complaints == []


async def test_the_judge_sees_a_missing_field_an_unknown_one_and_an_undescribed_status(site: Site) -> None:
    description = site.judge.description
    ref = b'{"ref": "refs/heads/main", "node_id": "x", "url": "http://h/x", "object": {"type": "commit", "sha": "%s"}}'
    ref %= b"1" * 40
    missing = list(description.complaints("GET", "/repos/a/b/git/ref/heads/main", 200, b"", ref))
    assert len(missing) == 1 and "'url' is a required property" in missing[0]
    extra = list(description.complaints("POST", "/repos/a/b/git/refs", 201, b'{"ref": "r", "sha": "s", "x": 1}', ref))
    assert any("'x' was unexpected" in complaint for complaint in extra)
    assert list(description.complaints("GET", "/repos/a/b/branches", 418, b"", b"[]")) == [
        "GET /repos/{owner}/{repo}/branches: 418 is not among ['200', '404']"
    ]

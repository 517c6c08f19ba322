"""The rules of the lab's GitHub: who may ask, what a pull request lives through, what a merge needs."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from github import Auth, Github
from github.Repository import Repository

from sre_bot.domain.errors import BadInput
from sre_bot.domain.review import LineComment
from sre_bot.lab.hub import NotMergeable
from tests.github_site import REPOSITORY, Site, served

CHECKOUT = "deploy/checkout.yaml"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Site]:
    async with served(tmp_path) as site:
        yield site


@pytest.fixture
async def client(site: Site) -> AsyncGenerator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {site.token}"}
    async with httpx.AsyncClient(base_url=site.url, headers=headers) as client:
        yield client


async def pull(site: Site, branch: str = "fix", *, by: str = "", **files: str) -> int:
    """Open a pull request that changes files; a README where none are given."""
    await site.hub.push(branch, {**(files or {"README.md": "Anew.\n"})}, f"Work on {branch}")
    author = by or site.world.bot_account
    opened = await site.hub.open_pull(
        author=author, title=f"T {branch}", body="", branch=branch, base="main", draft=False
    )
    return opened.number


async def get(client: httpx.AsyncClient, path: str, expect: int = 200) -> Any:
    answer = await client.get(f"/repos/{REPOSITORY}{path}")
    assert answer.status_code == expect, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({}, 401, "Requires authentication"),
        ({"Authorization": "Bearer wrong"}, 401, "Bad credentials"),
        ({"Authorization": "Basic !!"}, 401, "Bad credentials"),
        ({"User-Agent": ""}, 403, "Request forbidden by administrative rules."),
    ],
)
async def test_strangers_are_refused(site: Site, headers: dict[str, str], status: int, message: str) -> None:
    async with httpx.AsyncClient(base_url=site.url, headers=headers) as client:
        answer = await client.get("/user")
    assert (answer.status_code, answer.json()["message"]) == (status, message)


@pytest.mark.parametrize("scheme", ["Bearer", "token"])
async def test_both_ways_to_send_a_token_are_known(site: Site, scheme: str) -> None:
    async with httpx.AsyncClient(base_url=site.url, headers={"Authorization": f"{scheme} {site.token}"}) as client:
        assert (await client.get("/user")).json()["login"] == site.world.bot_account


async def test_answers_carry_the_incidents_time_and_the_rate_limit(site: Site, client: httpx.AsyncClient) -> None:
    answer = await client.get("/user", headers={"X-GitHub-Api-Version": "2022-11-28"})
    assert answer.headers["date"].startswith("Tue, 03 Feb 2026 09:41:")
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("5000", "4999")
    assert answer.headers["x-github-api-version-selected"] == "2022-11-28"
    assert (await client.get("/user", headers={"X-GitHub-Api-Version": "newest"})).status_code == 400


async def test_the_rate_limit_ends_and_the_hour_brings_it_back(tmp_path: Path) -> None:
    async with served(tmp_path, requests_per_hour=2) as site:
        headers = {"Authorization": f"Bearer {site.token}"}
        async with httpx.AsyncClient(base_url=site.url, headers=headers) as client:
            statuses = [(await client.get("/user")).status_code for _ in range(3)]
            left = (await client.get("/rate_limit")).json()["rate"]["remaining"]
            site.world.clock.advance(3601)
            assert (await client.get("/user")).status_code == 200
    assert (statuses, left) == ([200, 200, 403], 0)


async def test_what_the_asker_has_already_is_not_sent_again(client: httpx.AsyncClient) -> None:
    tag = (await client.get(f"/repos/{REPOSITORY}/branches")).headers["etag"]
    again = await client.get(f"/repos/{REPOSITORY}/branches", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


async def test_lists_come_in_pages_that_name_their_neighbours(site: Site, client: httpx.AsyncClient) -> None:
    for number in range(5):
        await site.hub.push(f"branch-{number}", {"a.txt": str(number)}, "Say a number")
    answer = await client.get(f"/repos/{REPOSITORY}/branches?per_page=2&page=2")
    assert [branch["name"] for branch in answer.json()] == ["branch-2", "branch-3"]
    assert {name: link["url"].partition("?")[2] for name, link in answer.links.items()} == {
        "prev": "per_page=2&page=1",
        "next": "per_page=2&page=3",
        "last": "per_page=2&page=3",
        "first": "per_page=2&page=1",
    }
    assert "next" not in (await client.get(answer.links["last"]["url"])).links


async def test_pygithub_reads_a_repository_whole(site: Site) -> None:
    await pull(site)
    for number in range(3):
        await site.hub.say(1, "dana", f"Comment {number}")

    def read() -> tuple[Repository, list[str], list[str], str]:
        repo = Github(auth=Auth.Token(site.token), base_url=site.url, per_page=2).get_repo(REPOSITORY)
        subjects = [commit.commit.message.splitlines()[0] for commit in repo.get_commits()]
        said = [comment.body for comment in repo.get_pull(1).get_issue_comments()]
        content = repo.get_contents(CHECKOUT)
        assert not isinstance(content, list)
        return repo, subjects, said, content.decoded_content.decode()

    repo, subjects, said, content = await asyncio.to_thread(read)
    assert (repo.full_name, repo.default_branch, repo.permissions.push) == (REPOSITORY, "main", True)
    assert len(subjects) == 4 and said == ["Comment 0", "Comment 1", "Comment 2"]
    assert "targetPort: 8080" in content


async def test_a_pull_requests_head_follows_its_branch(site: Site, client: httpx.AsyncClient) -> None:
    number = await pull(site)
    first = (await get(client, f"/pulls/{number}"))["head"]["sha"]
    second = await site.hub.push("fix", {"README.md": "Better.\n"}, "Say it better")
    assert (await get(client, f"/pulls/{number}"))["head"]["sha"] == second
    rewritten = await site.hub.push("fix", {"README.md": "Best.\n"}, "Say it best", force=True, base=first)
    shown = await get(client, f"/pulls/{number}")
    assert (shown["head"]["sha"], shown["commits"], shown["mergeable"]) == (rewritten, 2, True)


async def test_a_pull_request_survives_a_rewritten_base(site: Site, client: httpx.AsyncClient) -> None:
    number = await pull(site)
    await site.hub.push("main", {"deploy/banner.yaml": None}, "Never mind the sale", force=True)
    shown = await get(client, f"/pulls/{number}")
    assert (shown["state"], shown["mergeable"]) == ("open", True)
    assert await site.hub.merge(number) == await site.hub.head("main")


async def test_a_pull_request_whose_branch_is_deleted_is_closed(site: Site, client: httpx.AsyncClient) -> None:
    number = await pull(site)
    head = (await get(client, f"/pulls/{number}"))["head"]["sha"]
    assert (await client.delete(f"/repos/{REPOSITORY}/git/refs/heads/fix")).status_code == 204
    shown = await get(client, f"/pulls/{number}")
    assert (shown["state"], shown["merged"], shown["head"]["sha"]) == ("closed", False, head)
    reopened = await client.patch(f"/repos/{REPOSITORY}/pulls/{number}", json={"state": "open"})
    assert reopened.status_code == 422


async def test_a_closed_pull_request_can_be_opened_again(site: Site, client: httpx.AsyncClient) -> None:
    number = await pull(site)
    await site.hub.close(number)
    again = await client.patch(f"/repos/{REPOSITORY}/pulls/{number}", json={"state": "open"})
    assert (again.json()["state"], again.json()["closed_at"]) == ("open", None)


async def test_pull_requests_are_listed_by_state_head_and_base(site: Site, client: httpx.AsyncClient) -> None:
    for branch in ("one", "two", "three"):
        await pull(site, branch)
    await site.hub.close(1)
    for query, expected in (
        ("", [3, 2]),
        ("?state=closed", [1]),
        ("?state=all&direction=asc", [1, 2, 3]),
        ("?state=all&head=acme:two", [2]),
        ("?state=all&head=somebody:two", []),
        ("?state=all&base=other", []),
        ("?state=all&sort=updated&direction=desc", [1, 3, 2]),
    ):
        site.world.clock.advance(1)
        assert [one["number"] for one in await get(client, f"/pulls{query}")] == expected, query


async def test_a_second_pull_request_from_the_same_branch_is_refused(site: Site, client: httpx.AsyncClient) -> None:
    await pull(site)
    answer = await client.post(f"/repos/{REPOSITORY}/pulls", json={"title": "T", "head": "acme:fix", "base": "main"})
    assert (answer.status_code, answer.json()["message"]) == (422, "Validation Failed")
    assert answer.json()["errors"][0]["message"] == "A pull request already exists for acme:fix."
    await site.hub.close(1)
    again = await client.post(f"/repos/{REPOSITORY}/pulls", json={"title": "T", "head": "fix", "base": "main"})
    assert (again.status_code, again.json()["number"]) == (201, 2)


@pytest.mark.parametrize(
    ("method", "parents"),
    [("merge", 2), ("squash", 1), ("rebase", 1)],
)
async def test_the_three_ways_to_merge_really_merge(
    site: Site, client: httpx.AsyncClient, method: str, parents: int
) -> None:
    number = await pull(site)
    await site.hub.push("fix", {"docs/more.md": "More.\n"}, "Say more")
    await site.hub.push("main", {"deploy/other.yaml": "kind: Pod\n"}, "Meanwhile")
    given = {"merge_method": method, "commit_title": "Merge the fix"}
    merged = (await client.put(f"/repos/{REPOSITORY}/pulls/{number}/merge", json=given)).json()
    assert merged["sha"] == await site.hub.head("main")
    files = await site.hub.tree(merged["sha"])
    assert (files["README.md"], files["docs/more.md"], files["deploy/other.yaml"]) == (
        "Anew.\n",
        "More.\n",
        "kind: Pod\n",
    )
    commit = await site.hub.git.commit(merged["sha"])
    assert len(commit.parents) == parents
    assert commit.message.splitlines()[0] == ("Say more" if method == "rebase" else "Merge the fix")
    assert commit.committer.date.isoformat().startswith("2026-02-03T09:41:")


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
async def test_a_conflict_is_not_mergeable_and_changes_nothing(
    site: Site, client: httpx.AsyncClient, method: str
) -> None:
    number = await pull(site)
    head = await site.hub.push("main", {"README.md": "Otherwise.\n"}, "Meanwhile")
    assert (await get(client, f"/pulls/{number}"))["mergeable"] is False
    answer = await client.put(f"/repos/{REPOSITORY}/pulls/{number}/merge", json={"merge_method": method})
    assert (answer.status_code, answer.json()["message"]) == (405, "Pull Request is not mergeable")
    assert await site.hub.head("main") == head
    assert (await get(client, f"/pulls/{number}"))["state"] == "open"


async def test_a_merge_names_the_head_that_it_means(site: Site, client: httpx.AsyncClient) -> None:
    number = await pull(site)
    seen = (await get(client, f"/pulls/{number}"))["head"]["sha"]
    await site.hub.push("fix", {"README.md": "Sneaked in.\n"}, "One more thing")
    answer = await client.put(f"/repos/{REPOSITORY}/pulls/{number}/merge", json={"sha": seen})
    assert answer.status_code == 409
    assert answer.json()["message"] == "Head branch was modified. Review and try the merge again."


async def test_a_protected_branch_takes_only_what_a_writer_approved(site: Site, client: httpx.AsyncClient) -> None:
    number = await pull(site)
    site.hub.protect("main")
    path = f"/repos/{REPOSITORY}/pulls/{number}/merge"
    await site.hub.review(number, "eve", "APPROVED", may_write=False)
    assert (await client.put(path, json={})).status_code == 405
    given = await site.hub.review(number, "dana", "APPROVED", may_write=True)
    await site.hub.dismiss(given.id)
    assert (await client.put(path, json={})).status_code == 405
    await site.hub.review(number, "dana", "APPROVED")
    assert (await client.put(path, json={})).status_code == 200


async def test_a_protected_branch_cannot_be_written_through_the_api(site: Site, client: httpx.AsyncClient) -> None:
    sha = await site.hub.push("topic", {"a.txt": "a"}, "Try")
    site.hub.protect("main")
    moved = await client.patch(f"/repos/{REPOSITORY}/git/refs/heads/main", json={"sha": sha})
    written = await client.put(f"/repos/{REPOSITORY}/contents/a.txt", json={"message": "m", "content": "YQ=="})
    assert (moved.status_code, written.status_code) == (422, 409)
    assert await site.hub.head("main") != sha


async def test_nobody_approves_their_own_pull_request(site: Site, client: httpx.AsyncClient) -> None:
    number = await pull(site)
    path = f"/repos/{REPOSITORY}/pulls/{number}/reviews"
    answer = await client.post(path, json={"event": "APPROVE"})
    assert (answer.status_code, answer.json()["errors"]) == (422, ["Can not approve your own pull request"])
    assert (await client.post(path, json={"event": "COMMENT", "body": "Look at this."})).status_code == 200


async def test_a_pending_review_is_seen_by_its_author_alone_until_it_is_submitted(
    site: Site, client: httpx.AsyncClient
) -> None:
    number = await pull(site)
    path = f"/repos/{REPOSITORY}/pulls/{number}/reviews"
    headers = {"Authorization": f"Bearer {site.world.control_token}"}
    async with httpx.AsyncClient(base_url=site.url, headers=headers) as lead:
        review = (await lead.post(path, json={"body": "Wait."})).json()
        assert (review["state"], "submitted_at" in review, len((await lead.get(path)).json())) == ("PENDING", False, 1)
        assert (await client.get(path)).json() == []
        submitted = await lead.post(f"{path}/{review['id']}/events", json={"event": "APPROVE"})
    assert submitted.json()["state"] == "APPROVED"
    assert [one["state"] for one in (await client.get(path)).json()] == ["APPROVED"]


async def test_a_line_comment_loses_its_line_when_the_file_changes(site: Site, client: httpx.AsyncClient) -> None:
    number = await pull(site)
    comment = LineComment(path="README.md", line=1, body="Why?")
    await site.hub.review(number, "dana", "CHANGES_REQUESTED", "See below.", (comment,), may_write=True)
    (before,) = await get(client, f"/pulls/{number}/comments")
    assert (before["line"], before["diff_hunk"].splitlines()[0]) == (1, "@@ -1,7 +1 @@")
    await site.hub.push("fix", {"README.md": "Because.\n"}, "Answer")
    (after,) = await get(client, f"/pulls/{number}/comments")
    assert ("line" in after, after["original_line"], after["body"]) == (False, 1, "Why?")


async def test_a_comment_on_a_file_that_is_not_touched_is_refused(site: Site) -> None:
    number = await pull(site)
    comment = LineComment(path=CHECKOUT, line=1, body="Why?")
    with pytest.raises(BadInput, match="is not part of pull request 1"):
        await site.hub.review(number, "dana", "COMMENTED", "", (comment,))
    assert (await site.hub.pull(number)).reviews == []


async def test_people_cannot_do_what_is_not_there(site: Site) -> None:
    with pytest.raises(BadInput, match="no pull request 9"):
        await site.hub.close(9)
    with pytest.raises(BadInput, match="no review 9"):
        await site.hub.dismiss(9)
    number = await pull(site)
    await site.hub.close(number)
    with pytest.raises(NotMergeable):
        await site.hub.merge(number)


@pytest.mark.parametrize(
    ("role", "permission"),
    [
        ("admin", "admin"),
        ("maintain", "write"),
        ("write", "write"),
        ("triage", "read"),
        ("read", "read"),
        ("none", "none"),
    ],
)
async def test_a_role_is_told_as_a_permission(
    site: Site, client: httpx.AsyncClient, role: Any, permission: str
) -> None:
    site.hub.roles["kim"] = role
    told = await get(client, "/collaborators/kim/permission")
    assert (told["permission"], told["role_name"]) == (permission, role)


async def test_a_comparison_counts_both_sides(site: Site, client: httpx.AsyncClient) -> None:
    await site.hub.push("fix", {"a.txt": "a"}, "One")
    await site.hub.push("fix", {"b.txt": "b"}, "Two")
    await site.hub.push("main", {"c.txt": "c"}, "Three")
    compared = await get(client, "/compare/main...fix")
    assert (compared["status"], compared["ahead_by"], compared["behind_by"]) == ("diverged", 2, 1)
    assert [commit["commit"]["message"] for commit in compared["commits"]] == ["One", "Two"]
    assert [file["filename"] for file in compared["files"]] == ["a.txt", "b.txt"]
    assert (await get(client, "/compare/fix...main"))["behind_by"] == 2
    assert (await get(client, "/compare/main...main"))["status"] == "identical"


async def test_a_commit_shows_what_it_did_to_each_file(site: Site, client: httpx.AsyncClient) -> None:
    files = {"README.md": None, "docs/README.md": (await site.hub.tree("main"))["README.md"], "a b.txt": "x\ny\n"}
    sha = await site.hub.push("main", files, "Move the documentation")
    shown = {file["filename"]: file for file in (await get(client, f"/commits/{sha}"))["files"]}
    assert (shown["docs/README.md"]["status"], shown["docs/README.md"]["previous_filename"]) == ("renamed", "README.md")
    assert (shown["a b.txt"]["status"], shown["a b.txt"]["additions"]) == ("added", 2)
    assert shown["a b.txt"]["patch"] == "@@ -0,0 +1,2 @@\n+x\n+y"


async def test_a_branch_with_slashes_is_one_branch(site: Site, client: httpx.AsyncClient) -> None:
    sha = await site.hub.push("sre-bot/SHOP-7-1", {"a.txt": "a"}, "Fix")
    assert (await get(client, "/git/ref/heads/sre-bot/SHOP-7-1"))["object"]["sha"] == sha
    assert (await get(client, "/branches/sre-bot/SHOP-7-1"))["commit"]["sha"] == sha
    await get(client, "/git/ref/heads/sre-bot", expect=404)


async def test_a_file_is_replaced_only_by_who_knows_it(client: httpx.AsyncClient) -> None:
    path = f"/repos/{REPOSITORY}/contents/README.md"
    known = (await client.get(path)).json()["sha"]
    given = {"message": "Say less", "content": "TGVzcy4K"}
    assert (await client.put(path, json=given)).status_code == 422
    assert (await client.put(path, json={**given, "sha": "0" * 40})).status_code == 409
    assert (await client.put(path, json={**given, "sha": known})).status_code == 200

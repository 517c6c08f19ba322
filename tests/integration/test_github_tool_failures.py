"""Everything that GitHub, or the way to it, can do wrong, and what the bot makes of it."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from sre_bot.domain.errors import ErrorType, GitHubAPIError, Reason
from sre_bot.domain.fix import FileEdit
from sre_bot.tools.github import GitHub
from tests.github_site import NOTHING, REPOSITORY, Site, served


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Site]:
    async with served(tmp_path) as site:
        yield site


@pytest.fixture
def github(site: Site) -> GitHub:
    return GitHub(site.url, site.token, timeout=2)


@pytest.fixture
async def front(tmp_path: Path) -> AsyncGenerator[Site]:
    """A server with nothing behind it, for what goes wrong before anything is looked up."""
    async with served(tmp_path, NOTHING) as site:
        yield site


def message(text: str) -> str:
    return json.dumps({"message": text})


async def open_pull_request(site: Site) -> None:
    await site.hub.push("topic", {"a.txt": "a"}, "Try")
    await site.hub.open_pull(author="dana", title="T", body="", branch="topic", base="main", draft=False)


async def failure_of_reading(github: GitHub) -> GitHubAPIError:
    with pytest.raises(GitHubAPIError) as caught:
        await github.pull_request(REPOSITORY, 1)
    return caught.value


@pytest.mark.parametrize(
    ("status", "reason", "error_type"),
    [
        (401, Reason.NOT_AUTHORISED, ErrorType.NEEDS_HUMAN),
        (403, Reason.NOT_AUTHORISED, ErrorType.NEEDS_HUMAN),
        (404, Reason.NOT_FOUND, ErrorType.NEEDS_HUMAN),
        (405, Reason.CONFLICT, ErrorType.CONFLICT),
        (409, Reason.CONFLICT, ErrorType.CONFLICT),
        (410, Reason.NOT_FOUND, ErrorType.NEEDS_HUMAN),
        (422, Reason.CONFLICT, ErrorType.CONFLICT),
        (429, Reason.RATE_LIMITED, ErrorType.RATE_LIMITED),
        (451, Reason.REFUSED, ErrorType.PERMANENT),
        (500, Reason.UNAVAILABLE, ErrorType.TRANSIENT),
        (502, Reason.UNAVAILABLE, ErrorType.TRANSIENT),
        (503, Reason.UNAVAILABLE, ErrorType.TRANSIENT),
    ],
)
async def test_each_status_has_its_reason(front: Site, status: int, reason: Reason, error_type: ErrorType) -> None:
    github = GitHub(front.url, front.token, timeout=2)
    front.fail("status", status=status, body=message("So it is."), times=-1)
    error = await failure_of_reading(github)
    assert (error.status, error.reason, error.error_type) == (status, reason, error_type)
    assert str(error) == f"GitHub: {REPOSITORY}: pull request 1: So it is. (HTTP {status})"


@pytest.mark.parametrize("body", ["", "<html>Bad gateway</html>", "null", "[]", '{"message": null}'])
async def test_a_refusal_in_any_form_is_still_a_refusal(front: Site, body: str) -> None:
    github = GitHub(front.url, front.token, timeout=2)
    front.fail("status", status=502, body=body, times=-1)
    error = await failure_of_reading(github)
    assert (error.status, error.reason) == (502, Reason.UNAVAILABLE)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, ""),
        (200, "<html>Hello</html>"),
        (200, "{}"),
        (200, "[]"),
        (200, '"text"'),
        (200, '{"number": "seven"}'),
        (200, "null"),
        (200, '{"numb'),
        (502, '"down"'),
        (502, '{"messa'),
    ],
)
async def test_an_answer_that_makes_no_sense_is_a_bad_answer(front: Site, status: int, body: str) -> None:
    github = GitHub(front.url, front.token, timeout=2)
    front.fail("status", status=status, body=body, times=-1)
    assert (await failure_of_reading(github)).reason is Reason.BAD_ANSWER


@pytest.mark.parametrize("body", ["", "<html>Hello</html>", "{}", '["text"]', '"text"', "[{}]", '[{"id": 1', "null"])
async def test_a_list_that_makes_no_sense_is_a_bad_answer_and_not_empty(github: GitHub, site: Site, body: str) -> None:
    await open_pull_request(site)
    site.fail("status", path="/reviews$", status=200, body=body, times=-1)
    with pytest.raises(GitHubAPIError) as caught:
        await github.reviews(REPOSITORY, 1)
    assert caught.value.reason is Reason.BAD_ANSWER


@pytest.mark.parametrize(
    ("status", "headers", "text", "wait"),
    [
        (403, {"Retry-After": "17"}, "You have exceeded a secondary rate limit.", 17.0),
        (403, {}, "You have exceeded a secondary rate limit. Please wait.", 60.0),
        (429, {"Retry-After": "5"}, "Too many", 5.0),
        (429, {}, "Too many", 60.0),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait(
    front: Site, status: int, headers: dict[str, str], text: str, wait: float
) -> None:
    github = GitHub(front.url, front.token, timeout=2)
    front.fail("status", status=status, headers=headers, body=message(text), times=-1)
    error = await failure_of_reading(github)
    assert (error.reason, error.error_type, error.retry_after) == (Reason.RATE_LIMITED, ErrorType.RATE_LIMITED, wait)


async def test_a_spent_hour_is_waited_for_by_the_servers_clock(tmp_path: Path) -> None:
    async with served(tmp_path, requests_per_hour=1) as site:
        site.world.clock.advance(1800)
        github = GitHub(site.url, site.token)
        await github.default_branch(REPOSITORY)
        with pytest.raises(GitHubAPIError, match="API rate limit exceeded") as caught:
            await github.default_branch(REPOSITORY)
        assert caught.value.reason is Reason.RATE_LIMITED
        assert caught.value.retry_after is not None and 1700 < caught.value.retry_after <= 1800
        await github.server_time()


async def test_a_rate_limit_is_not_slept_through(front: Site) -> None:
    github = GitHub(front.url, front.token, timeout=2)
    front.fail("status", status=403, headers={"Retry-After": "600"}, body=message("secondary rate limit"), times=-1)
    async with asyncio.timeout(5):
        assert (await failure_of_reading(github)).retry_after == 600


async def test_a_wrong_token_is_not_authorised(front: Site) -> None:
    error = await failure_of_reading(GitHub(front.url, "wrong"))
    assert (error.status, error.reason) == (401, Reason.NOT_AUTHORISED)
    assert "wrong" not in str(error)


async def test_without_a_token_nobody_is_asked(front: Site) -> None:
    error = await failure_of_reading(GitHub(front.url, ""))
    assert (error.reason, error.status) == (Reason.NOT_AUTHORISED, None)
    assert front.world.log.requests == []


async def test_what_does_not_exist_is_not_found(github: GitHub) -> None:
    for question in (github.pull_request(REPOSITORY, 9), github.default_branch("acme/other")):
        with pytest.raises(GitHubAPIError) as caught:
            await question
        assert caught.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("name", ["shop", "acme/../user", "acme/shop/pulls", "acme/sh?op", ""])
async def test_only_a_repositorys_name_becomes_a_url(front: Site, name: str) -> None:
    github = GitHub(front.url, front.token, timeout=2)
    with pytest.raises(GitHubAPIError, match="no repository name"):
        await github.default_branch(name)
    assert front.world.log.requests == []


async def test_a_read_over_a_broken_connection_is_tried_once_more(github: GitHub, site: Site) -> None:
    site.fail("cut")
    assert await github.default_branch(REPOSITORY) == "main"
    assert [request.status for request in site.world.log.requests] == [0, 200]


async def test_a_write_over_a_broken_connection_is_not_tried_again(github: GitHub, site: Site) -> None:
    site.fail("cut", method="POST", times=-1)
    edit = FileEdit(path="new.txt", before=None, after="new\n")
    head = await site.hub.head("main")
    with pytest.raises(GitHubAPIError) as caught:
        await github.commit(REPOSITORY, "topic", str(head), (edit,), "Add")
    assert caught.value.reason is Reason.UNAVAILABLE
    assert [request.status for request in site.world.log.requests if request.method == "POST"] == [0]


async def test_an_answer_cut_short_is_a_bad_answer(github: GitHub, site: Site) -> None:
    await open_pull_request(site)
    site.fail("truncate", times=-1)
    assert (await failure_of_reading(github)).reason is Reason.BAD_ANSWER


async def test_no_answer_in_time_is_unavailable(front: Site) -> None:
    front.fail("delay", seconds=2.5, times=-1)
    error = await failure_of_reading(GitHub(front.url, front.token, timeout=1))
    assert (error.reason, error.status) == (Reason.UNAVAILABLE, None)
    assert "no answer in time" in str(error)


async def test_nobody_listening_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = await failure_of_reading(GitHub(f"http://127.0.0.1:{taken.getsockname()[1]}", "token"))
    assert (error.reason, error.error_type) == (Reason.UNAVAILABLE, ErrorType.TRANSIENT)


async def test_being_sent_to_another_host_is_a_bad_answer_and_the_token_stays_here(front: Site) -> None:
    github = GitHub(front.url, front.token, timeout=2)
    there = {"Location": "http://elsewhere.example/repos/acme/shop"}
    front.fail("status", status=301, headers=there, body=message("Moved Permanently"), times=-1)
    assert (await failure_of_reading(github)).reason is Reason.BAD_ANSWER


async def test_unknown_fields_are_no_harm_and_missing_people_are_ghosts(github: GitHub, site: Site) -> None:
    review: dict[str, Any] = {"id": 1, "user": None, "state": "APPROVED", "body": None, "commit_id": None, "new": {}}
    body = json.dumps([{**review, "submitted_at": "2026-02-03T09:41:00Z"}])
    site.fail("status", path="/reviews$", status=200, body=body)
    site.fail("status", path="/comments$", status=200, body="[]")
    (given,) = await github.reviews(REPOSITORY, 1)
    assert (given.author, given.may_write, given.body, given.commit) == ("ghost", False, "", "")


async def test_the_clock_is_read_where_rate_limits_are_switched_off(front: Site) -> None:
    github = GitHub(front.url, front.token, timeout=2)
    front.fail("status", path="/rate_limit", status=404, body=message("Rate limiting is not enabled."))
    assert (await github.server_time()).year == 2026
    front.fail("status", path="/rate_limit", status=503, body=message("Down"))
    with pytest.raises(GitHubAPIError) as caught:
        await github.server_time()
    assert caught.value.status == 503

"""What the bot does on GitHub, through the real client library, against the lab."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest

from sre_bot.domain.errors import GitHubAPIError, Reason
from sre_bot.domain.fix import FileEdit
from sre_bot.domain.review import LineComment, PullRequest
from sre_bot.tools.github import GitHub
from tests.github_site import REPOSITORY, Site, served

CHECKOUT = "deploy/checkout.yaml"
BRANCH = "sre-bot/SHOP-7-1"
BELOW = "/repos/{owner}/{repo}"
ROUTES = (
    "GET:",
    "GET:/collaborators/{username}/permission",
    "GET:/compare/{basehead}",
    "GET:/git/commits/{commit_sha}",
    "GET:/git/ref/{ref}",
    "GET:/git/trees/{tree_sha}",
    "GET:/issues/{issue_number}/comments",
    "GET:/pulls",
    "GET:/pulls/{pull_number}",
    "GET:/pulls/{pull_number}/comments",
    "GET:/pulls/{pull_number}/reviews",
    "PATCH:/git/refs/{ref}",
    "PATCH:/pulls/{pull_number}",
    "POST:/git/blobs",
    "POST:/git/commits",
    "POST:/git/refs",
    "POST:/git/trees",
    "POST:/issues/{issue_number}/comments",
    "POST:/pulls",
    "PUT:/pulls/{pull_number}/merge",
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Site]:
    async with served(tmp_path) as site:
        yield site


@pytest.fixture
def github(site: Site) -> GitHub:
    return GitHub(site.url, site.token)


async def edit_of(site: Site, path: str = CHECKOUT, old: str = "8080", new: str = "5050") -> FileEdit:
    """An edit of a file on the main branch."""
    text = (await site.hub.tree("main"))[path]
    return FileEdit(path=path, before=text, after=text.replace(old, new))


async def main_of(site: Site) -> str:
    head = await site.hub.head("main")
    assert head is not None
    return head


async def commit(github: GitHub, site: Site, *edits: FileEdit, base: str = "") -> str:
    edits = edits or (await edit_of(site),)
    return await github.commit(REPOSITORY, BRANCH, base or await main_of(site), edits, "Point checkout at its port")


async def open_pull_request(github: GitHub, site: Site) -> PullRequest:
    await commit(github, site)
    return await github.create_pull_request(REPOSITORY, branch=BRANCH, base="main", title="Fix", body="Because.")


def posts(site: Site, path: str) -> list[int]:
    """The statuses of all POST requests to a path below the repository."""
    return [
        request.status
        for request in site.world.log.requests
        if request.method == "POST" and request.path == f"/repos/{REPOSITORY}{path}"
    ]


async def test_the_repository_is_read_by_its_own_clock(github: GitHub, site: Site) -> None:
    site.world.clock.advance(3600)
    assert site.world.clock.now() - await github.server_time() < timedelta(seconds=10)
    assert await github.default_branch(REPOSITORY) == "main"
    assert await github.clone_url(REPOSITORY) == site.hub.clone_url()
    assert await github.head(REPOSITORY, "main") == await site.hub.head("main")
    assert await github.head(REPOSITORY, "nowhere") is None


async def test_an_empty_repository_has_no_head(site: Site, github: GitHub) -> None:
    await site.hub.git.git("update-ref", "-d", "refs/heads/main")
    assert await github.head(REPOSITORY, "main") is None


async def test_a_commit_makes_its_branch_with_exactly_the_edits(github: GitHub, site: Site) -> None:
    base = await main_of(site)
    new = FileEdit(path="tests/regression/port.sh", before=None, after="#!/bin/sh\n# größer\n")
    gone = FileEdit(path="deploy/banner.yaml", before=(await site.hub.tree("main"))["deploy/banner.yaml"], after=None)
    sha = await commit(github, site, await edit_of(site), new, gone)
    expected = dict(await site.hub.tree(base))
    expected[CHECKOUT] = expected[CHECKOUT].replace("8080", "5050")
    expected["tests/regression/port.sh"] = "#!/bin/sh\n# größer\n"
    del expected["deploy/banner.yaml"]
    assert await site.hub.tree(sha) == expected
    made = await site.hub.git.commit(sha)
    assert (made.parents, made.message, made.author.name) == ((base,), "Point checkout at its port", "sre-bot")
    assert await site.hub.head(BRANCH) == sha
    assert await site.hub.head("main") == base


async def test_a_commit_keeps_the_mode_of_a_program(github: GitHub, site: Site) -> None:
    sha = await commit(github, site, await edit_of(site, "scripts/apply.sh", "deploy", "manifests"))
    modes = {entry.path: entry.mode for entry in await site.hub.git.entries(sha, recursive=True)}
    assert (modes["scripts/apply.sh"], modes[CHECKOUT]) == ("100755", "100644")


async def test_a_repeated_commit_makes_nothing_new(github: GitHub, site: Site) -> None:
    edit, base = await edit_of(site), await main_of(site)
    first = await commit(github, site, edit, base=base)
    site.world.clock.advance(60)
    assert await commit(github, site, edit, base=base) == first
    assert posts(site, "/git/commits") == [201]


async def test_a_commit_whose_answer_was_lost_is_found_by_its_repetition(github: GitHub, site: Site) -> None:
    site.fail("timeout_performed", method="POST", path="/git/refs$")
    with pytest.raises(GitHubAPIError) as caught:
        await commit(github, site)
    assert caught.value.reason is Reason.UNAVAILABLE
    assert await commit(github, site) == await site.hub.head(BRANCH)
    assert posts(site, "/git/refs") == [0]


async def test_a_second_commit_moves_the_branch_forward(github: GitHub, site: Site) -> None:
    first = await commit(github, site)
    text = (await site.hub.tree(first))[CHECKOUT]
    further = FileEdit(path=CHECKOUT, before=text, after=text + "# see SHOP-7\n")
    second = await commit(github, site, further, base=first)
    assert (await site.hub.git.commit(second)).parents == (first,)
    assert await site.hub.head(BRANCH) == second


async def test_a_branch_that_somebody_moved_is_a_conflict_and_stays_as_it_is(github: GitHub, site: Site) -> None:
    theirs = await site.hub.push(BRANCH, {"README.md": "Mine.\n"}, "My own work", "dana")
    with pytest.raises(GitHubAPIError, match=f"stands at {theirs}") as caught:
        await commit(github, site)
    assert caught.value.reason is Reason.CONFLICT
    assert await site.hub.head(BRANCH) == theirs


async def test_an_edit_of_another_text_than_the_files_is_a_conflict(github: GitHub, site: Site) -> None:
    stale = await edit_of(site)
    base = await site.hub.push("main", {CHECKOUT: "kind: Service\n"}, "Rewrite")
    with pytest.raises(GitHubAPIError, match="is not the file that the edit was made for") as caught:
        await commit(github, site, stale, base=base)
    assert caught.value.reason is Reason.CONFLICT
    assert await site.hub.head(BRANCH) is None


@pytest.mark.parametrize(
    "edit",
    [
        FileEdit(path="deploy", before=None, after="a file where a folder is"),
        FileEdit(path="README.md/below", before="text", after="more"),
        FileEdit(path="missing.txt", before="text", after=None),
        FileEdit(path="README.md", before=None, after="there is one already"),
    ],
)
async def test_an_edit_that_does_not_fit_the_tree_changes_nothing(github: GitHub, site: Site, edit: FileEdit) -> None:
    with pytest.raises(GitHubAPIError) as caught:
        await commit(github, site, edit)
    assert caught.value.reason in (Reason.CONFLICT, Reason.REFUSED)
    assert await site.hub.head(BRANCH) is None


async def test_edits_that_change_nothing_are_refused(github: GitHub, site: Site) -> None:
    with pytest.raises(GitHubAPIError, match="the edits change nothing") as caught:
        await commit(github, site, await edit_of(site, old="8080", new="8080"))
    assert caught.value.reason is Reason.REFUSED


async def test_a_pull_request_is_opened_and_found_again(github: GitHub, site: Site) -> None:
    opened = await open_pull_request(github, site)
    assert (opened.number, opened.branch, opened.base_branch, opened.state) == (1, BRANCH, "main", "open")
    assert (opened.head, opened.base) == (await site.hub.head(BRANCH), await main_of(site))
    assert await github.find_pull_request(REPOSITORY, BRANCH) == opened
    assert await github.pull_request(REPOSITORY, 1) == opened
    assert await github.find_pull_request(REPOSITORY, "sre-bot") is None


async def test_opening_it_twice_opens_one(github: GitHub, site: Site) -> None:
    opened = await open_pull_request(github, site)
    again = await github.create_pull_request(REPOSITORY, branch=BRANCH, base="main", title="Other", body="")
    assert again == opened
    assert posts(site, "/pulls") == [201, 422]


async def test_one_that_was_opened_although_the_answer_was_lost_is_found(github: GitHub, site: Site) -> None:
    await commit(github, site)
    site.fail("timeout_performed", method="POST", path="/pulls$")
    with pytest.raises(GitHubAPIError):
        await github.create_pull_request(REPOSITORY, branch=BRANCH, base="main", title="Fix", body="")
    found = await github.find_pull_request(REPOSITORY, BRANCH)
    assert found is not None
    assert await github.create_pull_request(REPOSITORY, branch=BRANCH, base="main", title="Fix", body="") == found


async def test_the_newest_pull_request_of_a_branch_is_found_whatever_became_of_it(github: GitHub, site: Site) -> None:
    await open_pull_request(github, site)
    await site.hub.close(1)
    found = await github.find_pull_request(REPOSITORY, BRANCH)
    assert found is not None and (found.number, found.state, found.merged) == (1, "closed", False)
    second = await open_pull_request(github, site)
    assert second.number == 2
    assert await github.find_pull_request(REPOSITORY, BRANCH) == second


async def test_a_pull_request_with_nothing_in_it_is_refused_in_githubs_words(github: GitHub, site: Site) -> None:
    await site.hub.git.move(f"refs/heads/{BRANCH}", await main_of(site), None)
    with pytest.raises(GitHubAPIError, match=f"No commits between main and {BRANCH}") as caught:
        await github.create_pull_request(REPOSITORY, branch=BRANCH, base="main", title="Fix", body="")
    assert caught.value.status == 422


async def test_title_body_and_state_are_changed_one_by_one(github: GitHub, site: Site) -> None:
    await open_pull_request(github, site)
    assert (await github.update_pull_request(REPOSITORY, 1, title="Better")).title == "Better"
    assert (await github.update_pull_request(REPOSITORY, 1, state="closed")).state == "closed"
    pull = await site.hub.pull(1)
    assert (pull.title, pull.body) == ("Better", "Because.")


async def test_reviews_come_with_permissions_and_line_comments(github: GitHub, site: Site) -> None:
    opened = await open_pull_request(github, site)
    line = LineComment(path=CHECKOUT, line=11, body="And the probe?", start_line=10)
    await site.hub.review(1, "dana", "CHANGES_REQUESTED", "Not yet.", (line,), may_write=True)
    await site.hub.review(1, "eve", "APPROVED", "LGTM", may_write=False)
    await site.hub.review(1, "kim", "PENDING", "Unfinished", may_write=True)
    reviews = await github.reviews(REPOSITORY, 1)
    assert [(one.author, one.state, one.may_write) for one in reviews] == [
        ("dana", "CHANGES_REQUESTED", True),
        ("eve", "APPROVED", False),
    ]
    assert (reviews[0].body, reviews[0].comments, reviews[0].commit) == ("Not yet.", (line,), opened.head)
    assert reviews[1].comments == ()


async def test_a_line_comment_on_a_file_that_changed_since_has_no_line(github: GitHub, site: Site) -> None:
    await open_pull_request(github, site)
    comment = LineComment(path=CHECKOUT, line=11, body="And the probe?")
    await site.hub.review(1, "dana", "CHANGES_REQUESTED", "", (comment,), may_write=True)
    await site.hub.push(BRANCH, {CHECKOUT: "kind: Service\n"}, "Rewrite")
    (review,) = await github.reviews(REPOSITORY, 1)
    assert [(one.path, one.line, one.body) for one in review.comments] == [(CHECKOUT, 0, "And the probe?")]


async def test_a_dismissed_review_says_so(github: GitHub, site: Site) -> None:
    await open_pull_request(github, site)
    given = await site.hub.review(1, "dana", "APPROVED", may_write=True)
    await site.hub.dismiss(given.id)
    assert [one.state for one in await github.reviews(REPOSITORY, 1)] == ["DISMISSED"]


async def test_more_reviews_than_fit_a_page_are_all_read(github: GitHub, site: Site) -> None:
    await open_pull_request(github, site)
    for number in range(101):
        await site.hub.review(1, "dana", "COMMENTED", f"Thought {number}", may_write=True)
    reviews = await github.reviews(REPOSITORY, 1)
    assert [one.body for one in reviews] == [f"Thought {number}" for number in range(101)]


@pytest.mark.parametrize(("role", "may"), [("admin", True), ("maintain", True), ("write", True), ("triage", False)])
async def test_only_writers_may_write(github: GitHub, site: Site, role: str, may: bool) -> None:
    site.hub.roles["kim"] = role  # pyright: ignore[reportArgumentType]
    assert await github.may_write(REPOSITORY, "kim") is may
    assert await github.may_write(REPOSITORY, "nobody") is False


async def test_a_comment_is_found_by_its_hidden_marker(github: GitHub, site: Site) -> None:
    await open_pull_request(github, site)
    await site.hub.say(1, "dana", "Talking of round-1, is it done?")
    assert await github.find_comment(REPOSITORY, 1, "round-1") is None
    made = await github.comment(REPOSITORY, 1, "Done in round 1.", "round-1")
    assert await github.find_comment(REPOSITORY, 1, "round-1") == made
    assert await github.find_comment(REPOSITORY, 1, "round-10") is None


async def test_a_marker_that_somebody_copied_is_not_our_comment(github: GitHub, site: Site) -> None:
    await open_pull_request(github, site)
    await site.hub.say(1, "dana", "<!-- sre-bot: round-1 -->")
    assert await github.find_comment(REPOSITORY, 1, "round-1") is None
    assert await github.account() == site.world.bot_account


async def test_a_merge_contains_the_approved_head(github: GitHub, site: Site) -> None:
    opened = await open_pull_request(github, site)
    await site.hub.push("main", {"docs/other.md": "x\n"}, "Meanwhile")
    merged = await github.merge(REPOSITORY, 1, opened.head, "Merge the fix of SHOP-7")
    assert merged == await site.hub.head("main")
    assert await github.contains(REPOSITORY, merged, opened.head)
    assert await github.contains(REPOSITORY, merged, merged)
    assert not await github.contains(REPOSITORY, opened.head, merged)
    shown = await github.pull_request(REPOSITORY, 1)
    assert (shown.merged, shown.merge_sha, shown.state) == (True, merged, "closed")
    assert (await site.hub.git.commit(merged)).message.startswith("Merge the fix of SHOP-7\n")


async def test_a_repeated_merge_is_the_merge_that_was(github: GitHub, site: Site) -> None:
    opened = await open_pull_request(github, site)
    site.fail("timeout_performed", method="PUT", path="/merge$")
    with pytest.raises(GitHubAPIError):
        await github.merge(REPOSITORY, 1, opened.head, "Merge")
    assert await github.merge(REPOSITORY, 1, opened.head, "Merge") == await site.hub.head("main")


async def test_a_head_that_moved_is_not_merged(github: GitHub, site: Site) -> None:
    opened = await open_pull_request(github, site)
    await site.hub.push(BRANCH, {CHECKOUT: "kind: Backdoor\n"}, "Sneak in")
    with pytest.raises(GitHubAPIError, match="Head branch was modified") as caught:
        await github.merge(REPOSITORY, 1, opened.head, "Merge")
    assert caught.value.reason is Reason.CONFLICT
    assert "Backdoor" not in (await site.hub.tree("main"))[CHECKOUT]


async def test_one_merged_at_another_head_is_not_ours(github: GitHub, site: Site) -> None:
    opened = await open_pull_request(github, site)
    await site.hub.push(BRANCH, {"README.md": "More.\n"}, "More")
    await site.hub.merge(1)
    with pytest.raises(GitHubAPIError, match="not mergeable"):
        await github.merge(REPOSITORY, 1, opened.head, "Merge")


async def test_a_conflicting_pull_request_is_not_merged(github: GitHub, site: Site) -> None:
    opened = await open_pull_request(github, site)
    await site.hub.push("main", {CHECKOUT: "kind: Service\n"}, "Meanwhile")
    with pytest.raises(GitHubAPIError, match="not mergeable") as caught:
        await github.merge(REPOSITORY, 1, opened.head, "Merge")
    assert caught.value.reason is Reason.CONFLICT


async def test_many_questions_at_once_get_their_own_answers(github: GitHub, site: Site) -> None:
    expected = {
        f"topic-{number}": await site.hub.push(f"topic-{number}", {"n": str(number)}, "N") for number in range(8)
    }
    answers = await asyncio.gather(*(github.head(REPOSITORY, branch) for branch in expected for _ in range(4)))
    assert answers == [sha for sha in expected.values() for _ in range(4)]


async def test_everything_but_the_clock_is_part_of_githubs_description(github: GitHub, site: Site) -> None:
    opened = await open_pull_request(github, site)
    await site.hub.review(1, "dana", "APPROVED", may_write=True)
    await github.server_time()
    await github.default_branch(REPOSITORY)
    await github.reviews(REPOSITORY, 1)
    await github.comment(REPOSITORY, 1, "Approved.", "m")
    await github.find_comment(REPOSITORY, 1, "m")
    await github.update_pull_request(REPOSITORY, 1, body="Approved.")
    text = (await site.hub.tree(opened.head))[CHECKOUT]
    further = FileEdit(path=CHECKOUT, before=text, after=f"{text}# done\n")
    second = await commit(github, site, further, base=opened.head)
    merged = await github.merge(REPOSITORY, 1, second, "Merge")
    await github.contains(REPOSITORY, merged, second)
    await github.find_pull_request(REPOSITORY, BRANCH)
    assert site.judge.unknown == {"GET /rate_limit"}
    assert site.judge.routes == {"GET /user", *(route.replace(":", f" {BELOW}") for route in ROUTES)}

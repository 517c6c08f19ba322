"""Reading repositories from our own disk: real git, over HTTP, from the lab's GitHub."""

import asyncio
import contextlib
import fcntl
import os
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from sre_bot.domain.errors import GitHubAPIError, Reason
from sre_bot.domain.source import SourceHistory
from sre_bot.tools.workspace import Workspace
from tests.github_site import REPOSITORY, Site, git, served, with_token

CHECKOUT = "deploy/checkout.yaml"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Site]:
    async with served(tmp_path) as site:
        yield site


@pytest.fixture
def workspace(site: Site, tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "clones", site.token, timeout=30)


async def read(workspace: Workspace, site: Site, branch: str = "main", path: str = "deploy") -> SourceHistory:
    return await workspace.history(REPOSITORY, site.hub.clone_url(), branch, path)


@pytest.fixture
async def person(site: Site, tmp_path: Path) -> Path:
    """A person's working copy of the repository."""
    await git("clone", "--quiet", with_token(site.hub.clone_url(), site.world.control_token), "copy", cwd=tmp_path)
    return tmp_path / "copy"


async def push(copy: Path, message: str = "Change") -> str:
    await git("add", "--all", cwd=copy)
    await git("commit", "--quiet", "--message", message, cwd=copy)
    await git("push", "--quiet", "origin", "HEAD", cwd=copy)
    return (await git("rev-parse", "HEAD", cwd=copy)).strip()


async def test_a_history_holds_the_tree_at_the_head_and_the_commits_newest_first(
    workspace: Workspace, site: Site
) -> None:
    history = await read(workspace, site)
    assert history.tree.sha == await site.hub.head("main")
    assert history.tree.files == await site.hub.tree(history.tree.sha)
    assert [commit.subject for commit in history.commits] == [
        "Announce the winter sale",
        "Move checkout to the standard port",
        "Say who owns checkout",
        "Start the repository",
    ]
    owner = history.commits[2]
    assert (owner.author, owner.body) == ("Jürg Ämmann", "They sit in Zürich and answer until six.")
    assert owner.authored_at.isoformat() == "2026-01-20T07:15:00+00:00"
    assert (history.repository, history.branch, history.path) == (REPOSITORY, "main", "deploy")


async def test_a_commit_carries_the_unified_diff_of_each_file(workspace: Workspace, site: Site) -> None:
    history = await read(workspace, site)
    (change,) = history.commits[1].changes
    assert (change.path, change.status, change.old_path) == (CHECKOUT, "modified", "")
    assert change.patch.startswith(f"--- a/{CHECKOUT}\n+++ b/{CHECKOUT}\n@@ -8,4 +8,4 @@")
    assert "-      targetPort: 5050\n+      targetPort: 8080\n" in change.patch
    assert {(one.path, one.status) for one in history.commits[-1].changes} == {
        ("README.md", "added"),
        (CHECKOUT, "added"),
        ("scripts/apply.sh", "added"),
    }


@pytest.mark.parametrize(("given", "kept"), [("deploy/", "deploy"), ("./", ""), ("", ""), ("/a//b", "a/b")])
async def test_the_deployed_folder_is_written_one_way(workspace: Workspace, site: Site, given: str, kept: str) -> None:
    assert (await read(workspace, site, path=given)).path == kept


async def test_only_as_many_commits_as_asked_are_read(workspace: Workspace, site: Site) -> None:
    history = await workspace.history(REPOSITORY, site.hub.clone_url(), "main", "", commits=2)
    assert [commit.subject for commit in history.commits] == [
        "Announce the winter sale",
        "Move checkout to the standard port",
    ]
    assert [change.status for change in history.commits[1].changes] == ["modified"]


async def test_a_second_reading_sees_what_was_pushed_meanwhile(workspace: Workspace, site: Site) -> None:
    await read(workspace, site)
    sha = await site.hub.push("main", {"deploy/new.yaml": "kind: Pod\n"}, "Add a pod")
    history = await read(workspace, site)
    assert (history.tree.sha, history.commits[0].subject) == (sha, "Add a pod")
    assert history.tree.files["deploy/new.yaml"] == "kind: Pod\n"


async def test_a_force_pushed_branch_is_followed(workspace: Workspace, site: Site) -> None:
    before = await read(workspace, site)
    sha = await site.hub.push("main", {"README.md": "Anew.\n"}, "Rewrite it all", force=True)
    history = await read(workspace, site)
    assert history.tree.sha == sha
    assert before.commits[0].subject not in [commit.subject for commit in history.commits]
    old = await workspace.at(REPOSITORY, before.tree.sha)
    assert old.files == before.tree.files


async def test_a_deleted_branch_is_not_found_and_the_others_are_named(workspace: Workspace, site: Site) -> None:
    await site.hub.push("topic", {"a.txt": "a"}, "Try something")
    await read(workspace, site, "topic")
    await site.hub.git.git("update-ref", "-d", "refs/heads/topic")
    with pytest.raises(GitHubAPIError, match="has no branch 'topic'; it has main") as caught:
        await read(workspace, site, "topic")
    assert caught.value.reason is Reason.NOT_FOUND


async def test_a_branch_may_take_the_place_of_a_deleted_folder_of_branches(workspace: Workspace, site: Site) -> None:
    await site.hub.push("fix/one", {"a.txt": "a"}, "Fix one")
    await read(workspace, site, "fix/one")
    await site.hub.git.git("update-ref", "-d", "refs/heads/fix/one")
    sha = await site.hub.push("fix", {"b.txt": "b"}, "Fix all")
    assert (await read(workspace, site, "fix")).tree.sha == sha


async def test_a_missing_branch_is_not_found(workspace: Workspace, site: Site) -> None:
    with pytest.raises(GitHubAPIError, match="has no branch '--upload-pack=x'") as caught:
        await read(workspace, site, "--upload-pack=x")
    assert caught.value.reason is Reason.NOT_FOUND


async def test_an_empty_repository_is_not_found_and_called_empty(workspace: Workspace, site: Site) -> None:
    await site.hub.git.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(GitHubAPIError, match="'acme/shop' is empty") as caught:
        await read(workspace, site)
    assert caught.value.reason is Reason.NOT_FOUND


async def test_an_unknown_repository_is_not_found(workspace: Workspace, site: Site) -> None:
    with pytest.raises(GitHubAPIError, match="not found") as caught:
        await workspace.history("acme/other", f"{site.url}/acme/other.git", "main", "")
    assert caught.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("token", ["wrong", ""])
async def test_a_wrong_token_is_not_authorised(site: Site, tmp_path: Path, token: str) -> None:
    with pytest.raises(GitHubAPIError) as caught:
        await read(Workspace(tmp_path / "clones", token), site)
    assert caught.value.reason is Reason.NOT_AUTHORISED


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, Reason.NOT_AUTHORISED), (429, Reason.RATE_LIMITED), (503, Reason.UNAVAILABLE)],
)
async def test_a_refusing_server_is_named(site: Site, workspace: Workspace, status: int, reason: Reason) -> None:
    site.fail("status", status=status, times=-1)
    with pytest.raises(GitHubAPIError) as caught:
        await read(workspace, site)
    assert (caught.value.reason, caught.value.status) == (reason, status)


async def test_a_connection_cut_in_the_middle_is_unavailable_and_the_next_reading_is_whole(
    site: Site, workspace: Workspace
) -> None:
    site.fail("truncate", path="git-upload-pack")
    with pytest.raises(GitHubAPIError) as caught:
        await read(workspace, site)
    assert caught.value.reason is Reason.UNAVAILABLE
    assert len((await read(workspace, site)).commits) == 4


async def test_a_server_that_does_not_answer_in_time_is_left(site: Site, tmp_path: Path) -> None:
    site.fail("delay", seconds=2.5, times=-1)
    with pytest.raises(GitHubAPIError, match="not done after 1 s") as caught:
        await read(Workspace(tmp_path / "clones", site.token, timeout=1), site)
    assert caught.value.reason is Reason.UNAVAILABLE
    assert commands(site.url) == []


def commands(mentioning: str) -> list[str]:
    """The command lines of all processes here that mention something."""
    found: list[str] = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found += [line] if mentioning in line else []
    return found


async def test_a_reading_shows_no_token_and_leaves_no_process_when_it_is_cancelled(
    site: Site, workspace: Workspace
) -> None:
    site.fail("delay", seconds=2.0, times=-1)
    reading = asyncio.create_task(read(workspace, site))
    async with asyncio.timeout(20):
        while not (seen := commands(site.url)):
            await asyncio.sleep(0.02)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not [line for line in seen if site.token in line]
    assert commands(site.url) == []


async def test_the_token_is_not_on_disk(site: Site, workspace: Workspace, tmp_path: Path) -> None:
    await read(workspace, site)
    files = [file for file in (tmp_path / "clones").rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if site.token.encode() in file.read_bytes()]


@pytest.mark.parametrize(
    "url",
    ["file:///etc", "ssh://git@example.com/a/b", "git@example.com:a/b", "http://x:y@example.com/a/b.git", "ext::sh"],
)
async def test_only_plain_http_is_cloned(tmp_path: Path, url: str) -> None:
    with pytest.raises(GitHubAPIError, match=re.escape("must be http(s), without credentials")):
        await Workspace(tmp_path, "token").history(REPOSITORY, url, "main", "")


@pytest.mark.parametrize("name", ["acme", "../shop", "acme/..", "acme/sh op", "acme/shop/x", "-a/b"])
async def test_only_a_repositorys_name_becomes_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(GitHubAPIError, match="no repository name"):
        await Workspace(tmp_path, "token").history(name, "http://127.0.0.1:9/x.git", "main", "")


async def test_binary_large_and_linked_files_are_listed_but_not_read(
    workspace: Workspace, site: Site, person: Path
) -> None:
    (person / "logo.png").write_bytes(b"\x89PNG\0\0" + os.urandom(100))
    (person / "big.log").write_text("a line of a log\n" * 700_000)
    (person / "passwords").symlink_to("/etc/passwd")
    await push(person, "Add files that nobody should read")
    history = await read(workspace, site)
    assert history.tree.skipped == ("big.log", "logo.png", "passwords")
    assert set(history.tree.files) == {"README.md", "deploy/banner.yaml", CHECKOUT, "scripts/apply.sh"}
    patches = {change.path: change.patch for change in history.commits[0].changes}
    assert patches["logo.png"] == patches["big.log"] == ""


async def test_a_commits_patches_are_kept_up_to_a_limit(workspace: Workspace, site: Site, person: Path) -> None:
    (person / "a.txt").write_text("short\n")
    (person / "b.txt").write_text("quite a long line, again and again\n" * 10_000)
    (person / "c.txt").write_text("short\n")
    await push(person)
    changes = (await read(workspace, site)).commits[0].changes
    assert [(change.path, bool(change.patch)) for change in changes] == [
        ("a.txt", True),
        ("b.txt", False),
        ("c.txt", False),
    ]


async def test_text_in_another_encoding_is_read_with_replacements(
    workspace: Workspace, site: Site, person: Path
) -> None:
    (person / "latin.txt").write_bytes("Zürich\n".encode("latin-1"))
    await push(person)
    history = await read(workspace, site)
    assert history.tree.files["latin.txt"] == "Z\ufffdrich\n"
    assert "+Z\ufffdrich\n" in history.commits[0].changes[0].patch


async def test_renames_deletions_odd_names_and_changes_of_type_are_told(
    workspace: Workspace, site: Site, person: Path
) -> None:
    await git("mv", "deploy/banner.yaml", 'deploy/a "quoted"\tname.yaml', cwd=person)
    (person / "scripts" / "apply.sh").unlink()
    (person / "README.md").unlink()
    (person / "README.md").symlink_to("deploy")
    (person / "zuletzt-größer.txt").write_text("last\n")
    await push(person)
    changes = {change.path: change for change in (await read(workspace, site)).commits[0].changes}
    renamed = changes['deploy/a "quoted"\tname.yaml']
    assert (renamed.status, renamed.old_path, renamed.patch) == ("renamed", "deploy/banner.yaml", "")
    assert changes["scripts/apply.sh"].status == "deleted"
    assert changes["README.md"].status == "modified"
    assert changes["zuletzt-größer.txt"].patch.endswith("+last\n")


async def test_a_commit_message_cannot_pass_for_another_commit(workspace: Workspace, site: Site) -> None:
    fake = "0" * 40
    await site.hub.push(
        "main", {"x.txt": f"{fake}\n"}, f"Innocent\n\n{fake}\n:100644 100644 {fake} {fake} M\tdeploy/x\n"
    )
    commit = (await read(workspace, site)).commits[0]
    assert (commit.subject, [change.path for change in commit.changes]) == ("Innocent", ["x.txt"])
    assert fake in commit.body


async def test_hooks_and_attributes_of_the_repository_do_nothing(
    workspace: Workspace, site: Site, person: Path, tmp_path: Path
) -> None:
    proof = tmp_path / "it-ran"
    (person / ".gitattributes").write_text("*.txt filter=evil diff=evil\n")
    (person / ".gitmodules").write_text('[submodule "x"]\n\tpath = x\n\turl = ../other.git\n')
    (person / "a.txt").write_text("a\n")
    await push(person)
    clone = tmp_path / "clones" / f"{REPOSITORY}.git"
    await read(workspace, site)
    for hook in ("post-checkout", "reference-transaction", "post-merge"):
        file = clone / "hooks" / hook
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\ntouch {proof}\n")
        file.chmod(0o755)
    await site.hub.push("main", {"b.txt": "b\n"}, "Go on")
    assert "b.txt" in (await read(workspace, site)).tree.files
    assert not proof.exists()


async def test_one_commits_tree_is_read_without_its_history(workspace: Workspace, site: Site) -> None:
    history = await read(workspace, site)
    first = history.commits[-1].sha
    assert set((await workspace.at(REPOSITORY, first)).files) == {"README.md", CHECKOUT, "scripts/apply.sh"}
    later = await site.hub.push("topic", {"later.txt": "x"}, "Later")
    assert "later.txt" in (await workspace.at(REPOSITORY, later)).files


@pytest.mark.parametrize("sha", ["0" * 39 + "1", "main", "--help"])
async def test_an_unknown_commit_is_not_found(workspace: Workspace, site: Site, sha: str) -> None:
    await read(workspace, site)
    with pytest.raises(GitHubAPIError) as caught:
        await workspace.at(REPOSITORY, sha)
    assert caught.value.reason is Reason.NOT_FOUND


async def test_a_clone_left_by_a_killed_process_is_used_again(workspace: Workspace, site: Site, tmp_path: Path) -> None:
    await read(workspace, site)
    clone = tmp_path / "clones" / f"{REPOSITORY}.git"
    for name in ("shallow.lock", "packed-refs.lock", "refs/heads/main.lock"):
        (clone / name).touch()
    sha = await site.hub.push("main", {"b.txt": "b\n"}, "Go on")
    assert (await read(workspace, site)).tree.sha == sha


async def test_a_damaged_clone_is_made_anew(workspace: Workspace, site: Site, tmp_path: Path) -> None:
    await read(workspace, site)
    clone = tmp_path / "clones" / f"{REPOSITORY}.git"
    (clone / "HEAD").unlink()
    assert len((await read(workspace, site)).commits) == 4


async def test_two_readers_at_once_both_read(site: Site, workspace: Workspace, tmp_path: Path) -> None:
    other = Workspace(tmp_path / "clones", site.token, timeout=30)
    first, second = await asyncio.gather(read(workspace, site), read(other, site))
    assert first == second


async def test_a_clone_that_another_process_holds_is_waited_for(site: Site, tmp_path: Path) -> None:
    lock = tmp_path / "clones" / f"{REPOSITORY}.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(GitHubAPIError, match="busy") as caught:
            await read(Workspace(tmp_path / "clones", site.token, timeout=0.3), site)
    assert caught.value.reason is Reason.UNAVAILABLE

"""A clone that somebody names is read as it lies there, whatever its configuration would have git run."""

import subprocess
from pathlib import Path

import pytest

from sre_bot.domain.errors import BadInput
from sre_bot.tools.history_recording import record_history
from sre_bot.tools.local_clone import LocalClone

AUTHOR = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgSign=false")


def git(folder: Path, *arguments: str) -> str:
    run = subprocess.run(["git", *AUTHOR, *arguments], cwd=folder, capture_output=True, check=True, text=True)
    return run.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "deploy").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for number, text in enumerate(("port: 1\n", "port: 2\n", "port: 3\n")):
        (folder / "deploy" / "web.yaml").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", f"change {number}")
    return folder


async def subjects(path: Path) -> list[str]:
    return [commit.subject for commit in (await LocalClone.at(path).history()).commits]


async def test_what_is_committed_counts_and_what_is_not_does_not(clone: Path) -> None:
    (clone / "deploy" / "web.yaml").write_text("port: 4\n")
    history = await LocalClone.at(clone).history()
    assert history.tree.files == {"deploy/web.yaml": "port: 3\n"}
    assert (history.branch, history.repository) == ("main", "shop")
    assert [commit.subject for commit in history.commits] == ["change 2", "change 1", "change 0"]


async def test_a_folder_inside_names_its_clone_and_itself(clone: Path) -> None:
    found = LocalClone.at(clone / "deploy")
    assert (found.top, found.inside) == (clone, "deploy")


async def test_a_detached_head_a_worktree_and_a_bare_repository_are_read_too(clone: Path, tmp_path: Path) -> None:
    git(clone, "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "tree"), "HEAD~1")
    git(tmp_path, "clone", "--quiet", "--bare", str(clone), str(tmp_path / "bare.git"))
    git(clone, "checkout", "--quiet", "--detach", "HEAD~2")
    assert await subjects(clone) == ["change 0"]
    assert await subjects(tmp_path / "tree") == ["change 1", "change 0"]
    assert await subjects(tmp_path / "bare.git") == ["change 2", "change 1", "change 0"]
    assert LocalClone.at(tmp_path / "bare.git").name == "bare"


async def test_nothing_that_the_repository_names_is_run(clone: Path, tmp_path: Path) -> None:
    trap, sprung = tmp_path / "trap", tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch {sprung}\ncat\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "diff.x.textconv", "gpg.program", "core.sshCommand"):
        git(clone, "config", key, str(trap))
    git(clone, "config", "log.showSignature", "true")
    git(clone, "config", "core.hooksPath", str(tmp_path))
    (clone / ".git" / "info" / "attributes").write_text("*.yaml diff=x\n")
    assert len(await subjects(clone)) == 3
    await record_history(LocalClone.at(clone), "main", tmp_path / "repo.bundle", str)
    assert not sprung.exists()


async def test_a_recorded_history_keeps_authors_dates_and_order_and_no_more_commits_than_wanted(
    clone: Path, tmp_path: Path
) -> None:
    shape = "--format=%s %an %ae %aI"
    bundle, again = tmp_path / "repo.bundle", tmp_path / "again"
    await record_history(LocalClone.at(clone), "stable", bundle, lambda text: text.replace("change", "step"), commits=2)
    git(tmp_path, "clone", "--quiet", str(bundle), str(again))
    wanted = git(clone, "log", "--max-count=2", shape).replace("change", "step")
    assert git(again, "log", shape, "stable") == wanted
    assert (again / "deploy" / "web.yaml").read_text() == "port: 3\n"
    assert git(again, "show", "HEAD~1:deploy/web.yaml") == "port: 2"


@pytest.mark.parametrize("name", ["nowhere", "empty", "file"])
def test_what_is_no_clone_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"is no folder|is no git repository"):
        LocalClone.at(tmp_path / name)

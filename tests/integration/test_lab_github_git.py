"""The lab's repository over git's own protocol: clone, fetch and push, and the history that was recorded."""

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from sre_bot.domain.errors import BadRecording
from sre_bot.lab.recorded_history import build_repository
from sre_bot.lab.recording import Recording
from tests.github_site import SHOP, Site, git, served, with_token


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Site]:
    async with served(tmp_path) as site:
        yield site


async def clone(site: Site, folder: Path, *options: str) -> Path:
    url = with_token(site.hub.clone_url(), site.world.control_token)
    await git("clone", "--quiet", *options, url, "copy", cwd=folder)
    return folder / "copy"


async def commit(copy: Path, name: str, text: str) -> str:
    (copy / name).write_text(text)
    await git("add", "--all", cwd=copy)
    await git("commit", "--quiet", "--message", f"Change {name}", cwd=copy)
    return (await git("rev-parse", "HEAD", cwd=copy)).strip()


async def test_the_history_keeps_authors_dates_and_messages(site: Site, tmp_path: Path) -> None:
    copy = await clone(site, tmp_path)
    log = await git("log", "--date=iso-strict", "--format=%an <%ae>|%ad|%s", cwd=copy)
    assert log.splitlines() == [
        "Jürg Ämmann <juerg@example.com>|2026-02-03T10:30:00+01:00|Announce the winter sale",
        "Dana Wolf <dana@example.com>|2026-02-03T09:12:00+00:00|Move checkout to the standard port",
        "Jürg Ämmann <juerg@example.com>|2026-01-20T08:15:00+01:00|Say who owns checkout",
        "Platform Team <platform@example.com>|2026-01-19T07:15:00+00:00|Start the repository",
    ]
    dates = await git("log", "--date=unix", "--format=%ad %cd", cwd=copy)
    assert all(len(set(line.split())) == 1 for line in dates.splitlines())


async def test_the_files_keep_their_texts_and_modes(site: Site, tmp_path: Path) -> None:
    copy = await clone(site, tmp_path)
    assert (copy / "README.md").read_text().endswith("The checkout team, Zürich.\n")
    assert (copy / "scripts" / "apply.sh").stat().st_mode & 0o111
    assert "targetPort: 8080" in (copy / "deploy" / "checkout.yaml").read_text()


async def test_the_same_recording_always_gives_the_same_commits(tmp_path: Path) -> None:
    recording = Recording.load(SHOP)
    first, second = [build_repository(recording, tmp_path / name) for name in ("one.git", "two.git")]
    assert await first.refs() == await second.refs() != {}


async def test_a_recorded_bundle_is_served_as_it_is(site: Site, tmp_path: Path) -> None:
    incident = tmp_path / "incident"
    incident.mkdir()
    (incident / "incident.yaml").write_bytes((SHOP / "incident.yaml").read_bytes())
    copy = await clone(site, tmp_path)
    await git("bundle", "create", "--quiet", str(incident / "repo.bundle"), "main", cwd=copy)
    repository = build_repository(Recording.load(incident), tmp_path / "from-bundle.git")
    assert (await repository.refs())["refs/heads/main"] == await site.hub.head("main")


async def test_a_patch_that_does_not_fit_is_named(tmp_path: Path) -> None:
    incident = tmp_path / "incident"
    (incident / "history").mkdir(parents=True)
    (incident / "repo").mkdir()
    (incident / "incident.yaml").write_bytes((SHOP / "incident.yaml").read_bytes())
    patch = next((SHOP / "history").glob("0002*"))
    (incident / "history" / patch.name).write_bytes(patch.read_bytes())
    with pytest.raises(BadRecording, match=r"deploy/checkout\.yaml"):
        build_repository(Recording.load(incident), tmp_path / "repository.git")


async def test_a_push_moves_the_branch(site: Site, tmp_path: Path) -> None:
    copy = await clone(site, tmp_path)
    sha = await commit(copy, "new.txt", "new\n")
    await git("push", "--quiet", "origin", "HEAD:refs/heads/topic", cwd=copy)
    assert await site.hub.head("topic") == sha
    await git("push", "--quiet", "origin", ":refs/heads/topic", cwd=copy)
    assert await site.hub.head("topic") is None


async def test_a_push_larger_than_gits_buffer_arrives_whole(site: Site, tmp_path: Path) -> None:
    copy = await clone(site, tmp_path)
    noise = "".join(f"{number * 2654435761 % 4294967291:x}\n" for number in range(400_000))
    sha = await commit(copy, "noise.txt", noise)
    await git("push", "--quiet", "origin", "HEAD", cwd=copy)
    assert await site.hub.head("main") == sha
    assert (await site.hub.tree(sha))["noise.txt"] == noise


async def test_a_push_that_rewrites_history_needs_force(site: Site, tmp_path: Path) -> None:
    copy = await clone(site, tmp_path)
    await git("reset", "--quiet", "--hard", "HEAD~2", cwd=copy)
    refusal = await git("push", "origin", "HEAD", cwd=copy, check=False)
    assert "rejected" in refusal and "non-fast-forward" in refusal
    await git("push", "--quiet", "--force", "origin", "HEAD", cwd=copy)
    assert await site.hub.head("main") == (await git("rev-parse", "HEAD", cwd=copy)).strip()


async def test_a_protected_branch_refuses_pushes_and_others_do_not(site: Site, tmp_path: Path) -> None:
    copy = await clone(site, tmp_path)
    site.hub.protect("main")
    before = await site.hub.head("main")
    sha = await commit(copy, "new.txt", "new\n")
    refusal = await git("push", "origin", "HEAD", cwd=copy, check=False)
    assert "GH006: Protected branch update failed for refs/heads/main" in refusal
    assert await site.hub.head("main") == before
    await git("push", "--quiet", "origin", "HEAD:refs/heads/topic", cwd=copy)
    assert await site.hub.head("topic") == sha


async def test_a_shallow_clone_can_be_deepened(site: Site, tmp_path: Path) -> None:
    copy = await clone(site, tmp_path, "--depth=1")
    assert await git("rev-list", "--count", "HEAD", cwd=copy) == "1\n"
    await git("fetch", "--quiet", "--unshallow", cwd=copy)
    assert await git("rev-list", "--count", "HEAD", cwd=copy) == "4\n"


async def test_a_question_so_long_that_git_compresses_it_is_understood(site: Site, tmp_path: Path) -> None:
    main, who = await site.hub.head("main"), site.hub.signature("dana")
    assert main is not None
    tree = (await site.hub.git.commit(main)).tree
    shas = [await site.hub.git.write_commit(tree, (main,), f"Topic {number}", who, who) for number in range(30)]
    lines = "".join(f"create refs/heads/topic-{number} {sha}\n" for number, sha in enumerate(shas))
    await site.hub.git.git("update-ref", "--stdin", stdin=lines.encode())
    copy = await clone(site, tmp_path)
    heads = await git("for-each-ref", "--format=%(objectname)", "refs/remotes/origin/topic-*", cwd=copy)
    assert sorted(heads.split()) == sorted(shas)


@pytest.mark.parametrize("path", ["acme/shop.git", "acme/other.git"])
async def test_without_a_token_git_is_asked_for_one(site: Site, path: str) -> None:
    async with httpx.AsyncClient(base_url=site.url) as client:
        answer = await client.get(f"/{path}/info/refs?service=git-upload-pack")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="GitHub"')


async def test_another_repository_does_not_exist(site: Site, tmp_path: Path) -> None:
    url = with_token(f"{site.url}/acme/other.git", site.token)
    assert "not found" in await git("clone", url, "copy", cwd=tmp_path, check=False)


async def test_an_incident_without_a_repository_has_none(tmp_path: Path) -> None:
    incident = tmp_path / "incident"
    incident.mkdir()
    text = (SHOP / "incident.yaml").read_text()
    (incident / "incident.yaml").write_text(text.replace("repository: {name: acme/shop, branch: main}\n", ""))
    async with served(tmp_path, incident) as site, httpx.AsyncClient(base_url=site.url) as client:
        client.headers["Authorization"] = f"Bearer {site.token}"
        assert site.hub.repository is None
        for path in ("/repos/acme/shop", "/repos//", "/repos/acme/shop/branches", "/.git/info/refs"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/user")).status_code == 200

"""Repositories on our disk: bare clones, fetched over HTTP, read without ever checking anything out.

Everything in them is untrusted: no hook, filter or submodule runs, links are listed and never followed.
"""

import asyncio
import fcntl
import re
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TextIO

from sre_bot.domain.errors import GitHubAPIError, Reason
from sre_bot.domain.source import Commit, SourceHistory, SourceTree
from sre_bot.tools.git_command import Credential, Git, checked_url
from sre_bot.tools.git_patches import PatchReader
from sre_bot.tools.repository_names import checked_name

FILE_LIMIT = 1024 * 1024
"""Bytes of the largest file that is read."""
TREE_LIMIT = 20 * 1024 * 1024
"""Bytes of all files together; the folder that is deployed comes first."""
TEXT_MODES = ("100644", "100755")
_FIELDS = "--format=%H%n%an%n%at%n%s%n%b"
_LOCK_RETRY = 0.05
_LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


class Workspace:
    """Clones under ``root``, one per repository, shared by all processes of this machine.

    Every method raises ``GitHubAPIError``; ``timeout`` is in seconds, for each command and for waiting for the clone.
    """

    def __init__(self, root: Path, token: str, *, timeout: float = 120.0) -> None:
        self._root = root
        self._token = token
        self._timeout = timeout

    async def history(
        self, repository: str, clone_url: str, branch: str, path: str, *, commits: int = 200
    ) -> SourceHistory:
        """Fetch, then read the tree at the branch's head and its newest commits with their patches.

        The branch may have been force-pushed since. ``NOT_FOUND`` where the repository is empty or has no such branch.
        """
        git, url = self._git(repository), checked_url(clone_url)
        deployed = str(PurePosixPath(path.strip("/"))) if path.strip("/.") else ""
        async with self._alone(git):
            await self._fetch(git, repository, url, depth=commits + 1)
            return await read_history(git, repository, branch, deployed, commits=commits)

    async def at(self, repository: str, sha: str) -> SourceTree:
        """Read the tree of one commit of a repository that ``history`` has cloned; fetches it where it is new."""
        git = self._git(repository)
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", sha) or not await asyncio.to_thread(git.folder.is_dir):
            message = f"{sha!r} is no commit of a clone of {repository!r} here; read its history first"
            raise GitHubAPIError(message, reason=Reason.NOT_FOUND)
        async with self._alone(git):
            if not await _has(git, sha):
                url = (await git.run("config", "--get", "remote.origin.url")).decode().strip()
                await git.run("fetch", "--quiet", "--no-tags", url, sha, credential=Credential(url, self._token))
            return await _tree(git, sha, "")

    def _git(self, repository: str) -> Git:
        return Git(self._root / f"{checked_name(repository)}.git", self._timeout)

    @asynccontextmanager
    async def _alone(self, git: Git) -> AsyncGenerator[None]:
        """Hold the clone against other tasks and processes."""
        with await asyncio.to_thread(_lock_file, git.folder) as lock:
            await _acquire(lock.fileno(), self._timeout)
            yield

    async def _fetch(self, git: Git, repository: str, url: str, *, depth: int) -> None:
        """Make the clone's branches those of the server; a clone that is damaged is made anew, once."""
        await asyncio.to_thread(_remove_stale_locks, git.folder)
        try:
            await self._fetch_once(git, url, depth)
        except GitHubAPIError as error:
            if error.reason is not Reason.BAD_ANSWER:
                raise
            await asyncio.to_thread(shutil.rmtree, git.folder, ignore_errors=True)
            await self._check_not_empty(git, repository, url)
            await self._fetch_once(git, url, depth)

    async def _check_not_empty(self, git: Git, repository: str, url: str) -> None:
        """A shallow fetch from an empty repository fails without a word, so ask."""
        await _init(git)
        if not await git.run("ls-remote", "--heads", url, credential=Credential(url, self._token)):
            raise GitHubAPIError(f"repository {repository!r} is empty", reason=Reason.NOT_FOUND)

    async def _fetch_once(self, git: Git, url: str, depth: int) -> None:
        await _init(git)
        await git.run("config", "remote.origin.url", url)
        await git.run(
            *("fetch", "--quiet", "--no-tags", "--prune", "--force", f"--depth={depth}"),
            *(url, "+refs/heads/*:refs/heads/*"),
            credential=Credential(url, self._token),
        )


async def read_history(
    git: Git, repository: str, branch: str, path: str, *, commits: int = 200, head: str = ""
) -> SourceHistory:
    """Read a repository as it lies on our disk: the tree at the branch's head and its newest commits.

    ``path`` is the folder that is deployed, without slashes around it; ``head`` is a commit that counts instead of the
    branch's. Raises ``GitHubAPIError``: ``NOT_FOUND`` where there is no such branch.
    """
    head = head or await _head(git, repository, branch)
    return SourceHistory(
        repository=repository,
        branch=branch,
        path=path,
        tree=await _tree(git, head, path),
        commits=await _commits(git, head, commits),
    )


def _lock_file(folder: Path) -> TextIO:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder.with_suffix(".lock").open("w")


async def _init(git: Git) -> None:
    if not await asyncio.to_thread(git.folder.is_dir):
        await git.run("init", "--quiet", "--bare", "--template=", str(git.folder))


async def _acquire(descriptor: int, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            while not _locked(descriptor):
                await asyncio.sleep(_LOCK_RETRY)
    except TimeoutError as error:
        raise GitHubAPIError("the clone is busy in another process", reason=Reason.UNAVAILABLE) from error


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_stale_locks(folder: Path) -> None:
    """Remove git's own lock files: whoever made them was killed, since we hold the clone alone."""
    for lock in [*folder.glob("*.lock"), *folder.glob("refs/**/*.lock")]:
        lock.unlink()


async def _head(git: Git, repository: str, branch: str) -> str:
    output = await git.run("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads/")
    heads = {name: sha for sha, _, name in (line.partition(" ") for line in output.decode().splitlines())}
    if branch not in heads:
        known = ", ".join(sorted(heads)[:10])
        raise GitHubAPIError(f"{repository!r} has no branch {branch!r}; it has {known}", reason=Reason.NOT_FOUND)
    return heads[branch]


async def _has(git: Git, sha: str) -> bool:
    answer = await git.run("cat-file", "--batch-check", stdin=f"{sha}^{{commit}}\n".encode())
    return b" commit " in answer


async def _commits(git: Git, head: str, limit: int) -> tuple[Commit, ...]:
    output = await git.run("log", "-z", "--date-order", f"--max-count={limit}", _FIELDS, head)
    records = [record.split("\n", 4) for record in output.decode(errors="replace").split("\0") if record.strip()]
    reader = PatchReader()
    diff = ("diff-tree", "--stdin", "-r", "--root", "--raw", "-p", "--find-renames", "--full-index")
    shas = "".join(f"{record[0]}\n" for record in records).encode()
    async for line in git.lines(*diff, "--no-ext-diff", "--no-textconv", "--no-color", stdin=shas):
        reader.add(line)
    return tuple(
        Commit(
            sha=sha,
            author=author,
            authored_at=_moment(seconds),
            subject=subject,
            body=body.strip(),
            changes=reader.changes(sha),
        )
        for sha, author, seconds, subject, body in records
    )


def _moment(seconds: str) -> datetime:
    """A commit's date; whoever commits may claim any, so it is kept within what can be told."""
    return datetime.fromtimestamp(min(int(seconds or 0), _LAST_SECOND), UTC)


@dataclass(frozen=True, slots=True)
class _Blob:
    path: str
    sha: str
    size: int
    readable: bool

    @classmethod
    def parse(cls, record: bytes) -> "_Blob":
        """Read one record of ``git ls-tree -z -l``."""
        about, _, raw_path = record.partition(b"\t")
        mode, _, sha, size = about.decode().split()
        path = raw_path.decode(errors="replace")
        usable = raw_path == path.encode() and all(p not in ("", ".", "..", ".git") for p in path.split("/"))
        length = int(size) if size.isdigit() else 0
        return cls(path, sha, length, usable and mode in TEXT_MODES and length <= FILE_LIMIT)

    def is_under(self, folder: str) -> bool:
        return self.path.startswith(f"{folder}/")


async def _tree(git: Git, sha: str, deployed: str) -> SourceTree:
    output = await git.run("ls-tree", "-r", "-z", "-l", "--full-tree", sha)
    blobs = [_Blob.parse(record) for record in output.split(b"\0") if record]
    contents = await _contents(git, _within_limit(blobs, deployed))
    texts = {path: content.decode(errors="replace") for path, content in contents.items() if b"\0" not in content}
    return SourceTree(
        sha=sha,
        files={blob.path: texts[blob.path] for blob in blobs if blob.path in texts},
        skipped=tuple(blob.path for blob in blobs if blob.path not in texts),
    )


def _within_limit(blobs: list[_Blob], deployed: str) -> list[_Blob]:
    """The readable files that fit into the limit together, those of the deployed folder first."""
    chosen: list[_Blob] = []
    left = TREE_LIMIT
    for blob in sorted(blobs, key=lambda blob: not blob.is_under(deployed)):
        if blob.readable and blob.size <= left:
            chosen.append(blob)
            left -= blob.size
    return chosen


async def _contents(git: Git, blobs: list[_Blob]) -> dict[str, bytes]:
    output = await git.run("cat-file", "--batch", stdin="".join(f"{blob.sha}\n" for blob in blobs).encode())
    contents: dict[str, bytes] = {}
    at = 0
    for blob in blobs:
        start = output.index(b"\n", at) + 1
        at = start + blob.size + 1
        contents[blob.path] = output[start : start + blob.size]
    return contents

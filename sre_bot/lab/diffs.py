"""What differs between two trees of the lab's repository, file by file, as GitHub prints it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sre_bot.lab.git_objects import NO_OBJECT
from sre_bot.lab.git_repository import GitRepository

FileStatus = Literal["added", "removed", "modified", "renamed", "copied", "changed"]
_STATUS: dict[str, FileStatus] = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied"}


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One file's difference. ``patch`` holds the hunks, empty for binary files; ``sha`` is the blob, or the old one."""

    path: str
    old_path: str
    status: FileStatus
    sha: str
    patch: str
    additions: int
    deletions: int

    def hunk_at(self, line: int) -> str:
        """The hunk that shows a line of the new file; the first one where none does."""
        hunks = [f"@@{hunk}" for hunk in re.split(r"^@@", self.patch, flags=re.MULTILINE)[1:]]
        return next((hunk for hunk in hunks if _shows(hunk, line)), hunks[0] if hunks else "")


async def differences(repository: GitRepository, old: str, new: str) -> list[FileDiff]:
    """All files that differ between two commits or trees, by path."""
    raw = await repository.git("diff-tree", "-r", "-z", "--raw", "--find-renames", "--no-abbrev", old, new)
    patches = await repository.git("diff-tree", "-r", "-p", "--find-renames", "--full-index", old, new)
    blocks = iter(re.split(r"^diff --git .*\n", patches.decode(errors="replace"), flags=re.MULTILINE)[1:])
    return [_file(change, blocks) for change in _changes(raw)]


def _changes(raw: bytes) -> list[tuple[str, str, str, str]]:
    """(status letter, blob, old path, path) of each entry of ``--raw -z``."""
    words = iter(raw.decode(errors="replace").split("\0"))
    changes: list[tuple[str, str, str, str]] = []
    for about in words:
        if not about:
            continue
        _, _, old_sha, new_sha, status = about.removeprefix(":").split()
        old_path = next(words)
        path = next(words) if status[0] in "RC" else old_path
        changes.append((status[0], old_sha if new_sha == NO_OBJECT else new_sha, old_path, path))
    return changes


def _file(change: tuple[str, str, str, str], blocks: Iterator[str]) -> FileDiff:
    status, sha, old_path, path = change
    block = next(blocks, "")
    if status == "T":
        block += next(blocks, "")  # git shows a change of type as a deletion and an addition
    start = re.search(r"^@@", block, flags=re.MULTILINE)
    patch = block[start.start() :].rstrip("\n") if start else ""
    lines = patch.splitlines()
    return FileDiff(
        path=path,
        old_path=old_path,
        status=_STATUS.get(status, "changed"),
        sha=sha,
        patch=patch,
        additions=sum(line.startswith("+") for line in lines),
        deletions=sum(line.startswith("-") for line in lines),
    )


def _shows(hunk: str, line: int) -> bool:
    match = re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", hunk)
    return match is not None and int(match[1]) <= line < int(match[1]) + int(match[2] or 1)

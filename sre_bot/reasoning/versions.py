"""Every file of a branch before and after every commit, rebuilt by undoing the patches from the head backwards."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from sre_bot.domain.source import Commit, FileChange, SourceHistory

_HUNK = re.compile(r"^@@ -\d{1,9}(?:,\d{1,9})? \+(\d{1,9})(?:,(\d{1,9}))? @@", re.MULTILINE)


class Version(NamedTuple):
    """What one commit did to one file. ``exact`` is False where the texts could not be rebuilt (binary, merges)."""

    commit: Commit
    change: FileChange
    before: str | None
    after: str | None
    exact: bool

    @property
    def path(self) -> str:
        """The file after the commit."""
        return self.change.path


class Hunk(NamedTuple):
    """One hunk of a patch: where it starts in the new file, and its lines with their marks."""

    start: int
    lines: tuple[str, ...]

    @property
    def old(self) -> list[str]:
        """The lines before."""
        return [line[1:] for line in self.lines if line[:1] != "+"]

    @property
    def new(self) -> list[str]:
        """The lines after."""
        return [line[1:] for line in self.lines if line[:1] != "-"]


def versions(history: SourceHistory) -> Iterator[Version]:
    """Every change of every commit, newest first, with the file's text on both sides."""
    files: dict[str, str | None] = dict(history.tree.files)
    for commit in history.commits:
        for change in commit.changes:
            yield _undo(files, commit, change)


def _undo(files: dict[str, str | None], commit: Commit, change: FileChange) -> Version:
    after = files.get(change.path)
    before, exact = _before(change, after)
    files[change.path] = None
    files[change.old_path or change.path] = before
    if change.status == "deleted":
        after = None
    return Version(commit, change, before, after, exact)


def _before(change: FileChange, after: str | None) -> tuple[str | None, bool]:
    if change.status == "added":
        return None, after is not None
    if change.status == "deleted":
        lines = [line for hunk in hunks(change.patch) for line in hunk.old]
        return ("\n".join(lines) + "\n" if lines else None), bool(lines)
    if after is None:
        return None, False
    if not change.patch:
        return after, change.status == "renamed"
    undone = undo(after, change.patch)
    return undone, undone is not None


def undo(after: str, patch: str) -> str | None:
    """A text with a unified diff taken back; None where the diff does not fit the text."""
    ends = after.endswith("\n")
    lines = after.split("\n")[:-1] if ends else after.split("\n")
    for hunk in reversed(hunks(patch)):
        place = hunk.start - 1 if hunk.new else hunk.start
        if lines[place : place + len(hunk.new)] != hunk.new:
            return None
        lines[place : place + len(hunk.new)] = hunk.old
    return "\n".join(lines) + ("\n" if ends or "\\ No newline" in patch else "")


def hunks(patch: str) -> list[Hunk]:
    """The hunks of a unified diff."""
    marks = list(_HUNK.finditer(patch))
    found: list[Hunk] = []
    for position, mark in enumerate(marks):
        end = marks[position + 1].start() if position + 1 < len(marks) else len(patch)
        body = patch[mark.end() : end].split("\n")[1:]
        lines = tuple(line or " " for line in _trimmed(body) if not line.startswith("\\"))
        found.append(Hunk(int(mark[1]), lines))
    return found


def _trimmed(lines: list[str]) -> list[str]:
    while lines and lines[-1] == "":
        lines = lines[:-1]
    for position, line in enumerate(lines):
        if line and line[0] not in "+- \\":
            return lines[:position]
    return lines


def changed_lines(patch: str) -> tuple[list[str], list[str]]:
    """The removed and the added lines of a patch, without marks."""
    body = [line for hunk in hunks(patch) for line in hunk.lines]
    return [line[1:] for line in body if line[:1] == "-"], [line[1:] for line in body if line[:1] == "+"]

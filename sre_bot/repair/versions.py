"""Earlier versions of a file: the tree's head with the commits' patches taken off again, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass

from sre_bot.domain.source import Commit, FileChange, SourceHistory
from sre_bot.repair.patches import PatchDoesNotApply, undone_exactly


@dataclass(frozen=True, slots=True)
class Version:
    """A file as it was just before one commit changed it, and as that commit left it; None where it did not exist."""

    commit: Commit
    path: str
    old_path: str
    before: str | None
    after: str | None


def versions(history: SourceHistory, path: str) -> Iterator[Version]:
    """What each commit did to the file, newest first; ends where a patch cannot be taken off (a merge, a binary)."""
    text = history.tree.files.get(path)
    for commit in history.commits:
        change = next((change for change in commit.changes if change.path == path), None)
        if change is None:
            continue
        try:
            before = _before(change, text)
        except PatchDoesNotApply:
            return
        old_path = change.old_path or change.path
        yield Version(commit, path, old_path, before, text)
        text, path = before, old_path


def _before(change: FileChange, after: str | None) -> str | None:
    if change.status == "added":
        return None
    return undone_exactly(after or "", change.patch)


def version_of(history: SourceHistory, path: str, sha: str) -> Version | None:
    """What one commit did to the file that is now at ``path``; None when it did not touch it."""
    return next((version for version in versions(history, path) if version.commit.sha == sha), None)

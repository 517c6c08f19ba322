"""Program code: the guilty commit is reverted, as ``git revert`` would, on a tree that may have moved on."""

from collections.abc import Iterator

from sre_bot.domain.diagnosis import Suspect
from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.fix import FileEdit, Fix
from sre_bot.domain.source import Commit, FileChange
from sre_bot.repair.case import Case
from sre_bot.repair.manifests import is_inside
from sre_bot.repair.patches import PatchDoesNotApply, hunks_of, undone


def reverted_commit(case: Case) -> Iterator[Fix]:
    """The whole suspected commit taken back; where that conflicts, nothing."""
    suspect, commit = _guilty(case)
    yield _revert(case, suspect, commit, commit.changes)


def reverted_file(case: Case) -> Iterator[Fix]:
    """Only what the suspected commit did to the guilty file, where it did more."""
    suspect, commit = _guilty(case)
    changes = tuple(change for change in commit.changes if change.path == suspect.path)
    if changes and len(changes) < len(commit.changes):
        yield _revert(case, suspect, commit, changes)


def proven_revert(case: Case) -> Iterator[Fix]:
    """The revert of a commit that changed manifests; it stands only where the fault's own condition proves it."""
    suspect, commit = _guilty(case)
    if all(is_inside(change.path, case.history.path) for change in commit.changes):
        yield _revert(case, suspect, commit, commit.changes)


def _guilty(case: Case) -> tuple[Suspect, Commit]:
    suspect = case.hypothesis.culprit
    if suspect is None:
        raise NoSafeFix("no commit is suspected, so there is nothing to revert")
    commit = next((commit for commit in case.history.commits if commit.sha == suspect.sha), None)
    if commit is None or not commit.changes:
        raise NoSafeFix(f"the suspected commit {suspect.sha[:12]} has no changes that could be read")
    return suspect, commit


def _revert(case: Case, suspect: Suspect, commit: Commit, changes: tuple[FileChange, ...]) -> Fix:
    edits = tuple(edit for change in changes for edit in undo_change(change, case.history.tree.files))
    whole = len(changes) == len(commit.changes)
    where = "" if whole else f" in {suspect.path}"
    return Fix(
        title=f"Revert {commit.subject!r}{where}",
        strategy="revert" if whole else "revert_file",
        edits=edits,
        explanation=f"{case.complaint} Commit {commit.sha[:12]} ({commit.subject!r}) by {commit.author} is the "
        f"likeliest cause: {suspect.reason.strip().rstrip('.')}. It is reverted{where}; commits made since are kept.",
        risk="Medium: whatever else the commit brought goes with it. It ran without this change before.",
        reverts=commit.sha,
    )


def undo_change(change: FileChange, files: dict[str, str]) -> tuple[FileEdit, ...]:
    """The edits that take one file's change back. Raises ``NoSafeFix`` on a conflict or a binary file."""
    text = files.get(change.path)
    if change.status != "deleted" and text is None:
        raise NoSafeFix(f"{change.path} was removed, or is no text, since the suspected commit")
    if change.status == "deleted" and text is not None:
        raise NoSafeFix(f"{change.path} was made anew since the suspected commit")
    if not change.patch and change.status != "renamed":
        raise NoSafeFix(f"{change.path} has no readable patch")
    try:
        earlier = undone(text or "", hunks_of(change.patch))
    except PatchDoesNotApply as error:
        raise NoSafeFix(f"the suspected commit cannot be taken back in {change.path}: {error}") from error
    if change.status == "added":
        return (_removal(change.path, text, earlier),)
    if change.status == "renamed":
        return (FileEdit(path=change.path, before=text, after=None), _creation(change.old_path, files, earlier))
    return (FileEdit(path=change.path, before=text, after=earlier),)


def _removal(path: str, text: str | None, left: str) -> FileEdit:
    if left.strip():
        raise NoSafeFix(f"{path} has grown since the suspected commit added it")
    return FileEdit(path=path, before=text, after=None)


def _creation(path: str, files: dict[str, str], text: str) -> FileEdit:
    if path in files:
        raise NoSafeFix(f"{path} exists again since the suspected commit renamed it")
    return FileEdit(path=path, before=None, after=text)

"""Small repositories built in code: a list of trees becomes commits with real unified diffs."""

import difflib
import hashlib
from datetime import timedelta

import yaml

from sre_bot.domain.source import Commit, FileChange, SourceHistory, SourceTree
from tests.clusters import NOW, Object

Tree = dict[str, str]


def manifest(*objects: Object) -> str:
    """Objects as a person would declare them: without what the cluster adds."""
    plain = [{key: _declared(key, value) for key, value in one.items() if key != "status"} for one in objects]
    return yaml.safe_dump_all(plain, sort_keys=False)


def _declared(key: str, value: object) -> object:
    if key != "metadata" or not isinstance(value, dict):
        return value
    return {name: value[name] for name in ("name", "namespace", "labels") if name in value}


def history(first: Tree, *steps: tuple[str, float, Tree], path: str = "deploy") -> SourceHistory:
    """A branch: the first tree, then (subject, minutes before the snapshot, the files that change; empty text "
    "deletes)."""
    tree, commits = dict(first), [_commit("Initial import", 100_000, {}, dict(first))]
    for subject, minutes, files in steps:
        after = {name: text for name, text in {**tree, **files}.items() if text}
        commits.append(_commit(subject, minutes, tree, after))
        tree = after
    newest = tuple(reversed(commits))
    return SourceHistory(
        repository="acme/shop", branch="main", path=path, tree=SourceTree(sha=newest[0].sha, files=tree), commits=newest
    )


def _commit(subject: str, minutes: float, before: Tree, after: Tree) -> Commit:
    changes = tuple(
        _change(path, before.get(path), after.get(path))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    )
    sha = hashlib.sha1(f"{subject}{minutes}".encode()).hexdigest()
    return Commit(sha=sha, author="Ada", authored_at=NOW - timedelta(minutes=minutes), subject=subject, changes=changes)


def _change(path: str, before: str | None, after: str | None) -> FileChange:
    lines = difflib.unified_diff(
        (before or "").splitlines(keepends=True),
        (after or "").splitlines(keepends=True),
        fromfile=f"a/{path}" if before else "/dev/null",
        tofile=f"b/{path}" if after else "/dev/null",
    )
    patch = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return FileChange(
        path=path, status="added" if before is None else "deleted" if after is None else "modified", patch=patch
    )

"""Repositories and hypotheses for the repair tests, made from plain texts."""

import difflib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from textwrap import dedent

from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.diagnosis import Hypothesis, Suspect
from sre_bot.domain.finding import Evidence, FaultKind, Finding
from sre_bot.domain.source import Commit, FileChange, SourceHistory, SourceTree

Files = Mapping[str, str]
FIRST = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def history_of(*versions: tuple[str, Files], path: str = "deploy") -> SourceHistory:
    """A branch with one commit for each version of the whole tree, oldest first, named by its subject."""
    commits: list[Commit] = []
    before: Files = {}
    for number, (subject, files) in enumerate(versions):
        changes = tuple(
            change_of(name, before.get(name), files.get(name))
            for name in sorted({*before, *files})
            if before.get(name) != files.get(name)
        )
        commits.append(
            Commit(
                sha=f"{number + 1:040x}",
                author="Ada Quist",
                authored_at=FIRST + timedelta(hours=number),
                subject=subject,
                changes=changes,
            )
        )
        before = files
    tree = SourceTree(sha=commits[-1].sha, files=dict(before))
    return SourceHistory(repository="acme/shop", branch="main", path=path, tree=tree, commits=tuple(commits[::-1]))


def change_of(path: str, before: str | None, after: str | None) -> FileChange:
    """What a commit does to one file, with a diff as git prints it."""
    status = "added" if before is None else "deleted" if after is None else "modified"
    lines = difflib.unified_diff(_lines(before), _lines(after), f"a/{path}", f"b/{path}")
    patch = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return FileChange(path=path, status=status, patch=f"diff --git a/{path} b/{path}\n{patch}")


def _lines(text: str | None) -> list[str]:
    return [line + "\n" for line in (text or "").split("\n")[:-1]] + [
        part for part in [(text or "").split("\n")[-1]] if part
    ]


def hypothesis(
    kind: FaultKind,
    thing: str,
    field: str,
    *,
    observed: str = "",
    expected: str = "",
    container: str = "",
    message: str = "It is broken.",
    culprit: Commit | None = None,
    seen: str = "",
) -> Hypothesis:
    """One cause: ``thing`` is ``Kind/namespace/name``; the culprit is suspected of its first file."""
    finding = Finding(
        kind=kind,
        object=ObjectRef.parse(thing),
        field=field,
        observed=observed,
        expected=expected,
        container=container,
        message=message,
        directness="stated",
        evidence=(Evidence.seen("object", thing, field, seen),) if seen else (),
    )
    return Hypothesis(finding=finding, confidence=0.9, suspects=(suspect(culprit),) if culprit else ())


def suspect(commit: Commit) -> Suspect:
    """A commit as the reasoning accuses it."""
    path = commit.changes[0].path if commit.changes else ""
    return Suspect(sha=commit.sha, subject=commit.subject, score=0.9, reason="it changed that field", path=path)


def commit_named(history: SourceHistory, subject: str) -> Commit:
    """The commit with that subject."""
    return next(commit for commit in history.commits if commit.subject == subject)


def text(block: str) -> str:
    """An indented block as a file's text."""
    return dedent(block).lstrip("\n")


def changed_lines(before: str, after: str) -> list[str]:
    """The lines that a diff would show, with their sign."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]

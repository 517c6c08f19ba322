"""Overlays: lines of a kustomization, a generator's file or a JSON patch that brought the wrong value, put back."""

import re
from collections.abc import Iterator
from itertools import islice

from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.fix import FileEdit, Fix
from sre_bot.repair.case import Case, shown
from sre_bot.repair.kustomize import participants
from sre_bot.repair.patches import Hunk, PatchDoesNotApply, single_changes, undone
from sre_bot.repair.versions import Version, versions

_RECENT = 20


def restored_lines(case: Case) -> Iterator[Fix]:
    """The one run of lines in the overlay's files that brought the observed value, taken back."""
    files, word = case.history.tree.files, _word(case)
    found: list[tuple[str, Version, Hunk]] = []
    for path in participants(files, case.history.path.strip("/")) if word else ():
        for version in islice(versions(case.history, path), _RECENT):
            runs = [run for run in single_changes(_patch(version)) if _brought(run, word)]
            found += [(path, version, run) for run in runs]
    if not found:
        return
    if len(found) > 1:
        raise NoSafeFix(f"{shown(word)} came into the overlay {len(found)} times; which one is wrong is not clear")
    yield _fix(case, *found[0])


def _word(case: Case) -> str:
    """What to look for: of an image only the tag or digest, because an overlay writes it apart from the name."""
    observed = case.finding.observed
    tag = re.fullmatch(r"[\w.-]+(?::\d+)?(?:/[\w./-]+)?(?:@(sha256:\w+)|:([\w.-]+))", observed)
    return (tag[1] or tag[2]) if tag else observed


def _patch(version: Version) -> str:
    return next(change.patch for change in version.commit.changes if change.path == version.path)


def _brought(run: Hunk, word: str) -> bool:
    pattern = re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w-])(?!\.\w)")
    return any(pattern.search(line) for line in run.brought) and len(run.before) > run.lead + run.trail


def _fix(case: Case, path: str, version: Version, run: Hunk) -> Fix:
    text = case.history.tree.files[path]
    try:
        after = undone(text, (run,))
    except PatchDoesNotApply as error:
        raise NoSafeFix(f"{path} has been changed again since: {error}") from error
    commit = version.commit
    return Fix(
        title=f"Take {shown(case.finding.observed).strip('`')} out of {path} again",
        strategy="restored_lines",
        edits=(FileEdit(path=path, before=text, after=after),),
        explanation=f"{case.complaint} Commit {commit.sha[:12]} ({commit.subject!r}) brought the value into "
        f"{path}; the lines are put back as they were.",
        risk=f"Low: they were in use until {commit.authored_at:%Y-%m-%d %H:%M} and nothing else changes.",
    )

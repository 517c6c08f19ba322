"""Validation: what must be true of every fix before a person sees it."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.errors import BadManifest, NoSafeFix
from sre_bot.domain.fix import Fix, Validation
from sre_bot.domain.source import SourceHistory
from sre_bot.repair import yamltext
from sre_bot.repair.case import Case
from sre_bot.repair.harms import harms
from sre_bot.repair.kustomize import participants
from sre_bot.repair.manifests import is_inside
from sre_bot.repair.proof import unmet
from sre_bot.repair.schemas import kinds_without_schema, schema_problems

_FORBIDDEN = (".github/**", ".gitlab-ci.yml", "**/CODEOWNERS", "CODEOWNERS", ".git/**", "**/.git/**", ".argocd/**")
_SECRET = ("**/*.pem", "**/*.key", "**/.env", ".env", "**/*secret*.y*ml", "*secret*.y*ml", "**/*secret*.json")
_MANIFEST = (".yaml", ".yml", ".json")
_MOST_LINES = 60


def validate(
    fix: Fix, hypothesis: Hypothesis, history: SourceHistory, *, forbidden: tuple[str, ...] = ()
) -> Validation:
    """Check a fix from all sides; ``forbidden`` are more path patterns (``**`` crosses folders). Never raises."""
    case = Case(hypothesis, history)
    problems: list[str] = []
    checks: list[str] = []
    for name, check in _checks(case, fix, forbidden):
        found = list(check)
        problems += found
        checks += [] if found else [name]
        if found and name == _APPLIES:
            break
    return Validation(problems=tuple(dict.fromkeys(problems)), checks=tuple(checks))


_APPLIES = "applies to the tree at the head"


def _checks(case: Case, fix: Fix, forbidden: tuple[str, ...]) -> Iterator[tuple[str, Iterator[str]]]:
    yield _APPLIES, _does_not_apply(fix, case.history)
    yield "edits only allowed paths", _forbidden_paths(fix, case.history, forbidden)
    yield "every edited file parses", _unparsable(fix)
    yield "the change is small", _too_large(fix)
    yield f"valid against the Kubernetes schemas{_unknown(fix)}", schema_problems(fix)
    yield "harms nothing", harms(case, fix)
    yield "the cause is gone from the tree", _still_faulty(case, fix)


def _unknown(fix: Fix) -> str:
    kinds = ", ".join(kinds_without_schema(fix))
    return f" (no schema is known for {kinds})" if kinds else ""


def _does_not_apply(fix: Fix, history: SourceHistory) -> Iterator[str]:
    if not fix.edits:
        yield "the fix changes nothing"
    for edit in fix.edits:
        if history.tree.files.get(edit.path) != edit.before:
            yield f"{edit.path} is not the file that the fix was made for"
        elif edit.before == edit.after:
            yield f"the edit of {edit.path} changes nothing"


def _forbidden_paths(fix: Fix, history: SourceHistory, forbidden: tuple[str, ...]) -> Iterator[str]:
    for edit in fix.edits:
        path = PurePosixPath(edit.path)
        if path.is_absolute() or ".." in path.parts or "\\" in edit.path or not edit.path.strip():
            yield f"{edit.path!r} leads out of the repository"
        elif any(matches(edit.path, pattern) for pattern in (*_FORBIDDEN, *_SECRET, *forbidden)):
            yield f"{edit.path} may not be edited automatically"
        elif not fix.reverts and path.suffix in _MANIFEST and not _is_deployed(edit.path, history):
            yield f"{edit.path} is not deployed from {history.path}"


def _is_deployed(path: str, history: SourceHistory) -> bool:
    return is_inside(path, history.path) or path in participants(history.tree.files, history.path.strip("/"))


def matches(path: str, pattern: str) -> bool:
    """Whether a path fits a pattern in which ``**/`` is any number of folders and ``/**`` is everything below."""
    if pattern.startswith("**/") and matches(path, pattern[3:]):
        return True
    return fnmatchcase(path, pattern.replace("**/", "*/").replace("/**", "/*"))


def _unparsable(fix: Fix) -> Iterator[str]:
    for edit in fix.edits:
        if edit.after is None:
            continue
        problem = _parse(edit.path, edit.after)
        if problem:
            yield problem


def _parse(path: str, text: str) -> str:
    try:
        if path.endswith(_MANIFEST):
            yamltext.load(path, text)
        elif path.endswith(".py"):
            ast.parse(text, path)
    except (BadManifest, SyntaxError, ValueError) as error:
        return f"{path} would no longer parse: {error}"
    return ""


def _too_large(fix: Fix) -> Iterator[str]:
    if fix.reverts:
        return
    lines = sum(1 for line in fix.diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---"))
    if lines > _MOST_LINES:
        yield f"{lines} changed lines are more than a repair needs (at most {_MOST_LINES})"


def _still_faulty(case: Case, fix: Fix) -> Iterator[str]:
    try:
        yield from unmet(case, fix)
    except (NoSafeFix, BadManifest) as error:
        yield str(error)

"""The general condition: what a fix changed must not come back. For faults whose kind has no condition of its own."""

from collections.abc import Iterator
from typing import Any

from sre_bot.domain.errors import BadManifest
from sre_bot.domain.fix import FileEdit
from sre_bot.repair.changes import Change, changes_of
from sre_bot.repair.conditions import programs, values
from sre_bot.repair.fields import ABSENT, short_text
from sre_bot.repair.guards import Guard
from sre_bot.repair.patches import lines_of


def change_guards(edit: FileEdit) -> Iterator[Guard]:
    """A condition for each thing that an edit changed: fields of objects, functions of a program, lines of a text."""
    try:
        changes = changes_of(edit) if edit.path.endswith((".yaml", ".yml", ".json")) else ()
    except BadManifest:
        changes = ()
    for change in changes:
        yield _of_field(change)
    if not changes:
        yield from _of_text(edit)


def _of_field(change: Change) -> Guard:
    ref, path = change.manifest.ref, list(change.path)
    facts = {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
    what, files = f"{short_text(change.path)} of {ref.kind} {ref.name}", (change.manifest.path,)
    if not path:
        return Guard(values.object_missing, facts, f"{ref.kind} {ref.name} is there", files=files, telling=False)
    facts = {**facts, "path": path}
    if change.after is ABSENT:
        return Guard(values.still_there, facts, f"{what} stays removed", files=files, telling=False)
    if isinstance(change.before, str) and isinstance(change.after, str) and "\n" in change.before.strip():
        return _of_lines(change.before, change.after, facts, what, files)
    broken = None if change.before is ABSENT else change.before
    return Guard(
        values.unchanged, {**facts, "broken": broken}, f"{what} is no longer wrong", files=files, telling=False
    )


def _of_lines(before: str, after: str, facts: dict[str, Any], what: str, files: tuple[str, ...]) -> Guard:
    gone, new = _line_changes(before, after)
    if gone:
        return Guard(
            values.bad_lines, {**facts, "lines": gone}, f"{what} lost its wrong lines", files=files, telling=False
        )
    facts = {**facts, "lines": new}
    return Guard(values.missing_lines, facts, f"{what} holds what it needs", files=files, telling=False)


def _line_changes(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that are only in the one and only in the other, in order, blank ones apart."""
    old, new = ([line.rstrip("\r\n") for line in lines_of(text)] for text in (before, after))
    gone = [line for line in old if line.strip() and line not in new]
    return gone, [line for line in new if line.strip() and line not in old]


def _of_text(edit: FileEdit) -> Iterator[Guard]:
    before, after = edit.before or "", edit.after or ""
    broken = _functions_changed(before, after) if edit.path.endswith(".py") else {}
    files = (edit.path,)
    if broken:
        names = ", ".join(broken)
        facts = {"broken": {edit.path: broken}}
        yield Guard(programs.broken_functions, facts, f"{names} stays repaired", "texts", files, telling=False)
        return
    gone, new = ([line.strip() for line in lines] for lines in _line_changes(before, after))
    if gone and edit.after is not None:
        facts = {"broken": {edit.path: gone}}
        yield Guard(programs.broken_lines, facts, f"{edit.path} lost its wrong lines", "texts", files, telling=False)
    elif new:
        facts = {"needed": {edit.path: new}}
        yield Guard(programs.lines_lost, facts, f"{edit.path} holds what it needs", "texts", files, telling=False)


def _functions_changed(before: str, after: str) -> dict[str, str]:
    """The digests of the functions that a fix takes out or rewrites; classes only where no method tells it."""
    try:
        old, new = programs.fingerprints(before), programs.fingerprints(after)
    except SyntaxError:
        return {}
    changed = {name: digest for name, digest in old.items() if new.get(name) != digest}
    return {
        name: digest for name, digest in changed.items() if not any(other.startswith(name + ".") for other in changed)
    }

"""Taking one commit's change of a value back, while what others changed in it since stays."""

from typing import Any

from sre_bot.domain.errors import NoSafeFix
from sre_bot.repair.changes import leaves_changed
from sre_bot.repair.differences import same
from sre_bot.repair.fields import ABSENT, FieldPath, field_text, value_at, with_value, without_value
from sre_bot.repair.patches import PatchDoesNotApply, diff, hunks_of, single_changes, undone


def undo_value(current: Any, before: Any, left: Any) -> Any:
    """``current`` with the step from ``before`` to ``left`` taken back, field by field and line by line.

    Raises ``NoSafeFix`` when one of these fields or lines was changed again since.
    """
    if same(current, left) or before is ABSENT or left is ABSENT:
        return before
    if is_text(current) and is_text(before) and is_text(left):
        return _undo_lines(current, before, left)
    if not isinstance(current, dict | list):
        return before
    for path, (good, broken) in leaves_changed(before, left).items():
        current = _undo_leaf(current, path, good, broken)
    return current


def _undo_leaf(current: Any, path: FieldPath, good: Any, broken: Any) -> Any:
    found = value_at(current, path)
    if is_text(found) and is_text(good) and is_text(broken):
        return with_value(current, path, _undo_lines(found, good, broken))
    if found is not broken and not same(found, broken):
        raise NoSafeFix(f"{field_text(path)} has been changed again since")
    return without_value(current, path) if good is ABSENT else with_value(current, path, good)


def is_text(value: Any) -> bool:
    """Whether a value is a text of several lines, of which each may change by itself."""
    return isinstance(value, str) and "\n" in value.strip()


def _undo_lines(current: str, before: str, left: str) -> str:
    try:
        return undone(current, hunks_of(diff(before, left)))
    except PatchDoesNotApply as error:
        raise NoSafeFix(f"the text has been changed again since: {error}") from error


def undo_lines_with(current: str, before: str, left: str, word: str) -> str | None:
    """Only those runs of changed lines taken back that brought ``word``; None where none did."""
    runs = [run for run in single_changes(diff(before, left)) if any(word in line for line in run.brought)]
    if not word or not runs:
        return None
    try:
        return undone(current, tuple(runs))
    except PatchDoesNotApply:
        return None

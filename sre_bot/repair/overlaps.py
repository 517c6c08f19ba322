"""Which lines two changes of one file both touch, whichever version of it each was made for. Pure."""

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

from sre_bot.domain.fix import FileEdit


def overlaps(one: Iterable[FileEdit], other: Iterable[FileEdit]) -> dict[str, tuple[int, ...]]:
    """For each path, the lines (1-based, as ``one`` found the file) that both sets of edits change.

    An insertion touches the line that it stands before; a file that both create or delete counts as its line 1.
    """
    theirs = {edit.path: edit for edit in other}
    found = {edit.path: _common(edit, theirs[edit.path]) for edit in one if edit.path in theirs}
    return {path: lines for path, lines in found.items() if lines}


def _common(one: FileEdit, other: FileEdit) -> tuple[int, ...]:
    if None in (one.before, one.after, other.before, other.after):
        return (1,)
    ours, theirs = set(_touched(one)), set(_touched(other))
    return tuple(sorted(ours & set(_translated(theirs, other.before or "", one.before or ""))))


def _touched(edit: FileEdit) -> Iterator[int]:
    for _, start, end, _, _ in _changes(edit.before or "", edit.after or ""):
        yield from range(start + 1, max(end, start + 1) + 1)


def _translated(lines: Iterable[int], written: str, read: str) -> Iterator[int]:
    """Line numbers of one version of a file as numbers of another; lines that the other lacks are left out."""
    if written == read:
        yield from lines
        return
    blocks = SequenceMatcher(None, written.splitlines(), read.splitlines(), autojunk=False).get_matching_blocks()
    wanted = {line - 1 for line in lines}
    for block in blocks:
        yield from (block.b + line - block.a + 1 for line in range(block.a, block.a + block.size) if line in wanted)


def _changes(before: str, after: str) -> list[tuple[str, int, int, int, int]]:
    matcher = SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    return [change for change in matcher.get_opcodes() if change[0] != "equal"]

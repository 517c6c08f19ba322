"""Unified diffs: read, taken apart into changes, and undone on a text that may have moved on since."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sre_bot.domain.errors import SreBotError

_HUNK = re.compile(r"^@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_CONTEXT = 3


class PatchDoesNotApply(SreBotError):
    """The lines that a patch left behind are no longer there, or are there more than once."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """One hunk: the lines before and after, line endings included; ``start`` counts from 0 in the text after."""

    start: int
    before: tuple[str, ...]
    after: tuple[str, ...]
    lead: int
    """How many lines of context come first, common to both sides."""
    trail: int
    """How many lines of context come last."""

    @property
    def brought(self) -> tuple[str, ...]:
        """The lines that the change put in; those it leaves as they were are not among them."""
        return self.after[self.lead : len(self.after) - self.trail]

    def narrowed(self, context: int) -> "Hunk":
        """The same change with at most ``context`` lines around it."""
        cut, tail = max(0, self.lead - context), max(0, self.trail - context)
        return Hunk(
            self.start + cut,
            self.before[cut : len(self.before) - tail],
            self.after[cut : len(self.after) - tail],
            self.lead - cut,
            self.trail - tail,
        )


def lines_of(text: str) -> list[str]:
    """The lines with their endings, broken at line feeds only, as git does."""
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def diff(before: str, after: str) -> str:
    """The hunks between two texts, as git prints them."""
    lines = difflib.unified_diff(lines_of(before), lines_of(after))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def hunks_of(patch: str) -> tuple[Hunk, ...]:
    """The hunks of one file's patch; headers are skipped. Raises ``PatchDoesNotApply`` when the patch is cut off."""
    lines = lines_of(patch)
    found: list[Hunk] = []
    at = 0
    while at < len(lines):
        match = _HUNK.match(lines[at])
        at += 1
        if match:
            hunk, at = _read_hunk(lines, at, match)
            found.append(hunk)
    return tuple(found)


def _read_hunk(lines: list[str], at: int, header: re.Match[str]) -> tuple[Hunk, int]:
    old, new = int(header[2] or 1), int(header[4] or 1)
    marked: list[tuple[str, str]] = []
    while old > 0 or new > 0 or (lines[at : at + 1] and lines[at].startswith("\\")):
        if at >= len(lines):
            raise PatchDoesNotApply(f"the patch ends inside the hunk {header[0]!r}")
        sign, line = lines[at][:1], lines[at][1:]
        at += 1
        if sign == "\\":
            marked[-1] = (marked[-1][0], marked[-1][1].removesuffix("\n"))
            continue
        marked.append((sign if sign in "+-" else " ", line if sign != "\n" else "\n"))
        old -= sign != "+"
        new -= sign != "-"
    start = int(header[3]) - 1 if int(header[4] or 1) else int(header[3])
    return _hunk(start, marked), at


def _hunk(start: int, marked: list[tuple[str, str]]) -> Hunk:
    signs = "".join(sign for sign, _ in marked)
    return Hunk(
        start,
        tuple(line for sign, line in marked if sign != "+"),
        tuple(line for sign, line in marked if sign != "-"),
        len(signs) - len(signs.lstrip(" ")),
        len(signs) - len(signs.rstrip(" ")),
    )


def single_changes(patch: str) -> Iterator[Hunk]:
    """Each run of changed lines as a hunk of its own, with its context: what can be undone one at a time."""
    for hunk in hunks_of(patch):
        yield from _split(hunk)


def _split(hunk: Hunk) -> Iterator[Hunk]:
    matcher = difflib.SequenceMatcher(None, hunk.before, hunk.after, autojunk=False)
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        lead = min(_CONTEXT, new_start)
        trail = min(_CONTEXT, len(hunk.after) - new_end)
        context_before = hunk.after[new_start - lead : new_start]
        context_after = hunk.after[new_end : new_end + trail]
        yield Hunk(
            hunk.start + new_start - lead,
            (*context_before, *hunk.before[old_start:old_end], *context_after),
            hunk.after[new_start - lead : new_end + trail],
            lead,
            trail,
        )


def undone(text: str, hunks: tuple[Hunk, ...]) -> str:
    """The text without the changes. Lines may have moved; less context is asked for only where the place is unique.

    Raises ``PatchDoesNotApply``.
    """
    lines = lines_of(text)
    for hunk in reversed(hunks):
        at, fitted = _locate(lines, hunk)
        lines[at : at + len(fitted.after)] = fitted.before
    return "".join(lines)


def undone_exactly(text: str, patch: str) -> str:
    """The text before a patch of which it is the direct result. Raises ``PatchDoesNotApply``."""
    lines = lines_of(text)
    for hunk in reversed(hunks_of(patch)):
        if tuple(lines[hunk.start : hunk.start + len(hunk.after)]) != hunk.after:
            raise PatchDoesNotApply(f"line {hunk.start + 1} is not as the patch left it")
        lines[hunk.start : hunk.start + len(hunk.after)] = hunk.before
    return "".join(lines)


def _locate(lines: list[str], hunk: Hunk) -> tuple[int, Hunk]:
    for context in (_CONTEXT, 2, 1):
        narrow = hunk.narrowed(context)
        if tuple(lines[narrow.start : narrow.start + len(narrow.after)]) == narrow.after and context == _CONTEXT:
            return narrow.start, narrow
        places = [i for i in range(len(lines) - len(narrow.after) + 1) if _matches(lines, i, narrow.after)]
        if len(places) == 1 and narrow.after:
            return places[0], narrow
        if places:
            raise PatchDoesNotApply(f"{len(places)} places look like the change at line {hunk.start + 1}")
    raise PatchDoesNotApply(f"the lines that were changed at line {hunk.start + 1} have been changed again since")


def _matches(lines: list[str], at: int, wanted: tuple[str, ...]) -> bool:
    return tuple(lines[at : at + len(wanted)]) == wanted

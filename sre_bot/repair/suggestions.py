"""GitHub's suggestion blocks: replacement text for the lines that a comment stands on."""

import re
from dataclasses import dataclass

from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.review import LineComment
from sre_bot.repair.patches import lines_of
from sre_bot.repair.yamltext import newline_of

_BLOCK = re.compile(r"^(`{3,}|~{3,})suggestion[^\n]*\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text for the lines ``first`` to ``last`` (counted from 1, both included) of a file; empty text deletes them."""

    path: str
    first: int
    last: int
    text: str


def suggestions_in(comments: tuple[LineComment, ...]) -> tuple[Suggestion, ...]:
    """The suggestions of line comments, in their order."""
    return tuple(
        Suggestion(comment.path, comment.start_line or comment.line, comment.line, match[2])
        for comment in comments
        for match in _BLOCK.finditer(comment.body.replace("\r\n", "\n"))
    )


def apply_suggestions(suggestions: tuple[Suggestion, ...], texts: dict[str, str]) -> dict[str, str]:
    """The texts with all suggestions applied. Raises ``NoSafeFix`` for other files, missing or overlapping lines."""
    after = dict(texts)
    lowest: dict[str, int] = {}
    for one in sorted(suggestions, key=lambda one: -one.last):
        if one.path not in texts:
            raise NoSafeFix(f"a suggestion is for {one.path}, which the fix does not edit")
        if one.last >= lowest.get(one.path, one.last + 1):
            raise NoSafeFix(f"two suggestions for {one.path} overlap at line {one.last}")
        after[one.path] = _applied(after[one.path], one)
        lowest[one.path] = one.first
    return after


def _applied(text: str, one: Suggestion) -> str:
    lines = lines_of(text)
    if not 1 <= one.first <= one.last <= len(lines):
        raise NoSafeFix(f"a suggestion is for line {one.last} of {one.path}, which has {len(lines)} lines")
    newline = newline_of(text)
    new = [line.rstrip("\n") + newline for line in lines_of(one.text)]
    if new and one.last == len(lines) and not lines[-1].endswith("\n"):
        new[-1] = new[-1].rstrip("\r\n")
    return "".join([*lines[: one.first - 1], *new, *lines[one.last :]])

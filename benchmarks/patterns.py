"""`python -m benchmarks.patterns`: every pattern that meets untrusted text needs time in proportion to the text.

Else one line of a log could stop the bot. What a pattern costs is only compared with what it costs for half the text,
and only where it costs enough to be told from chance. Text grows step by step: the worst fails soon too.
"""

import importlib
import pkgutil
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any, cast

from rich.console import Console
from rich.progress import track

PACKAGES = ("sre_bot.detectors", "sre_bot.reasoning", "sre_bot.repair", "sre_bot.domain")
SIZES = (625, 1_250, 2_500, 5_000)
FLOOR = 0.1
"""Processor seconds: what costs less than this for 5,000 characters harms nobody: lines of logs are cut at 2,000."""

WORTH = 0.005
"""Processor seconds for 2,500 characters: what costs less stays under the floor, be it a square or a cube."""

GROWTH = 3.2
"""Between twice (a line) and four times (a square) per doubling."""

RUNS = (
    *("a", "A", "1", "_", "a1", " ", "\t", "\n", ".", "/", "-", ":", "=", '"', "'", "(", "[", "{", "<", "\\"),
    *("a.", "a ", "A ", "a-", "a/", "a:", "a=", "/a", "A1.", "A::", "A: ", "1.", "1 ", "\n ", "a\n", "é"),
    *("at ", "at a.", "    at ", "\n    at a", "http://", "a@", "a(", "[a]", "${", "{{", "::", "a, "),
)


def modules() -> Iterator[ModuleType]:
    """All modules that read untrusted text."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            yield importlib.import_module(found.name)


def patterns_in(value: object) -> Iterator[re.Pattern[str]]:
    """The patterns in a value of a module, however deep they lie."""
    if isinstance(value, re.Pattern):
        pattern = cast("re.Pattern[Any]", value)
        if isinstance(pattern.pattern, str):
            yield pattern
    elif isinstance(value, dict):
        for pair in cast("dict[object, object]", value).items():
            yield from patterns_in(pair)
    elif isinstance(value, tuple | list | set | frozenset):
        for item in cast("Iterable[object]", value):
            yield from patterns_in(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from patterns_in(getattr(value, field.name))


def named() -> dict[str, tuple[re.Pattern[str], ...]]:
    """The patterns by the module that first holds them."""
    seen: set[re.Pattern[str]] = set()
    found: dict[str, list[re.Pattern[str]]] = {}
    for module in modules():
        for value in vars(module).values():
            for pattern in patterns_in(value):
                if pattern not in seen:
                    seen.add(pattern)
                    found.setdefault(module.__name__, []).append(pattern)
    return {name: tuple(patterns) for name, patterns in found.items()}


def words_of(pattern: re.Pattern[str]) -> list[str]:
    """The longest runs of plain letters, signs and spaces in a pattern, escapes undone: what may begin a match."""
    plain = re.sub(r"\\[a-zA-Z]|\(\?[^:)]*[:)]?|\{[\d,]+\}", "\0", pattern.pattern)
    plain = re.sub(r"\\(.)", r"\1", plain)
    return sorted(set(re.findall(r"[\w:'\"=@# /.-]{2,}", plain)), key=lambda word: (-len(word), word))[:8]


def texts_for(pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Beginnings, and what follows them again and again."""
    words = words_of(pattern)
    yield from (("", run) for run in (*RUNS, *words))
    yield from ((word, run) for word in words for run in ("a", "1", " ", "a.", "a "))
    yield from (("", f"{word}{end}") for word in words for end in (" ", "a", "\n"))
    yield from (("", f"{one}{other}") for one in words[:4] for other in words[:4] if one != other)


def seconds(pattern: re.Pattern[str], text: str) -> float:
    """Processor seconds of one search and one walk through all matches."""
    started = time.process_time()
    pattern.search(text)
    for _ in pattern.finditer(text):
        pass
    return time.process_time() - started


def grows_like_a_square(pattern: re.Pattern[str], start: str, run: str) -> bool:
    """Whether twice the text takes about four times as long, measured twice."""
    before = 0.0
    for size in SIZES:
        text = start + run * (size // len(run))
        took = seconds(pattern, text)
        if took > FLOOR and before > FLOOR / 5 and took > GROWTH * before:
            half = start + run * (size // 2 // len(run))
            if min(took, seconds(pattern, text)) > GROWTH * max(before, seconds(pattern, half)):
                return True
        if size == 2_500 and took < WORTH:
            return False
        before = took
    return False


def offenders(patterns: Iterable[re.Pattern[str]]) -> list[str]:
    """Those that need about four times as long for twice the text, each with a text that shows it."""
    return [
        f"{pattern.pattern[:120]!r} on {start!r} and {run!r} again and again"
        for pattern in patterns
        for start, run in texts_for(pattern)
        if grows_like_a_square(pattern, start, run)
    ]


def main() -> int:
    """Print every pattern whose cost is a square, by module; 1 where there is one."""
    found = named()
    bad = 0
    for module in track(sorted(found), "patterns", console=Console(stderr=True)):
        for offender in offenders(found[module]):
            bad += 1
            print(f"{module}: {offender}")
    print(f"{sum(map(len, found.values()))} patterns, {bad} whose cost grows like a square")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

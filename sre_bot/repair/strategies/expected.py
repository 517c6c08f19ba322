"""Setting what the finding says would be right, where that is one plain value."""

import re
from collections.abc import Iterator
from typing import Any

from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.fix import Fix
from sre_bot.repair.case import Case, shown
from sre_bot.repair.fields import ABSENT, field_text, short_text, value_at, with_value


def as_expected(case: Case) -> Iterator[Fix]:
    """The faulty field, or the one word in its text that is wrong, brought to the expected value."""
    finding, path = case.finding, case.field
    if not path or not finding.expected or finding.expected == finding.observed:
        return
    current = value_at(case.manifest.body, path)
    if isinstance(current, dict | list):
        return
    value = corrected(current, finding.observed, finding.expected, [piece.excerpt for piece in finding.evidence])
    yield case.fix(
        "as_expected",
        ((case.manifest, with_value(case.manifest.body, path, value)),),
        title=f"Set {short_text(path)} of {case.label()} to {shown(finding.expected).strip('`')}",
        explanation=f"{case.complaint} {field_text(path)} holds {shown(finding.observed)}; what the rest of the "
        f"system has is {shown(finding.expected)}.",
        risk="Medium: the value is derived by comparison, its earlier value is not known to have been right.",
    )


def corrected(current: Any, observed: str, expected: str, seen: list[str]) -> Any:
    """The value with the observed part replaced. Raises ``NoSafeFix`` when it is not there exactly once."""
    if current is ABSENT or current is None or same_text(current, observed):
        return typed(expected, current)
    if not isinstance(current, str) or not observed:
        found = f"{shown(current)}, not {shown(observed)}"
        raise NoSafeFix(f"the repository holds {found}: the cluster has drifted from it")
    pattern = _as_word(observed)
    if len(pattern.findall(current)) == 1:
        return pattern.sub(lambda _: expected, current)
    lines = [line for line in current.splitlines() if pattern.search(line)]
    named = [line for line in lines if len(line.strip()) > len(observed) and any(line.strip() in one for one in seen)]
    if len(named) == 1 and current.count(named[0]) == 1 and len(pattern.findall(named[0])) == 1:
        return current.replace(named[0], pattern.sub(lambda _: expected, named[0]))
    raise NoSafeFix(f"{shown(observed)} occurs {len(lines)} times in the faulty text; which one is meant is not clear")


def _as_word(text: str) -> re.Pattern[str]:
    """The text where it stands alone: not inside a longer host name, number or word."""
    return re.compile(rf"(?<![\w.-]){re.escape(text)}(?![\w-])(?!\.\w)")


def same_text(value: Any, text: str) -> bool:
    """Whether a value prints as the text (true and false in lower case)."""
    return (str(value).lower() if isinstance(value, bool) else str(value)) == text


def typed(text: str, like: Any) -> Any:
    """The text as the type that stood there: a number stays one; a name may replace a number."""
    if isinstance(like, bool):
        return text.lower() == "true"
    is_number = re.fullmatch(r"-?(0|[1-9]\d{0,17})", text) is not None
    if is_number and (isinstance(like, int) or like is ABSENT or like is None):
        return int(text)
    return text

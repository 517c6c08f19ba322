"""Logs read fast: only lines that may tell of trouble are looked at, repeated lines once, with their times."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sre_bot.detectors.fields import when
from sre_bot.domain.cluster import ContainerLog, ObjectRef

TROUBLE = (
    "error",
    "fail",
    "exception",
    "warn",
    "fatal",
    "panic",
    "refused",
    "denied",
    "timeout",
    "cannot",
    "unable",
    "missing",
    "invalid",
    "unknown",
    "critical",
    "undefined",
    "unset",
    "unbound",
    "required",
    "enot",
    "econn",
    "eacces",
    "enospc",
    "erofs",
    "eai_",
    "eaddr",
    "etimedout",
    "exceed",
    "exhaust",
    "forbidden",
    "unauthori",
    "expired",
    "malformed",
    "unrecogni",
    "unexpected",
    "unavailable",
    "noauth",
    "wrongpass",
    "certificate",
    "outofmemory",
    "readonly",
    "unsupported",
    "illegal",
    "unresolved",
    "emerg",
    "nxdomain",
    "killed",
    "sigkill",
    "signal 9",
    "signal: 9",
    "parse",
    "syntax",
    "reset by",
    "timed out",
    "time out",
    "time-out",
    "can't",
    "could not",
    "couldn't",
    "not found",
    "not resolve",
    "not set",
    "not known",
    "not defined",
    "out of memory",
    "no such",
    "too many",
    "no space",
    "read-only",
    "read only",
    "bad address",
    "must be",
    "already in use",
    "not permitted",
    "not valid",
    "not available",
    "not allowed",
    " 500",
    " 502",
    " 503",
    " 504",
    " 429",
    ":500",
    ":502",
    ":503",
    ":504",
    "not writable",
    "disk full",
    "not a ",
    "exec format",
    "environment variable",
    "env var",
    "no module",
    "does not exist",
    "bad option",
    "undeclared",
    "bad_alloc",
    "memory allocation",
    "insufficient memory",
    "harakiri",
    "pri * http",
    "getenv(",
    "notpresent",
)
"""A superset, in lower case, of what the readers of lines look for. Plain words are ten times faster than patterns."""

RECENT = timedelta(minutes=30)
"""How old the last sight of a problem may be for it to be present in a running container."""

SILENCE = timedelta(minutes=15)
"""How long a log may go on without a problem that it told of once or twice; of a frequent one, five intervals."""

_SHORTEST_SILENCE = timedelta(minutes=3)

TAIL_LINES = 60
"""Where lines carry no time: how near the end of the log a problem must stand to be present."""

_GRAVE = re.compile(
    r"(?<![\w-])(?:ERROR|FATAL|CRITICAL|SEVERE|ERR|CRIT|EMERG|FTL)(?![\w-])"
    r"|(?:level|lvl|severity|levelname|log\.level|@l)\W{1,5}(?:error|eror|err|50|60|fatal|critical|crit|panic|emergency)\b"
    r"|\[(?:error|crit|emerg|alert)\]|^[EF], |^[EF]\d{4} |^(?:fail|crit): |\s(?:fail|crit): |<Error>",
    re.IGNORECASE,
)
_CALM = re.compile(
    r"(?<![\w-])(?:INFO|DEBUG|TRACE|NOTICE)(?![\w-])|(?:level|lvl|severity|levelname|@l)\W{1,5}(?:info|debug|trace|[123]0)\b"
    r"|\[info\]|\b(?:info|dbug|trce): |^[ID], |^I\d{4} "
)
_STAMP = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_EPOCH = re.compile(
    r"""\b(?:time|ts|timestamp|t|@t)["']?\s*[:=]\s*["']?(1[4-9]\d{8}|2\d{9})(?:\d{3}(?:\d{3}){0,2})?(?:\.\d+)?\b"""
)
_VARYING = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b(?=[a-f]*\d)[0-9a-f]{6,}\b|\b[0-9a-f]{12,}\b|\d+")
_DIGITS = str.maketrans("123456789", "000000000")
_MAX_SHAPES = 50_000
_MAX_LINE = 2_000
_MAX_TEMPLATES = 4_000


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that may tell of trouble, with how often its like was seen.

    ``text`` is the newest of its like, verbatim; ``number`` counts from 1; ``first`` and ``at`` are the times of the
    first and of the newest. ``from_end`` is how many lines follow the newest.
    """

    subject: ObjectRef
    container: str
    previous: bool
    text: str
    number: int
    from_end: int
    count: int = 1
    first: datetime | None = None
    at: datetime | None = None
    log_end: datetime | None = None

    @property
    def locator(self) -> str:
        """Container, run and line number."""
        return f"{self.container}{' (previous)' if self.previous else ''}:{self.number}"

    def is_present(self, now: datetime) -> bool:
        """Whether a running container still has the problem: seen lately, and not outlived by the rest of the log.

        In a log without times it must stand near the end. One or two lines in a hundred are noise.
        """
        if self.previous or (self.count < 3 and self.number + self.from_end >= 100):
            return False
        if self.at is None:
            return self.from_end < TAIL_LINES
        return now - self.at <= RECENT and (self.log_end or self.at) - self.at <= self._silence()

    def _silence(self) -> timedelta:
        if self.count < 3 or self.first is None or self.at is None:
            return SILENCE
        return min(SILENCE, max(_SHORTEST_SILENCE, (self.at - self.first) / (self.count - 1) * 5))


def trouble(log: ContainerLog) -> tuple[LogLine, ...]:
    """The distinct lines of a log that may tell of trouble, in the order in which their newest stands.

    Lines that differ in numbers, times and identifiers only count as one. One pass over the text.
    """
    lines = log.text.splitlines()
    groups: dict[str, list[int]] = {}
    templates: dict[str, str] = {}
    for position in _suspicious(log.text):
        shape = lines[position][:_MAX_LINE].translate(_DIGITS)
        template = templates.get(shape)
        if template is None:
            if len(templates) >= _MAX_SHAPES:
                templates.clear()
            template = templates[shape] = _VARYING.sub("#", shape)
        seen = (
            groups.setdefault(template, [position, position, 0])
            if len(groups) < _MAX_TEMPLATES
            else groups.get(template)
        )
        if seen is not None:
            seen[1], seen[2] = position, seen[2] + 1
    end = _last_stamp(lines) if groups else None
    return tuple(_line(log, lines, end, *seen) for seen in sorted(groups.values(), key=lambda seen: seen[1]))


def _last_stamp(lines: list[str]) -> datetime | None:
    return next((stamp for line in reversed(lines[-TAIL_LINES:]) if (stamp := stamp_of(line))), None)


def _line(log: ContainerLog, lines: list[str], end: datetime | None, first: int, last: int, count: int) -> LogLine:
    return LogLine(
        subject=ObjectRef(kind="Pod", namespace=log.namespace, name=log.pod),
        container=log.container,
        previous=log.previous,
        text=lines[last][:_MAX_LINE],
        number=last + 1,
        from_end=len(lines) - last - 1,
        count=count,
        first=stamp_of(lines[first]),
        at=stamp_of(lines[last]),
        log_end=end,
    )


def _suspicious(text: str) -> Iterator[int]:
    """The positions of the lines that hold one of the words; the whole text is asked first which words it holds."""
    lowered = text.lower()
    words = [word for word in TROUBLE if word in lowered]
    if not words:
        return
    for position, line in enumerate(lowered.splitlines()):
        for word in words:
            if word in line:
                yield position
                break


def stamp_of(line: str) -> datetime | None:
    """The time that a line carries near its beginning; None where it carries none. Times without zone are UTC."""
    match = _STAMP.search(line, 0, _MAX_LINE if line.startswith("{") else 200)
    if match is None:
        return _epoch(line)
    stamp = match[0].replace("/", "-").replace(",", ".").replace(" ", "T", 1)
    return when(_whole_zone(stamp))


def _epoch(line: str) -> datetime | None:
    match = _EPOCH.search(line, 0, _MAX_LINE)
    if match is None:
        return None
    return datetime.fromtimestamp(int(match[1]), UTC)


def _whole_zone(stamp: str) -> str:
    if len(stamp) > 5 and stamp[-5] in "+-" and stamp[-4:].isdigit() and stamp[10] == "T":
        return f"{stamp[:-2]}:{stamp[-2:]}"
    return stamp


def is_grave(line: str) -> bool:
    """Whether a line's own level says error or worse, as the usual loggers write it; a line without level does not."""
    return _GRAVE.search(line, 0, _MAX_LINE) is not None


def is_calm(line: str) -> bool:
    """Whether a line's own level says that it is no trouble."""
    return _CALM.search(line, 0, 400) is not None and not is_grave(line)


def earliest(*times: datetime | None) -> datetime | None:
    """The earliest of the known times."""
    known = [time.astimezone(UTC) for time in times if time]
    return min(known) if known else None

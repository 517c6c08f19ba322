"""Whether a log line speaks of a configured value: the value itself, or a number beside a word of its key.

A client prints the limit that it ran into and a program the setting that it goes by, mostly with a unit and seldom with
the setting's name (axios: ``timeout of 500ms exceeded``; requests: ``(read timeout=5)``; Go: ``context deadline``).
"""

import re

_SHORTEST = 4
_NEAR = 40
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_UNIT = r"(?:\s?(?:ns|us|µs|ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?|days?|[kmgt]i?b?|bytes|%))?"
_KEY_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_ORDINARY = frozenset(
    (
        *("true", "false", "none", "null", "auto", "default", "info", "warn", "warning", "error", "debug", "trace"),
        *("fatal", "http", "https", "production", "prod", "json", "text", "always", "never", "enabled", "disabled"),
    )
)
"""Values that stand in many lines, whatever they are about."""

_COMMON = frozenset(("http", "config", "value", "data", "default", "setting", "name", "service", "server", "client"))
"""Words of keys that say nothing about what is set."""


def speaks_of(line: str, key: str, value: str) -> bool:
    """Whether a line tells of a setting's value, found literally in it."""
    bare = value.strip().strip("\"'")
    if _NUMBER.fullmatch(bare):
        return _tells_number(line, key, bare)
    if bare.lower() in _ORDINARY or len(bare) < _SHORTEST:
        return False
    return any(_stands(line, one) for one in (bare, *_hosts(bare)))


def _stands(line: str, value: str) -> bool:
    """The value as it stands, not as the beginning of a longer word."""
    return value in line and re.search(rf"(?<![\w.-]){re.escape(value)}(?![\w-])", line) is not None


_ADDRESS = re.compile(r"://(?:[^@/\s]+@)?([a-z0-9](?:[\w.-]*[a-z0-9])?)", re.IGNORECASE)
_IN_CLUSTER = re.compile(r"^([\w-]+\.[\w-]+)\.svc(?:\.[\w.-]+)?$")


def _hosts(value: str) -> tuple[str, ...]:
    """The host of an address, and the short form of a Service's name; a single label is a word like any other."""
    found = _ADDRESS.search(value)
    host = found[1] if found else ""
    short = _IN_CLUSTER.match(host)
    return tuple(one for one in (host, short[1] if short else "") if "." in one)


def _tells_number(line: str, key: str, number: str) -> bool:
    """The number, with or without a unit, and a word of the key near it."""
    if number not in line:
        return False
    words = {word.lower() for word in _KEY_WORDS.findall(key) if len(word) >= _SHORTEST} - _COMMON
    telling = [word.rstrip("s") for word in words]
    for match in re.finditer(rf"(?<![\w.:-]){re.escape(number)}{_UNIT}(?![\w.:-]*\d|\w)", line, re.IGNORECASE):
        around = line[max(0, match.start() - _NEAR) : match.end() + _NEAR].lower()
        if any(re.search(rf"(?<![a-z]){re.escape(word)}s?(?![a-z])", around) for word in telling):
            return True
    return False

"""Taking secrets out of what a cluster says, and nothing else: host names, ports and error texts stay readable."""

import json
import re
from typing import Any

from sre_bot.domain.cluster import KubernetesObject

MASK = "***"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_WORDS = (
    r"(?:pass(?:word|wd|phrase)|(?<![a-z])pass|pwd|secret|token|credentials?|authorization"
    r"|(?:api|access|secret|private|signing|encryption)[_-]?key)"
)
_SECRET_NAME = re.compile(rf"{_WORDS}$", re.IGNORECASE)
_REFERENCE_NAMES = re.compile(r"^(?:secret|secretKey|credentials?|privateKey|[a-z]\w*(?<!client)Secret)$")
"""Fields of Kubernetes objects that name a Secret or a key of one."""
_NO_SECRET = re.compile(
    r"^(?:null|nil|none|undefined|true|false|yes|no|empty|missing|<[^>]*>|\*+|\$.*|%\w|\{\{.*|\d{1,3})$", re.IGNORECASE
)
_ADDRESS = re.compile(r"^(?:[a-z0-9.-]+:\d{1,5}|[a-z0-9-]+(?:/[a-z0-9.-]+)+|\d+(?:\.\d+){3}(?::\d+)?|\w+://.*)$")

_HINTS = (
    *(
        "pass",
        "pwd",
        "secret",
        "token",
        "key",
        "credential",
        "authorization",
        "bearer",
        "://",
        "@tcp(",
        "@unix(",
        "eyj",
    ),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "akia", "asia", "sk-", "sk_live_"),
    *("rk_live_", "aiza", "hvs.", "hvb.", "hvr.", "npm_", "dckr_pat_"),
)
"""A line with none of these, in lower case, holds nothing that the patterns below would find."""

_PEM = re.compile(
    r"(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----)(?:(?!-----(?:BEGIN|END) )[\s\S]){0,20000}?"
    r"(-----END [A-Z ]{0,20}PRIVATE KEY-----|\Z|(?=\n\S{0,64}[^\w+/=\s\\]))"
)
_KNOWN_SHAPES = re.compile(
    r"\b(gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|sk-|sk_live_|rk_live_|hv[sbr]\.|npm_|dckr_pat_)[\w.-]{16,}"
    r"|\b(AKIA|ASIA)[A-Z0-9]{16}\b|\b(AIza)[\w-]{35}|\b(eyJ)[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?"
)
_USER_INFO = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/:@\"']{0,100}:)([^\s/@\"']{1,200})@")
_DSN = re.compile(r"(\b[\w.-]{1,64}:)([^\s@]{1,200})(@(?:tcp|unix)\()")
_HEADER = re.compile(
    r"(authorization\\*[\"']?\s*[:=]\s*\\*[\"']?\s*(?:(?:basic|bearer|digest|token)\s+)?+)([^\s\"',\\]{6,})",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\bbearer\s+)([\w.~+/=-]{16,})", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(?P<name>{_WORDS})(?P<quote>\\*[\"'])?(?P<separator>\s?(?:=>|:=|=|:)\s?|\s+)"
    r"(?P<open>\\*[\"'])?(?P<value>(?(open)(?:(?!(?P=open)).)*|[^\s\"'&;,(){}\[\]]+))",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text without the secrets that can be told from their shape or from the name before them."""
    if not _hints(text):
        return text
    if "PRIVATE KEY-----" in text:
        text = _PEM.sub(rf"\1{MASK}\2", text)
    return "".join(_redact_line(line) for line in text.splitlines(keepends=True))


def _hints(text: str) -> bool:
    lowered = text.lower()
    return any(hint in lowered for hint in _HINTS)


def _redact_line(line: str) -> str:
    if not _hints(line):
        return line
    line = _KNOWN_SHAPES.sub(lambda match: f"{next(filter(None, match.groups()))}{MASK}", line)
    line = _USER_INFO.sub(rf"\1{MASK}@", line)
    line = _DSN.sub(rf"\1{MASK}\3", line)
    line = _HEADER.sub(rf"\1{MASK}", line)
    line = _BEARER.sub(_mask_if_random, line)
    return _ASSIGNED.sub(_mask_assigned, line)


def _mask_if_random(match: re.Match[str]) -> str:
    return f"{match[1]}{MASK}" if _looks_random(match[2]) else match[0]


def _mask_assigned(match: re.Match[str]) -> str:
    """Mask the value of ``name=value`` and the like; prose after a colon or a blank stays."""
    value = match["value"]
    if not value or _NO_SECRET.match(value) or not _is_assignment(match):
        return match[0]
    return match[0][: match.start("value") - match.start()] + MASK


def _is_assignment(match: re.Match[str]) -> bool:
    separator, value = match["separator"], match["value"]
    if match["name"].lower() in ("secret", "token", "credentials") and _ADDRESS.match(value):
        return False
    if not separator.strip():
        return _follows_flag(match) and _looks_random(value)
    if "=" in separator or match["open"]:
        return True
    return _looks_random(value) or (_starts_line(match) and _ends_line(match) and not _ADDRESS.match(value))


def _follows_flag(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - 40) : match.start()]
    return re.search(r"(?:^|\s)--[\w-]*$", before) is not None


def _starts_line(match: re.Match[str]) -> bool:
    before = match.string[: match.start()]
    return len(before) < 80 and re.fullmatch(r"[\s-]*[\w.-]*", before) is not None


def _ends_line(match: re.Match[str]) -> bool:
    return not match.string[match.end() :].strip()


def _looks_random(value: str) -> bool:
    """Whether a word looks like a secret rather than like English, a number or an address."""
    has_both = re.search(r"[A-Za-z]", value) and re.search(r"\d", value)
    return len(value) >= 8 and bool(has_both) and not _ADDRESS.match(value)


def is_secret_name(name: str) -> bool:
    """Whether a variable of that name holds a secret (``DB_PASSWORD``), not merely speaks of one (``TOKEN_URL``)."""
    return _SECRET_NAME.search(name) is not None


def redact_object(thing: KubernetesObject) -> KubernetesObject:
    """The object without secret values: those of Secrets (keys stay), of secret variables, and in any text."""
    if thing.get("kind") == "Secret":
        thing = _without_values(thing)
    return _redact_mapping(thing)


def _without_values(secret: KubernetesObject) -> KubernetesObject:
    metadata = dict(secret.get("metadata") or {})
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED}
    emptied = {field: dict.fromkeys(secret[field], "") for field in ("data", "stringData") if secret.get(field)}
    return {**secret, **emptied, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}


def _redact_value(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return _redact_text(key, value)
    if isinstance(value, dict):
        return _redact_mapping(value)
    if isinstance(value, list):
        return _redact_arguments(value) if key in ("command", "args") else [_redact_value("", item) for item in value]
    return value


def _redact_mapping(mapping: dict[str, Any]) -> dict[str, Any]:
    redacted = {key: _redact_value(key, value) for key, value in mapping.items()}
    name, value = redacted.get("name"), redacted.get("value")
    if isinstance(name, str) and isinstance(value, str) and is_secret_name(name) and _is_literal(value):
        redacted["value"] = MASK
    return redacted


def _redact_text(key: str, value: str) -> str:
    if key == LAST_APPLIED:
        return _redact_applied(value)
    if is_secret_name(key) and not _REFERENCE_NAMES.match(key) and _is_literal(value):
        return MASK
    return redact(value)


def _is_literal(value: str) -> bool:
    """Whether a value is a secret itself, not empty, a switch, or a reference to another variable."""
    return bool(value) and not _NO_SECRET.match(value)


def _redact_applied(text: str) -> str:
    try:
        applied = json.loads(text)
    except ValueError:
        return redact(text)
    if not isinstance(applied, dict):
        return redact(text)
    return json.dumps(redact_object(applied), separators=(",", ":")) + "\n"


def _redact_arguments(arguments: list[Any]) -> list[Any]:
    redacted: list[Any] = []
    for before, item in zip(["", *arguments], arguments, strict=False):
        follows_flag = isinstance(before, str) and before.startswith("-") and is_secret_name(before)
        hides = follows_flag and isinstance(item, str) and not item.startswith("-") and _is_literal(item)
        redacted.append(MASK if hides else _redact_value("", item))
    return redacted

"""Variables that a program says it needs and that its container does not set.

Only a log can tell that a program needs a variable; the finding stands only when the container's ``env`` and
``envFrom`` do not set it, or set it to nothing.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from sre_bot.detectors.addresses import likeness
from sre_bot.detectors.calls import configurations
from sre_bot.detectors.configuration import Setting
from sre_bot.detectors.fields import mappings, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.onset import failing_since
from sre_bot.detectors.pods import Container
from sre_bot.detectors.revisions import replica_sets
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_NAME = r"[\"'`{$(\[<]{0,4}\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)\b[\"'`})\]>]*"
_ABSENT = (
    r"(?:is |was |are |has |been |be |must |to )*(?:not (?:set|defined|provided|present|found|specified|configured"
    r"|exported)"
    r"|unset|undefined|missing|required|empty|null|nil|None\b|must be (?:set|provided|defined)"
    r"|must not be (?:empty|blank|null|nil|None))"
)
_THING = r"(?:environment|env|config(?:uration)?)?[ _-]?(?:var(?:iable)?|setting|key|value|parameter)?s?"
_WANTS = r"(?:missing|required|undefined|unset|no|need|needs|expected|requires?|set|provide|define)"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i:env(?:ironment)?(?: |-|_)?(?:var(?:iable)?)?s?\b[ :=]*){_NAME}[ :,]*(?i:(?:because it )?{_ABSENT})",
        rf"(?i:env(?:ironment)? ?var(?:iable)?s?)[^\n]{{0,60}}?{_NAME}: \[? ?['\"]?(?i:required|invalid|missing)",
        rf"(?i:missing|required|not set|unset)[^\n]{{0,500}}?"
        rf"\"(?i:variable|env|env_?var|key|name|setting)\": ?\"{_NAME}",
        rf"(?i:\b{_WANTS}(?: the| a| an| value for| mandatory| required| necessary){{0,4}} ?{_THING}(?: named"
        rf"| is)?[ :=(]+){_NAME}",
        rf"(?i:(?:set|provide|define|export)(?: the)? ){_NAME}(?i: {_THING})",
        rf"(?<![\w./-]){_NAME}(?i: (?:environment |env )?(?:variable |var |setting )?{_ABSENT})",
        r"\bKeyError: ['\"]([A-Z][A-Z0-9_]+)['\"]",
        r"(?:^|[\s:])([A-Za-z_][A-Za-z0-9_]*): (?:unbound variable|parameter (?:null or )?not set)",
        r"required key ([A-Z][A-Z0-9_]+) missing value",
        r"Could not resolve placeholder '([A-Za-z_][\w.-]*)'",
        r"process\.env\.([A-Z][A-Z0-9_]+)",
        r"\bENV(?:IRON)?\[[\"']([A-Z][A-Z0-9_]+)[\"']\]",
        r"(?i:\bget_?env|\benviron(?:\.get)?|\benv::var|\benv)\([\"']([A-Z][A-Z0-9_]+)[\"']\)",
        r"([A-Z][A-Z0-9_]{1,200}): NotPresent\b",
        r"[Uu]ndefined (?:array key|index:?) [\"']?([A-Z][A-Z0-9_]+)",
        r"key not found: \"([A-Z][A-Z0-9_]+)\"",
        r"(?i:environment variable not found): [\"']?([A-Z][A-Z0-9_]+)",
        r"([A-Z][A-Z0-9_]{1,200}): environment variable not found",
    )
)
"""How shells, languages and frameworks say that a variable is not there; the name is the only group."""

_CLASS = re.compile(r"\d{1,9} validation errors? for \w+")
_FIELD = re.compile(r"^([A-Za-z_]\w*)\n\s+[Ff]ield required\b", re.MULTILINE)
_TAIL = 20_000
"""How many characters of a log's end are searched for what takes two lines to say."""

_ORDINARY = frozenset(
    [
        "ERROR",
        "ERR",
        "FATAL",
        "WARN",
        "WARNING",
        "INFO",
        "DEBUG",
        "TRACE",
        "CRITICAL",
        "PANIC",
        "NOTICE",
        "HTTP",
        "HTTPS",
        "GET",
        "POST",
        "PUT",
        "DELETE",
        "PATCH",
        "HEAD",
        "OPTIONS",
        "JSON",
        "YAML",
        "XML",
        "SQL",
        "TLS",
        "SSL",
        "TCP",
        "UDP",
        "DNS",
        "URL",
        "URI",
        "API",
        "ID",
        "UUID",
        "NULL",
        "NONE",
        "NAN",
        "UTC",
        "GMT",
        "EOF",
        "PEM",
        "RSA",
        "CA",
        "CSRF",
        "CORS",
        "JWT",
        "HTML",
        "CSS",
        "UTF",
        "ASCII",
        "OK",
        "THE",
        "IS",
        "A",
        "AN",
        "IT",
        "ENOENT",
        "EACCES",
        "ECONNREFUSED",
        "ENOTFOUND",
        "ETIMEDOUT",
        "ECONNRESET",
        "EPIPE",
        "EADDRINUSE",
        "ENOSPC",
        "EROFS",
        "FAILED",
        "SUCCESS",
        "START",
        "STOP",
        "TABLE",
        "COLUMN",
        "INDEX",
        "SELECT",
        "INSERT",
        "UPDATE",
        "FROM",
        "WHERE",
        "NOT",
        "AND",
        "OR",
        "FILE",
        "KEY",
        "VALUE",
        "ENV",
        "VAR",
        "PATH",
        "HOME",
        "CONFIG",
    ]
)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the logs of every workload for variables that it misses, and check them against its specification."""
    for ref, lines in index.once(troubles).items():
        workload = index.workload_by_ref.get(ref)
        if workload is not None:
            for line in lines:
                yield from _line(index, workload, line)
    for pod in index.current_pods:
        workload = index.workload_by_ref.get(pod.workload)
        for container in pod.containers if workload else ():
            if workload and container.fails(index.now):
                yield from _fields(index, workload, container)


def _fields(index: ClusterIndex, workload: Workload, container: Container) -> Iterator[Finding]:
    """Settings classes that are filled from variables: pydantic names the field on one line, and its lack on the next.

    A field is read from the variable of its name in capitals, unless a prefix is set
    (https://docs.pydantic.dev/latest/concepts/pydantic_settings/#environment-variable-names).
    """
    configuration = index.once(configurations)[workload.ref]
    known = configuration.variables(container.name)
    for log in index.logs_of(container.pod, container.name):
        for match in _FIELD.finditer(log.text[-_TAIL:]) if _CLASS.search(log.text) else ():
            name = match[1]
            ends = [one for one in known if one.upper().endswith(name.upper())]
            if any(_is_set(known, one) for one in ends) or configuration.has_unknown_sources(container.name):
                continue
            shown = Evidence.seen("log", container.pod.ref, container.name, match[0])
            yield _missing(workload, container, name, "", shown, failing_since(index, container))


def missing_names(line: str) -> Iterator[str]:
    """The variables that a log line calls missing, in order."""
    seen: set[str] = set()
    for pattern in _PATTERNS:
        for match in pattern.finditer(line):
            name = next((group for group in match.groups() if group), "")
            if name and name not in seen and name not in _ORDINARY and (len(name) > 2):
                seen.add(name)
                yield name


def _line(index: ClusterIndex, workload: Workload, found: Trouble) -> Iterator[Finding]:
    configuration = index.once(configurations)[workload.ref]
    known = configuration.variables(found.container.name)
    for name in missing_names(found.line.text):
        variable = name if name.isupper() or "." not in name else name.upper().replace(".", "_").replace("-", "_")
        if _is_set(known, variable) or configuration.has_unknown_sources(found.container.name):
            continue
        if not _is_plain(found.line.text, name, fatal=found.fatal or _was_set(index, workload, variable)):
            continue
        yield _finding(index, workload, found, name, _relative(known, variable))


def _is_set(known: dict[str, Setting | None], name: str) -> bool:
    setting = known.get(name)
    return name in known and (setting is None or setting.value != "")


def _was_set(index: ClusterIndex, workload: Workload, name: str) -> bool:
    """Whether an earlier revision of the workload set a variable: then the word is one, and was needed."""
    return any(
        text(entry, "name") == name
        for revision in index.once(replica_sets).get(workload.ref, ())
        for container in mappings(revision, "spec", "template", "spec", "containers")
        for entry in mappings(container, "env")
    )


def _is_plain(line: str, name: str, *, fatal: bool) -> bool:
    """Whether the word is surely a variable, and the program suffers or speaks of variables."""
    if re.search(
        r"using (?:the |a )?default|default(?:s|ed|ing) to|fall(?:ing|s)? ?back|optional|deprecat|ignor|disabl|skipp",
        line,
        re.IGNORECASE,
    ):
        return False
    speaks = re.search(r"env|variable|unbound|placeholder", line, re.IGNORECASE)
    return (fatal and ("_" in name or bool(speaks) or "KeyError" in line)) or (bool(speaks) and "_" in name)


def _relative(known: dict[str, Setting | None], name: str) -> str:
    """A variable that is set and may be the same one under another name."""
    ranked = sorted(
        (-likeness(name.replace("_", "-"), other.replace("_", "-")), other) for other in known if other != name
    )
    return ranked[0][1] if ranked and -ranked[0][0] >= 0.85 else ""


def _finding(index: ClusterIndex, workload: Workload, found: Trouble, name: str, relative: str) -> Finding:
    since = failing_since(index, found.container) if found.fatal else found.line.first
    return _missing(workload, found.container, name, relative, seen_line(found.line), since)


def _missing(
    workload: Workload, container: Container, name: str, relative: str, line: Evidence, since: datetime | None
) -> Finding:
    names = [entry.get("name") for entry in container.spec.get("env") or () if isinstance(entry, dict)]
    return Finding(
        kind=FaultKind.MISSING_ENV,
        object=workload.ref,
        field=f"{container.field}.env",
        observed=name,
        expected="",
        message=f"{workload.ref.name} needs the variable {name}, which container {container.name} does not set"
        + (f" (it sets {relative})." if relative else "."),
        directness="logged",
        evidence=(line, seen_field(workload.ref, f"{container.field}.env", names)),
        since=since,
        container=container.name,
    )

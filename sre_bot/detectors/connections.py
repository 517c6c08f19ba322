"""Failed connections as clients log them: which host, which port, and how it failed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sre_bot.detectors.fields import whole

How = Literal["unresolved", "refused", "timeout", "reset", "error"]

_H = r"([A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?)"
_UNRESOLVED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:ENOTFOUND|EAI_AGAIN|EAI_NONAME) {_H}(?::(\d+))?",
        rf"lookup {_H}(?: on [\d.:\[\]a-f]+)?: (?:(?:read|dial|write) udp [^ ]+: (?:read: )?)?(?:no such host"
        rf"|server misbehaving|i/o timeout|Temporary failure"
        rf"|Name or service|connection refused)",
        rf"UnknownHost(?:Exception)?: {_H}",
        rf"(?:can't|cannot|couldn't) (?:find|resolve) ['\"]?{_H}['\"]?: ?(?:NXDOMAIN|Name)",
        rf"nslookup: can't resolve ['\"]{_H}",
        rf"Error -[235] connecting to {_H}:(\d+)",
        rf"could not translate host name \"{_H}\"",
        rf"(?:Could not|Couldn't|cannot|can't|unable to|failed to) resolve(?: host(?:name)?| address| name"
        rf"| '?dns'?)?[: ]+['\"]?{_H}['\"]?",
        rf"Failed to resolve ['\"]{_H}(?::(\d+))?['\"]",
        rf"Couldn't resolve server {_H}:(\d+)",
        rf"bad address ['\"]?{_H}",
        rf"host not found in upstream \"{_H}(?::(\d+))?\"",
        rf"(?:getaddrinfo|gethostbyname|resolve)\w{{0,30}}\(?[ '\"(]+{_H}['\")]*[^\n]{{0,40}}"
        rf"(?:Name or service not known"
        rf"|nodename nor servname|failed)",
        rf"(?:Unknown MySQL server host|Unknown host|no such host|host not found"
        rf"|Name or service not known)[ :'\"]+{_H}",
        rf"(?:Name or service not known|Temporary failure in name resolution|nodename nor servname[^(]{{0,80}}"
        rf"|Name does not resolve|Resource temporarily unavailable|No such host is known\.?) \({_H}:(\d+)\)",
        rf"['\"/@ ]{_H}(?::(\d+))?['\"]?[:,]? \(?(?:\[Errno -[235]\] )?(?:Name or service not known"
        rf"|Temporary failure in name resolution|nodename nor servname|Name does not resolve|NXDOMAIN)",
        rf"host='{_H}', port=(\d+)\)?.*(?:Name or service not known|Failed to resolve"
        rf"|Temporary failure in name resolution|NameResolutionError)",
        rf"at \"{_H}\" \(?[^\n]*?(?:Name or service not known|could not translate)",
    )
)
_REFUSED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"dial (?:tcp|udp)[46]? (?:{_H}|\[?[0-9a-f:]+\]?):(\d+): (?:connect: )?connection refused",
        rf"ECONNREFUSED(?: Error:)? {_H}:(\d+)",
        rf"Error (?:111|61|10061) connecting to {_H}:(\d+)",
        rf"connection to server at \"{_H}\"(?: \([^)]*\))?, port (\d+) failed: Connection refused",
        rf"Connection to {_H}:(\d+) refused",
        rf"can't connect to remote host[ (]+{_H}\)?(?::(\d+))?: Connection refused",
        rf"Failed to connect to {_H} port (\d+)[^\n]*(?:refused|Couldn't connect|Could not connect)",
        rf"host='{_H}', port=(\d+)\)?.*(?:Connection refused|NewConnectionError)",
        rf"Connection refused[: ]+(?:no further information: )?\(?/?{_H}(?:/[\d.]+)?:(\d+)",
        rf"connect\(\) failed \(111: (?:Connection refused|Unknown error)\)[^\n]*upstream: \"\w+://{_H}:(\d+)",
        rf"(?:https?|tcp|redis|amqps?|postgres(?:ql)?|mysql|mongodb|nats"
        rf"|grpc)://(?:[^@\s/]*@)?{_H}:(\d+)[^\n]*connection refused",
        rf"{_H}:(\d+)[^\n]{{0,40}}connection refused",
        rf"connection refused[^\n]{{0,40}}[ /('\"]{_H}:(\d+)",
        rf"Can't connect to MySQL server on '{_H}(?::(\d+))?' \((?:111|\[Errno 111\])",
    )
)
_TIMEOUT = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"dial (?:tcp|udp)[46]? {_H}:(\d+): (?:connect: )?(?:i/o timeout|connection timed out|operation was canceled)",
        rf"ETIMEDOUT {_H}:(\d+)",
        rf"connection to server at \"{_H}\"(?: \([^)]*\))?, port (\d+) failed: (?:Connection timed out"
        rf"|timeout expired)",
        rf"Connection to {_H}:(\d+) timed out",
        rf"can't connect to remote host[ (]+{_H}\)?(?::(\d+))?: (?:Connection|Operation) timed out",
        rf"Failed to connect to {_H} port (\d+)[^\n]*(?:timed? ?out|Timeout)",
        rf"host='{_H}', port=(\d+)\)?.*(?:ConnectTimeout|timed out|Connection timed out|Read timed out)",
        rf"Error (?:110|60) connecting to {_H}:(\d+)",
        rf"(?:connect(?:ing|ion)?|request|call"
        rf"|dial)[^\n]{{0,40}} (?:to )?(?:\w+://)?{_H}:(\d+)[^\n]{{0,60}}(?:timed? ?out|deadline exceeded|timeout)",
        rf"(?:timed? ?out|timeout|deadline exceeded)[^\n]{{0,50}}?[ /'\"(]{_H}:(\d+)",
        rf"wget: download timed out.*{_H}",
        rf"upstream timed out[^\n]*upstream: \"\w+://{_H}:(\d+)",
    )
)
_RESET = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:read|write) (?:tcp|udp)[46]? [\d.]+:\d+->{_H}:(\d+): (?:read|write): (?:connection reset by peer"
        rf"|broken pipe)",
        rf"ECONNRESET {_H}:(\d+)",
        rf"{_H}:(\d+)[^\n]{{0,40}}(?:connection reset|socket hang up)",
    )
)
_ANSWERED = (
    re.compile(
        rf"https?://(?:[^@\s/\"]{{0,500}}@)?(?>{_H}(?::(\d+))?)(?=[^\n]{{0,700}}5\d\d\b)\S{{0,500}}[^\n]{{0,80}}?"
        r"\b(?:status|code|statusCode|HTTP/\d\S{0,9}"
        r"|responded|returned)\W{1,6}5\d\d\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b5\d\d (?:Server Error|Internal Server Error|Bad Gateway|Service Unavailable|Gateway "
        rf"Time-?out)[^\n]{{0,60}}https?://{_H}(?::(\d+))?",
        re.IGNORECASE,
    ),
)
_FAMILIES: tuple[tuple[How, tuple[re.Pattern[str], ...]], ...] = (
    ("unresolved", _UNRESOLVED),
    ("refused", _REFUSED),
    ("timeout", _TIMEOUT),
    ("reset", _RESET),
    ("error", _ANSWERED),
)
_HINT = re.compile(
    r"enotfound|eai_|lookup|unknownhost|translate host|resolve|bad address|host not found|service not known"
    r"|name resolution"
    r"|nodename|nxdomain|unknown host|no such host|unknown mysql|refused|111|connect|timed? ?out|timeout|deadline"
    r"|reset|hang up|broken pipe|5\d\d",
    re.IGNORECASE,
)
_ERROR_CLASS = re.compile(r"(?:error|exception|errno)$", re.IGNORECASE)
_NO_HOST = frozenset(
    [
        "error",
        "the",
        "host",
        "hostname",
        "address",
        "to",
        "connection",
        "connect",
        "server",
        "failed",
        "name",
        "service",
        "known",
        "for",
        "http",
        "https",
        "tcp",
        "dns",
        "domain",
        "not",
        "unknown",
        "a",
        "an",
        "at",
        "on",
        "in",
        "of",
        "is",
        "it",
        "and",
        "or",
    ]
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed connection. ``port`` is None where the line does not tell."""

    how: How
    host: str
    port: int | None


def failure(line: str) -> Failure | None:
    """The failed connection that a log line tells of, None where it tells of none or does not name the host."""
    return next(_failures(line), None) if _HINT.search(line) else None


def _failures(line: str) -> Iterator[Failure]:
    for how, patterns in _FAMILIES:
        for pattern in patterns:
            match = pattern.search(line)
            if match is None:
                continue
            host = (match[1] or "").rstrip(".")
            port = match[2] if match.re.groups > 1 else None
            if host and host.lower() not in _NO_HOST and not host.isdigit() and not _ERROR_CLASS.search(host):
                yield Failure(how, host, whole(port))

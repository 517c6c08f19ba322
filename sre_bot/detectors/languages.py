"""A right host and an open port that does not speak the client's protocol: gRPC on the HTTP port, TLS on the plain one.

Told by the words of the client's library as it reads an answer that it does not understand; the right port is another
one of the same Service, by its name or its ``appProtocol`` (Service API, ``spec.ports``). Where no port speaks the
client's protocol, a scheme in the address is wrong (``https`` to a plain port, and the other way round).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sre_bot.detectors.calls import Call
from sre_bot.detectors.complaints import calls_from
from sre_bot.detectors.dependencies import wrong_setting
from sre_bot.detectors.fields import mappings, number, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.sightings import seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.finding import FaultKind, Finding


@dataclass(frozen=True, slots=True)
class Misunderstanding:
    """What a client says of an answer in another protocol, the names of ports that speak its own, and its scheme."""

    words: re.Pattern[str]
    ports: re.Pattern[str]
    schemes: tuple[str, ...]
    right_scheme: str = ""


_MISUNDERSTANDINGS = (
    Misunderstanding(
        re.compile(
            r"error reading server preface|http2: frame too large|unexpected content-type \"text/html|Failed "
            r"parsing HTTP/2"
            r"|HTTP/2 client preface string missing|Trying to connect an http1\.x server",
            re.IGNORECASE,
        ),
        re.compile(r"grpc|h2c?\b|http2", re.IGNORECASE),
        ("grpc", "dns", ""),
    ),
    Misunderstanding(
        re.compile(
            r"server gave HTTP response to HTTPS client|first record does not look like a TLS handshake"
            r"|wrong[ _]version[ _]number|Unsupported or unrecognized SSL message|plaintext connection\?"
            r"|NotSslRecordException",
            re.IGNORECASE,
        ),
        re.compile(r"https|tls|ssl|secure", re.IGNORECASE),
        ("https", "wss", "rediss", "amqps"),
        "http",
    ),
    Misunderstanding(
        re.compile(r"HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port", re.IGNORECASE),
        re.compile(r"^(?:http|web|plain)\b(?!s)", re.IGNORECASE),
        ("http", "ws"),
        "https",
    ),
    Misunderstanding(
        re.compile(
            r"Received HTTP/0\.9 when not allowed|malformed HTTP response|Expected HTTP/|HPE_INVALID|BadStatusLine"
            r"|invalid version format|Invalid HTTP (?:header|version)",
            re.IGNORECASE,
        ),
        re.compile(r"^(?:http|web|rest|api)\b", re.IGNORECASE),
        ("http", ""),
    ),
    Misunderstanding(
        re.compile(
            r"Protocol error, got \"?H|invalid response to (?:SSL|GSSAPI) negotiation|Malformed communication packet"
            r"|Packets out of order|InvalidReceiveException|invalid protocol header|unknown reply: HTTP",
            re.IGNORECASE,
        ),
        re.compile(r"redis|resp|postgres|pg|mysql|sql|client|kafka|amqp|broker|mongo|db", re.IGNORECASE),
        ("redis", "postgres", "postgresql", "mysql", "kafka", "amqp", "mongodb", ""),
    ),
)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the logs of every workload for answers that its clients do not understand."""
    for ref, lines in index.once(troubles).items():
        for one in lines:
            known = next((known for known in _MISUNDERSTANDINGS if known.words.search(one.line.text)), None)
            if known is not None:
                yield from _judged(index, index.once(calls_from).get(ref, ()), known, one)


def _judged(index: ClusterIndex, calling: tuple[Call, ...], known: Misunderstanding, one: Trouble) -> Iterator[Finding]:
    """The call that the line names; else the only one that may be meant."""
    meant = [call for call in calling if call.target.service is not None and call.address.scheme in known.schemes]
    named = [call for call in meant if call.address.host in one.line.text] or meant
    better = [(call, port) for call in named if (port := _better(call, known)) is not None]
    if len({(str(call.address.setting.holder), call.address.setting.field) for call, _ in better}) == 1:
        call, port = better[0]
        yield _wrong_port(index, call, port, one)
    elif not better and known.right_scheme and len({call.address.setting.field for call in named}) == 1:
        yield _wrong_scheme(index, named[0], known.right_scheme, one)


def _better(call: Call, known: Misunderstanding) -> dict[str, Any] | None:
    """Another port of the same Service, which by its name speaks the client's protocol."""
    ports = mappings(call.target.service, "spec", "ports")
    used = next((port for port in ports if number(port, "port") == call.address.port), None)
    if used is None or known.ports.search(_spoken(used)):
        return None
    return next((port for port in ports if port is not used and known.ports.search(_spoken(port))), None)


def _spoken(port: dict[str, Any]) -> str:
    return f"{text(port, 'name')} {text(port, 'appProtocol')}".strip()


def _wrong_port(index: ClusterIndex, call: Call, port: dict[str, Any], one: Trouble) -> Finding:
    finding = wrong_setting(
        index,
        call,
        FaultKind.DEPENDENCY_WRONG_PORT,
        str(call.address.port),
        text(port, "port"),
        (),
        f"{call.workload.ref.name} calls {call.address.shown} in a protocol that this port does not speak; the "
        f"Service has "
        f"port {text(port, 'port')} ({_spoken(port)}) for it",
        call.target.service,
    )
    return _with_line(finding, one)


def _wrong_scheme(index: ClusterIndex, call: Call, right: str, one: Trouble) -> Finding:
    finding = wrong_setting(
        index,
        call,
        FaultKind.INVALID_CONFIG,
        f"{call.address.scheme}://",
        f"{right}://",
        (),
        f"{call.workload.ref.name} calls {call.address.shown} by {call.address.scheme}, which the server does not "
        f"speak there",
    )
    return _with_line(finding, one)


def _with_line(finding: Finding, one: Trouble) -> Finding:
    return finding.model_copy(update={"evidence": (*finding.evidence, seen_line(one.line)), "since": one.line.first})

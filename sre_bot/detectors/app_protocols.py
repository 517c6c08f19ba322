"""Services that announce another application protocol than their pods speak, so that a proxy or gateway trips over it.

``appProtocol`` is a hint that meshes, gateways and load balancers follow
(https://kubernetes.io/docs/concepts/services-networking/service/#application-protocol); nothing checks it against the
container, and Kubernetes records no event.
"""

import re
from collections.abc import Iterator
from typing import Any

from sre_bot.detectors.addresses import has_selector
from sre_bot.detectors.calls import selected_workloads
from sre_bot.detectors.endpoints import hurt_by, port_entries, target_of
from sre_bot.detectors.fields import mappings, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

_SPOKEN = (
    ("tls", re.compile(r"https|tls|ssl|wss", re.IGNORECASE)),
    ("http2", re.compile(r"grpc|h2c|http2", re.IGNORECASE)),
    ("http", re.compile(r"http|\bws\b|web", re.IGNORECASE)),
)
_TRIPPED = re.compile(
    r"protocol[ _]error|WRONG_VERSION_NUMBER|wrong version number|does not look like a TLS handshake|server preface"
    r"|HTTP response to HTTPS client|HTTP request to an HTTPS server|plain HTTP request was sent|http2: frame too large"
    r"|malformed HTTP|unsupported protocol|upstream prematurely closed|invalid (?:header|method|preface)"
    r"|no valid HTTP/\d|HTTP/2 (?:preface|settings|connection preface)|http2: (?:failed|error) reading|GOAWAY"
    r"|preface (?:was )?not received|(?:first|unexpected) frame|\bUPE\b|failed reading the frame",
    re.IGNORECASE,
)
_NOT_UNDERSTOOD = re.compile(
    r"PRI \* HTTP/2|Invalid HTTP request received|Unsupported upgrade request|invalid method:? [\"']?(?:PRI|\\x16)"
    r"|bad request (?:version|syntax)|Bad HTTP/0\.9 request|HPE_INVALID_\w+|Parse Error: Expected|\\x16\\x03"
    r"|Invalid character found in method name|Illegal character.{0,20}method|malformed request line|400 .{0,20}PRI\b",
    re.IGNORECASE,
)
"""What HTTP/1.1 servers say of a TLS greeting or of HTTP/2's preface, ``PRI * HTTP/2.0`` (RFC 9113, 3.4)."""


_OFTEN = 5
"""Scanners send such requests now and then to whatever is open."""


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every announced protocol of which somebody's log tells that it does not fit."""
    for service in index.of_kind("Service"):
        for place, port in enumerate(mappings(service, "spec", "ports")):
            if text(port, "appProtocol") and has_selector(service):
                yield from _announced(index, service, f"spec.ports[{place}].appProtocol", port)


def _announced(index: ClusterIndex, service: KubernetesObject, field: str, port: dict[str, Any]) -> Iterator[Finding]:
    ref, observed = ObjectRef.of(service), text(port, "appProtocol")
    servers = selected_workloads(index, service)
    behind = {name for one in servers for name in _names_behind(one, target_of(port))}
    spoken = {_protocol(name) for name in behind} - {""}
    told = _told(index, service, servers) if _protocol(observed) not in spoken else ()
    if not told or not servers:
        return
    yield Finding(
        kind=FaultKind.SERVICE_PROTOCOL_MISMATCH,
        object=ref,
        field=field,
        observed=observed,
        expected=next(iter(sorted(behind)), "") if spoken else "",
        message=f"Service {ref.name} announces {observed} for port {text(port, 'port')}, which its pods do not speak.",
        directness="inferred",
        evidence=(
            seen_field(ref, field, observed),
            *(
                seen_field(one.ref, f"{one.field}.containers", sorted(_names_behind(one, target_of(port))))
                for one in servers[:1]
            ),
            *(seen_line(one.line) for one in told[-2:]),
        ),
        since=earliest(*(one.line.first for one in told)),
        hurts=hurt_by(index, ref, ()),
    )


def _names_behind(workload: Workload, target: str) -> set[str]:
    entries = (entry for _, entry in port_entries(workload))
    return {
        f"{text(entry, 'name')} {text(entry, 'containerPort')}".strip()
        for entry in entries
        if target in (text(entry, "containerPort"), text(entry, "name"))
    }


def _protocol(name: str) -> str:
    return next((protocol for protocol, words in _SPOKEN if words.search(name)), "")


def _told(index: ClusterIndex, service: KubernetesObject, servers: tuple[Workload, ...]) -> tuple[Trouble, ...]:
    """The lines, of whomever, that name the Service or its address and tell of a protocol that does not fit.

    Of the servers' own lines those too that tell of requests which are none.
    """
    behind = {one.ref for one in servers}
    name = re.compile(
        rf"(?<![\w-])(?:{re.escape(ObjectRef.of(service).name)}"
        rf"|{re.escape(text(service, 'spec', 'clusterIP') or '-')})(?![\w-])"
    )
    return tuple(
        one
        for ref, lines in index.once(troubles).items()
        for one in lines
        if (_TRIPPED.search(one.line.text) and name.search(one.line.text))
        or (ref in behind and one.line.count >= _OFTEN and _NOT_UNDERSTOOD.search(one.line.text))
    )

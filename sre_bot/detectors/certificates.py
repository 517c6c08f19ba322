"""Certificates out of their validity: what logs say, what cert-manager says, what the Secrets themselves hold."""

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from sre_bot.detectors.calls import names, selected_workloads
from sre_bot.detectors.complaints import calls_from
from sre_bot.detectors.connections import failure
from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import condition, mappings, text, texts, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_event, seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

EXPIRED = re.compile(
    r"certificate has expired|certificate is not yet valid|certificate expired|CERT_HAS_EXPIRED"
    r"|CertificateExpiredException|NotAfter:|expired certificate|certificate_expired|CERTIFICATE_EXPIRED"
    r"|certificate (?:is )?(?:has )?expired|cert(?:ificate)? .{0,40}not valid (?:after|before)"
    r"|invalid peer certificate: Expired|\bNotTimeValid\b|X509_V_ERR_CERT_(?:HAS_EXPIRED|NOT_YET_VALID)",
    re.I,
)
"""A certificate out of its validity, in the words of TLS libraries and of those who pass them on."""

_ALERTED = re.compile(
    r"alert certificate expired|alert number 45|remote error: tls: expired certificate|SSLV3_ALERT_CERTIFICATE_EXPIRED"
    r"|Received fatal alert: certificate_expired|tlsv1 alert certificate expired",
    re.IGNORECASE,
)
"""The peer's own refusal, as OpenSSL, Go, Python and Java pass it on: the certificate is the logger's."""
_HOSTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b\w{1,30}://(?:[^@\s/]{0,500}@)?([A-Za-z0-9][\w.-]{0,253}[A-Za-z0-9])",
        r"(?:host|peeraddr|server[_ ]?name|sni)[= :'\"]+([A-Za-z0-9][\w.-]{0,253}[A-Za-z0-9])",
        r"(?<![\w.:-])([A-Za-z][\w.-]{0,253}[A-Za-z0-9]|\d{1,3}(?:\.\d{1,3}){3}):\d{2,5}\b",
        r"\b(?:to|for) ([A-Za-z0-9][\w.-]{0,253}[A-Za-z0-9])",
    )
)
"""Where lines name the server: a URL first, a lone word after ``to`` last."""
_OF_CLIENT = re.compile(r"(?:TLS handshake error from|client SSL certificate[^\n]*client:) ([\d.]+)")
"""A server's account of a caller whose certificate it refused (Go's net/http, nginx)."""
_WEBHOOK = re.compile(r"failed calling webhook [^\n]*?https://([\w-]+)\.([\w-]+)\.svc")
_TLS_SCHEMES = ("https", "wss", "rediss", "amqps", "ldaps", "grpcs")
_TLS_PORTS = (443, 8443, 6443, 9443, 5671, 6380, 636)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----", re.DOTALL)
_VALIDITY = re.compile(rb"\x30[\x1e\x20\x22](\x17\x0d(\d{12})Z|\x18\x0f(\d{14})Z)(\x17\x0d(\d{12})Z|\x18\x0f(\d{14})Z)")


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge TLS Secrets, cert-manager's Certificates, and what logs say of other parties."""
    expired = {
        ref: end
        for secret in index.of_kind("Secret")
        if (end := not_after(secret)) and end < index.now
        for ref in (ObjectRef.of(secret),)
    }
    for ref, end in sorted(expired.items(), key=lambda entry: str(entry[0])):
        yield _secret(ref, end)
    for certificate in index.of_kind("Certificate"):
        yield from _managed(index, certificate)
    if not expired:
        yield from _logged(index)
        yield from _webhooks(index)


def not_after(secret: KubernetesObject) -> datetime | None:
    """The end of validity of a TLS Secret's certificate; None where it has none that can be read.

    X.509 holds the validity as a SEQUENCE of two UTCTime or GeneralizedTime values (RFC 5280, 4.1.2.5).
    """
    try:
        pem = base64.b64decode(text(secret, "data", "tls.crt"), validate=True).decode()
        match = _PEM.search(pem)
        der = base64.b64decode("".join(match[1].split()), validate=True) if match else b""
    except (binascii.Error, UnicodeDecodeError):
        return None
    found = _VALIDITY.search(der)
    if found is None:
        return None
    short, long = found[5], found[6]
    century = b"20" if short and int(short[:2]) < 50 else b"19"
    stamp = (century + short if short else long).decode()
    return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _secret(ref: ObjectRef, end: datetime) -> Finding:
    said = f"{end:%Y-%m-%dT%H:%M:%SZ}"
    return Finding(
        kind=FaultKind.CERTIFICATE_EXPIRED,
        object=ref,
        field='data["tls.crt"]',
        observed=said,
        expected="",
        message=f"The certificate in Secret {ref.name} was valid until {said}.",
        directness="stated",
        evidence=(Evidence.seen("object", ref, 'data["tls.crt"]', f"notAfter: {said}"),),
        since=end,
    )


def _managed(index: ClusterIndex, certificate: KubernetesObject) -> Iterator[Finding]:
    ref, end = ObjectRef.of(certificate), when(text(certificate, "status", "notAfter"))
    if end is None or end >= index.now:
        return
    ready = condition(certificate, "Ready")
    yield Finding(
        kind=FaultKind.CERTIFICATE_EXPIRED,
        object=ref,
        field="status.notAfter",
        observed=text(certificate, "status", "notAfter"),
        expected="",
        message=f"Certificate {ref.name} is out of date: {text(ready, 'message')}",
        directness="stated",
        evidence=(seen_field(ref, "status.notAfter", text(certificate, "status", "notAfter")),),
        since=end,
    )


def _logged(index: ClusterIndex) -> Iterator[Finding]:
    """One finding for each party that presents a certificate out of date, with all who complain of it.

    A server that is sent the alert ``certificate_expired`` presents it itself (RFC 8446, 6.2). A host is served by the
    Service that it names, or by the entrance that holds its certificate; a host outside is most likely our own front
    where some server of ours was sent the alert.
    """
    told = [one for lines in index.once(troubles).values() for one in lines if EXPIRED.search(one.line.text)]
    alerted = [one.workload for one in told if _ALERTED.search(one.line.text)]
    presented: dict[ObjectRef, list[Trouble]] = {}
    for one in told:
        presented.setdefault(_presenter(index, one, alerted), []).append(one)
    for ref, lines in sorted(presented.items(), key=lambda entry: str(entry[0])):
        yield _out_of_date(ref, lines)


def _presenter(index: ClusterIndex, one: Trouble, alerted: list[ObjectRef]) -> ObjectRef:
    if one.workload in alerted and _ALERTED.search(one.line.text):
        return one.workload
    workload = index.workload_by_ref[one.workload]
    caller = _OF_CLIENT.search(one.line.text)
    if caller and (owner := index.once(names).pod_owner(caller[1])) is not None:
        return owner
    hosts = tuple(_hosts(one.line.text))
    for host in hosts:
        service = index.once(names).resolve(host, workload).service
        servers = selected_workloads(index, service) if service is not None else ()
        if servers:
            return servers[0].ref
    held = next((ref for host in hosts if (ref := _tls_secret(index, host))), None)
    return held or (alerted[0] if alerted else None if hosts else _only_server(index, one.workload)) or one.workload


def _hosts(line: str) -> Iterator[str]:
    """The hosts that a line may speak of, the surest first."""
    failed = failure(line)
    if failed:
        yield failed.host
    for pattern in _HOSTS:
        yield from (match[1] for match in pattern.finditer(line))


def _only_server(index: ClusterIndex, ref: ObjectRef) -> ObjectRef | None:
    """The only server that a workload is configured to call by TLS; None where there are several."""
    servers = {
        server.ref
        for call in index.once(calls_from).get(ref, ())
        if call.target.service is not None and (call.address.scheme in _TLS_SCHEMES or call.address.port in _TLS_PORTS)
        for server in selected_workloads(index, call.target.service)
    }
    return next(iter(servers)) if len(servers) == 1 else None


def _webhooks(index: ClusterIndex) -> Iterator[Finding]:
    """Admission webhooks that the API server does not call any more, since it does not trust what they present."""
    told: dict[ObjectRef, list[Event]] = {}
    for event in index.events:
        match = _WEBHOOK.search(event.message) if EXPIRED.search(event.message) else None
        service = index.get("Service", match[2], match[1]) if match else None
        if match and event.reason == "FailedCreate":
            servers = selected_workloads(index, service) if service is not None else ()
            ref = servers[0].ref if servers else ObjectRef(kind="Service", namespace=match[2], name=match[1])
            told.setdefault(ref, []).append(event)
    for ref, events in sorted(told.items(), key=lambda entry: str(entry[0])):
        said = EXPIRED.search(events[-1].message)
        yield Finding(
            kind=FaultKind.CERTIFICATE_EXPIRED,
            object=ref,
            field="",
            observed=said[0] if said else "",
            expected="",
            message=f"The certificate of webhook {ref.name} is out of date, so the API server refuses what it judges.",
            directness="stated",
            evidence=tuple(seen_event(event) for event in events[-3:]),
            since=earliest(*(event.first for event in events)),
            hurts=tuple(sorted({_owner(index, event.subject) for event in events}, key=str)),
        )


def _owner(index: ClusterIndex, ref: ObjectRef) -> ObjectRef:
    known = index.find(ref)
    return index.owner_of(known) if known is not None else ref


def _tls_secret(index: ClusterIndex, host: str) -> ObjectRef | None:
    """The Secret from which an Ingress or a Gateway serves a host."""
    for thing in index.of_kind("Ingress"):
        for entry in mappings(thing, "spec", "tls"):
            if host in texts(entry, "hosts") and text(entry, "secretName"):
                return ObjectRef(kind="Secret", namespace=ObjectRef.of(thing).namespace, name=text(entry, "secretName"))
    for thing in index.of_kind("Gateway"):
        for listener in mappings(thing, "spec", "listeners"):
            for entry in mappings(listener, "tls", "certificateRefs") if text(listener, "hostname") == host else ():
                home = text(entry, "namespace") or ObjectRef.of(thing).namespace
                return ObjectRef(kind="Secret", namespace=home, name=text(entry, "name"))
    return None


def _out_of_date(ref: ObjectRef, told: list[Trouble]) -> Finding:
    first = next((one for one in told if one.workload == ref), told[0])
    said = EXPIRED.search(first.line.text)
    others = {one.workload for one in told} - {ref}
    whose = "that it presents" if first.workload == ref and _ALERTED.search(first.line.text) else "that it has to trust"
    shown = [first, *(one for one in told if one is not first)][:3]
    named = [seen_field(ref, "metadata.name", ref.name)] if ref.kind == "Secret" else []
    return Finding(
        kind=FaultKind.CERTIFICATE_EXPIRED,
        object=ref,
        field="",
        observed=said[0] if said else "",
        expected="",
        message=f"A certificate is out of date; {first.workload.name} tells of the one {whose}: "
        f"{first.line.text.strip()[:160]}",
        directness="logged",
        evidence=(*(seen_line(one.line) for one in shown), *named),
        since=earliest(*(one.line.first for one in told)),
        hurts=tuple(sorted(others, key=str)),
    )

"""Certificates out of their validity: what logs say, what cert-manager says, what the Secrets themselves hold."""

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from sre_bot.detectors.calls import names, selected_workloads
from sre_bot.detectors.connections import failure
from sre_bot.detectors.fields import condition, mappings, text, texts, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_EXPIRED = re.compile(
    r"certificate has expired|certificate is not yet valid|certificate expired|CERT_HAS_EXPIRED"
    r"|CertificateExpiredException|NotAfter:|expired certificate|certificate_expired|CERTIFICATE_EXPIRED"
    r"|certificate (?:is )?(?:has )?expired|cert(?:ificate)? .{0,40}not valid (?:after|before)",
    re.I,
)
_ALERTED = re.compile(
    r"alert certificate expired|alert number 45|remote error: tls: expired certificate|SSLV3_ALERT_CERTIFICATE_EXPIRED"
    r"|Received fatal alert: certificate_expired|tlsv1 alert certificate expired",
    re.IGNORECASE,
)
"""The peer's own refusal, as OpenSSL, Go, Python and Java pass it on: the certificate is the logger's."""
_HOST = re.compile(r"(?:https?://|host[= '\"]+|\bto )([A-Za-z0-9][\w.-]*[A-Za-z0-9])", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
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
    told = [one for lines in index.once(troubles).values() for one in lines if _EXPIRED.search(one.line.text)]
    alerted = [one.workload for one in told if _ALERTED.search(one.line.text)]
    presented: dict[ObjectRef, list[Trouble]] = {}
    for one in told:
        presented.setdefault(_presenter(index, one, alerted), []).append(one)
    for ref, lines in sorted(presented.items(), key=lambda entry: str(entry[0])):
        yield _out_of_date(ref, lines)


def _presenter(index: ClusterIndex, one: Trouble, alerted: list[ObjectRef]) -> ObjectRef:
    if one.workload in alerted and _ALERTED.search(one.line.text):
        return one.workload
    failed, named = failure(one.line.text), _HOST.search(one.line.text)
    host = failed.host if failed else named[1] if named else ""
    service = index.once(names).resolve(host, index.workload_by_ref[one.workload]).service if host else None
    servers = selected_workloads(index, service) if service is not None else ()
    if servers:
        return servers[0].ref
    return _tls_secret(index, host) or (alerted[0] if alerted else one.workload)


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
    said = _EXPIRED.search(first.line.text)
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

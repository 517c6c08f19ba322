"""Systems outside that do not serve: what any client logs of them, whether the line names the host or only means it.

A 5xx status is the server's own failure, 429 its refusal to serve (RFC 9110, 15.6; RFC 6585, 4); the words are in
``foreign_failures``.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from sre_bot.detectors.addresses import DEFAULT_PORTS
from sre_bot.detectors.calls import Call
from sre_bot.detectors.complaints import calls_from
from sre_bot.detectors.foreign_failures import fails
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import RECENT, SILENCE, is_calm, is_grave
from sre_bot.detectors.outside import is_outside, outage
from sre_bot.detectors.sightings import seen_line, seen_setting
from sre_bot.detectors.troubles import Trouble, remarks
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Finding

_NAME = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}"
_LABEL = (
    r"(?:host|hostname|authority|upstream|server|endpoint|peer|remote|target|provider|addr|address|domain|gateway|sni"
    r"|lookup|to|from|by|of|at|with|connect)"
)
_NAMED = re.compile(
    rf"\b\w{{1,30}}://(?:[^@\s/\"]{{0,500}}@)?({_NAME})(?![\w-])"
    rf"|(?:(?<![\w.-]){_LABEL}(?:[\"']?\s{{0,2}}[=:]\s{{0,2}}|\s{{1,2}})|\|)[\"'(]?({_NAME})(?![\w-])"
    rf"|(?<![\w@.-])({_NAME})(?=[:\s]+(?:\d+\W+)?(?:answers?|respond\w*|return\w*|repl\w+|is|does|timed|failed))",
    re.IGNORECASE,
)
_LINES_OF_ACCESS = re.compile(r'"(?:GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS) \S+ HTTP/[\d.]+" \d{3} ')
_PLAIN = frozenset(
    re.findall(
        r"\w+",
        "url uri host hosts hostname endpoint api base server address addr port service services svc env config http"
        " https key client www com net org example io eu us de co uk prod production staging v1 v2 data cloud app web"
        " public external provider remote upstream target internal central north south east west default",
    )
)
"""Parts of names that mean nothing by themselves."""
_STORES = frozenset({5432, 3306, 6379, 27017, 5672, 5671, 9092, 4222, 2379, 9042, 1433, 1521, 11211, 389, 636})
_SMALL = 50
_OFTEN = 5
_OFTEN_GRAVE = 3


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the logs of every workload for hosts outside that fail it at present, and lastingly."""
    for ref, lines in index.once(remarks).items():
        told: dict[str, list[Trouble]] = defaultdict(list)
        for one in lines:
            host = _failing_host(index, ref, one.line.text)
            if host:
                told[host].append(one)
        for host, failed in sorted(told.items()):
            if _lasts(index, failed):
                yield _finding(index, ref, host, failed)


def _finding(index: ClusterIndex, ref: ObjectRef, host: str, failed: list[Trouble]) -> Finding:
    lines = sorted(failed, key=lambda one: (one.line.at.timestamp() if one.line.at else 0.0, one.line.text))[-2:]
    shown = tuple(seen_line(one.line) for one in lines)
    if not any(host in piece.excerpt for piece in shown):
        settings = (call.address.setting for call in _outside_calls(index, ref) if call.address.host == host)
        shown = (*shown, *(seen_setting(setting) for setting in list(settings)[:1]))
    since = min((one.line.first for one in failed if one.line.first), default=None)
    return outage(ref, host, f"{host} fails to answer as it should", shown, since)


def _lasts(index: ClusterIndex, failed: list[Trouble]) -> bool:
    """Whether the failures are present and more than the weather, all lines of a host taken together."""
    present = [one for one in failed if one.fatal or _is_present(index.now, one)]
    count = sum(one.line.count for one in present)
    lines = max((one.line.number + one.line.from_end for one in present), default=0)
    grave = any(one.fatal or is_grave(one.line.text) for one in present)
    if lines < _SMALL:
        return count >= 1
    return count >= (_OFTEN_GRAVE if grave else _OFTEN)


def _is_present(now: datetime, one: Trouble) -> bool:
    at, end = one.line.at, one.line.log_end
    if at is None:
        return one.line.is_present(now)
    return not one.line.previous and now - at <= RECENT and (end or at) - at <= SILENCE


def _failing_host(index: ClusterIndex, ref: ObjectRef, text: str) -> str:
    """The host outside that a line says fails: named in it, else meant by it."""
    if is_calm(text) or not fails(text):
        return ""
    hosts = [next(group for group in match.groups() if group).lower() for match in _NAMED.finditer(text)]
    configured = {call.address.host for call in _outside_calls(index, ref)}
    hosts += sorted(host for host in configured if host in text)
    for host in hosts:
        if is_outside(index, ref, host) and (host in configured or _is_name(host, text)):
            return host
    calls = index.once(calls_from).get(ref, ())
    inside = any(f"//{call.address.host}" in text or f"{call.address.host}:" in text for call in calls)
    return "" if hosts or inside or not is_grave(text) or _LINES_OF_ACCESS.search(text) else _meant(index, ref, text)


def _is_name(host: str, text: str) -> bool:
    """Whether a dotted word that nothing is configured with is a host, and no file, module or logger."""
    plausible = _DOMAINS.search(host) is not None and _FILES.search(host) is None
    return f"://{host}" in text or f"@{host}" in text or plausible


_DOMAINS = re.compile(r"\.(?:com|net|org|io|dev|app|cloud|info|biz|gov|edu|int|example|[a-z]{2})$")
"""The top-level domains that outside systems usually have (https://www.iana.org/domains/root/db)."""

_FILES = re.compile(
    r"\.(?:ya?ml|json|xml|csv|tsv|txt|log|html?|css|js|ts|py|go|rb|php|java|class|jar|sh|sql|cfg|conf|ini|toml|properties"
    r"|png|jpe?g|gif|webp|svg|ico|pdf|zip|gz|tar|mp[34]|parquet|avro|bin|tmp|lock|pem|crt|key|local|internal|svc)$"
    r"|^(?:java|javax|org|com|net|io|sun|jdk|system|microsoft)\."
)


def _outside_calls(index: ClusterIndex, ref: ObjectRef) -> list[Call]:
    calls = index.once(calls_from).get(ref, ())
    return [call for call in calls if is_outside(index, ref, call.address.host)]


def _meant(index: ClusterIndex, ref: ObjectRef, text: str) -> str:
    """The one host whose setting or name shares a telling word with the line; else the only one that speaks HTTP."""
    calls, words = _outside_calls(index, ref), _words(text)
    shared = {call.address.host for call in calls if _words(f"{call.address.setting.key} {call.address.host}") & words}
    if len(shared) == 1:
        return next(iter(shared))
    hosts = {call.address.host for call in calls if call.address.scheme in ("http", "https")}
    others = any(_speaks_http(call) for call in index.once(calls_from).get(ref, ()) if call.address.host not in hosts)
    return next(iter(hosts)) if len(hosts) == 1 and not others and _HTTP.search(text) else ""


_HTTP = re.compile(
    r"\bhttps?\b|status|\bresponse\b|HttpRequestException|HttpClient|WebClient|RestTemplate", re.IGNORECASE
)


def _speaks_http(call: Call) -> bool:
    scheme = call.address.scheme
    return scheme in ("http", "https") or (call.address.port not in _STORES and DEFAULT_PORTS.get(scheme) is None)


def _words(text: str) -> frozenset[str]:
    parts = re.findall(r"[A-Za-z][a-z0-9]+|[A-Z0-9]{2,}", text)
    return frozenset(part.lower() for part in parts if len(part) > 2 or not part.isalpha()) - _PLAIN

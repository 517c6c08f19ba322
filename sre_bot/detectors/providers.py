"""What outside systems answer when they fail: server errors, and data that cannot be used.

A 5xx status is the server's own failure, 429 its refusal to serve (RFC 9110, 15.6; RFC 6585, 4). Records that a
reader rejects for their form are the sender's failure as long as the reader itself did not change.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from sre_bot.detectors.dependencies import calls_from
from sre_bot.detectors.fields import dig, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import RECENT
from sre_bot.detectors.outside import is_outside, outage
from sre_bot.detectors.recovery import replica_sets
from sre_bot.detectors.sightings import seen_line, seen_setting
from sre_bot.detectors.troubles import Trouble, remarks, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Finding

_DOMAIN = r"(?<![\w@.-])((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,})(?![\w-])"
_ANSWERS = r"(?:answer|return|respond|repl|status|code|got|gave|fail|error|HTTP)\w*"
_FAILED = r"(?:5\d\d|429)\b"
_SERVER_ERROR = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"https?://(?:[^@\s/\"]*@)?{_DOMAIN}[^\s\"']*[^\n]{{0,80}}?(?<![\w.-]){_FAILED}(?!\s*m?s\b)",
        rf"(?<![\w.:-]){_FAILED}(?!\s*m?s\b)[^\n]{{0,80}}?https?://(?:[^@\s/\"]*@)?{_DOMAIN}",
        rf"{_DOMAIN}(?::\d+)?[^\n]{{0,30}}?\b{_ANSWERS}[\W_]{{1,4}}(?:\w+[\W_]{{1,3}}){{0,2}}{_FAILED}(?!\s*m?s\b)",
        rf"(?<![\w.:-]){_FAILED}(?!\s*m?s\b)[^\n]{{0,30}}?\b(?:from|by|of|at)\s+{_DOMAIN}",
    )
)
_HOST = re.compile(rf"https?://(?:[^@\s/\"]*@)?{_DOMAIN}|{_DOMAIN}", re.IGNORECASE)
_RECORD = re.compile(
    r"\b(?:rows?|records?|columns?|fields?|lines?|feed|file|dump|export|payload|document|schema|header|element|entries"
    r"|entry|dataset|message body|csv|xml|json)\b",
    re.IGNORECASE,
)
_UNUSABLE = re.compile(
    r"has no value|is (?:empty|missing|null|malformed|invalid|truncated|corrupt\w*|not valid)"
    r"|are (?:empty|missing|invalid)|\d+ rows invalid"
    r"|no longer (?:has|contains|matches)|does(?:n't| not) match|not match the (?:schema|format)|skipped|rejected"
    r"|unexpected (?:column|field|element|format|header|value|end)|missing (?:column|field|element|header|value)"
    r"|(?:cannot|can't|could not|couldn't|failed to|unable to) (?:be )?(?:parse|read|decode|convert|import)"
    r"|unparsable|unparseable|invalid (?:row|record|line|value|date|number|format|checksum)|checksum mismatch"
    r"|wrong number of (?:columns|fields)|schema (?:validation|violation|mismatch)",
    re.IGNORECASE,
)
_GRAVE = re.compile(
    r"\b(?:ERROR|FATAL|CRITICAL|SEVERE|ERR)\b|level\W{1,4}(?:error|50|60|fatal)|\[error\]|^E,", re.IGNORECASE
)
_CALM = re.compile(r"(?<![\w-])(?:INFO|DEBUG|TRACE)(?![\w-])|level\W{1,4}(?:info|debug|trace|[123]0)\b|\[info\]")
_FEED = re.compile(r"\b(?:feed|rows?|import\w*|csv|records?|dump|dataset)\b", re.IGNORECASE)
_NAME = re.compile(r"\b[A-Z][A-Z0-9_-]{2,}\b")
"""What data is named by: codes of currencies, airports, articles."""
_LEVELS = frozenset(
    {"ERROR", "WARN", "WARNING", "INFO", "DEBUG", "TRACE", "FATAL", "CRITICAL", "SEVERE", "GET", "POST"}
)
_OFTEN = 2
_NEW = timedelta(hours=2)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the logs of every workload for hosts outside that fail, then for data from outside that is of no use."""
    for ref, lines in index.once(troubles).items():
        for one in lines:
            host = _failing_host(one.line.text)
            if host and is_outside(index, ref, host):
                yield outage(ref, host, f"{host} answers with errors", (seen_line(one.line),), one.line.first)
    for ref, lines in index.once(remarks).items():
        yield from _bad_data(index, ref, tuple(one for one in lines if _is_recent(index, one)))


def _is_recent(index: ClusterIndex, one: Trouble) -> bool:
    """Feeds are read now and then, so that their last failure may be the last word on them for a while."""
    at, previous = one.line.at, one.line.previous
    return one.line.is_present(index.now) or (at is not None and not previous and index.now - at <= RECENT)


def _failing_host(text: str) -> str:
    if _CALM.search(text):
        return ""
    found = (match[1] for pattern in _SERVER_ERROR if (match := pattern.search(text)))
    return next(found, "")


def _bad_data(index: ClusterIndex, ref: ObjectRef, lines: tuple[Trouble, ...]) -> Iterator[Finding]:
    """Records that are refused for what stands in them, from the host that the line names, else from the only one."""
    told = [one for one in lines if _RECORD.search(one.line.text) and _UNUSABLE.search(one.line.text)]
    grave = [one for one in told if _GRAVE.search(one.line.text)]
    if sum(one.line.count for one in grave) < _OFTEN:
        return
    since = min((one.line.first for one in told if one.line.first), default=None)
    rollout = _rollout_before(index, ref, since)
    if rollout is not None and not _missed_before(index, ref, told, rollout):
        return
    shown = tuple(seen_line(one.line) for one in told[-2:])
    named = next((host for one in told if (host := _outside_host(index, ref, one.line.text))), "")
    if named:
        yield outage(ref, named, f"what {named} sends cannot be used", shown, since)
        return
    feeds = {
        call.address.host: call.address.setting
        for call in index.once(calls_from).get(ref, ())
        if is_outside(index, ref, call.address.host)
    }
    if len(feeds) == 1 and any(_FEED.search(one.line.text) for one in grave):
        host, setting = next(iter(feeds.items()))
        yield outage(ref, host, f"what {host} sends cannot be used", (*shown, seen_setting(setting)), since)


def _outside_host(index: ClusterIndex, ref: ObjectRef, text: str) -> str:
    hosts = (match[1] or match[2] for match in _HOST.finditer(text))
    configured = {call.address.host for call in index.once(calls_from).get(ref, ())}
    return next(
        (host for host in hosts if (f"://{host}" in text or host in configured) and is_outside(index, ref, host)), ""
    )


def _rollout_before(index: ClusterIndex, ref: ObjectRef, since: datetime | None) -> datetime | None:
    """When the reader itself was rolled out, if shortly before: then its own change is the nearer explanation."""
    revisions = [
        created
        for thing in index.once(replica_sets).get(ref, ())
        if (created := when(dig(thing, "metadata", "creationTimestamp")))
    ]
    newest = max(revisions, default=None)
    near = since is not None and newest is not None and len(revisions) > 1 and since - _NEW <= newest <= since
    return newest if near else None


def _missed_before(index: ClusterIndex, ref: ObjectRef, told: list[Trouble], rollout: datetime) -> bool:
    """Whether another workload missed what the record is about before the rollout, so that this cannot be the cause."""
    names = {name for one in told for name in _NAME.findall(one.line.text)} - _LEVELS
    return any(
        one.line.first is not None and one.line.first < rollout and names & set(_NAME.findall(one.line.text))
        for other, lines in index.once(remarks).items()
        if other != ref and other.namespace == ref.namespace
        for one in lines
    )

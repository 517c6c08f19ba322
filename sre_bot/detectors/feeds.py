"""Data from outside that cannot be used: records refused for their form, files that do not parse, feeds that are empty.

What a reader rejects is the sender's failure as long as the reader itself did not change. The words are those of the
usual parsers: libxml2 and Xerces, Jackson, ``encoding/json`` and ``encoding/csv`` of Go, V8, Python's ``json``,
``csv`` and pandas, Ruby's CSV, .NET's XmlException, gzip and zip.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from sre_bot.detectors.complaints import calls_from, lines_before
from sre_bot.detectors.fields import dig, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import RECENT, is_grave, stamp_of
from sre_bot.detectors.outside import is_outside, outage
from sre_bot.detectors.revisions import replica_sets
from sre_bot.detectors.sightings import seen_line, seen_setting
from sre_bot.detectors.troubles import Trouble, remarks
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, Finding

_HOST = re.compile(
    r"https?://(?:[^@\s/\"]*@)?((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,})(?![\w-])"
    r"|(?<![\w@.-])((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,})(?![\w-])",
    re.IGNORECASE,
)
_RECORD = re.compile(
    r"\b(?:rows?|records?|columns?|fields?|lines?|feed|file|dump|export|payload|document|schema|header|elements?|entries"
    r"|entry|dataset|data set|message body|csv|xml|json|articles?|items|messages|quotes|archive|delivery|batch)\b",
    re.IGNORECASE,
)
_UNUSABLE = re.compile(
    r"has no value|is (?:empty|missing|null|malformed|invalid|truncated|corrupt\w*|not valid|outdated|stale)"
    r"|are (?:empty|missing|invalid)|\d{1,15} rows invalid"
    r"|no longer (?:has|contains|matches)|does(?:n't| not) match|not match the (?:schema|format)|skipped|rejected"
    r"|unexpected (?:column|field|element|format|header|value|end)|missing (?:column|field|element|header|value)"
    r"|(?:cannot|can't|could not|couldn't|failed to|unable to) (?:be )?(?:parse|read|decode|convert|import)"
    r"|unparsable|unparseable|invalid (?:row|record|line|value|date|number|format|checksum)|checksum mismatch"
    r"|wrong number of (?:columns|fields)|schema (?:validation|violation|mismatch)"
    r"|(?:rejected|skipped|dropped|refused|ignored) \d+ (?:of|out of|/) \d+"
    r"|0 (?:rows|records|items|entries) (?:read|in|left)",
    re.IGNORECASE,
)
_UNREADABLE = re.compile(
    r"JSONDecodeError|JsonParseException|JsonReaderException|JsonException|Unexpected token .{1,6} in JSON"
    r"|is not valid JSON"
    r"|Unexpected end of JSON input|invalid character '.{1,4}' (?:looking|after|in)|unexpected end of JSON"
    r"|Unexpected character \('|MismatchedInputException|SAXParseException|XMLSyntaxError|XmlException|XML syntax error"
    r"|ParseError: (?:not well-formed|no element found|syntax error)|Content is not allowed in prolog"
    r"|Start tag expected|cvc-[a-z-]+|MalformedCSVError|ParserError: Error tokenizing|record on line \d+: wrong number"
    r"|codec can't decode byte|invalid byte sequence|MalformedInputException|BadZipFile"
    r"|not a (?:zip|gzip) file|Not a gzipped file|gzip: invalid header|incorrect header check"
    r"|jsonschema\S*ValidationError|is a required property"
    r"|invalid (?:UTF-8|utf8)",
)
_FEED = re.compile(
    r"feed(?!back)|import(?!ant)|\b(?:rows?|csv|records?|dump|dataset|export|delivery|batch|download\w*)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b[A-Z][A-Z0-9_-]{2,}\b")
"""What data is named by: codes of currencies, airports, articles."""
_LEVELS = frozenset(
    {"ERROR", "WARN", "WARNING", "INFO", "DEBUG", "TRACE", "FATAL", "CRITICAL", "SEVERE", "GET", "POST"}
)
_OFTEN = 2
_CONTEXT = 4
_LONGEST = 490
_LONGEST_TURN = timedelta(hours=26)
_NEW = timedelta(hours=2)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the logs of every workload for data from outside that is of no use."""
    for ref, lines in index.once(remarks).items():
        yield from _bad_data(index, ref, tuple(one for one in lines if _is_recent(index, one)))


def is_unreadable(text: str) -> bool:
    """Whether an error says that what was read does not parse: its writer's fault, if the reader is as it was."""
    return _UNREADABLE.search(text) is not None


def hosts_outside(index: ClusterIndex, ref: ObjectRef) -> frozenset[str]:
    """The hosts outside the cluster that a workload is configured with."""
    hosts = {call.address.host for call in index.once(calls_from).get(ref, ())}
    return frozenset(host for host in hosts if is_outside(index, ref, host))


def rolled_out_before(index: ClusterIndex, ref: ObjectRef, since: datetime | None) -> datetime | None:
    """When the reader itself was rolled out, if shortly before: then its own change is the nearer explanation."""
    revisions = [
        created
        for thing in index.once(replica_sets).get(ref, ())
        if (created := when(dig(thing, "metadata", "creationTimestamp")))
    ]
    newest, began = max(revisions, default=None), since or index.now
    near = newest is not None and len(revisions) > 1 and began - _NEW <= newest <= began
    return newest if near else None


def _is_recent(index: ClusterIndex, one: Trouble) -> bool:
    """Feeds are read now and then, so that their last failure may be the last word on them until the next turn."""
    at, first, previous = one.line.at, one.line.first, one.line.previous
    if one.line.is_present(index.now) or at is None or previous:
        return one.line.is_present(index.now)
    turn = (at - first) / (one.line.count - 1) if first is not None and one.line.count > 1 else timedelta(0)
    return index.now - at <= max(RECENT, min(turn * 1.5, _LONGEST_TURN))


def _is_told(text: str) -> bool:
    return bool(_UNREADABLE.search(text) or (_RECORD.search(text) and _UNUSABLE.search(text)))


def _bad_data(index: ClusterIndex, ref: ObjectRef, lines: tuple[Trouble, ...]) -> Iterator[Finding]:
    """Records that are refused for what stands in them, from the host that the line names, else from the only one."""
    told = [one for one in lines if _is_told(one.line.text)]
    grave = [one for one in told if is_grave(one.line.text) or _UNREADABLE.search(one.line.text)]
    if sum(one.line.count for one in grave) < _OFTEN:
        return
    since = min((one.line.first for one in told if one.line.first), default=None)
    rollout = rolled_out_before(index, ref, since)
    if rollout is not None and not _missed_before(index, ref, told, rollout):
        return
    shown = tuple(seen_line(one.line) for one in told[-2:])
    named = next((host for one in told if (host := _outside_host(index, ref, one.line.text))), "")
    if named:
        yield outage(ref, named, f"what {named} sends cannot be used", shown, since)
        return
    fetched = next((found for one in grave if (found := fetched_from(index, one))), None)
    if fetched is not None:
        host, piece = fetched
        yield outage(ref, host, f"what {host} sends cannot be used", (*shown, piece), since)
        return
    feeds = {
        call.address.host: call.address.setting
        for call in index.once(calls_from).get(ref, ())
        if is_outside(index, ref, call.address.host)
    }
    if len(feeds) == 1 and any(_FEED.search(one.line.text) for one in lines):
        host, setting = next(iter(feeds.items()))
        yield outage(ref, host, f"what {host} sends cannot be used", (*shown, seen_setting(setting)), since)


def fetched_from(index: ClusterIndex, one: Trouble) -> tuple[str, Evidence] | None:
    """The host outside whose answer one of the lines just before tells of: what was read then came from there."""
    before = tuple(lines_before(index, one, _CONTEXT))
    for distance, line in enumerate(reversed(before)):
        host = next((m[1] for m in _HOST.finditer(line) if m[1] and is_outside(index, one.workload, m[1])), "")
        if host:
            where = f"{one.container.name}:{one.line.number - distance}"
            return host, Evidence.seen("log", one.line.subject, where, line[:_LONGEST], stamp_of(line))
    return None


def _outside_host(index: ClusterIndex, ref: ObjectRef, text: str) -> str:
    hosts = (match[1] or match[2] for match in _HOST.finditer(text))
    configured = {call.address.host for call in index.once(calls_from).get(ref, ())}
    return next(
        (host for host in hosts if (f"://{host}" in text or host in configured) and is_outside(index, ref, host)), ""
    )


def _missed_before(index: ClusterIndex, ref: ObjectRef, told: list[Trouble], rollout: datetime) -> bool:
    """Whether another workload missed what the record is about before the rollout, so that this cannot be the cause."""
    names = {name for one in told for name in _NAME.findall(one.line.text)} - _LEVELS
    return any(
        one.line.first is not None and one.line.first < rollout and names & set(_NAME.findall(one.line.text))
        for other, lines in index.once(remarks).items()
        if other != ref and other.namespace == ref.namespace
        for one in lines
    )

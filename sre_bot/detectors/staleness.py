"""Data from outside that comes on time and is old: the answers are 200, and what stands in them does not change.

A reader that says how old its data is tells of a source that has stopped when the age grows as fast as the clock
(RFC 9111, 4.2.3: the age of a response is the time since it was made at the origin). Whoever reads on from that reader
complains too, and fetches nothing outside: it is a mere victim.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from sre_bot.detectors.complaints import calls_from
from sre_bot.detectors.feeds import fetched_from, hosts_outside, rolled_out_before
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import stamp_of
from sre_bot.detectors.outside import outage
from sre_bot.detectors.sightings import seen_line, seen_setting
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, Finding

_AGE = re.compile(
    r"\b(?:(?:is|are|was|already|now)\s+(\d{1,6})\s*([a-z]+)\s+(?:old|stale|behind|late)\b"
    r"|(?:age|lag|staleness|delay)(?:_\w+)?[\"']?\s*(?:=|:|is|of)\s*[\"']?(\d{1,6})\s*([a-z]+)\b"
    r"|(?:unchanged|not updated|no update|no new \w+) (?:for|since) (\d{1,6})\s*([a-z]+)\b)",
    re.IGNORECASE,
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WORDS = re.compile(r"s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?", re.IGNORECASE)
_OFTEN = 3
_LONGEST = timedelta(minutes=10)
"""A reader that never falls further behind than this has the pace of its source."""


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every workload that fetches from outside and warns that what it gets grows old."""
    for ref, lines in index.once(troubles).items():
        told = [one for one in lines if one.line.count >= _OFTEN and _AGE.search(one.line.text)]
        for one in sorted(told, key=lambda one: (str(one.line.at), one.line.text))[-1:]:
            source = fetched_from(index, one) or _only_source(index, ref)
            if source and _grows(tuple(_ages(index, one))) and rolled_out_before(index, ref, one.line.first) is None:
                yield _finding(ref, *source, one)


def _only_source(index: ClusterIndex, ref: ObjectRef) -> tuple[str, Evidence] | None:
    """The one host outside that a workload is configured with."""
    hosts = hosts_outside(index, ref)
    settings = (one.address.setting for one in index.once(calls_from).get(ref, ()) if one.address.host in hosts)
    return (next(iter(hosts)), seen_setting(next(settings))) if len(hosts) == 1 else None


def _ages(index: ClusterIndex, one: Trouble) -> Iterator[tuple[datetime, timedelta]]:
    """When a container said how old its data is, and how old that was."""
    for log in index.logs_of(one.pod, one.container.name):
        for line in log.text.splitlines() if log.previous == one.line.previous else ():
            found, at = _age(line), stamp_of(line)
            if found is not None and at is not None:
                yield at, found


def _age(line: str) -> timedelta | None:
    match = _AGE.search(line)
    if match is None:
        return None
    amount, unit = (group for group in match.groups() if group)
    return timedelta(seconds=int(amount) * _UNITS[unit[0].lower()]) if _WORDS.fullmatch(unit) else None


def _grows(ages: tuple[tuple[datetime, timedelta], ...]) -> bool:
    """Whether the last three times the data was older each time, and by about the time that had passed."""
    last = ages[-_OFTEN:]
    if len(last) < _OFTEN or last[-1][1] < _LONGEST:
        return False
    older = all(left[1] < right[1] for left, right in pairwise(last))
    passed, grown = last[-1][0] - last[0][0], last[-1][1] - last[0][1]
    return older and passed / 2 <= grown <= passed * 2


def _finding(ref: ObjectRef, host: str, shown: Evidence, one: Trouble) -> Finding:
    return outage(ref, host, f"what {host} sends grows old", (seen_line(one.line), shown), one.line.first)

"""Who complains in its log, whether or not anything else hurts: where a person would look first.

A program warns now and then while all is well, so that a few lines say nothing. Counted are lines of present trouble,
and lines of a trouble that is over; lines whose own level says that they are no trouble are none. What a log tells from
its first line on may be its habit: a trouble is new where the log was there before it; where the pod is new too, nobody
can tell.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from sre_bot.detectors.feeds import hosts_outside
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest, is_calm, is_grave, stamp_of
from sre_bot.detectors.sightings import seen_line
from sre_bot.detectors.troubles import Trouble, remarks, troubles
from sre_bot.domain.cluster import ObjectRef, Value
from sre_bot.domain.finding import Evidence

FEW = 5
"""Fewer lines than these are ordinary noise."""

_BEFORE = timedelta(minutes=10)
_START = timedelta(minutes=5)
_YOUNG = timedelta(days=3)
_FIRST_LINES = 20
_WORD = re.compile(r"[a-z]{4,}")
_MOST = 30
_SHOWN = 2


class Unrest(Value):
    """One workload that complains: how many lines tell of a present trouble, how many of all, and the last of them.

    ``new`` counts the present lines of troubles that the log went on without before, ``young`` those of a log that
    begins with a new pod, ``lines`` all lines of the logs that hold present ones; ``grave`` says whether one of them
    is an error by its level; ``words`` are the words of the complaints; ``outside`` says whether the workload is
    configured with hosts outside the cluster.
    """

    object: ObjectRef
    present: int
    told: int
    new: int = 0
    young: int = 0
    grave: bool = False
    lines: int = 0
    words: frozenset[str] = frozenset()
    outside: bool = False
    since: datetime | None
    evidence: tuple[Evidence, ...]


def unrest(index: ClusterIndex) -> tuple[Unrest, ...]:
    """The workloads with more than a few suspicious lines, the loudest first."""
    now = index.once(troubles)
    found: list[Unrest] = []
    for ref, remarked in index.once(remarks).items():
        lines, present = _uneasy(remarked), _uneasy(now.get(ref, ()))
        told = sum(one.line.count for one in lines)
        if ref in index.workload_by_ref and told >= FEW:
            heard = [one.line for one in (present or lines)]
            found.append(
                Unrest(
                    object=ref,
                    present=sum(one.line.count for one in present),
                    told=told,
                    new=sum(one.line.count for one in present if _is_new(index, one)),
                    young=sum(one.line.count for one in present if _is_young(index, one)),
                    grave=any(is_grave(one.line.text) for one in present),
                    lines=_length(present),
                    words=frozenset(word for one in present for word in _WORD.findall(one.line.text.lower())),
                    outside=bool(hosts_outside(index, ref)),
                    since=earliest(*(line.first for line in heard)),
                    evidence=tuple(seen_line(line) for line in heard[-_SHOWN:]),
                )
            )
    return tuple(sorted(found, key=lambda one: (-one.present, -one.told, str(one.object))))[:_MOST]


def _uneasy(lines: Iterable[Trouble]) -> tuple[Trouble, ...]:
    return tuple(one for one in lines if not is_calm(one.line.text))


def _length(present: tuple[Trouble, ...]) -> int:
    return sum({(one.pod.ref, one.container.name): one.line.number + one.line.from_end for one in present}.values())


def _is_new(index: ClusterIndex, one: Trouble) -> bool:
    """Whether the log went on without it before."""
    start = _start(index, one)
    return start is not None and one.line.first is not None and one.line.first - start >= _BEFORE


def _is_young(index: ClusterIndex, one: Trouble) -> bool:
    """Whether it is not known to be new, in a log that begins with a pod of the last days."""
    start, created = _start(index, one), one.pod.created
    if start is None or created is None or _is_new(index, one):
        return False
    return index.now - created <= _YOUNG and start - created <= _START


def _start(index: ClusterIndex, one: Trouble) -> datetime | None:
    """When the log begins."""
    return index.once(_starts).get((one.line.subject, one.line.container))


def _starts(index: ClusterIndex) -> dict[tuple[ObjectRef, str], datetime | None]:
    """When the log of each container begins, its ended run's where it is there."""
    return {
        (pod.ref, log.container): _first_stamp(log.text)
        for pod in index.current_pods
        for log in sorted(index.logs_of(pod), key=lambda log: log.previous)
    }


def _first_stamp(text: str) -> datetime | None:
    return next((at for line in text[:20_000].splitlines()[:_FIRST_LINES] if (at := stamp_of(line))), None)

"""Settings that a commit changed, and whose present value a workload's warnings are about since.

The log names no fault: it only speaks of the value. Together with a change of exactly that value before the first such
line it is an explanation, where no rule has a narrower one.
"""

from collections.abc import Iterator
from datetime import timedelta

from sre_bot.detectors.fields import dig, steps
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest, is_calm
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, Finding
from sre_bot.reasoning.field_faults import faults_of, telling
from sre_bot.reasoning.source import FieldChange, SourceReport
from sre_bot.reasoning.spoken_values import speaks_of
from sre_bot.reasoning.suspects import SLACK
from sre_bot.reasoning.topology import Topology

_SETTINGS = ("data", "env", "args", "command")
_OFTEN = 3
_RECENT = timedelta(days=14)


def complained_changes(index: ClusterIndex, source: SourceReport, links: Topology) -> Iterator[Finding]:
    """The newest change of every setting whose value stands as changed, where its readers' warnings speak of it."""
    seen: set[tuple[str, str]] = set()
    for change in source.changes:
        key = (str(change.object), change.field)
        if key in seen or not change.field:
            continue
        seen.add(key)
        if _is_setting(change) and index.now - change.at <= _RECENT:
            yield from _of_change(index, change, links)


def _is_setting(change: FieldChange) -> bool:
    parts = [part for part in steps(change.field) if isinstance(part, str)]
    return change.after is not None and change.object.kind != "Secret" and any(part in parts for part in _SETTINGS)


def _of_change(index: ClusterIndex, change: FieldChange, links: Topology) -> Iterator[Finding]:
    key, value = _setting(change)
    for live in _live(index, change):
        told = [
            one
            for ref in sorted(_readers(live, links), key=str)
            for one in index.once(troubles).get(ref, ())
            if _is_since(one, change) and speaks_of(one.line.text, key, value)
        ]
        faults = faults_of(change)
        if faults and sum(one.line.count for one in told) >= _OFTEN:
            yield _finding(change, live, told, value)


def _setting(change: FieldChange) -> tuple[str, str]:
    """The name of what changed, and its value; of a file the line that is new."""
    line, name = telling(change.after, change.before), change.name or str(steps(change.field)[-1])
    if "\n" not in (change.after or ""):
        return name, line
    key, _, value = line.partition("=") if "=" in line else line.partition(":")
    return key.strip(), value.strip().strip("\"',;")


def _live(index: ClusterIndex, change: FieldChange) -> Iterator[ObjectRef]:
    """The objects in the cluster that hold the value at this moment."""
    for thing in index.of_kind(change.object.kind):
        ref = ObjectRef.of(thing)
        same = ref.name == change.object.name and change.object.namespace in ("", ref.namespace)
        if same and str(dig(thing, *steps(change.field))) == change.after:
            yield ref


def _readers(ref: ObjectRef, links: Topology) -> set[ObjectRef]:
    return {ref, *(link.source for link in links.links if link.target == ref and link.why in ("reads", "mounts"))}


def _is_since(one: Trouble, change: FieldChange) -> bool:
    first = one.line.first
    return first is not None and first >= change.at - SLACK and not is_calm(one.line.text)


def _finding(change: FieldChange, live: ObjectRef, told: list[Trouble], value: str) -> Finding:
    shown = f"{change.object} {change.field}: {change.before} -> {change.after}"
    newest = sorted(told, key=lambda one: (str(one.line.at), one.line.text))[-2:]
    return Finding(
        kind=faults_of(change)[0].kind,
        object=live,
        field=change.field,
        observed=value[:200],
        expected=telling(change.before, change.after)[:200],
        message=f"{change.field} of {live.name} was changed from {(change.before or 'nothing')[:60]} to {value[:60]}, "
        "and warnings speak of that value since.",
        directness="inferred",
        evidence=(
            seen_field(live, change.field, change.after),
            *(seen_line(one.line) for one in newest),
            Evidence.seen("commit", change.sha, change.path, shown, change.at),
        ),
        since=earliest(*(one.line.first for one in told)),
        hurts=tuple(sorted({one.workload for one in told} - {live}, key=str)),
    )

"""Variables that a commit took away, and that a running program's warnings name since, in whatever words.

Settings are read late as often as at the start (``os.getenv`` at the first mail, a container's lazy service), so that
the pods become ready and only one piece of the work fails (https://12factor.net/config).
"""

import re
from collections.abc import Iterator

from sre_bot.detectors.calls import configurations
from sre_bot.detectors.fields import steps
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest, is_calm
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding
from sre_bot.reasoning.source import FieldChange, SourceReport
from sre_bot.reasoning.suspects import SLACK
from sre_bot.reasoning.topology import Topology

_TELLING = re.compile(r"^(?=.{6})[A-Za-z][A-Za-z0-9]*(?:[_.-][A-Za-z0-9]+)+")
"""Names of several words: a single one stands in many lines."""

_READING = ("reads", "mounts")
_OFTEN = 3


def complained_removals(index: ClusterIndex, source: SourceReport, links: Topology) -> Iterator[Finding]:
    """The removed variables of each workload, or of the maps that it reads, that it does not get otherwise."""
    for change in source.changes:
        name = _removed(change)
        for ref in sorted(_losers(index, change, links), key=str) if name else ():
            told = [one for one in index.once(troubles).get(ref, ()) if _misses(index, one, name, change)]
            if sum(one.line.count for one in told) >= _OFTEN:
                yield _finding(ref, name, change, sorted(told, key=lambda one: (str(one.line.at), one.line.text)))


def _removed(change: FieldChange) -> str:
    """The name of a variable that a change took away; empty where it took none."""
    parts = [part for part in steps(change.field) if isinstance(part, str)]
    if change.after is not None or not parts:
        return ""
    variable = change.before if "env" in parts and parts[-1] == "name" else None
    key = parts[1] if change.object.kind == "ConfigMap" and parts[0] == "data" and len(parts) == 2 else None
    name = variable or key or ""
    return name if _TELLING.fullmatch(name) else ""


def _losers(index: ClusterIndex, change: FieldChange, links: Topology) -> set[ObjectRef]:
    """The workload that lost a variable, or the readers of the map that lost a key."""
    if change.object.kind == "ConfigMap":
        return {link.source for link in links.links if link.why in _READING and _same(change.object, link.target)}
    return {ref for ref in index.workload_by_ref if _same(change.object, ref)}


def _same(declared: ObjectRef, live: ObjectRef) -> bool:
    known = declared.namespace in ("", live.namespace)
    return known and (declared.kind, declared.name) == (live.kind, live.name)


def _misses(index: ClusterIndex, one: Trouble, name: str, change: FieldChange) -> bool:
    """Whether a line names the variable since it is gone, and the container has it from nowhere."""
    first, configured = one.line.first, index.once(configurations).get(one.workload)
    if configured is None or first is None or first < change.at - SLACK or is_calm(one.line.text):
        return False
    if name not in one.line.text or name in configured.variables(one.container.name):
        return False
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", one.line.text) is not None


def _finding(ref: ObjectRef, name: str, change: FieldChange, told: list[Trouble]) -> Finding:
    container = told[-1].container
    field = f"{container.field}.env"
    shown = f"{change.object} {change.field}: {change.before} -> {change.after}"
    names = [entry.get("name") for entry in container.spec.get("env") or () if isinstance(entry, dict)]
    return Finding(
        kind=FaultKind.MISSING_ENV,
        object=ref,
        field=field,
        observed=name,
        expected="",
        message=f"{ref.name} no longer gets {name}, and its warnings speak of it since.",
        directness="inferred",
        evidence=(
            *(seen_line(one.line) for one in told[-2:]),
            seen_field(ref, field, names),
            Evidence.seen("commit", change.sha, change.path, shown, change.at),
        ),
        since=earliest(*(one.line.first for one in told)),
        container=container.name,
    )

"""Values that somebody changed in the cluster by hand, and that a workload's present warnings are about.

Argo CD calls such an object OutOfSync (https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/). Most drift is
harmless; it counts where the log speaks of the very value.
"""

from collections.abc import Iterator

from sre_bot.detectors.calls import configurations
from sre_bot.detectors.fields import steps, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding
from sre_bot.reasoning.drift import Drift
from sre_bot.reasoning.spoken_values import speaks_of

_OFTEN = 3
"""So many lines for a bare number, which may stand in one by chance."""


def complained_drift(index: ClusterIndex, drifts: tuple[Drift, ...]) -> Iterator[Finding]:
    """The drifted fields of workloads, and of what they read, whose live value stands in one of their warnings."""
    for drift in drifts:
        if drift.live is None:
            continue
        key = _key(index, drift)
        told = [
            one
            for ref, lines in sorted(index.once(troubles).items(), key=lambda entry: str(entry[0]))
            for one in lines
            if _may_mind(index, ref, drift) and speaks_of(one.line.text, key, drift.live)
        ]
        if told and (not drift.live.isdigit() or sum(one.line.count for one in told) >= _OFTEN):
            yield _finding(drift, told)


def _may_mind(index: ClusterIndex, ref: ObjectRef, drift: Drift) -> bool:
    """Whether a workload is what drifted, or may be told by what it reads; a bare number only by its readers."""
    if drift.object == ref or drift.object.kind != "ConfigMap" or drift.object.namespace != ref.namespace:
        return drift.object == ref
    read = index.once(configurations)[ref].references if ref in index.once(configurations) else ()
    named = any((one.kind, one.name) == ("ConfigMap", drift.object.name) for one in read)
    return named or not (drift.live or "").isdigit()


def _key(index: ClusterIndex, drift: Drift) -> str:
    """What a drifted value is called: the entry of a list that it stands in, else its own key."""
    path = steps(drift.field)
    return text(index.find(drift.object) or {}, *path[:-1], "name") or (str(path[-1]) if path else "")


def _finding(drift: Drift, told: list[Trouble]) -> Finding:
    live = drift.live or ""
    newest = sorted(told, key=lambda one: (str(one.line.at), one.line.text))[-2:]
    return Finding(
        kind=FaultKind.CONFIG_DRIFT,
        object=drift.object,
        field=drift.field,
        observed=live,
        expected=drift.declared,
        message=f"The live {drift.object.kind} {drift.object.name} differs from the repository at {drift.field}: "
        f"{live} instead of {drift.declared}, and its warnings speak of it.",
        directness="inferred",
        evidence=(
            seen_field(drift.object, drift.field, live),
            *(seen_line(one.line) for one in newest),
            Evidence.seen("manifest", drift.path, drift.field, drift.declared),
        ),
        since=earliest(*(one.line.first for one in told)),
        hurts=tuple(sorted({one.workload for one in told} - {drift.object}, key=str)),
    )

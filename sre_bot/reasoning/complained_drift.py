"""Values that somebody changed in the cluster by hand, and that a workload's present warnings are about.

Argo CD calls such an object OutOfSync (https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/). Most drift is
harmless; it counts where the log speaks of the very value.
"""

import re
from collections.abc import Iterator

from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.finding import Evidence, FaultKind, Finding
from sre_bot.reasoning.drift import Drift

_SHORTEST = 4


def complained_drift(index: ClusterIndex, drifts: tuple[Drift, ...]) -> Iterator[Finding]:
    """The drifted fields of workloads, and of what they read, whose live value stands in one of their warnings."""
    for drift in drifts:
        if drift.live is None or len(drift.live) < _SHORTEST or drift.live.isdigit():
            continue
        for ref, lines in index.once(troubles).items():
            if drift.object == ref or (drift.object.kind == "ConfigMap" and drift.object.namespace == ref.namespace):
                told = [one for one in lines if _speaks_of(one.line.text, drift.live)]
                if told:
                    yield _finding(drift, told)


def _speaks_of(line: str, value: str) -> bool:
    """The value as it stands, not as the beginning of a longer word."""
    return re.search(rf"(?<![\w.-]){re.escape(value)}(?![\w-])", line) is not None


def _finding(drift: Drift, told: list[Trouble]) -> Finding:
    live = drift.live or ""
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
            *(seen_line(one.line) for one in told[-2:]),
            Evidence.seen("manifest", drift.path, drift.field, drift.declared),
        ),
        since=earliest(*(one.line.first for one in told)),
        hurts=tuple({one.workload for one in told} - {drift.object}),
    )

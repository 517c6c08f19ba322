"""From findings to hypotheses: which are causes, which only follow from others, and what each explains."""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from sre_bot.detectors.fields import steps
from sre_bot.detectors.loglines import earliest
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.diagnosis import Hypothesis, Suspect
from sre_bot.domain.finding import Evidence, FaultKind, Finding
from sre_bot.domain.source import SourceHistory
from sre_bot.reasoning.correlation import Correlation
from sre_bot.reasoning.drift import Drift
from sre_bot.reasoning.manifests import line_of
from sre_bot.reasoning.source import FieldChange
from sre_bot.reasoning.suspects import suspects
from sre_bot.reasoning.unexplained import guesses, switched_off

_CONFIGURATION = (".yaml", ".yml", ".json", ".env", ".properties", ".toml", ".conf", ".tpl")
GENERALITY: dict[FaultKind, int] = {
    FaultKind.LIVENESS_PROBE_TIMING: 1,
    FaultKind.NETWORK_DELAY: 1,
    FaultKind.CODE_REGRESSION: 2,
    FaultKind.INVALID_CONFIG: 2,
    FaultKind.CPU_SATURATION: 2,
    FaultKind.INVALID_COMMAND: 3,
    FaultKind.UPSTREAM_OUTAGE: 4,
    FaultKind.HPA_CANNOT_SCALE: 4,
    FaultKind.INIT_CONTAINER_FAILED: 4,
    FaultKind.JOB_FAILED: 5,
    FaultKind.PDB_BLOCKS: 5,
    FaultKind.ROLLOUT_STUCK: 6,
}
"""How general a kind is; 0 where it is not listed.

A finding follows from a less general one of the same object, or of an object that its own depends on.
"""


def propose(correlation: Correlation, history: SourceHistory | None) -> tuple[Hypothesis, ...]:
    """Make a hypothesis of each finding that is no mere effect, with suspects; of calm workloads where there is none.

    Confidence is left at 0; ``conclude`` computes it.
    """
    causes = [finding for finding in correlation.findings if effect_of(finding, correlation) is None]
    explained = frozenset(symptom.key for finding in causes for symptom in correlation.explained_by(finding))
    causes += guesses(correlation, explained)
    causes = causes or list(correlation.complained_drift)
    causes = causes or list(correlation.complained_changes)
    causes = causes or list(switched_off(correlation))
    if not causes:
        return _calm(correlation)
    return tuple(_hypothesis(finding, correlation, history) for finding in causes)


def effect_of(finding: Finding, correlation: Correlation) -> Finding | None:
    """Find the finding that this one only follows from; None where it stands by itself."""
    general = GENERALITY.get(finding.kind, 0)
    deeper = [other for other in correlation.findings if GENERALITY.get(other.kind, 0) < general]
    beneath = correlation.topology.causes_of(finding.object) if deeper else frozenset[ObjectRef]()
    return next((other for other in deeper if other.object in beneath or finding.object in other.hurts), None)


def _hypothesis(finding: Finding, correlation: Correlation, history: SourceHistory | None) -> Hypothesis:
    explained = correlation.explained_by(finding)
    left = tuple(symptom for symptom in correlation.symptoms if symptom not in explained)
    since = finding.since or earliest(*(symptom.since for symptom in explained))
    drift = _drift_behind(finding, correlation)
    blamed = () if drift is not None else suspects(finding, correlation.source, history, since)
    cause = _moved(finding, blamed, correlation) if drift is None else _drifted(finding, drift)
    return Hypothesis(
        finding=_located(cause, correlation, history, blamed, since),
        confidence=0.0,
        explains=tuple(symptom.text for symptom in explained),
        unexplained=tuple(symptom.text for symptom in left),
        against=tuple(f"it does not explain that {symptom.text}" for symptom in left[:3]),
        suspects=blamed,
    )


def _drift_behind(finding: Finding, correlation: Correlation) -> Drift | None:
    """The field at fault stands otherwise in the repository: somebody changed the live object by hand."""
    for drift in correlation.source.drift:
        if (
            drift.object == finding.object
            and finding.field
            and _names(drift.field)[: len(_names(finding.field))] == _names(finding.field)
        ):
            changed = drift.live is not None and _holds_only(drift.live, drift.declared, finding.observed)
            gone = (finding.observed, finding.expected) if drift.declared else ()
            taken = drift.live is None and (drift.declared in gone or finding.observed == str(_names(drift.field)[-1]))
            if changed or taken:
                return drift
    return None


def _holds_only(live: str, declared: str, observed: str) -> bool:
    """Whether a live value is, or contains as an address does, what was observed, and the declared one does not."""
    word = re.compile(rf"(?<![\w.-]){re.escape(observed)}(?![\w-])") if len(observed) > 2 else None
    return live in (observed, observed.rpartition(": ")[2]) or bool(
        word and word.search(live) and not word.search(declared)
    )


def _moved(finding: Finding, blamed: tuple[Suspect, ...], correlation: Correlation) -> Finding:
    """Blame the Service where the guilty commit took from it the port that callers use."""
    if finding.kind != FaultKind.DEPENDENCY_WRONG_PORT or not blamed:
        return finding
    services = {piece.subject for piece in finding.evidence if piece.subject.startswith("Service/")}
    for change in correlation.source.changes:
        named = next((text for text in services if text.endswith(f"/{change.object.name}")), "")
        if (
            change.sha == blamed[0].sha
            and change.object.kind == "Service"
            and named
            and change.before == finding.observed
        ):
            return finding.model_copy(
                update={
                    "kind": FaultKind.SERVICE_PORT_MISMATCH,
                    "object": ObjectRef.parse(named),
                    "field": change.field,
                    "observed": change.after or "",
                    "expected": change.before,
                    "hurts": (finding.object, *finding.hurts),
                }
            )
    return finding


def _names(field: str) -> list[str]:
    return [part for part in steps(field) if isinstance(part, str)]


def _drifted(finding: Finding, drift: Drift) -> Finding:
    declared = Evidence.seen("manifest", drift.path, drift.field, drift.declared or finding.object.name)
    return finding.model_copy(
        update={
            "kind": FaultKind.CONFIG_DRIFT,
            "field": drift.field,
            "expected": drift.declared,
            "message": f"The live {finding.object.kind} {finding.object.name} differs from the repository at "
            f"{drift.field}: "
            f"{drift.live or 'nothing'} instead of {drift.declared or 'nothing'}. {finding.message}",
            "evidence": (*finding.evidence, declared),
        }
    )


def _located(
    finding: Finding,
    correlation: Correlation,
    history: SourceHistory | None,
    blamed: tuple[Suspect, ...],
    since: datetime | None,
) -> Finding:
    """Add the repository's line with the wrong value, the guilty diff, and the last right value."""
    pieces = (*finding.evidence, *_declared_at(finding, correlation, history), *(blamed[0].evidence if blamed else ()))
    expected = finding.expected
    if blamed and finding.kind != FaultKind.CONFIG_DRIFT:
        expected = _last_good(finding, blamed[0], correlation.source.changes) or expected
    return finding.model_copy(update={"evidence": pieces, "expected": expected, "since": since})


def _declared_at(finding: Finding, correlation: Correlation, history: SourceHistory | None) -> tuple[Evidence, ...]:
    if history is None:
        return ()
    manifest = correlation.source.manifest_of(finding.object)
    if manifest is None:
        return tuple(islice(_by_value(finding, history), 1))
    content = history.tree.files.get(manifest.path, "")
    prefix = "" if manifest.item is None else f"items[{manifest.item}]."
    line = line_of(content, manifest.position, f"{prefix}{finding.field}")
    shown = content.splitlines()[line - 1] if line else ""
    if finding.object.kind == "Secret":
        shown = shown.partition(":")[0]
    return (Evidence.seen("manifest", manifest.path, str(line), shown),) if line else ()


def _by_value(finding: Finding, history: SourceHistory) -> Iterator[Evidence]:
    """Find a line that sets such a field to that value: in a claim template, a chart's values, a generator's file."""
    key = next((name for name in reversed(_names(finding.field))), "")
    if not key or not finding.observed or finding.object.kind == "Secret":
        return
    line_of_it = re.compile(rf"(?<![\w.-]){re.escape(key)}[\"']?\s*[:=]\s*[\"']?[^\n]*{re.escape(finding.observed)}")
    for path in sorted(history.tree.files, key=lambda path: (not path.startswith(history.path), path)):
        match = line_of_it.search(history.tree.files[path]) if path.endswith(_CONFIGURATION) else None
        if match:
            text = history.tree.files[path]
            start = text.rfind("\n", 0, match.start()) + 1
            yield Evidence.seen("manifest", path, str(text.count("\n", 0, start) + 1), text[start:].split("\n", 1)[0])


def _last_good(finding: Finding, culprit: Suspect, changes: tuple[FieldChange, ...]) -> str:
    """What the guilty commit replaced; for a variable that it took away, the value that it had."""
    own = [
        change
        for change in changes
        if change.sha == culprit.sha
        and change.object.name == finding.object.name
        and change.object.kind == finding.object.kind
    ]
    for change in own:
        if (
            _names(change.field) == _names(finding.field)
            and change.after == finding.observed
            and change.before is not None
        ):
            return change.before
    if finding.kind != FaultKind.MISSING_ENV:
        return ""
    taken = next((change for change in own if change.after is None and change.before == finding.observed), None)
    values = {change.field: change.before or "" for change in own if change.after is None}
    return values.get(taken.field.removesuffix(".name") + ".value", "") if taken else ""


def _calm(correlation: Correlation) -> tuple[Hypothesis, ...]:
    """Tell of recovered objects before healthy ones; of neither where something hurts."""
    if correlation.symptoms:
        return ()
    return tuple(Hypothesis(finding=finding, confidence=0.0) for finding in sorted(correlation.calm, key=_calm_order))


def _calm_order(finding: Finding) -> tuple[bool, bool, float, str]:
    """A node that came back first, since others fell with it; then by the time of the last trouble, newest first."""
    trouble = max((piece.at.timestamp() for piece in finding.evidence if piece.at and _is_trouble(piece)), default=0.0)
    return (finding.kind != FaultKind.RECOVERED, finding.object.kind != "Node", -trouble, str(finding.object))


def _is_trouble(piece: Evidence) -> bool:
    return piece.source == "event" or "finishedAt" in piece.excerpt

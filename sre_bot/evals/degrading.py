"""The same incident with less to see, so that the rules err: what a fit of the confidence learns from.

The rules were made with the tuned incidents and get them all right; fitted on that, every statement would be certain.
An unseen incident differs in that something is not there that the rules rely on: a log, an event, the repository, an
object, a wording that a detector knows. So each of them is left out in turn, and what is expected stays the same.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from sre_bot.detectors import FAMILIES, Family, find
from sre_bot.detectors.index import ClusterIndex
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.diagnosis import Diagnosis
from sre_bot.evals.case import Case
from sre_bot.reasoning import conclude, propose
from sre_bot.reasoning.correlation import relate
from sre_bot.reasoning.source import read_source

_KEPT = ("Node", "Namespace", "Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
"""Kinds that no snapshot is without."""


def degraded(case: Case, fix_threshold: float) -> Iterator[tuple[str, Diagnosis]]:
    """What was left out, and the diagnosis of the rest; nothing where there was none of it to leave out."""
    for name, leave_out in _LEAVING_OUT.items():
        less = leave_out(case)
        if less != case:
            yield name, _diagnosed(less, FAMILIES, fix_threshold)
    named = _naming(case)
    if named:
        yield "the rule", _diagnosed(case, [one for one in FAMILIES if one not in named], fix_threshold)


def _naming(case: Case) -> tuple[Family, ...]:
    """The detectors that name the cause which the diagnosis of the whole names first."""
    index = ClusterIndex(case.snapshot)
    source = read_source(index, case.history)
    by_family = {family: tuple(family(index)) for family in FAMILIES}
    correlation = relate(index, find(index), source)
    best = conclude(correlation, propose(correlation, case.history), fix_threshold=1.0, repairable=False).best
    if best is None:
        return ()
    said = (best.kind, best.object)
    return tuple(f for f, found in by_family.items() if any((one.kind, one.object) == said for one in found))


def _diagnosed(case: Case, families: Iterable[Family], fix_threshold: float) -> Diagnosis:
    index = ClusterIndex(case.snapshot)
    correlation = relate(index, find(index, families), read_source(index, case.history))
    hypotheses = propose(correlation, case.history)
    complaint = f"{case.ticket.summary}\n{case.ticket.description}"
    return conclude(correlation, hypotheses, fix_threshold=fix_threshold, repairable=True, complaint=complaint)


def _without(**fields: object) -> Callable[[Case], Case]:
    return lambda case: replace(case, snapshot=case.snapshot.model_copy(update=fields))


def _without_repository(case: Case) -> Case:
    return replace(case, history=None)


def _half_of_objects(case: Case) -> Case:
    kept = tuple(one for one in case.snapshot.objects if str(one.get("kind")) in _KEPT or _is_chosen(_name(one)))
    return replace(case, snapshot=case.snapshot.model_copy(update={"objects": kept}))


def _half_of_logs(case: Case) -> Case:
    kept = tuple(one for one in case.snapshot.logs if _is_chosen(f"{one.namespace}/{one.pod}"))
    return replace(case, snapshot=case.snapshot.model_copy(update={"logs": kept}))


def _without_last_runs(case: Case) -> Case:
    kept = tuple(one for one in case.snapshot.logs if not one.previous)
    return replace(case, snapshot=case.snapshot.model_copy(update={"logs": kept}))


def _name(thing: KubernetesObject) -> str:
    return str(ObjectRef.of(thing))


def _is_chosen(name: str) -> bool:
    """Half of all names, always the same half."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


_LEAVING_OUT: dict[str, Callable[[Case], Case]] = {
    "logs": _without(logs=()),
    "logs of earlier runs": _without_last_runs,
    "half of the logs": _half_of_logs,
    "events": _without(events=()),
    "metrics": _without(metrics=()),
    "half of the objects": _half_of_objects,
    "the repository": _without_repository,
}

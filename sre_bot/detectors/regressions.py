"""Programs that fail since they were rolled out anew, without a stack trace: their own errors, or what was measured.

A rolling update replaces the pods within minutes, so that a fault of the new image shows from then on
(https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#updating-a-deployment). Errors in a log are not
enough: somebody who calls the program must be told of a server error (RFC 9110, 15.6). What the errors blame on
others, on rights or on settings is left to the detectors of those.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from sre_bot.detectors.calls import clients
from sre_bot.detectors.code import blames_the_surroundings
from sre_bot.detectors.fields import dig, text, when
from sre_bot.detectors.foreign_failures import fails
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.load import callees, surging
from sre_bot.detectors.loglines import earliest, is_grave
from sre_bot.detectors.revisions import newest_revisions, previous_revisions
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.detectors.trends import Change, course, latest, measure, moment, rise, seen_metric
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_SERVER_ERROR = re.compile(
    r"(?<![\w.:-])5(?:00|0[1-9]|1\d)(?!\d|\s*m?s\b)|internal (?:server )?error|INTERNAL\b", re.IGNORECASE
)
_OFTEN = 3
_FRESH = timedelta(days=3)
_NEAR = timedelta(minutes=30)
_SLACK = timedelta(minutes=5)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every workload whose last revision brought another image."""
    for workload in index.workloads:
        rollout = rolled_out(index, workload)
        if rollout is not None and index.now - rollout <= _FRESH:
            yield from _logged(index, workload, rollout)
            yield from _measured(index, workload, rollout)


def rolled_out(index: ClusterIndex, workload: Workload) -> datetime | None:
    """When the present revision came, if it brought another image; None where it did not, or nothing is known."""
    before, now = (index.once(one).get(workload.ref) for one in (previous_revisions, newest_revisions))
    if before is None or now is None or _images(before) == _images(now):
        return None
    return when(dig(now, "metadata", "creationTimestamp"))


def follows_a_rollout(index: ClusterIndex, workload: Workload, at: datetime) -> bool:
    """Whether something began just after the workload got another image."""
    rollout = rolled_out(index, workload)
    return rollout is not None and -_SLACK <= at - rollout <= _NEAR


def _images(revision: dict[str, object]) -> tuple[str, ...]:
    containers = dig(revision, "spec", "template", "spec", "containers")
    return tuple(text(one, "image") for one in containers) if isinstance(containers, list) else ()


def _logged(index: ClusterIndex, workload: Workload, rollout: datetime) -> Iterator[Finding]:
    """Errors of its own, and callers who are told of a server error."""
    own = [one for one in index.once(troubles).get(workload.ref, ()) if _is_own_error(one.line.text)]
    told = list(_complaints(index, workload.ref))
    since = earliest(*(one.line.first for one in own))
    late = since is None or since >= rollout - _SLACK
    if sum(one.line.count for one in own) >= _OFTEN and sum(one.line.count for one in told) >= _OFTEN and late:
        worst = max(own, key=lambda one: (one.line.count, one.line.text))
        yield _finding(index, workload, worst.line.text[:300], (seen_line(worst.line), seen_line(told[-1].line)), since)


def _is_own_error(line: str) -> bool:
    return is_grave(line) and not fails(line) and not blames_the_surroundings(line)


def _complaints(index: ClusterIndex, ref: ObjectRef) -> Iterator[Trouble]:
    """What callers log of server errors that this workload gave them."""
    named = re.compile(rf"(?<![\w-]){re.escape(ref.name)}(?![\w-])")
    for client in sorted(index.once(clients).get(ref, frozenset()), key=str):
        for one in index.once(troubles).get(client, ()):
            if named.search(one.line.text) and _SERVER_ERROR.search(one.line.text):
                yield one


def _measured(index: ClusterIndex, workload: Workload, rollout: datetime) -> Iterator[Finding]:
    """Requests that fail more often from the rollout on, while demand is as it was and nothing below it fails."""
    failing = rise(index, workload.ref, "errors")
    measured = measure(index, workload.ref, "errors")
    if failing is None or measured is None or workload.ref in index.once(surging):
        return
    below = index.once(callees).get(workload.ref, frozenset())
    after = -_SLACK <= moment(failing.at) - rollout <= _NEAR
    if after and not any(rise(index, one, signal) for one in below for signal in ("errors", "latency")):
        yield _by_metric(index, workload, failing, seen_metric(measured, f"they went {course(failing)}", failing.at))


def _by_metric(index: ClusterIndex, workload: Workload, failing: Change, shown: Evidence) -> Finding:
    measured = measure(index, workload.ref, "errors")
    return _finding(index, workload, latest(measured) if measured else "", (shown,), moment(failing.at))


def _finding(
    index: ClusterIndex, workload: Workload, observed: str, shown: tuple[Evidence, ...], since: datetime | None
) -> Finding:
    now = index.once(newest_revisions)[workload.ref]
    image = text(now, "spec", "template", "spec", "containers", 0, "image")
    field = f"{workload.field}.containers[0].image"
    return Finding(
        kind=FaultKind.CODE_REGRESSION,
        object=workload.ref,
        field="",
        observed=observed,
        expected="",
        message=f"{workload.ref.name} fails since it runs {image}.",
        directness="logged",
        evidence=(*shown, seen_field(workload.ref, field, image)),
        since=since,
    )

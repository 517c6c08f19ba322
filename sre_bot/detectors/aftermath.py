"""What a trouble leaves behind once it is over: late readiness, regained availability, failures that ended in the log.

A condition's ``lastTransitionTime`` is when its status last changed: a pod that became ready long after it was made was
not ready before, and a Deployment that became available long after it was made had lost its pods
(https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions; Deployment API, conditions).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sre_bot.detectors.connections import failure
from sre_bot.detectors.fields import condition, dig, mapping, number, text, when
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import SILENCE
from sre_bot.detectors.pods import Pod
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, remarks
from sre_bot.domain.finding import Evidence

REMEMBERED = timedelta(hours=24)
"""How long a trouble that is over is still worth telling of."""

_START = timedelta(minutes=3)
_ROLLOUT = timedelta(minutes=30)
_OFTEN = 8


def aftermath(index: ClusterIndex, workload: Workload) -> Iterator[Evidence]:
    """The signs that a workload which is well now was not so within ``REMEMBERED``."""
    yield from _ready_late(index, workload)
    yield from _available_again(index, workload)
    yield from _failures_that_ended(index, workload)


def _ready_late(index: ClusterIndex, workload: Workload) -> Iterator[Evidence]:
    """All pods became ready later than they need to start; one of several that wavered is no trouble."""
    late = [pod for pod in workload.pods if _is_late(index, pod)]
    if late and len(late) == len(workload.pods):
        yield from (
            seen_field(pod.ref, "status.conditions[Ready].lastTransitionTime", _stamp(pod), pod.ready_since)
            for pod in late[:1]
        )


def _is_late(index: ClusterIndex, pod: Pod) -> bool:
    """Whether a pod was not ready for longer than its start takes: its probes' patience twice, or half an hour."""
    if pod.created is None or pod.ready_since is None or index.now - pod.ready_since > REMEMBERED:
        return False
    return pod.ready_since - pod.created > 2 * max(_START, *(_patience(one.spec) for one in pod.containers), _START)


def _patience(container: dict[str, object]) -> timedelta:
    """How long the start and readiness probes allow a container to begin."""
    start, ready = mapping(container, "startupProbe"), mapping(container, "readinessProbe")
    wait = number(ready, "initialDelaySeconds") or 0
    if start:
        period, times = number(start, "periodSeconds") or 10, number(start, "failureThreshold") or 3
        wait += (number(start, "initialDelaySeconds") or 0) + period * times
    return timedelta(seconds=wait)


def _stamp(pod: Pod) -> str:
    return text(condition(pod.thing, "Ready"), "lastTransitionTime")


def _available_again(index: ClusterIndex, workload: Workload) -> Iterator[Evidence]:
    """A Deployment regained its availability, and not by a rollout: that may end the old pods first."""
    available = condition(workload.thing, "Available")
    since, made = when(available.get("lastTransitionTime")), when(dig(workload.thing, "metadata", "creationTimestamp"))
    if available.get("status") != "True" or since is None or made is None or index.now - since > REMEMBERED:
        return
    if since - made > _ROLLOUT and not _is_young(workload, since):
        field = "status.conditions[Available].lastTransitionTime"
        yield seen_field(workload.ref, field, available.get("lastTransitionTime"), since)


def _is_young(workload: Workload, since: datetime) -> bool:
    """Whether all its pods were made just then."""
    return all(pod.created and abs(since - pod.created) <= _ROLLOUT for pod in workload.pods)


def _failures_that_ended(index: ClusterIndex, workload: Workload) -> Iterator[Evidence]:
    """Many failed calls to one host, and then a log that goes on without them."""
    by_host: dict[str, list[Trouble]] = {}
    for one in index.once(remarks).get(workload.ref, ()):
        failed = failure(one.line.text)
        if failed is not None and not one.fatal:
            by_host.setdefault(failed.host, []).append(one)
    for _, told in sorted(by_host.items()):
        lasted = [one for one in told if one.line.at is not None]
        if sum(one.line.count for one in told) >= _OFTEN and all(_is_over(index, one) for one in told) and lasted:
            yield seen_line(max(lasted, key=lambda one: (str(one.line.at), one.line.text)).line)
            return


def _is_over(index: ClusterIndex, one: Trouble) -> bool:
    """Whether the log has gone on for longer than the problem is ever silent."""
    at, end = one.line.at, one.line.log_end
    return at is not None and end is not None and index.now - at <= REMEMBERED and end - at > SILENCE

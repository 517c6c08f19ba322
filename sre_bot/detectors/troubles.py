"""The suspicious log lines of every workload, read once: which of them tell of a present problem."""

from dataclasses import dataclass
from datetime import timedelta

from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import LogLine, is_grave, trouble
from sre_bot.detectors.pods import Container, Pod
from sre_bot.domain.cluster import ObjectRef

_END = 5
"""How many lines may follow an error that ended a run: of its stack, and of the farewell."""

_LONGEST = timedelta(hours=26)
"""A daily run, and two hours for its delay."""


@dataclass(frozen=True, eq=False)
class Trouble:
    """A suspicious line of a workload's current pod."""

    pod: Pod
    container: Container
    line: LogLine
    fatal: bool

    @property
    def workload(self) -> ObjectRef:
        """The workload that logged it."""
        return self.pod.workload


def remarks(index: ClusterIndex) -> dict[ObjectRef, tuple[Trouble, ...]]:
    """The suspicious lines of every workload's current pods, those of the past included."""
    found: dict[ObjectRef, list[Trouble]] = {}
    for pod in index.current_pods:
        for log in index.logs_of(pod):
            container = pod.container(log.container)
            if container is None:
                continue
            failing = container.fails(index.now)
            read = (Trouble(pod, container, line, failing) for line in trouble(log))
            found.setdefault(pod.workload, []).extend(read)
    return {workload: tuple(lines) for workload, lines in found.items()}


def troubles(index: ClusterIndex) -> dict[ObjectRef, tuple[Trouble, ...]]:
    """The present suspicious lines by workload, newest pods' and last lines last.

    Lines of a container that fails count whatever their age, those of its ended run first of all; lines of a container
    that runs well count only when they are recent. ``fatal`` marks lines of a failing container. The newest ended run
    of a Job or CronJob has said its last word: an error at its end stands until the next run, whatever its exit code.
    """
    present = {
        workload: tuple(
            one for one in lines if one.fatal or one.line.is_present(index.now) or _is_last_word(index, one)
        )
        for workload, lines in index.once(remarks).items()
    }
    return {workload: lines for workload, lines in present.items() if lines}


def _is_last_word(index: ClusterIndex, one: Trouble) -> bool:
    """Whether an error ended the newest run of a workload that runs to its end, within the last day or so."""
    if not one.pod.ended or one.line.previous or one.line.from_end > _END or not is_grave(one.line.text):
        return False
    runs = index.pods_by_workload.get(one.workload, ())
    newest = max(runs, key=lambda pod: (str(pod.created), pod.ref.name), default=one.pod)
    return newest.ref == one.pod.ref and one.line.at is not None and index.now - one.line.at <= _LONGEST

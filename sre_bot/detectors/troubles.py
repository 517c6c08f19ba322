"""The suspicious log lines of every workload, read once: which of them tell of a present problem."""

from dataclasses import dataclass

from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import LogLine, trouble
from sre_bot.detectors.pods import Container, Pod
from sre_bot.domain.cluster import ObjectRef


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
    that runs well count only when they are recent. ``fatal`` marks lines of a failing container.
    """
    present = {
        workload: tuple(one for one in lines if one.fatal or one.line.is_present(index.now))
        for workload, lines in index.once(remarks).items()
    }
    return {workload: lines for workload, lines in present.items() if lines}

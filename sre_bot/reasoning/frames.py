"""Stack traces led home: the frames of a live trace mapped to files of the repository."""

from collections import defaultdict
from collections.abc import Iterator

from sre_bot.detectors.code import is_of_surroundings
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.traces import Frame, Trace, traces
from sre_bot.domain.cluster import ObjectRef, Value
from sre_bot.domain.source import SourceTree

CODE = (
    ".py",
    ".js",
    ".ts",
    ".tsx",
    ".jsx",
    ".mjs",
    ".cjs",
    ".go",
    ".java",
    ".kt",
    ".scala",
    ".rb",
    ".cs",
    ".php",
    ".rs",
    ".ex",
    ".exs",
)
"""The endings of program files whose traces are read."""


class MappedFrame(Value):
    """One frame and the repository's file that it is most likely of."""

    path: str
    line: int
    function: str


class MappedTrace(Value):
    """A workload's trace; ``frames`` holds only those that lead to files of the repository, innermost first."""

    workload: ObjectRef
    header: str
    error: str
    message: str
    frames: tuple[MappedFrame, ...]


def mapped_traces(index: ClusterIndex, tree: SourceTree) -> tuple[MappedTrace, ...]:
    """The traces in the logs of current pods that lead to files of the tree, by workload and header."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in tree.files:
        if path.endswith(CODE):
            by_name[path.rsplit("/", 1)[-1]].append(path)
    found = {(str(one.workload), one.header): one for one in _mapped(index, by_name)}
    return tuple(found[key] for key in sorted(found))


def _mapped(index: ClusterIndex, by_name: dict[str, list[str]]) -> Iterator[MappedTrace]:
    for pod in index.current_pods:
        for log in index.logs_of(pod):
            for trace in traces(log.text):
                frames = tuple(frame for frame in (_home(one, by_name, pod.workload) for one in trace.own) if frame)
                if frames and not is_of_surroundings(trace):
                    yield _trace(pod.workload, trace, frames)


def _trace(workload: ObjectRef, trace: Trace, frames: tuple[MappedFrame, ...]) -> MappedTrace:
    return MappedTrace(
        workload=workload, header=trace.header[:300], error=trace.error, message=trace.message[:500], frames=frames
    )


def _home(frame: Frame, by_name: dict[str, list[str]], workload: ObjectRef) -> MappedFrame | None:
    """The file that shares the longest end of its path with the frame's; then by the workload's folder."""
    parts = frame.file.replace("\\", "/").strip("./").split("/")
    candidates = by_name.get(parts[-1], [])
    if not candidates:
        return None
    best = max(
        candidates,
        key=lambda path: (_shared_end(path.split("/"), parts), workload.name in path, [-ord(c) for c in path]),
    )
    return MappedFrame(path=best, line=frame.line, function=frame.function)


def _shared_end(left: list[str], right: list[str]) -> int:
    shared = 0
    for one, other in zip(reversed(left), reversed(right), strict=False):
        if one != other:
            break
        shared += 1
    return shared

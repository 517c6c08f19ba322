"""What Redis has of a workflow, held against what Postgres says of it. Postgres wins, whichever version is higher."""

from dataclasses import dataclass
from enum import StrEnum

from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence.hot.states import decode, encode


class Difference(StrEnum):
    """How a copy differs.

    ``ahead``: of a version that Postgres never reached, or that a restoration took back. ``contradicting``: of the same
    version, but not the same. ``unreadable``: not ours. ``unknown``: of a workflow that Postgres does not have.
    ``progress``: the stream of steps does not end where the log ends. ``lock``: a hint names the wrong holder or none.
    """

    MISSING = "missing"
    BEHIND = "behind"
    AHEAD = "ahead"
    CONTRADICTING = "contradicting"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    PROGRESS = "progress"
    LOCK = "lock"


DELIVERABLE = (Difference.MISSING, Difference.BEHIND)
"""What is no mistake while a step is on its way."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What Redis has of one workflow: the document, empty for none, and the version of the newest step in its stream.

    ``newest`` is 0 for an empty stream, and None where nobody looked or nobody can read it.
    """

    document: bytes = b""
    newest: int | None = None


def difference(copy: Copy, truth: WorkflowState | None, *, with_stream: bool = False) -> Difference | None:
    """How a copy differs from the truth; None when it does not. ``with_stream``: its newest step counts too."""
    if truth is None:
        return Difference.UNKNOWN if copy.document else None
    if not copy.document:
        return Difference.MISSING
    if copy.document == encode(truth):
        return Difference.PROGRESS if with_stream and copy.newest != ends_at(truth) else None
    held = decode(copy.document)
    if held is None or held.workflow_id != truth.workflow_id:
        return Difference.UNREADABLE
    if held.version == truth.version:
        return Difference.CONTRADICTING
    return Difference.BEHIND if held.version < truth.version else Difference.AHEAD


def ends_at(truth: WorkflowState) -> int:
    """The version of the newest step: the first version of a workflow has none."""
    return truth.version if truth.version > 1 else 0


def published_until(copy: Copy, truth: WorkflowState, found: Difference) -> int | None:
    """The version up to which the stream can be kept; None when it must be begun anew."""
    if found in DELIVERABLE and copy.newest is not None and copy.newest <= truth.version:
        return copy.newest
    return None

"""What a saver remembers of the workflows that it writes, so that it need not ask before each step.

Nothing here is relied upon: the database compares what was remembered with what is there, and refuses what is stale.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

from sre_bot.persistence.audit import Standing

Key = TypeVar("Key")
Value = TypeVar("Value")

_WORKFLOWS = 2_000
_NAMESPACES = 10_000


class Recall:
    """Where workflows stand, and which of their newest checkpoints let one task run alone."""

    def __init__(self) -> None:
        self._standings = _Recent[str, Standing](_WORKFLOWS)
        self._alone = _Recent[tuple[str, str], str](_NAMESPACES)

    def standing(self, workflow_id: str) -> Standing | None:
        """Where a workflow stood last; None when that is not known, or nobody's thread is asked for."""
        return self._standings.get(workflow_id)

    def moved(self, workflow_id: str, standing: Standing) -> None:
        """Keep where a workflow stands."""
        self._standings.put(workflow_id, standing)

    def forget(self, workflow_id: str) -> None:
        """Drop where a workflow stood: somebody else wrote."""
        self._standings.drop(workflow_id)

    def runs_alone(self, workflow_id: str, checkpoint_ns: str, checkpoint_id: str) -> bool:
        """Whether this checkpoint of a workflow is known to let exactly one task run."""
        known = self._standings.get(workflow_id) is not None
        return known and self._alone.get((workflow_id, checkpoint_ns)) == checkpoint_id

    def scheduled(self, workflow_id: str, checkpoint_ns: str, checkpoint_id: str, *, alone: bool) -> None:
        """Keep whether the newest checkpoint of a namespace lets exactly one task run."""
        if alone:
            self._alone.put((workflow_id, checkpoint_ns), checkpoint_id)
        else:
            self._alone.drop((workflow_id, checkpoint_ns))


class _Recent(Generic[Key, Value]):
    """The values that were kept last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept = OrderedDict[Key, Value]()

    def get(self, key: Key) -> Value | None:
        return self._kept.get(key)

    def put(self, key: Key, value: Value) -> None:
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def drop(self, key: Key) -> None:
        self._kept.pop(key, None)

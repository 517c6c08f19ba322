"""Where workflows stand, as Redis was last told: one hash, a document for each workflow, good for one version of it.

What is read here may be stale or wrong: use it where that is said, and decide nothing by it.
"""

from pydantic import TypeAdapter, ValidationError

from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence.hot.store import HotStore

KEY = "states"

_DOCUMENT = TypeAdapter(WorkflowState)


class HotStates:
    """Reads the copies. Their ``context`` holds what a list shows, and ``due_at`` is not kept."""

    def __init__(self, store: HotStore) -> None:
        self._store = store

    async def all(self) -> tuple[WorkflowState, ...]:
        """Every copy that can be read, the one that moved last first. Raises ``HotStoreAway``."""
        found = await self._store.ask(lambda redis: redis.hgetall(self._store.key(KEY)))
        states = (decode(document) for document in found.values())
        return tuple(sorted(filter(None, states), key=lambda state: state.updated_at, reverse=True))


def encode(state: WorkflowState) -> bytes:
    """The document of a workflow."""
    return _DOCUMENT.dump_json(state)


def decode(document: bytes | str) -> WorkflowState | None:
    """What a document says; None when it is none of ours."""
    try:
        return _DOCUMENT.validate_json(document)
    except ValidationError:
        return None

"""Live progress: a stream for each workflow, an entry for each step, ``<version>-<ordinal>`` being the entry's id.

An entry has one field, ``transition``: a JSON document with ``workflow_id``, ``version``, ``ordinal``, ``from``,
``to``, ``at``, ``trigger`` and ``agent``. The ids grow with the log, so a step that is published
twice is there once. Our own readers take an entry for a hint that there is something new, and read the log.
"""

import asyncio
import json
from typing import TYPE_CHECKING, Any

from sre_bot.domain.errors import HotStoreAway
from sre_bot.persistence.database import Row
from sre_bot.persistence.hot.store import HotStore

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEY = "progress"

POLL = 0.2
"""Seconds between two looks at the log where nobody tells us."""

QUIET = 2.0
"""Seconds after which we look at the log although nobody told us to: word may have been lost."""


class Progress:
    """Follows one workflow: look at the log, ``wait``, look again."""

    def __init__(self, store: HotStore, workflow_id: str) -> None:
        self._store = store
        self._stream = store.key(KEY, workflow_id)
        self._seen = "0-0"

    async def wait(self) -> None:
        """Come back as soon as a step is published that was not there at the last call, after ``QUIET`` in any case.

        Without Redis, after ``POLL``.
        """
        try:
            answer = await self._store.ask(self._news, blocking=QUIET)
        except HotStoreAway:
            await asyncio.sleep(POLL)
            return
        if answer:
            self._seen = answer
        await asyncio.sleep(POLL / 10)  # a stream that somebody floods costs no more than polling would

    async def _news(self, redis: "Redis") -> str:
        found: Any = await redis.xread({self._stream: self._seen}, block=int(QUIET * 1000))
        return found[0][1][-1][0].decode() if found else ""


def entry_of(row: Row) -> tuple[str, str]:
    """The id and the document of the entry for a row of the log."""
    document = {
        "workflow_id": str(row["workflow_id"]),
        "version": row["version"],
        "ordinal": row["ordinal"],
        "from": row["from_state"],
        "to": row["to_state"],
        "at": row["timestamp"].isoformat(),
        "trigger": row["trigger_event"],
        "agent": row["agent_id"],
    }
    return f"{row['version']}-{row['ordinal']}", json.dumps(document)

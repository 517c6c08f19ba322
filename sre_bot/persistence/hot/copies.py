"""What Redis has: reading it in portions, and replacing exactly what was read."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from sre_bot.persistence.hot import lock_hints, progress, states
from sre_bot.persistence.hot.differences import Copy
from sre_bot.persistence.hot.scripts import lua
from sre_bot.persistence.hot.store import HotStore

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEPT = timedelta(days=1)
"""How long anything stays in Redis that nobody keeps in step."""

MOST_STEPS = 1000
"""About how many entries a stream keeps."""

AT_ONCE = 200
"""Workflows in one exchange with Redis, so that each is short."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What to keep of a workflow (empty: nothing) in place of what was ``read``, and the steps to publish.

    ``anew`` begins the stream of its steps from the first one given.
    """

    workflow_id: str
    read: bytes
    keep: bytes
    anew: bool
    steps: tuple[tuple[str, str], ...]

    def arguments(self) -> list[Any]:
        """The arguments of ``replace_state.lua``."""
        kept = int(KEPT.total_seconds())
        entries = [part for step in self.steps[-MOST_STEPS:] for part in step]
        return [self.workflow_id, self.read, self.keep, int(self.anew), kept, kept, MOST_STEPS, *entries]


class Copies:
    """Our part of Redis. Every method raises ``HotStoreAway``."""

    def __init__(self, store: HotStore) -> None:
        self._store = store
        self._states = store.key(states.KEY)
        self._hints = store.key(lock_hints.KEY)

    async def drop_strange(self) -> int:
        """Delete what stands under our names and is of another kind than ours; returns how much."""
        dropped = 0
        for key in (self._states, self._hints):
            kind = await self._store.ask(lambda redis, key=key: redis.type(key))
            if kind not in (b"hash", b"none"):
                dropped += await self._store.ask(lambda redis, key=key: redis.delete(key))
        return dropped

    async def documents(self) -> dict[str, Copy]:
        """Every workflow's document; the streams are not looked at."""
        found: dict[str, Copy] = {}
        cursor = -1
        while cursor:
            start = max(cursor, 0)
            answer: Any = await self._store.ask(
                lambda redis, start=start: redis.hscan(self._states, start, count=AT_ONCE)
            )
            cursor = int(answer[0])
            found.update({_text(name): Copy(document) for name, document in answer[1].items()})
        return found

    async def of(self, workflow_ids: Collection[str]) -> dict[str, Copy]:
        """The documents and the streams' ends of some workflows."""
        found: dict[str, Copy] = {}
        for some in portions(workflow_ids):
            answers = await self._store.ask(lambda redis, some=some: self._look(redis, some))
            for at, name in enumerate(some):
                found[name] = Copy(_document(answers[2 * at]), _newest(answers[2 * at + 1]))
        return found

    async def replace(self, replacements: Collection[Replacement]) -> list[bool]:
        """Replace what was read; False for each that somebody else replaced since."""
        return [
            bool(done)
            for some in portions(replacements)
            for done in await self._store.ask(lambda redis, some=some: self._replace(redis, some))
        ]

    async def hints(self) -> dict[str, str]:
        """Who is said to hold which resource."""
        found: Any = await self._store.ask(lambda redis: redis.hgetall(self._hints))
        return {_text(name): _text(holder) for name, holder in found.items()}

    async def replace_hints(self, read: Mapping[str, str], truth: Mapping[str, str]) -> int:
        """Replace the hints that were read and are not the truth; returns how many, but for what changed since."""
        wrong = [name for name in read.keys() | truth.keys() if read.get(name) != truth.get(name)]

        async def replace(redis: "Redis") -> list[Any]:
            pipeline = redis.pipeline(transaction=False)
            for name in wrong:
                pipeline.eval(lua("replace_hint"), 1, self._hints, name, read.get(name, ""), truth.get(name, ""))
            return await pipeline.execute()

        return sum(await self._store.ask(replace)) if wrong else 0

    async def _look(self, redis: "Redis", workflow_ids: Iterable[str]) -> list[Any]:
        pipeline = redis.pipeline(transaction=False)
        for workflow_id in workflow_ids:
            pipeline.hget(self._states, workflow_id)
            pipeline.xrevrange(self._stream(workflow_id), count=1)
        return await pipeline.execute(raise_on_error=False)

    async def _replace(self, redis: "Redis", replacements: Iterable[Replacement]) -> list[Any]:
        pipeline = redis.pipeline(transaction=False)
        for one in replacements:
            stream = self._stream(one.workflow_id)
            pipeline.eval(lua("replace_state"), 2, self._states, stream, *one.arguments())
        return await pipeline.execute()

    def _stream(self, workflow_id: str) -> str:
        return self._store.key(progress.KEY, workflow_id)


def portions(things: Collection[Any]) -> list[list[Any]]:
    """The same in lists that are short enough for one exchange."""
    rest = iter(things)
    return [list(islice(rest, AT_ONCE)) for _ in range(0, len(things), AT_ONCE)]


def _document(answer: Any) -> bytes:
    """What was read; nothing where Redis said instead that the key is none of ours."""
    return answer if isinstance(answer, bytes) else b""


def _newest(entries: Any) -> int | None:
    """The version of the newest entry, 0 where there is none; None for what is no stream of ours."""
    if not isinstance(entries, list):
        return None
    return int(entries[0][0].partition(b"-")[0]) if entries else 0


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")

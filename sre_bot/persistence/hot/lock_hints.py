"""Who is said to hold a resource. A hint that somebody does saves an attempt; Postgres decides each attempt."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from sre_bot.domain.errors import HotStoreAway
from sre_bot.persistence.hot.scripts import lua
from sre_bot.persistence.hot.store import HotStore

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEY = "locks"

TRUST = 2.0
"""Seconds for which a waiter believes a hint without asking Postgres."""


class LockHints:
    """Hints about resource locks. Nothing here ever fails: without Redis nobody is said to hold anything."""

    def __init__(self, store: HotStore) -> None:
        self._store = store

    async def is_held(self, resource: str) -> bool:
        """Whether somebody is said to hold it."""
        try:
            return bool(await self._store.ask(lambda redis: redis.hexists(self._store.key(KEY), resource)))
        except HotStoreAway:
            return False

    async def took(self, holder: str, resources: tuple[str, ...]) -> None:
        """Say that Postgres has given resources to a holder: a workflow's id, or an outside program's."""
        if resources:
            held: dict[Any, Any] = dict.fromkeys(resources, holder)
            await self._tell(lambda redis: redis.hset(self._store.key(KEY), mapping=held))

    async def freed(self, holder: str, resources: tuple[str, ...] | None = None) -> None:
        """Say that a holder has given back some resources, or (None) all."""
        arguments = (holder, *(resources or ()))
        await self._tell(lambda redis: redis.eval(lua("free_hints"), 1, self._store.key(KEY), *arguments))

    async def _tell(self, what: Callable[["Redis"], Awaitable[Any]]) -> None:
        try:
            await self._store.ask(what)
        except HotStoreAway:
            return


NO_HINTS = LockHints(HotStore())

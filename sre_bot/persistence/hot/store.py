"""The door to Redis: short time-outs, and rest after a failure: a dead server costs one time-out now and then.

The client is imported where there is a Redis: most commands have none, and it takes as long to load as they do to run.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self, TypeVar

from sre_bot.domain.errors import BadSetting, HotStoreAway

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

PATIENCE = 0.25
"""Seconds that Redis gets to answer, connecting included."""

REST = 5.0
"""Seconds after a failure in which Redis is not asked."""


class HotStore:
    """Redis, or its absence. Open it with ``async with HotStore.open(url, prefix) as store``.

    ``prefix`` begins every key; its braces keep the keys of one bot on one node of a cluster.
    """

    def __init__(self, client: "Redis | None" = None, prefix: str = "", *, rest: float = REST) -> None:
        self._client = client
        self._prefix = f"{{{prefix}}}"
        self._rest = rest
        self._asked_again_at = 0.0
        self._trouble = ""

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, prefix: str, *, rest: float = REST) -> AsyncGenerator[Self]:
        """A store at a URL, empty for none; it is connected to when it is asked. Raises ``BadSetting``."""
        if not url:
            yield cls(prefix=prefix)
            return
        client = _client(url)
        try:
            yield cls(client, prefix, rest=rest)
        finally:
            await client.aclose()

    @property
    def configured(self) -> bool:
        """Whether there is a Redis to ask."""
        return self._client is not None

    @property
    def resting(self) -> bool:
        """Whether a question would be refused at once."""
        return self._client is None or asyncio.get_running_loop().time() < self._asked_again_at

    @property
    def prefix(self) -> str:
        """What every key begins with."""
        return self._prefix

    def key(self, *names: str) -> str:
        """A key of ours."""
        return ":".join((self._prefix, *names))

    async def ask(self, question: Callable[["Redis"], Awaitable[T]], *, blocking: float = 0.0) -> T:
        """The answer to a question that itself may wait for ``blocking`` seconds. Raises ``HotStoreAway``.

        After a failure one caller tries again; meanwhile the others are refused at once.
        """
        if self._client is None:
            raise HotStoreAway("no Redis is configured")
        if self.resting:
            raise HotStoreAway(self._trouble)
        if self._trouble:
            self._rest_because(self._trouble)
        from redis.exceptions import RedisError, ResponseError

        try:
            async with asyncio.timeout(blocking + PATIENCE):
                answer = await question(self._client)
        except TimeoutError as error:
            raise self._rest_because(f"Redis did not answer within {PATIENCE:g} s") from error
        except ResponseError as error:  # it answers, so it needs no rest: a key of a wrong kind, no memory, a replica
            self._trouble, self._asked_again_at = "", 0.0
            raise HotStoreAway(f"Redis: {error}") from error
        except (RedisError, OSError) as error:
            raise self._rest_because(f"Redis: {error}") from error
        self._trouble, self._asked_again_at = "", 0.0
        return answer

    async def ping(self) -> None:
        """Raise ``HotStoreAway`` unless it answers."""
        await self.ask(lambda client: client.ping())

    def _rest_because(self, trouble: str) -> HotStoreAway:
        self._trouble = trouble
        self._asked_again_at = asyncio.get_running_loop().time() + self._rest
        return HotStoreAway(trouble)


def _client(url: str) -> "Redis":
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    try:
        client = Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,  # each question has a time-out of its own
            socket_connect_timeout=PATIENCE,
            protocol=2,  # which every server speaks
        )
    except ValueError as error:
        raise BadSetting(f"REDIS_URL: {error}") from error
    if client.get_encoder().decode_responses:
        raise BadSetting("REDIS_URL: decode_responses cannot be set; what stands there need not be text")
    return client

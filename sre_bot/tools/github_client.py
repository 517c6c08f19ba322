"""PyGithub's clients. They are synchronous and not for two threads at once, so each call borrows one for its thread."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from github import Auth, Github
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import Retry

from sre_bot.domain.errors import GitHubAPIError, Reason
from sre_bot.tools.github_errors import github_errors

T = TypeVar("T")
PER_PAGE = 100


class BrokenConnections(Retry):
    """Tries again where a connection broke. A time-out is final."""

    def increment(self, *arguments: Any, error: Exception | None = None, **details: Any) -> Retry:
        """Count one failure. Raises it where there is no further try."""
        if isinstance(error, ReadTimeoutError):
            raise error
        return super().increment(*arguments, error=error, **details)


class Clients:
    """Clients of one GitHub; ``timeout`` is in seconds, for each request."""

    def __init__(self, url: str, token: str, timeout: float) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._timeout = max(math.ceil(timeout), 1)  # PyGithub takes whole seconds only
        self._idle: deque[Github] = deque()

    async def call(self, doing: str, work: Callable[[Github], T]) -> T:
        """Do ``work`` in a thread with a client that nobody else is using. Raises ``GitHubAPIError``."""
        if not self._token:
            raise GitHubAPIError(f"{doing}: there is no token to ask with", reason=Reason.NOT_AUTHORISED)

        def in_thread() -> T:
            client = self._borrow()
            try:
                with github_errors(doing):
                    return work(client)
            finally:
                self._idle.append(client)

        return await asyncio.to_thread(in_thread)

    def _borrow(self) -> Github:
        try:
            return self._idle.pop()
        except IndexError:
            return self._new()

    def _new(self) -> Github:
        return Github(
            base_url=self._url,
            auth=Auth.Token(self._token),
            timeout=self._timeout,
            user_agent="sre-bot",
            per_page=PER_PAGE,
            retry=_once_more_for_reads(),
            lazy=True,
            seconds_between_requests=None,
            seconds_between_writes=None,
        )


def _once_more_for_reads() -> BrokenConnections:
    """Writes are never repeated; statuses, rate limits and redirects are for the caller to judge."""
    return BrokenConnections(
        total=1,
        connect=1,
        read=1,
        redirect=0,
        status=0,
        other=0,
        allowed_methods=("GET",),
        respect_retry_after_header=False,
    )

"""A LangGraph Server, through its own SDK: threads that wait there for people are woken, and nothing else is asked."""

from typing import TYPE_CHECKING, Any

import httpx

from sre_bot.domain.errors import LangGraphServerError, Reason

if TYPE_CHECKING:
    from langgraph_sdk.client import LangGraphClient
    from langgraph_sdk.schema import Command

WAKE_UP: "Command" = {"resume": "there is news on the pull request"}
"""What the waiting node gets; it decides nothing."""


class LangGraphServer:
    """One server. ``key`` is sent as ``x-api-key`` and may be empty; ``timeout`` is in seconds, for each request."""

    def __init__(self, url: str, key: str = "", *, timeout: float = 20.0) -> None:
        self._url = url.rstrip("/")
        self._key = key or None
        self._timeout = timeout

    async def wake(self, thread_id: str) -> bool:
        """Start the run that looks again, with durability ``sync``; whether one was started.

        None is where the thread does not wait for anybody: a run is at work on it, or it has ended. The server rejects
        a run beside another that came first. Raises ``LangGraphServerError``, also for a thread that is not there.
        """
        from langgraph_sdk.errors import APIStatusError, ConflictError

        try:
            async with self._client() as client:
                return await self._woken(client, thread_id)
        except ConflictError:
            return False
        except APIStatusError as error:
            raise LangGraphServerError.from_status(error.status_code, f"thread {thread_id}: {error.message}") from error
        except httpx.HTTPError as error:
            raise LangGraphServerError(f"no answer: {error}", reason=Reason.UNAVAILABLE) from error
        except ValueError as error:  # the SDK reads whatever a proxy says instead of the server
            raise LangGraphServerError(f"thread {thread_id}: no JSON: {error}", reason=Reason.BAD_ANSWER) from error

    async def _woken(self, client: "LangGraphClient", thread_id: str) -> bool:
        thread: Any = await client.threads.get(thread_id)
        if not isinstance(thread, dict) or "status" not in thread:
            raise LangGraphServerError(f"thread {thread_id} has no status", reason=Reason.BAD_ANSWER)
        if thread["status"] != "interrupted":
            return False
        assistant = (thread.get("metadata") or {}).get("assistant_id")
        if not isinstance(assistant, str):
            raise LangGraphServerError(f"thread {thread_id} has no assistant", reason=Reason.BAD_ANSWER)
        await client.runs.create(thread_id, assistant, command=WAKE_UP, durability="sync", multitask_strategy="reject")
        return True

    def _client(self) -> "LangGraphClient":
        from langgraph_sdk import get_client

        return get_client(url=self._url, api_key=self._key, timeout=self._timeout)

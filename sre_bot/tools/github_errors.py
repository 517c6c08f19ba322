"""What GitHub and PyGithub can do wrong, in our words."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from github import GithubException
from github.GithubException import BadAttributeException

from sre_bot.domain.errors import GitHubAPIError, Reason
from sre_bot.tools.request_errors import request_errors

SECONDARY_RATE_WAIT = 60.0
"""Seconds to wait after a secondary rate limit that does not say how long (GitHub's documentation)."""

_UNREADABLE = (
    ValueError,  # truncated JSON; pydantic's ValidationError is one too
    BadAttributeException,
    AttributeError,  # PyGithub, when an answer is JSON but no object
    TypeError,  # PyGithub, when an answer is empty
    AssertionError,  # PyGithub, when an answer links to another host
    RuntimeError,  # PyGithub, when it is redirected to another host
)


@contextmanager
def github_errors(doing: str) -> Generator[None]:
    """Turn everything that goes wrong inside into ``GitHubAPIError``; ``doing`` says what was tried."""
    with request_errors(doing, GitHubAPIError, _UNREADABLE):
        try:
            yield
        except GithubException as error:
            raise _refusal(doing, error) from error


def _refusal(doing: str, error: GithubException) -> GitHubAPIError:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    message = message_of(error.data) or error.message or "refused"
    return GitHubAPIError.from_status(error.status, f"{doing}: {message}", _retry_after(error.status, headers, message))


def message_of(data: Any) -> str:
    """GitHub's message with the messages of its single errors, empty where there is none."""
    if not isinstance(data, dict):
        return ""
    errors: list[Any] = data.get("errors") or []
    details = [_detail(error) for error in errors]
    return ": ".join(part for part in (str(data.get("message") or ""), "; ".join(details)) if part)


def _detail(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    return str(error.get("message") or f"{error.get('field')} is {error.get('code')}")


def _retry_after(status: int, headers: Mapping[str, str], message: str) -> float | None:
    """How many seconds to wait, by the server's own clock; None where this is no rate limit."""
    if headers.get("retry-after", "").isdigit():
        return float(headers["retry-after"])
    if status not in (403, 429):
        return None
    if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdigit():
        reset = datetime.fromtimestamp(int(headers["x-ratelimit-reset"]), UTC)
        return max((reset - server_date(headers)).total_seconds(), 0.0)
    return SECONDARY_RATE_WAIT if status == 429 or "rate limit" in message.lower() else None


def server_date(headers: Mapping[str, str]) -> datetime:
    """The server's clock, from its ``Date`` header. Raises ``GitHubAPIError`` where there is none."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
    except ValueError as error:
        raise GitHubAPIError("an answer came without a Date", reason=Reason.BAD_ANSWER) from error

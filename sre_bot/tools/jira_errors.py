"""What Jira and the ``jira`` library can do wrong, in our words."""

from collections.abc import Generator
from contextlib import contextmanager

from jira.exceptions import JIRAError

from sre_bot.domain.errors import JiraError, Reason
from sre_bot.tools.request_errors import request_errors

_UNREADABLE = (
    ValueError,  # no JSON: an HTML page, half a document, a bad date
    KeyError,  # JSON of another shape
    TypeError,
    AttributeError,
    NotImplementedError,  # the library, for an empty resource
)


@contextmanager
def jira_errors(doing: str) -> Generator[None]:
    """Turn everything that goes wrong inside into ``JiraError``; ``doing`` says what was tried."""
    with request_errors(doing, JiraError, _UNREADABLE):
        try:
            yield
        except JIRAError as error:
            raise _refusal(doing, error) from error


def _refusal(doing: str, error: JIRAError) -> JiraError:
    said = " ".join((error.text or "refused").split())[:300]
    if not error.status_code:
        return JiraError(f"{doing}: {said}", reason=Reason.BAD_ANSWER)
    headers = error.response.headers if error.response is not None else {}
    wait = str(headers.get("Retry-After", ""))
    return JiraError.from_status(error.status_code, f"{doing}: {said}", float(wait) if wait.isdigit() else None)

"""What Jira and the ``jira`` library can do wrong, in our words."""

from collections.abc import Generator
from contextlib import contextmanager

import requests
from jira.exceptions import JIRAError

from sre_bot.domain.errors import JiraError, Reason

_CUT_SHORT = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
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
    try:
        yield
    except JIRAError as error:
        raise _refusal(doing, error) from error
    except _CUT_SHORT as error:
        raise JiraError(f"{doing}: the answer was cut short", reason=Reason.BAD_ANSWER) from error
    except requests.exceptions.InvalidJSONError as error:
        raise JiraError(f"{doing}: the answer is no JSON", reason=Reason.BAD_ANSWER) from error
    except requests.exceptions.Timeout as error:
        raise JiraError(f"{doing}: no answer in time", reason=Reason.UNAVAILABLE) from error
    except requests.exceptions.RequestException as error:
        raise JiraError(f"{doing}: cannot be reached: {error}", reason=Reason.UNAVAILABLE) from error
    except _UNREADABLE as error:
        what = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise JiraError(f"{doing}: the answer cannot be read: {what}", reason=Reason.BAD_ANSWER) from error


def _refusal(doing: str, error: JIRAError) -> JiraError:
    said = " ".join((error.text or "refused").split())[:300]
    if not error.status_code:
        return JiraError(f"{doing}: {said}", reason=Reason.BAD_ANSWER)
    headers = error.response.headers if error.response is not None else {}
    wait = str(headers.get("Retry-After", ""))
    return JiraError.from_status(error.status_code, f"{doing}: {said}", float(wait) if wait.isdigit() else None)

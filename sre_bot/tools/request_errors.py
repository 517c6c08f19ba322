"""What ``requests`` can do wrong, and what cannot be read of an answer, in our words."""

from collections.abc import Generator
from contextlib import contextmanager

import requests

from sre_bot.domain.errors import Reason, ServiceError

_CUT_SHORT = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)


@contextmanager
def request_errors(doing: str, kind: type[ServiceError], unreadable: tuple[type[Exception], ...]) -> Generator[None]:
    """Turn what goes wrong inside into ``kind``; ``unreadable`` are a library's own failures on an odd answer."""
    try:
        yield
    except _CUT_SHORT as error:
        raise kind(f"{doing}: the answer was cut short", reason=Reason.BAD_ANSWER) from error
    except requests.exceptions.InvalidJSONError as error:
        raise kind(f"{doing}: the answer is no JSON", reason=Reason.BAD_ANSWER) from error
    except requests.exceptions.Timeout as error:
        raise kind(f"{doing}: no answer in time", reason=Reason.UNAVAILABLE) from error
    except requests.exceptions.RequestException as error:
        raise kind(f"{doing}: cannot be reached: {error}", reason=Reason.UNAVAILABLE) from error
    except unreadable as error:
        what = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise kind(f"{doing}: the answer cannot be read: {what}", reason=Reason.BAD_ANSWER) from error

"""Reading what clients send to the lab's Jira, and refusing it in Jira's words."""

import base64
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from sre_bot.lab.adf import from_adf

Json = dict[str, Any]


class Refused(Exception):
    """An answer other than success, in Jira's words."""

    def __init__(self, status: int, message: str = "", **errors: str) -> None:
        super().__init__(message)
        self.answer = JSONResponse({"errorMessages": [message] if message else [], "errors": errors}, status)


async def read_query(request: Request) -> Json:
    """What a search asks for, from the query or the body. Raises ``Refused``."""
    if request.method == "POST":
        return await read_body(request)
    given = request.query_params
    return {**given, **({"fields": given.getlist("fields")} if "fields" in given else {})}


async def read_body(request: Request) -> Json:
    """A request's JSON object, empty for an empty body. Raises ``Refused``."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise Refused(400, f"Unexpected character in the request body: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "The request body is no object.")
    return body


def read_names(raw: Any) -> tuple[str, ...]:
    """Field names, from a list or separated by commas."""
    parts: list[Any] = raw if isinstance(raw, list) else [raw or ""]
    return tuple(name for part in parts for name in str(part).split(",") if name)


def read_text(raw: Any) -> str:
    """A body as text: a document (v3) or wiki markup. Raises ``Refused``."""
    try:
        return from_adf(raw) if isinstance(raw, dict) else str(raw or "")
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(400, comment="Comment body is not valid!") from error


def read_credentials(request: Request) -> tuple[str, str, str]:
    """The scheme in lower case, the user, and the secret; empty where they are missing or cannot be read."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return scheme.lower(), "", given
    try:
        user, _, password = base64.b64decode(given).decode().partition(":")
    except ValueError:
        return "basic", "", ""
    return "basic", user, password

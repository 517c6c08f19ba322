"""How the lab's GitHub answers: refusals in its words, pages with Link headers, entity tags."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from sre_bot.lab.github_shapes import Json

T = TypeVar("T")
DOCUMENTATION = "https://docs.github.com/rest"
MAX_PER_PAGE = 100


class Refusal(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str, *errors: Json | str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.errors = errors
        self.headers = headers or {}

    def answer(self) -> Response:
        """The answer as GitHub words it."""
        body: Json = {"message": str(self), "documentation_url": DOCUMENTATION}
        if self.status == 422:
            body["errors"] = list(self.errors)
        elif self.status in (400, 401, 403, 404):
            body["status"] = str(self.status)
        return Response(json.dumps(body), self.status, self.headers, "application/json")


def not_found() -> Refusal:
    """What GitHub says of everything that is not there, or not for you."""
    return Refusal(404, "Not Found")


def invalid(resource: str, field: str, code: str = "invalid") -> Refusal:
    """A field that is missing (``missing_field``) or wrong (``invalid``)."""
    return Refusal(422, "Validation Failed", {"resource": resource, "field": field, "code": code})


def unprocessable(resource: str, message: str) -> Refusal:
    """A request that is well formed and still cannot be done."""
    return Refusal(422, "Validation Failed", {"resource": resource, "code": "custom", "message": message})


async def body_of(request: Request) -> Json:
    """The JSON object in a request. Raises ``Refusal`` on anything else; an empty body is an empty object."""
    raw = await request.body()
    try:
        body = json.loads(raw or b"{}")
    except ValueError as error:
        raise Refusal(400, "Problems parsing JSON") from error
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise Refusal(400, "Body should be a JSON object")
    return body


def text_in(body: Json, field: str, resource: str) -> str:
    """A text that must be there. Raises ``Refusal``."""
    value = body.get(field)
    if not isinstance(value, str) or not value:
        raise invalid(resource, field, "missing_field" if value is None else "invalid")
    return value


def answer(request: Request, data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer with an entity tag; 304 where the asker has it already."""
    body = json.dumps(data)
    tag = f'W/"{hashlib.sha256(body.encode()).hexdigest()}"'
    if request.method == "GET" and request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, status, {"ETag": tag, **(headers or {})}, "application/json")


def created(request: Request, data: Json) -> Response:
    """A 201 that says where the new thing is."""
    return answer(request, data, 201, {"Location": data["url"]})


def page_of(request: Request, items: Sequence[T], base: str, default: int = 30) -> tuple[Sequence[T], dict[str, str]]:
    """The asked page of a list and its Link header. ``base`` is the server's address."""
    size = min(max(_number(request, "per_page", default), 1), MAX_PER_PAGE)
    page = max(_number(request, "page", 1), 1)
    last = max((len(items) + size - 1) // size, 1)
    wanted = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    if page >= last:
        del wanted["next"], wanted["last"]
    if page == 1:
        del wanted["prev"], wanted["first"]
    query = dict(request.query_params)
    links = [
        f'<{base}{request.url.path}?{urlencode({**query, "page": number})}>; rel="{name}"'
        for name, number in wanted.items()
    ]
    return items[(page - 1) * size : page * size], {"Link": ", ".join(links)} if links else {}


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdigit() else default

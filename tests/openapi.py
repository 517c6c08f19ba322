"""A judge between a client and a server: every request and answer is held against an OpenAPI 3.0 description."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Json = dict[str, Any]
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
ANYWHERE = frozenset({304, 400, 401, 403, 404, 429})
"""Statuses that every operation may answer although its description does not list them."""

_WORDS = {"oneOf": "anyOf"}
"""GitHub's alternatives overlap: the same error is described by two of them."""

formats = FormatChecker(formats=())


@formats.checks("date-time")
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or RFC3339.fullmatch(value) is not None


@formats.checks("uri")
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)


@dataclass(frozen=True)
class Description:
    """An OpenAPI description, made stricter: an object with properties has no others."""

    document: Json

    @classmethod
    @cache
    def load(cls, file: Path) -> "Description":
        return cls(_as_json_schema(json.loads(file.read_text())))

    @cached_property
    def _templates(self) -> list[tuple[re.Pattern[str], str]]:
        ordered = sorted(self.document["paths"], key=lambda path: path.count("{"))
        return [(_pattern(path), path) for path in ordered]

    def route(self, path: str) -> str | None:
        """The path template that a path belongs to, None where the description has none."""
        shallow = (template for pattern, template in self._templates if pattern.fullmatch(path))
        return next(shallow, None)

    def complaints(self, method: str, path: str, status: int, asked: bytes, answered: bytes) -> Iterator[str]:
        """What is wrong with one exchange; nothing where the description does not know the route."""
        template = self.route(path)
        operation = self.document["paths"].get(template, {}).get(method.lower())
        if operation is None:
            return
        where = f"{method} {template}"
        yield from self._body(f"{where} request", operation.get("requestBody", {}), asked)
        described = operation["responses"].get(str(status))
        if described is None:
            if status not in ANYWHERE:
                yield f"{where}: {status} is not among {sorted(operation['responses'])}"
            return
        yield from self._body(f"{where} {status}", self._followed(described), answered)

    def _body(self, where: str, described: Json, body: bytes) -> Iterator[str]:
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        if schema is None or (not body and not described.get("required")):
            if body and schema is None:
                yield f"{where}: has a body although none is described"
            return
        validator = Draft202012Validator({**schema, "components": self.document["components"]}, format_checker=formats)
        for error in validator.iter_errors(json.loads(body)):
            yield f"{where}: {error.json_path}: {error.message[:300]}"

    def _followed(self, node: Json) -> Json:
        while "$ref" in node:
            found: Any = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            node = found
        return node


@dataclass
class Judge:
    """ASGI middleware that records which routes were used and what was wrong."""

    app: ASGIApp
    description: Description
    complaints: list[str] = field(default_factory=list[str])
    routes: set[str] = field(default_factory=set[str])
    unknown: set[str] = field(default_factory=set[str])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked, answered, status = bytearray(), bytearray(), 0

        async def listen() -> Message:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answered.extend(message.get("body", b""))
            await send(message)

        await self.app(scope, listen, say)
        self._note(scope["method"], scope["path"], status, bytes(asked), bytes(answered))

    def _note(self, method: str, path: str, status: int, asked: bytes, answered: bytes) -> None:
        template = self.description.route(path)
        if template is None or method.lower() not in self.description.document["paths"][template]:
            self.unknown.add(f"{method} {path}")
            return
        self.routes.add(f"{method} {template}")
        self.complaints += self.description.complaints(method, path, status, asked, answered)


def _pattern(template: str) -> re.Pattern[str]:
    """What a template matches; a last parameter that is a ref or a file's path may hold slashes."""
    deep = re.sub(r"\{(ref|path|branch|basehead)\}$", "(.+)", template)
    return re.compile(re.sub(r"\{[^}]+\}", "([^/]+)", deep))


def _as_json_schema(node: Any) -> Any:
    """Say ``nullable`` in JSON Schema's words, and allow no undeclared properties."""
    if isinstance(node, list):
        return [_as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed: dict[Any, Any] = {_WORDS.get(key, key): _as_json_schema(value) for key, value in node.items()}
    if not isinstance(node.get("nullable"), bool):
        return _closed(changed)
    nullable = changed.pop("nullable")
    return {"anyOf": [_closed(changed), {"type": "null"}]} if nullable else _closed(changed)


def _closed(schema: Json) -> Json:
    is_object = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    return {"additionalProperties": False, **schema} if is_object else schema

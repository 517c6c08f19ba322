"""Checks bodies against Argo CD's own API description."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator, FormatChecker

Json = dict[str, Any]
FILE = Path(__file__).parent / "data" / "argocd-swagger.json"


@cache
def description() -> Json:
    """The description; its objects take no property that it does not name, but for those made of others."""
    raw: Json = json.loads(FILE.read_text())
    definitions: dict[str, Json] = raw["definitions"]
    parts = {
        one["$ref"].rpartition("/")[2]
        for made in definitions.values()
        for one in made.get("allOf", ())
        if "$ref" in one
    }
    for name, definition in definitions.items():
        if definition.get("properties") and "allOf" not in definition and name not in parts:
            definition.setdefault("additionalProperties", False)
    return raw


def problems(method: str, path: str, body: Any, *, status: int = 200) -> list[str]:
    """What is wrong with an answer to a described request, empty for a good one."""
    answers = description()["paths"][path][method.lower()]["responses"]
    return against((answers.get(str(status)) or answers["default"])["schema"], body)


def request_problems(method: str, path: str, body: Any) -> list[str]:
    """What is wrong with a described request's body."""
    parameters = description()["paths"][path][method.lower()]["parameters"]
    return against(next(one["schema"] for one in parameters if one["in"] == "body"), body)


def against(schema: Json, body: Any) -> list[str]:
    """What is wrong with a value."""
    rooted = {**copy.copy(schema), "definitions": description()["definitions"]}
    found = Draft4Validator(rooted, format_checker=FormatChecker()).iter_errors(body)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}"[:300] for error in found]

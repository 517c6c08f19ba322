"""The lab's metrics server: Prometheus' query API over the answers that an incident recorded in ``metrics/``.

It evaluates no PromQL. A query is answered when it was recorded as it stands (key ``query`` of a file), or when it is a
selector, ``name{label="value",label=~"pattern"}``, over recorded series.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sre_bot.domain.cluster import Series
from sre_bot.domain.errors import BadRecording
from sre_bot.domain.metrics import read_recorded
from sre_bot.lab.world import World

_SELECTOR = re.compile(r"\s*([A-Za-z_:][\w:]*)?\s*(?:\{(.*)\})?\s*", re.S)
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "=~": lambda value, wanted: re.fullmatch(wanted, value) is not None,
    "!~": lambda value, wanted: re.fullmatch(wanted, value) is None,
}


class BadQuery(ValueError):
    """The query is no selector and was not recorded."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """What was recorded: all series, and those of each query that is named."""

    series: tuple[Series, ...]
    answers: dict[str, tuple[Series, ...]]

    @classmethod
    def load(cls, folder: Path) -> "Metrics":
        """Read ``metrics/*.json``. Raises ``BadRecording``."""
        answers: dict[str, tuple[Series, ...]] = {}
        everything: list[Series] = []
        for file in sorted(folder.glob("*.json")):
            try:
                recorded = json.loads(file.read_text())
            except (json.JSONDecodeError, UnicodeDecodeError) as error:
                raise BadRecording(f"{file}: {error}") from error
            found = read_recorded(recorded, file.stem)
            everything += found
            if isinstance(recorded, dict) and recorded.get("query"):
                answers[str(recorded["query"])] = found
        return cls(tuple(everything), answers)

    def select(self, query: str) -> tuple[Series, ...]:
        """The series that a query asks for. Raises ``BadQuery``."""
        if query in self.answers:
            return self.answers[query]
        name, matchers = _parsed(query)
        wanted = [("__name__", "=", name), *matchers] if name else matchers
        return tuple(one for one in self.series if all(_holds(one, *matcher) for matcher in wanted))


def app(world: World) -> Starlette:
    """The ASGI application of the lab's metrics server."""
    metrics = Metrics.load(world.recording.folder / "metrics")

    async def query_range(request: Request) -> JSONResponse:
        given = request.query_params if request.method == "GET" else await request.form()
        try:
            start, end = float(str(given.get("start", ""))), float(str(given.get("end", "")))
            found = metrics.select(str(given.get("query", "")))
        except (ValueError, re.error) as error:
            return JSONResponse({"status": "error", "errorType": "bad_data", "error": str(error)}, 400)
        result = [shown for series in found if (shown := _shown(series, start, end))["values"]]
        return JSONResponse({"status": "success", "data": {"resultType": "matrix", "result": result}})

    return Starlette(routes=[Route("/api/v1/query_range", query_range, methods=["GET", "POST"])])


def _parsed(query: str) -> tuple[str, list[tuple[str, str, str]]]:
    match = _SELECTOR.fullmatch(query)
    if match is None or not (match[1] or match[2]):
        raise BadQuery(f"only selectors and recorded queries are answered here, not {query!r}")
    inner, matchers = (match[2] or "").strip(), list[tuple[str, str, str]]()
    while inner:
        found = _MATCHER.match(inner)
        if found is None:
            raise BadQuery(f"cannot read the matcher {inner!r}")
        matchers.append((found[1], found[2], found[3].replace('\\"', '"').replace("\\\\", "\\")))
        inner = inner[found.end() :]
    return match[1] or "", matchers


def _holds(series: Series, label: str, sign: str, wanted: str) -> bool:
    value = series.name if label == "__name__" else series.labels.get(label, "")
    return _TESTS[sign](value, wanted)


def _shown(series: Series, start: float, end: float) -> dict[str, Any]:
    values = [[at, format(value, ".15g")] for at, value in series.points if start <= at <= end]
    return {"metric": {"__name__": series.name, **series.labels}, "values": values}

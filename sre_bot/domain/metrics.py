"""Time series as Prometheus' HTTP API answers them (https://prometheus.io/docs/prometheus/latest/querying/api/)."""

import math
import re
from collections.abc import Iterator
from typing import Any

from sre_bot.domain.cluster import Series

_METRIC = re.compile(r"[A-Za-z_:][\w:]*")
_FIXED = re.compile(r'\b(namespace)="([^"|]*)"')


def read_matrix(answer: Any, name: str = "") -> tuple[Series, ...]:
    """The series of an answer of ``/api/v1/query_range``, or of its ``data``; what is malformed is left out.

    ``name`` names series without ``__name__``, which are the results of expressions.
    """
    return tuple(_series(answer, name))


def read_recorded(recorded: Any, name: str) -> tuple[Series, ...]:
    """The series of a recorded file: an answer, or ``{"query": …, "response": answer}``, or a list of either.

    ``name`` is that of the file; it names series whose query is unknown. A rate, a quantile or a ratio gets the name of
    what it was made from without the counter's suffix, and the namespace that its query fixes.
    """
    if isinstance(recorded, list):
        return tuple(series for one in recorded for series in read_recorded(one, name))
    if not isinstance(recorded, dict):
        return ()
    query = str(recorded.get("query") or "")
    fixed = dict(_FIXED.findall(query))
    found = read_matrix(recorded.get("response", recorded), _named(query) or name)
    return tuple(one.model_copy(update={"labels": {**fixed, **one.labels}}) for one in found)


def _named(query: str) -> str:
    """What to call the result of an expression: its first metric, and what was made of it."""
    names = [one for one in _METRIC.findall(re.sub(r"\bby\s*\([^)]*\)|\{[^}]*\}", "", query)) if "_" in one]
    first = next((one for one in names if one != "histogram_quantile"), "")
    if "histogram_quantile" in query:
        return f"{first.removesuffix('_bucket')}_quantile"
    if len(names) > 1 and "/" in query:
        return f"{first.removesuffix('_total')}_ratio"
    return first.removesuffix("_total") if "rate(" in query else first


def _series(answer: Any, name: str) -> Iterator[Series]:
    data = answer.get("data", answer) if isinstance(answer, dict) else None
    results = data.get("result") if isinstance(data, dict) else None
    for result in results if isinstance(results, list) else ():
        metric = result.get("metric") if isinstance(result, dict) else None
        if isinstance(metric, dict):
            labels = {str(key): str(value) for key, value in metric.items()}
            points = tuple(sorted(_points(result.get("values"))))
            yield Series(name=labels.pop("__name__", name), labels=labels, points=points)


def _points(values: Any) -> Iterator[tuple[float, float]]:
    for pair in values if isinstance(values, list) else ():
        try:
            at, value = float(pair[0]), float(pair[1])
        except (TypeError, ValueError, LookupError):
            continue
        if math.isfinite(at) and math.isfinite(value):
            yield at, value

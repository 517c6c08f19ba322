"""Proxies that pass a path on to the wrong Service.

A route whose path bears the name of one Service and that leads to another is told by its answers: the wrong server does
not know the path. Read are nginx locations in ConfigMaps, and the paths of Ingresses and HTTPRoutes.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sre_bot.detectors.calls import selected_workloads
from sre_bot.detectors.fields import mapping, mappings, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.cluster import ContainerLog, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_LOCATION = re.compile(
    r"location\s+(?:[=~^*]+\s+)?(/[^\s{]*)\s*\{[^{}]*?(?:proxy|grpc|fastcgi|uwsgi)_pass\s+(?:\w+://)?([\w-]+)[\w.:-]*"
)
_NOT_FOUND = re.compile(
    r"""["\s:=](?:404|405|501)(?=[\s,"'})\];]|$)|No static resource|No (?:handler|mapping|route) (?:found )?for"""
    r"|No route matches|Cannot (?:GET|POST|PUT|PATCH|DELETE) /|route not found",
    re.IGNORECASE,
)
"""Servers' words for a path that they do not know: access logs, Spring, Rails, Express, gin."""
_AFFIXES = ("-service", "-svc", "-api", "-server", "-backend")
_MANY = 3
_STEM = 4
_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Route:
    """A path and the Service that it leads to; ``written`` is the route as it stands in the field."""

    holder: ObjectRef
    field: str
    path: str
    service: str
    written: str


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every route whose path names a Service that no route leads to."""
    found = tuple(_routes(index))
    reached = Counter((one.holder.namespace, one.service) for one in found)
    for route in found:
        part, meant = _meant(index, route)
        if meant and meant != route.service and not reached[(route.holder.namespace, meant)]:
            lost = _lost(index, route, part)
            if lost is not None:
                yield _finding(route, meant, lost)


def _routes(index: ClusterIndex) -> Iterator[Route]:
    for thing in index.of_kind("ConfigMap"):
        for key, value in mapping(thing, "data").items():
            for match in _LOCATION.finditer(value) if isinstance(value, str) and "_pass" in value else ():
                field = f"data[{key}]" if "." not in key else f'data["{key}"]'
                yield Route(ObjectRef.of(thing), field, match[1], match[2], match[0].strip())
    for thing in index.of_kind("Ingress"):
        for one, rule in enumerate(mappings(thing, "spec", "rules")):
            for two, path in enumerate(mappings(rule, "http", "paths")):
                name = text(path, "backend", "service", "name")
                field = f"spec.rules[{one}].http.paths[{two}].backend.service.name"
                yield Route(ObjectRef.of(thing), field, text(path, "path"), name, name)
    for thing in index.of_kind("HTTPRoute"):
        for one, rule in enumerate(mappings(thing, "spec", "rules")):
            for path in mappings(rule, "matches")[:1]:
                for two, backend in enumerate(mappings(rule, "backendRefs")[:1]):
                    name = text(backend, "name")
                    field = f"spec.rules[{one}].backendRefs[{two}].name"
                    yield Route(ObjectRef.of(thing), field, text(path, "path", "value"), name, name)


def _meant(index: ClusterIndex, route: Route) -> tuple[str, str]:
    """The part of the path that bears the name of a Service, and the Service; empty where none does.

    The name itself, or one with a usual ending (``orders-api``), or one of the same stem (``invoices``, ``invoicing``).
    """
    parts = [part for part in re.split(r"[^\w-]+", route.path) if part]
    for part in parts:
        for name in (part, *(f"{part}{affix}" for affix in _AFFIXES)):
            if index.get("Service", route.holder.namespace, name) is not None:
                return part, name
    known = [ObjectRef.of(service).name for service in index.of_kind("Service", route.holder.namespace)]
    for part in parts:
        stem = part[: max(_STEM, len(part) * 2 // 3)].lower()
        alike = [name for name in known if len(part) > _STEM and name.lower().startswith(stem)]
        if len(alike) == 1:
            return part, alike[0]
    return "", ""


def _lost(index: ClusterIndex, route: Route, part: str) -> Evidence | None:
    """A log line of the Service that is reached, or of the proxy, where most requests for the path find nothing.

    A proxy may rewrite the beginning of the path; the part that names the Service stays.
    """
    service = index.get("Service", route.holder.namespace, route.service)
    pods = {pod.ref.name for one in selected_workloads(index, service) for pod in one.pods} if service else set[str]()
    for log in index.snapshot.logs:
        if log.namespace == route.holder.namespace and (log.pod in pods or not log.previous) and f"/{part}" in log.text:
            shown = _mostly_unknown(log, f"/{part}")
            if shown is not None:
                return shown
    return None


def _mostly_unknown(log: ContainerLog, prefix: str) -> Evidence | None:
    asked = [(number, line) for number, line in enumerate(log.text.splitlines(), 1) if prefix in line]
    recent = asked[-50:]
    unknown = [(number, line) for number, line in recent if _NOT_FOUND.search(line)]
    if len(unknown) < _MANY or len(unknown) < _SHARE * len(recent):
        return None
    number, line = unknown[-1]
    pod = ObjectRef(kind="Pod", namespace=log.namespace, name=log.pod)
    return Evidence.seen("log", pod, f"{log.container}:{number}", line)


def _finding(route: Route, meant: str, lost: Evidence) -> Finding:
    return Finding(
        kind=FaultKind.GATEWAY_MISROUTE,
        object=route.holder,
        field=route.field,
        observed=route.service,
        expected=meant,
        message=f"{route.holder.name} passes {route.path} on to {route.service}, which does not know it; "
        f"Service {meant} bears its name.",
        directness="inferred",
        evidence=(seen_field(route.holder, route.field, route.written), lost),
    )

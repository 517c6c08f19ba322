"""Clusters that ail in one way: a client that crashes, complains or keeps quiet, and whom it calls; and the answer."""

from dataclasses import dataclass, field
from typing import Any

from sre_bot.domain.cluster import ClusterSnapshot, ContainerLog
from sre_bot.domain.source import SourceHistory
from tests.clusters import Object, ago, app, container, env, event, key_ref, log, looping, running, service, snapshot
from tests.diagnoses import diagnose

MINUTES = (9, 7, 5, 3, 1)
"""When a complaint that repeats itself is logged, in minutes before the snapshot."""


@dataclass(frozen=True)
class Part:
    """Some objects, and what their pods log."""

    objects: list[Object]
    logs: list[ContainerLog] = field(default_factory=list[ContainerLog])
    events: list[Object] = field(default_factory=list[Object])


def crashing(name: str, *lines: str, spec: Object | None = None, **rest: Any) -> Part:
    """A Deployment whose container ends with 1 again and again; the lines are the last words of its former run."""
    objects = app(name, container(**(spec or {})), status=[looping(1)], **rest)
    said = (f"{ago(1.5)} INFO starting", *(f"{ago(1.2)} ERROR {line}" for line in lines))
    return Part(objects, [log(objects[-1], *said, previous=True)])


def complaining(name: str, *lines: str, spec: Object | None = None, level: str = "ERROR", **rest: Any) -> Part:
    """A Deployment that is ready and logs the lines again and again."""
    objects = app(name, container(**(spec or {})), **rest)
    said = [f"{ago(minute)} {level} {line}" for minute in MINUTES for line in lines]
    return Part(objects, [log(objects[-1], f"{ago(60)} INFO started", *said)])


def trace(error: str) -> tuple[str, ...]:
    """A Python traceback through the program's own files, as one would log it."""
    return (
        "Traceback (most recent call last):",
        '  File "/app/orders/main.py", line 41, in handle',
        "    store.save(order)",
        '  File "/app/orders/store.py", line 17, in save',
        "    self.connection.execute(statement)",
        error,
    )


def traced(name: str, error: str, spec: Object, *, crashes: bool) -> Part:
    """A Deployment that logs a traceback, and ends with it where it crashes."""
    objects = app(name, container(**spec), status=[looping(1)] if crashes else None)
    lines = [
        line for minute in ((1.2,) if crashes else MINUTES) for line in (f"{ago(minute)} ERROR failed", *trace(error))
    ]
    return Part(objects, [log(objects[-1], *lines, previous=crashes)])


def unready(name: str, said: str, spec: Object) -> Part:
    """A client that runs, whose readiness answers 503 since it misses its dependency."""
    probe: Object = {
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        "ports": [{"containerPort": 8080}],
    }
    objects = app(name, container(**spec, **probe), status=[running(ready=False)])
    told = event(objects[-1], "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", part="app")
    lines = [f"{ago(minute)} ERROR {said}" for minute in MINUTES]
    return Part(objects, [log(objects[-1], f"{ago(60)} INFO listening on :8080", *lines)], [told])


def killed(name: str, said: str, spec: Object) -> Part:
    """A client that its liveness probe has killed again and again."""
    probe: Object = {"livenessProbe": {"httpGet": {"path": "/live", "port": 8080}}, "ports": [{"containerPort": 8080}]}
    objects = app(name, container(**spec, **probe), status=[looping(137)])
    told = [
        event(objects[-1], "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503", part="app"),
        event(
            objects[-1], "Killing", "Container app failed liveness probe, will be restarted", warning=False, part="app"
        ),
    ]
    return Part(
        objects, [log(objects[-1], f"{ago(3)} INFO listening on :8080", f"{ago(2)} ERROR {said}", previous=True)], told
    )


def quiet(name: str, spec: Object | None = None, **rest: Any) -> Part:
    """A Deployment that is ready and logs that it works."""
    objects = app(name, container(**(spec or {})), **rest)
    return Part(objects, [log(objects[-1], *(f"{ago(minute)} INFO request completed" for minute in MINUTES))])


def server(name: str, port: int = 8080, *, offered: int | None = None, **rest: Any) -> Part:
    """A Deployment that serves a port, and the Service that leads to it."""
    namespace = rest.get("namespace", "shop")
    spec = {"ports": [{"containerPort": port}]} | rest.pop("spec", {})
    made = service(name, {"port": offered or port, "targetPort": port}, namespace=namespace)
    behind = quiet(name, spec, **rest)
    return Part([*behind.objects, made], behind.logs)


def cluster(*parts: Part | Object | list[Object], **rest: Any) -> ClusterSnapshot:
    """The snapshot of parts and of single objects."""
    known = [part for part in parts if isinstance(part, Part)]
    objects = [part.objects if isinstance(part, Part) else part for part in parts]
    return snapshot(
        *objects,
        logs=[line for part in known for line in part.logs],
        events=[one for part in known for one in part.events] + list(rest.pop("events", ())),
        **rest,
    )


def with_login() -> Object:
    """A container's specification with a user, and a password from the Secret ``login``."""
    return {
        "env": [
            {"name": "DB_USER", "value": "app"},
            key_ref("DB_PASSWORD", "Secret", "login", "password"),
            {"name": "DB_HOST", "value": "db"},
        ]
    }


def variables(**values: str) -> Object:
    """A container's specification with literal variables."""
    return {"env": env(**values)}


def answers(seen: ClusterSnapshot, source: SourceHistory | None = None) -> tuple[str, str]:
    """Kind and object of the first hypothesis of the whole pipeline; two empty words where there is none."""
    diagnosis = diagnose(seen, source)
    return (str(diagnosis.best.kind), str(diagnosis.best.object)) if diagnosis.best else ("", "")

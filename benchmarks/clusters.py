"""A made cluster of any size: apps that call each other in a ring, some noise, and one app that runs out of memory."""

import random

from sre_bot.domain.cluster import ClusterSnapshot, ContainerLog
from tests.clusters import (
    Object,
    app,
    config_map,
    container,
    env,
    event,
    key_ref,
    log,
    looping,
    node,
    service,
    snapshot,
    thing,
)

OBJECTS_PER_APP = 6
PROBE = {"httpGet": {"path": "/", "port": 8080}}
LIMITS = {"limits": {"memory": "64Mi", "cpu": "1"}}


def cluster(objects: int, events: int, lines: int) -> ClusterSnapshot:
    """About so many objects, events and log lines; always the same for the same amounts."""
    chance, count = random.Random(1), max(1, objects // OBJECTS_PER_APP)
    apps = [_app(number, count) for number in range(count)]
    pods = [one[2] for one in apps]
    broken = app("worker", container(resources={"limits": {"memory": "64Mi"}}), status=[looping(137, "OOMKilled")])
    return snapshot(
        [node(f"node-{number}") for number in range(5)],
        *(apps, broken),
        events=[_event(number, chance.choice(pods)) for number in range(events)],
        logs=[_log(number, pod, lines // count, count, chance) for number, pod in enumerate(pods) if lines >= count],
    )


def _app(number: int, count: int) -> list[Object]:
    upstream, conf = f"http://svc-{(number + 1) % count}:80", f"conf-{number}"
    variables = [*env(UPSTREAM=upstream), key_ref("K", "ConfigMap", conf, "a")]
    spec = container(ports=[{"containerPort": 8080}], env=variables, resources=LIMITS, readinessProbe=PROBE)
    return [
        *app(f"svc-{number}", spec),
        service(f"svc-{number}"),
        config_map(conf, a=upstream),
        thing("Secret", f"s-{number}"),
    ]


def _event(number: int, pod: Object) -> Object:
    refused = number % 3 != 0
    said = f"Readiness probe failed: Get http://10.0.0.{number % 250}:8080/ {number}"
    made = event(pod, "Unhealthy" if refused else "Pulled", said, warning=refused)
    return {**made, "metadata": {**made["metadata"], "name": f"e{number}"}}


def _log(number: int, pod: Object, lines: int, count: int, chance: random.Random) -> ContainerLog:
    return log(pod, *(_line(nth, lines, (number + 1) % count, f"{chance.getrandbits(64):x}") for nth in range(lines)))


def _line(nth: int, lines: int, upstream: int, trace: str) -> str:
    stamp = f"2026-03-10T11:{nth * 60 // lines:02d}:{nth % 60:02d}Z"
    if nth % 50 == 0:
        asked = f"http://svc-{upstream}/v1/items/{nth}"
        return f"{stamp} ERROR failed to fetch {asked}: timeout after {nth % 900}ms id={trace}"
    return f"{stamp} INFO handled GET /v1/items/{nth} status=200 took={nth % 90}ms trace={trace}"

"""A small cluster with something of everything that is read, and strategies that spoil it."""

import copy
from datetime import timedelta
from typing import Any, cast

from hypothesis import strategies as st

from sre_bot.detectors.fields import leaves, steps
from sre_bot.domain.cluster import ClusterSnapshot, ContainerLog, Series
from sre_bot.domain.source import SourceHistory
from tests.clusters import (
    NOW,
    Object,
    ago,
    app,
    config_map,
    container,
    env,
    event,
    key_ref,
    log,
    looping,
    node,
    pending,
    service,
    snapshot,
    thing,
    waiting,
)
from tests.histories import history, manifest

ESCAPES = "\x1b[31m\x1b]0;owned\x07\x1b]8;;http://evil\x1b\\x\u202e\u2066\x00\x9b"
HOSTILE_WORDS = (
    "",
    ESCAPES,
    "\udcff\udc80",
    "²",
    "9" * 5_000,
    "-1",
    "1e999",
    "NaN",
    "0x10",
    "99Ei",
    "2026-13-45T99:99:99Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+23:59",
    "http://[::1",
    "a/b/c/d",
    "../..",
    "${{}}",
    "(" * 200,
    "{{ .Values }}",
    "!!python/object:os.system",
    "x" * 10_000,
)
HOSTILE_NUMBERS = (-1, 0, 2**63, 10**400, -(10**30), 1e308, float("inf"), float("-inf"), float("nan"), 65_536)

words = st.one_of(st.sampled_from(HOSTILE_WORDS), st.text(max_size=30))
scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(HOSTILE_NUMBERS), st.integers(), words)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)
KINDS = ("Pod", "Service", "Deployment", "Node", "Ingress", "NetworkPolicy", "Event", "Gizmo", "List", "", "Secret")
odd_objects = st.one_of(
    anything.map(lambda value: value if isinstance(value, dict) else {"kind": value}),
    st.fixed_dictionaries({"kind": st.sampled_from(KINDS)} | dict.fromkeys(("metadata", "spec", "status"), anything)),
)


def everything() -> ClusterSnapshot:
    """Faults of several families at once, with events, logs of several runtimes and metrics."""
    limits = {"limits": {"memory": "64Mi", "cpu": "100m"}}
    probe = {"httpGet": {"path": "/ready", "port": 9090}}
    crashed = app("batch", container(resources=limits), status=[looping(137, "OOMKilled")])
    client = app("web", container(env=env(API_URL="http://api:81"), readinessProbe=probe), status=[looping(1)])
    keyless = app("keyless", container(env=[key_ref("K", "ConfigMap", "conf", "c")]), status=[_unconfigured()])
    stuck = app("stuck", nodeSelector={"pool": "gpu"})
    stuck[-1] = pending(stuck[1], "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.")
    return snapshot(
        app("api", container(ports=[{"containerPort": 8080}])),
        service("api"),
        *(client, crashed, keyless, stuck, *_surroundings()),
        events=[
            event(crashed[-1], "BackOff", "Back-off restarting failed container app in pod batch"),
            event(client[-1], "Unhealthy", 'Readiness probe failed: Get "http://10.1.0.9:9090/ready": refused'),
            event(stuck[-1], "FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu."),
        ],
        logs=_logs(client[-1], crashed[-1]),
    ).model_copy(update={"metrics": _metrics()})


def _unconfigured() -> Object:
    return waiting("CreateContainerConfigError", "couldn't find key c in ConfigMap shop/conf")


def _surroundings() -> list[Object]:
    backend = {"service": {"name": "gone", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return [
        node(),
        config_map("conf", a="b", url="http://api"),
        thing("NetworkPolicy", "deny", spec={"podSelector": {}, "policyTypes": ["Ingress"]}),
        thing("Ingress", "in", spec={"rules": [{"host": "x", "http": {"paths": paths}}], "tls": [{"secretName": "t"}]}),
        thing("PersistentVolumeClaim", "data", spec={"storageClassName": "x"}, status={"phase": "Pending"}),
        thing("HorizontalPodAutoscaler", "web", spec={"scaleTargetRef": {"kind": "Deployment", "name": "web"}}),
        thing("CronJob", "night", spec={"suspend": True, "schedule": "0 1 * * *"}, status={}),
        thing("Job", "once", spec={"backoffLimit": 1}, status={"conditions": [{"type": "Failed", "status": "True"}]}),
        thing(
            "ResourceQuota", "q", spec={"hard": {"pods": "1"}}, status={"hard": {"pods": "1"}, "used": {"pods": "1"}}
        ),
    ]


def _logs(client: Object, crashed: Object) -> list[ContainerLog]:
    trace = 'Traceback (most recent call last):\n  File "/app/src/main.py", line 3, in run\n    f()\nKeyError: 1'
    return [
        log(client, f"{ago(3)} ERROR dial tcp 10.96.0.9:81: connect: connection refused", trace),
        log(client, f"{ago(2)} panic: runtime error", "\tat org.x.Y.z(Y.java:7)", previous=True),
        log(crashed, f"{ago(2)} java.lang.OutOfMemoryError: Java heap space", '{"level":"error","msg":"no route"}'),
    ]


def _metrics() -> tuple[Series, ...]:
    end = NOW.timestamp()
    points = tuple((end - 60 * (60 - minute), float(minute**2)) for minute in range(60))
    labels = {"namespace": "shop", "pod": "web-rev1-x1", "container": "app"}
    names = (
        "container_memory_working_set_bytes",
        "container_cpu_usage_seconds",
        "http_request_duration_seconds_quantile",
    )
    return tuple(Series(name=name, labels=labels, points=points) for name in names)


def repository(cluster: ClusterSnapshot) -> SourceHistory:
    """A repository that declares the workloads of a cluster, with one change of it."""
    declared = [one for one in cluster.objects if one["kind"] in ("Deployment", "Service", "ConfigMap", "Ingress")]
    text = manifest(*declared)
    return history({"deploy/all.yaml": text.replace("8080", "8081")}, ("move the port", 90, {"deploy/all.yaml": text}))


@st.composite
def spoilt(draw: st.DrawFn, thing_: Object) -> Object:
    """The object with one place, leaf or branch, lost or set to something that does not belong there."""
    copied = copy.deepcopy(thing_)
    path = steps(draw(st.sampled_from([path for path, _ in leaves(copied)])))
    path = path[: draw(st.integers(1, len(path)))]
    target: Any = copied
    for part in path[:-1]:
        target = target[part]
    if draw(st.booleans()) and isinstance(target, dict):
        del cast("dict[str, Any]", target)[cast("str", path[-1])]
    else:
        target[path[-1]] = draw(anything)
    return copied


@st.composite
def hostile_snapshots(draw: st.DrawFn) -> ClusterSnapshot:
    """The cluster with several objects and events spoilt, strange ones added, logs cut, and a clock that is off."""
    cluster = everything()
    objects, events = list(cluster.objects), list(cluster.events)
    for things in (objects, events):
        for place in draw(st.lists(st.integers(0, len(things) - 1), max_size=4, unique=True)):
            things[place] = draw(spoilt(things[place]))
    objects += draw(st.lists(odd_objects, max_size=3))
    events += draw(st.lists(odd_objects, max_size=2))
    logs = tuple(
        one.model_copy(
            update={"text": one.text[: draw(st.integers(0, len(one.text)))] + draw(words), "truncated": True}
        )
        for one in cluster.logs
    )
    skew = draw(st.sampled_from([timedelta(0), timedelta(days=-4_000), timedelta(days=4_000), timedelta(hours=-3)]))
    changed = {"objects": tuple(objects), "events": tuple(events), "logs": logs, "taken_at": cluster.taken_at + skew}
    return cluster.model_copy(update=changed)


hostile_points = st.lists(
    st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False)),
    max_size=70,
).map(lambda points: tuple(sorted(points)))


@st.composite
def hostile_metrics(draw: st.DrawFn) -> tuple[Series, ...]:
    """Series with the names and labels of ordinary ones, and any values at any times; or without any."""
    known = everything().metrics
    return tuple(
        one.model_copy(
            update={"points": draw(hostile_points), "labels": draw(st.just(one.labels) | st.just({"pod": ""}))}
        )
        for one in known
    )

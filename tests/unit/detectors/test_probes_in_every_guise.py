from typing import Any

import pytest

from tests.clusters import Object, container, deployment, ended, event, log, looping, node, pod, replica_set, running
from tests.variants import answer, named, pods_of

API = "Deployment/shop/api"
PORTS = [{"name": "http", "containerPort": 8080}]
LISTENS = "2026-03-10T11:00:00Z listening on :8080"
REFUSED = 'Get "http://10.1.0.9:{port}/live": dial tcp 10.1.0.9:{port}: connect: connection refused'
WORDS = {"livenessProbe": "Liveness", "startupProbe": "Startup", "readinessProbe": "Readiness"}


def http(port: int | str = 8080, path: str = "/live", **rest: Any) -> Object:
    return {"httpGet": {"path": path, "port": port, **rest}}


def judged(
    word: str,
    probe: Object,
    said: str,
    *,
    kind: str = "Deployment",
    told: bool = True,
    line: str = LISTENS,
    **spec: Any,
):
    """A container that its probe kills, or keeps unready."""
    whole: dict[str, Any] = {"ports": PORTS, word: probe, **spec}
    made = container(**whole)
    killed = running(restarts=5, up=0.5, ready=False, ended=ended(137, minutes=0.5, ran=0.5))
    status = running(ready=False) if word == "readinessProbe" else killed
    objects = pods_of(kind, made, statuses=[status])
    unhealthy = event(objects[-1], "Unhealthy", f"{WORDS[word]} probe failed: {said}", part="app")
    killing = event(
        objects[-1], "Killing", f"Container app failed {WORDS[word].lower()} probe, will be restarted", warning=False
    )
    events = [unhealthy, *([] if word == "readinessProbe" else [killing])] if told else []
    return answer(objects, node(), events=events, logs=[log(objects[-1], line)])


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"])
@pytest.mark.parametrize(
    ("probe", "said", "aspect"),
    [
        pytest.param(http(9090), REFUSED.format(port=9090), "port", id="port"),
        pytest.param(
            {"tcpSocket": {"port": 9090}}, "dial tcp 10.1.0.9:9090: connect: connection refused", "port", id="tcp"
        ),
        pytest.param(http("web"), "port web not found", "port", id="name"),
        pytest.param(http(path="/nope"), "HTTP probe failed with statuscode: 404", "path", id="path"),
        pytest.param(
            http("http", "/nope"), "HTTP probe failed with statuscode: 404", "path", id="path of a named port"
        ),
        pytest.param(http(path="/admin"), "HTTP probe failed with statuscode: 401", "path", id="guarded"),
        pytest.param(http(path="/live"), "HTTP probe failed with statuscode: 405", "path", id="method"),
        pytest.param(
            http(scheme="HTTPS"),
            'Get "https://10.1.0.9:8080/live": http: server gave HTTP response to HTTPS client',
            "protocol",
            id="scheme",
        ),
        pytest.param(
            {"grpc": {"port": 8080}},
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service",
            "protocol",
            id="grpc",
        ),
        pytest.param(http(), 'Get "http://10.1.0.9:8080/live": EOF', "protocol", id="eof"),
        pytest.param(
            http(),
            (
                'Get "http://10.1.0.9:8080/live": net/http: HTTP/1.x transport connection broken: malformed HTTP '
                'response "\\x00"'
            ),
            "protocol",
            id="malformed",
        ),
    ],
)
def test_every_probe_of_every_workload_is_judged_by_the_kubelets_words(
    word: str, kind: str, probe: Object, said: str, aspect: str
) -> None:
    answered = judged(word, probe, said, kind=kind)
    group = "readiness" if word == "readinessProbe" else "liveness"
    assert (answered.kind, answered.object, answered.verdict) == (f"{group}_probe_{aspect}", f"{kind}/shop/api", "fix")
    assert f".{word}." in answered.field


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("version", [" errored", " errored and resulted in unknown state"])
def test_a_probe_that_could_not_be_run_at_all_counts_as_failed(word: str, version: str) -> None:
    wrong: dict[str, Any] = {"ports": PORTS, word: http("web")}
    made = container(**wrong)
    status = (
        running(ready=False) if word == "readinessProbe" else running(restarts=4, up=0.5, ready=False, ended=ended(137))
    )
    objects = pods_of("Deployment", made, statuses=[status])
    told = event(objects[-1], "Unhealthy", f"{WORDS[word]} probe{version}: port web not found", part="app")
    group = "readiness" if word == "readinessProbe" else "liveness"
    assert named(objects, node(), events=[told]) == (f"{group}_probe_port", API)


@pytest.mark.parametrize("word", WORDS)
def test_without_events_the_port_is_judged_by_what_the_program_says_it_listens_on(word: str) -> None:
    group = "readiness" if word == "readinessProbe" else "liveness"
    assert judged(word, http(9090), "", told=False).kind == f"{group}_probe_port"


@pytest.mark.parametrize(
    "line",
    [
        "Server listening at http://[::]:8080",
        "Uvicorn running on http://0.0.0.0:8080 (Press CTRL+C to quit)",
        "Tomcat started on port 8080 (http) with context path '/'",
        "Now listening on: http://[::]:8080",
        "* Running on http://10.1.0.9:8080",
        "Puma starting in single mode... * Listening on http://0.0.0.0:8080",
        '{"level":"info","msg":"http server started","addr":":8080"}',
        "Started ServerConnector@1f{HTTP/1.1, (http/1.1)}{0.0.0.0:8080}",
        "Netty started on port 8080",
        "[GIN-debug] Listening and serving HTTP on :8080",
        "ready - started server on 0.0.0.0:8080, url: http://localhost:8080",
        "Development Server (http://0.0.0.0:8080) started",
    ],
)
def test_every_servers_own_words_tell_its_port(line: str) -> None:
    answered = judged("readinessProbe", http(9090), "", told=False, line=line, ports=[])
    assert answered.kind == "readiness_probe_port"


def test_of_two_containers_the_one_with_the_wrong_probe_is_named() -> None:
    side = container("proxy", readinessProbe=http(15099), ports=[{"containerPort": 15021}])
    objects = pods_of("Deployment", container(ports=PORTS), side, statuses=[running(), running("proxy", ready=False)])
    told = event(objects[-1], "Unhealthy", f"Readiness probe failed: {REFUSED.format(port=15099)}", part="proxy")
    said = answer(objects, node(), events=[told])
    assert (said.kind, said.field) == (
        "readiness_probe_port",
        "spec.template.spec.containers[1].readinessProbe.httpGet.port",
    )


TIMING = [
    pytest.param(
        "livenessProbe",
        http(),
        'Get "http://10.1.0.9:8080/live": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        id="slow answer",
    ),
    pytest.param("livenessProbe", http(), REFUSED.format(port=8080), id="not up yet"),
    pytest.param("startupProbe", http(), REFUSED.format(port=8080), id="startup"),
    pytest.param("startupProbe", http(), "HTTP probe failed with statuscode: 503", id="starting"),
    pytest.param(
        "livenessProbe",
        {"exec": {"command": ["pg_isready"]}},
        'command timed out: "pg_isready" timed out after 1s',
        id="exec",
    ),
    pytest.param(
        "livenessProbe", {"exec": {"command": ["pg_isready"]}}, 'command "pg_isready" timed out', id="exec of old"
    ),
    pytest.param("livenessProbe", {"tcpSocket": {"port": 8080}}, "dial tcp 10.1.0.9:8080: i/o timeout", id="tcp"),
    pytest.param(
        "livenessProbe",
        {"grpc": {"port": 8080}},
        "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
        id="grpc",
    ),
    pytest.param("livenessProbe", http(), "HTTP probe failed with statuscode: 503", id="warming up"),
]


@pytest.mark.parametrize(("word", "probe", "said"), TIMING)
def test_a_probe_that_does_not_wait_long_enough_is_a_matter_of_timing(word: str, probe: Object, said: str) -> None:
    answered = judged(word, {**probe, "periodSeconds": 2, "failureThreshold": 1}, said)
    assert (answered.kind, answered.object, answered.verdict) == ("liveness_probe_timing", API, "fix")


@pytest.mark.parametrize(
    "said", ["cat: can't open '/tmp/ready': No such file or directory", "/bin/sh: 1: helth: not found"]
)
def test_a_probes_command_that_is_not_there_is_its_path(said: str) -> None:
    assert judged("readinessProbe", {"exec": {"command": ["sh", "-c", "helth"]}}, said).kind == "readiness_probe_path"
    assert judged("livenessProbe", {"exec": {"command": ["sh", "-c", "helth"]}}, said).kind == "liveness_probe_path"


def test_a_changed_probe_is_its_commits_though_the_old_pods_serve() -> None:
    older = deployment("api", container(ports=PORTS, readinessProbe=http()))
    newer = deployment("api", container(ports=PORTS, readinessProbe=http(9090)))
    former, latest = replica_set(older, revision=1), replica_set(newer, revision=2, age=30)
    stuck = pod(latest, running(ready=False), name="api-rev2-x", age=30)
    told = event(stuck, "Unhealthy", f"Readiness probe failed: {REFUSED.format(port=9090)}", part="app")
    said = answer(newer, former, latest, pod(former, name="api-rev1-x"), stuck, node(), events=[told], before=[older])
    assert (said.kind, said.object, said.verdict, said.culprit) == (
        "readiness_probe_port",
        API,
        "fix",
        "change something",
    )


@pytest.mark.parametrize("said", ["HTTP probe failed with statuscode: 503", "HTTP probe failed with statuscode: 500"])
def test_a_program_that_says_it_is_ill_is_no_wrong_readiness_probe(said: str) -> None:
    assert "probe" not in judged("readinessProbe", http(), said).kind


def test_a_program_that_dies_by_itself_is_not_killed_by_its_probe() -> None:
    objects = pods_of("Deployment", container(ports=PORTS, livenessProbe=http()), statuses=[looping(1)])
    told = event(objects[-1], "Unhealthy", f"Liveness probe failed: {REFUSED.format(port=8080)}", part="app")
    lines = ["Traceback (most recent call last):", '  File "/srv/app.py", line 3, in <module>', "ValueError: no ledger"]
    assert "probe" not in named(objects, node(), events=[told], logs=[log(objects[-1], *lines)])[0]


def test_a_container_out_of_memory_is_not_killed_by_its_probe() -> None:
    limited = container(ports=PORTS, livenessProbe=http(), resources={"limits": {"memory": "64Mi"}})
    objects = pods_of("Deployment", limited, statuses=[looping(137, "OOMKilled")])
    told = event(objects[-1], "Unhealthy", f"Liveness probe failed: {REFUSED.format(port=8080)}", part="app")
    assert named(objects, node(), events=[told])[0] == "oom_killed"


def test_a_failed_probe_of_the_start_is_no_fault() -> None:
    objects = pods_of("Deployment", container(ports=PORTS, readinessProbe=http()))
    told = event(
        objects[-1], "Unhealthy", f"Readiness probe failed: {REFUSED.format(port=8080)}", minutes=8_999, part="app"
    )
    assert named(objects, node(), events=[told])[0] == "healthy"

import pytest

from sre_bot.domain.finding import FaultKind
from tests.clusters import Object, app, container, ended, event, found, log, only, running, snapshot

HTTP = {"httpGet": {"path": "/healthz", "port": 8080}}
PORTS = [{"containerPort": 8080, "name": "http"}]
REFUSED = 'probe failed: Get "http://10.1.0.9:9090/healthz": dial tcp 10.1.0.9:9090: connect: connection refused'


def unready(probe: Object, said: str, *lines: str, ports: list[Object] = PORTS):
    objects = app("api", container(ports=ports, readinessProbe=probe), status=[running(ready=False)])
    return snapshot(
        objects,
        events=[event(objects[-1], "Unhealthy", f"Readiness {said}", part="app")],
        logs=[log(objects[-1], *lines)],
    )


def killed(
    probe: Object, said: str, *lines: str, word: str = "livenessProbe", code: int = 137, ports: list[Object] = PORTS
):
    status = running(ready=False, restarts=7, up=1, ended=ended(code, minutes=1))
    objects = app("api", {**container(ports=ports), word: probe}, status=[status])
    told = [
        event(objects[-1], "Unhealthy", f"{'Liveness' if word == 'livenessProbe' else 'Startup'} {said}", part="app"),
        event(
            objects[-1], "Killing", "Container app failed liveness probe, will be restarted", warning=False, part="app"
        ),
    ]
    return snapshot(objects, events=told, logs=[log(objects[-1], *lines)])


def test_a_readiness_probe_of_a_port_that_nobody_serves() -> None:
    finding = only(unready({"httpGet": {"path": "/healthz", "port": 9090}}, REFUSED), FaultKind.READINESS_PROBE_PORT)
    assert finding.field == "spec.template.spec.containers[0].readinessProbe.httpGet.port"
    assert (finding.observed, finding.expected) == ("9090", "8080")


def test_a_port_name_that_no_port_has() -> None:
    finding = only(
        unready({"httpGet": {"path": "/", "port": "web"}}, "probe errored: port web not found"),
        FaultKind.READINESS_PROBE_PORT,
    )
    assert (finding.observed, finding.expected) == ("web", "http")


def test_the_log_tells_the_right_port_where_the_declaration_is_wrong_as_well() -> None:
    probe = {"tcpSocket": {"port": 8080}}
    said = "probe failed: dial tcp 10.1.0.9:8080: connect: connection refused"
    finding = only(
        unready(probe, said, "INFO: Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)"),
        FaultKind.READINESS_PROBE_PORT,
    )
    assert finding.expected == "8000"


@pytest.mark.parametrize("status", [404, 403, 405])
def test_an_answer_that_there_is_no_such_page_is_a_matter_of_the_path(status: int) -> None:
    finding = only(
        unready(HTTP, f"probe failed: HTTP probe failed with statuscode: {status}"), FaultKind.READINESS_PROBE_PATH
    )
    assert (finding.field.rsplit(".", 1)[-1], finding.observed) == ("path", "/healthz")


def test_the_path_of_the_other_probe_is_proposed() -> None:
    both = container(ports=PORTS, readinessProbe=HTTP, livenessProbe={"httpGet": {"path": "/live", "port": 8080}})
    objects = app("api", both, status=[running(ready=False)])
    told = event(objects[-1], "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404", part="app")
    assert only(snapshot(objects, events=[told]), FaultKind.READINESS_PROBE_PATH).expected == "/live"


def test_an_application_that_says_it_is_ill_does_not_make_its_probe_wrong() -> None:
    assert found(unready(HTTP, "probe failed: HTTP probe failed with statuscode: 503")) == []


def test_plain_http_to_a_tls_port_is_a_matter_of_the_protocol() -> None:
    probe = {"httpGet": {"path": "/healthz", "port": 8443}}
    said = "probe failed: HTTP probe failed with statuscode: 400"
    finding = only(
        unready(probe, said, ports=[{"containerPort": 8443, "name": "https"}]), FaultKind.READINESS_PROBE_PROTOCOL
    )
    assert (finding.field.rsplit(".", 1)[-1], finding.expected) == ("scheme", "HTTPS")


def test_tls_to_a_plain_port_is_a_matter_of_the_protocol() -> None:
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTPS"}}
    said = 'probe failed: Get "https://10.1.0.9:8080/healthz": http: server gave HTTP response to HTTPS client'
    finding = only(killed(probe, said), FaultKind.LIVENESS_PROBE_PROTOCOL)
    assert (finding.observed, finding.expected) == ("HTTPS", "HTTP")


def test_http_to_a_port_that_speaks_no_http_is_a_matter_of_the_protocol() -> None:
    said = 'probe failed: Get "http://10.1.0.9:6379/": net/http: transport broken: malformed HTTP response "-ERR"'
    finding = only(
        killed({"httpGet": {"path": "/", "port": 6379}}, said, ports=[{"containerPort": 6379}]),
        FaultKind.LIVENESS_PROBE_PROTOCOL,
    )
    assert (finding.observed, finding.expected) == ("httpGet", "tcpSocket")


def test_grpc_health_to_a_server_without_it_is_a_matter_of_the_protocol() -> None:
    said = "probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
    assert only(killed({"grpc": {"port": 8080}}, said), FaultKind.LIVENESS_PROBE_PROTOCOL).observed == "grpc"


def test_a_liveness_probe_of_the_wrong_port_kills() -> None:
    finding = only(killed({"httpGet": {"path": "/healthz", "port": 9090}}, REFUSED), FaultKind.LIVENESS_PROBE_PORT)
    assert (finding.observed, finding.expected) == ("9090", "8080")


def test_a_container_that_is_killed_on_its_own_port_before_it_is_up_needs_more_time() -> None:
    probe = {**HTTP, "initialDelaySeconds": 2, "periodSeconds": 2, "failureThreshold": 1}
    said = 'probe failed: Get "http://10.1.0.9:8080/healthz": dial tcp 10.1.0.9:8080: connect: connection refused'
    finding = only(killed(probe, said, "loading model ..."), FaultKind.LIVENESS_PROBE_TIMING)
    assert (finding.field.rsplit(".", 1)[-1], finding.observed) == ("initialDelaySeconds", "2")


def test_a_startup_probe_that_gives_up_too_early_is_a_matter_of_timing() -> None:
    probe = {**HTTP, "failureThreshold": 3, "periodSeconds": 1}
    said = 'probe failed: Get "http://10.1.0.9:8080/healthz": dial tcp 10.1.0.9:8080: connect: connection refused'
    finding = only(killed(probe, said, word="startupProbe"), FaultKind.LIVENESS_PROBE_TIMING)
    assert finding.field.endswith("startupProbe.failureThreshold")


def test_a_command_that_the_image_lacks_is_a_matter_of_the_probes_own_line() -> None:
    probe = {"exec": {"command": ["cat", "/tmp/alive"]}}
    said = "probe failed: cat: can't open '/tmp/alive': No such file or directory"
    finding = only(killed(probe, said), FaultKind.LIVENESS_PROBE_PATH)
    assert finding.observed == "/tmp/alive"


def test_a_container_that_crashes_by_itself_does_not_make_its_probe_wrong() -> None:
    said = 'probe failed: Get "http://10.1.0.9:8080/healthz": dial tcp 10.1.0.9:8080: connect: connection refused'
    status = running(ready=False, restarts=7, up=1, ended=ended(1, minutes=1))
    objects = app("api", container(ports=PORTS, readinessProbe=HTTP, livenessProbe=HTTP), status=[status])
    told = [event(objects[-1], "Unhealthy", f"{word} {said}", part="app") for word in ("Liveness", "Readiness")]
    assert found(snapshot(objects, events=told)) == []


def test_a_pod_that_is_ready_now_is_not_judged_by_the_probes_of_its_start() -> None:
    objects = app("api", container(ports=PORTS, readinessProbe={"httpGet": {"path": "/", "port": 8080}}))
    told = event(objects[-1], "Unhealthy", f"Readiness {REFUSED}", minutes=40, part="app")
    assert found(snapshot(objects, events=[told])) == []


@pytest.mark.parametrize(
    ("said", "port", "kind"),
    [
        ("context deadline exceeded", 8080, FaultKind.READINESS_PROBE_PROTOCOL),
        ("context deadline exceeded", 9090, FaultKind.READINESS_PROBE_PORT),
        ("dial tcp: connection refused", 9090, FaultKind.READINESS_PROBE_PORT),
    ],
)
def test_a_grpc_probe_of_a_server_that_speaks_none_has_the_wrong_protocol(
    said: str, port: int, kind: FaultKind
) -> None:
    own = container(ports=[{"containerPort": 8080}], readinessProbe={"grpc": {"port": port}})
    things = app("api", own, status=[running(ready=False)])
    message = f'Readiness probe failed: timeout: failed to connect service "10.1.0.9:{port}" within 1s: {said}'
    assert found(snapshot(*things, events=[event(things[-1], "Unhealthy", message)]))[0][0] == kind

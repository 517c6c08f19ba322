"""Services whose ports or protocols miss their pods: by every field that can be wrong, and nothing else."""

import pytest

from tests.ailing_clusters import Part, answers, cluster, complaining, quiet, variables
from tests.clusters import Object, ago, app, container, log, service
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest

PORT, PROTOCOL = "service_port_mismatch", "service_protocol_mismatch"
HTTP: Object = {"ports": [{"name": "http", "containerPort": 8080}]}

TARGETS = {
    "another number": {"port": 80, "targetPort": 8081},
    "another name": {"port": 80, "targetPort": "web"},
    "the number as text": {"port": 80, "targetPort": "8081"},
    "none, so the port itself": {"port": 80},
}


@pytest.mark.parametrize("port", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("calls", [True, False], ids=["called", "idle"])
def test_a_target_port_that_no_container_serves_is_the_services(port: Object, calls: bool) -> None:
    client = (
        complaining("web", "connect ECONNREFUSED 10.96.0.9:80", spec=variables(API_URL="http://api"))
        if calls
        else quiet("web")
    )
    assert answers(cluster(client, quiet("api", HTTP), service("api", port))) == (PORT, "Service/shop/api")


def test_one_port_of_several_that_leads_nowhere_is_named() -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}, {"name": "grpc", "port": 9090, "targetPort": "rpc"}]
    spec: Object = {"ports": [{"name": "http", "containerPort": 8080}, {"name": "grpc", "containerPort": 9090}]}
    assert answers(cluster(quiet("api", spec), service("api", *ports))) == (PORT, "Service/shop/api")


def test_two_swapped_ports_are_told_by_their_names() -> None:
    ports = [{"name": "http", "port": 8080, "targetPort": 9090}, {"name": "metrics", "port": 9090, "targetPort": 8080}]
    spec: Object = {"ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]}
    assert answers(cluster(quiet("api", spec), service("api", *ports))) == (PORT, "Service/shop/api")


def test_a_main_port_that_leads_to_the_metrics_is_told_by_what_callers_get() -> None:
    spec: Object = {"ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]}
    client = complaining(
        "web", "GET http://api:80/v1/orders returned status 404", spec=variables(API_URL="http://api:80")
    )
    seen = cluster(client, quiet("api", spec), service("api", {"name": "http", "port": 80, "targetPort": 9090}))
    assert answers(seen) == (PORT, "Service/shop/api")


def test_a_port_that_the_program_moved_away_from_is_the_services_once_callers_are_refused() -> None:
    api = app("api", container(**HTTP))
    client = complaining(
        "web", "dial tcp 10.96.0.9:80: connect: connection refused", spec=variables(API_URL="http://api:80")
    )
    said = log(api[-1], f"{ago(50)} INFO Tomcat started on port 9000 (http) with context path ''")
    seen = cluster(Part(api, [said]), client, service("api", {"port": 80, "targetPort": 8080}))
    assert answers(seen) == (PORT, "Service/shop/api")


def test_a_container_port_that_was_renamed_makes_its_commit_guilty() -> None:
    def shop(name: str) -> list[Object]:
        return app(
            "api", container(ports=[{"name": name, "containerPort": 8080}, {"name": "admin", "containerPort": 8081}])
        )

    front = service("api", {"port": 80, "targetPort": "http"})
    source = history(
        {"deploy/api.yaml": manifest(shop("http")[0], front)},
        ("api: a port for admins", 45, {"deploy/api.yaml": manifest(shop("web")[0], front)}),
    )
    best = best_of(diagnose(cluster(shop("web"), front), source))
    assert (str(best.kind), str(best.object)) == (PORT, "Service/shop/api")
    assert best.culprit and best.culprit.subject == "api: a port for admins"


@pytest.mark.parametrize("protocol", ["UDP", "SCTP"])
@pytest.mark.parametrize("named", [True, False], ids=["named", "numbered"])
def test_a_protocol_that_the_container_does_not_serve_is_the_services(protocol: str, named: bool) -> None:
    port = {"port": 80, "targetPort": "http" if named else 8080, "protocol": protocol}
    client = complaining("web", "dial tcp 10.96.0.9:80: i/o timeout", spec=variables(API_URL="http://api:80"))
    assert answers(cluster(client, quiet("api", HTTP), service("api", port))) == (PROTOCOL, "Service/shop/api")


def test_tcp_in_front_of_a_udp_server_is_wrong() -> None:
    spec: Object = {"ports": [{"name": "dns", "containerPort": 5353, "protocol": "UDP"}]}
    front = service("resolver", {"port": 53, "targetPort": "dns", "protocol": "TCP"})
    assert answers(cluster(quiet("resolver", spec), front)) == (PROTOCOL, "Service/shop/resolver")


APP_PROTOCOLS = {
    "grpc as http": (
        {"name": "http", "appProtocol": "http"},
        "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
    ),
    "https in front of plain": (
        {"name": "api", "appProtocol": "https"},
        "upstream connect error or disconnect/reset before headers. "
        "reset reason: remote connection failure, transport failure reason: TLS_error:|268435703:SSL routines:"
        "OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
    ),
}


@pytest.mark.parametrize(("port", "said"), APP_PROTOCOLS.values(), ids=APP_PROTOCOLS)
def test_an_application_protocol_that_the_proxy_trips_over_is_the_services(port: Object, said: str) -> None:
    spec: Object = {"ports": [{"name": "grpc", "containerPort": 8080}]}
    client = complaining("web", f"call to http://api:80 failed: 503 {said}", spec=variables(API_URL="http://api:80"))
    front = service("api", {"port": 80, "targetPort": 8080, **port})
    assert answers(cluster(client, quiet("api", spec), front)) == (PROTOCOL, "Service/shop/api")


GOOD: dict[str, tuple[Object, Object]] = {
    "named": (HTTP, {"port": 80, "targetPort": "http"}),
    "numbered": (HTTP, {"port": 80, "targetPort": 8080}),
    "the same": ({"ports": [{"containerPort": 80}]}, {"port": 80}),
    "undeclared": ({}, {"port": 80, "targetPort": 8080}),
    "udp": ({"ports": [{"containerPort": 53, "protocol": "UDP"}]}, {"port": 53, "protocol": "UDP"}),
    "tls": (
        {"ports": [{"name": "https", "containerPort": 8443}]},
        {"port": 443, "targetPort": "https", "appProtocol": "https"},
    ),
}


@pytest.mark.parametrize(("spec", "port"), GOOD.values(), ids=GOOD)
def test_a_service_that_fits_its_pods_is_no_fault(spec: Object, port: Object) -> None:
    assert answers(cluster(quiet("api", spec), service("api", port)))[0] == "healthy"

from sre_bot.domain.finding import FaultKind
from tests.clusters import app, config_map, container, deployment, env, found, log, only, service, snapshot, thing

WEB = container(ports=[{"containerPort": 8080, "name": "http"}])


def test_a_selector_that_differs_in_one_label_names_that_label_and_the_right_value() -> None:
    cluster = snapshot(
        app("api", WEB, labels={"app": "api", "tier": "blue"}), service("api", selector={"app": "api", "tier": "green"})
    )
    finding = only(cluster, FaultKind.SERVICE_SELECTOR_MISMATCH)
    assert (str(finding.object), finding.field) == ("Service/shop/api", "spec.selector.tier")
    assert (finding.observed, finding.expected) == ("green", "blue")


def test_a_selector_that_matches_its_pods_is_no_fault() -> None:
    assert found(snapshot(app("api", WEB), service("api"))) == []


def test_a_service_without_selector_is_left_alone() -> None:
    assert found(snapshot(app("api", WEB), service("database", selector={}))) == []


def test_a_service_that_is_alike_to_nothing_and_called_by_nobody_is_left_alone() -> None:
    assert found(snapshot(app("api", WEB), service("zebra", {"port": 9999}, selector={"quux": "zebra"}))) == []


def test_a_target_port_that_no_container_has_is_a_port_mismatch_of_the_service() -> None:
    cluster = snapshot(app("api", WEB), service("api", {"port": 80, "targetPort": 5050}))
    finding = only(cluster, FaultKind.SERVICE_PORT_MISMATCH)
    assert (finding.field, finding.observed, finding.expected) == ("spec.ports[0].targetPort", "5050", "8080")


def test_a_named_target_port_that_no_container_names_is_a_port_mismatch() -> None:
    finding = only(
        snapshot(app("api", WEB), service("api", {"port": 80, "targetPort": "web"})), FaultKind.SERVICE_PORT_MISMATCH
    )
    assert (finding.observed, finding.expected) == ("web", "http")


def test_a_port_that_is_not_declared_but_that_the_log_says_is_listened_on_is_no_fault() -> None:
    objects = app("api", WEB)
    cluster = snapshot(
        objects,
        service("api", {"port": 80, "targetPort": 5050}),
        logs=[log(objects[-1], "2026-03-10T11:00:00Z INFO server listening on 0.0.0.0:5050")],
    )
    assert found(cluster) == []


def test_a_container_that_listens_elsewhere_than_it_declares_is_a_mismatch_when_callers_are_refused() -> None:
    objects = app("api", WEB)
    client = app("web", container(env=env(API_URL="http://api:80")))
    cluster = snapshot(
        objects,
        client,
        service("api", {"port": 80, "targetPort": 8080}),
        logs=[
            log(objects[-1], "2026-03-10T11:00:00Z INFO server listening on :3000"),
            log(client[-1], "2026-03-10T11:59:00Z ERROR dial tcp 10.96.0.9:80: connect: connection refused"),
        ],
    )
    finding = only(cluster, FaultKind.SERVICE_PORT_MISMATCH)
    assert (str(finding.object), finding.observed, finding.expected) == ("Service/shop/api", "8080", "3000")


def test_a_target_port_of_containers_that_declare_nothing_is_not_judged() -> None:
    assert found(snapshot(app("api"), service("api", {"port": 80, "targetPort": 5050}))) == []


def test_udp_in_front_of_a_tcp_port_is_a_protocol_mismatch() -> None:
    finding = only(
        snapshot(app("api", WEB), service("api", {"port": 80, "targetPort": 8080, "protocol": "UDP"})),
        FaultKind.SERVICE_PROTOCOL_MISMATCH,
    )
    assert (finding.field, finding.observed, finding.expected) == ("spec.ports[0].protocol", "UDP", "TCP")


def test_a_service_that_selects_another_apps_pods_is_a_selector_mismatch() -> None:
    other = container(ports=[{"containerPort": 6379}])
    cluster = snapshot(app("cache", other), app("orders", WEB), service("orders", selector={"app": "cache"}))
    finding = only(cluster, FaultKind.SERVICE_SELECTOR_MISMATCH)
    assert (finding.observed, finding.expected) == ("cache", "orders")


def test_an_external_name_service_is_left_alone() -> None:
    assert found(snapshot(app("api", WEB), service("db", type="ExternalName", externalName="db.example.com"))) == []


def test_clients_of_a_broken_service_are_named_as_hurt() -> None:
    client = app("web", container(env=env(API_URL="http://api")))
    finding = only(
        snapshot(app("api", WEB), client, service("api", {"port": 80, "targetPort": 1}, selector={"app": "api"})),
        FaultKind.SERVICE_PORT_MISMATCH,
    )
    assert "Deployment/shop/web" in [str(ref) for ref in finding.hurts]


def test_a_deployment_scaled_to_zero_does_not_make_its_service_selector_wrong() -> None:
    cluster = snapshot(deployment("api", WEB, replicas=0), service("api"), app("web", WEB))
    assert FaultKind.SERVICE_SELECTOR_MISMATCH not in [kind for kind, _ in found(cluster)]


def test_objects_of_the_wrong_shape_are_survived() -> None:
    odd = thing("Service", "odd", spec={"selector": "app=odd", "ports": "80", "clusterIP": None})
    odder = thing("Deployment", "odder", spec={"template": [], "replicas": "many"})
    assert found(snapshot(odd, odder, config_map("empty"), {"kind": "Pod", "metadata": {"name": "bare"}})) == []

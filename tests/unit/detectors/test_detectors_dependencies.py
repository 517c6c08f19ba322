import base64
from typing import Any

import pytest

from sre_bot.detectors.connections import Failure, failure
from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    Object,
    app,
    config_map,
    container,
    env,
    found,
    log,
    looping,
    only,
    running,
    service,
    snapshot,
    thing,
    waiting,
)

DB = service("orders-db", {"port": 5432, "targetPort": 5432}, selector={"app": "orders-db"})
Parts = list[Any]
POSTGRES = app("orders-db", container(ports=[{"containerPort": 5432}]))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Error: getaddrinfo ENOTFOUND orders-dbx", Failure("unresolved", "orders-dbx", None)),
        ("getaddrinfo EAI_AGAIN orders-dbx:5432", Failure("unresolved", "orders-dbx", 5432)),
        ("dial tcp: lookup orders-dbx on 10.96.0.10:53: no such host", Failure("unresolved", "orders-dbx", None)),
        (
            "java.net.UnknownHostException: orders-dbx: Name or service not known",
            Failure("unresolved", "orders-dbx", None),
        ),
        (
            'could not translate host name "orders-dbx" to address: Name or service not known',
            Failure("unresolved", "orders-dbx", None),
        ),
        ("curl: (6) Could not resolve host: orders-dbx", Failure("unresolved", "orders-dbx", None)),
        ("wget: bad address 'orders-dbx:8080'", Failure("unresolved", "orders-dbx", None)),
        (
            'nginx: [emerg] host not found in upstream "orders-dbx" in /etc/nginx/conf.d/default.conf:3',
            Failure("unresolved", "orders-dbx", None),
        ),
        (
            "redis.exceptions.ConnectionError: Error -2 connecting to orders-dbx:6379. Name or service not known.",
            Failure("unresolved", "orders-dbx", 6379),
        ),
        (
            "HTTPConnectionPool(host='orders-dbx', port=80): Max retries exceeded with url: / (Caused by "
            'NameResolutionError("Failed to resolve '
            "'orders-dbx'\"))",
            Failure("unresolved", "orders-dbx", None),
        ),
        ("dial tcp 10.96.0.9:5432: connect: connection refused", Failure("refused", "10.96.0.9", 5432)),
        ("connect ECONNREFUSED 10.96.0.9:5432", Failure("refused", "10.96.0.9", 5432)),
        ("Error 111 connecting to cache:6379. Connection refused.", Failure("refused", "cache", 6379)),
        (
            'connection to server at "orders-db" (10.96.0.9), port 5432 failed: Connection refused',
            Failure("refused", "orders-db", 5432),
        ),
        (
            "Connection to orders-db:5432 refused. Check that the hostname and port are correct",
            Failure("refused", "orders-db", 5432),
        ),
        ("wget: can't connect to remote host (10.96.0.9): Connection refused", Failure("refused", "10.96.0.9", None)),
        (
            "curl: (7) Failed to connect to api port 80 after 2 ms: Couldn't connect to server",
            Failure("refused", "api", 80),
        ),
        ("dial tcp 10.96.0.9:5432: i/o timeout", Failure("timeout", "10.96.0.9", 5432)),
        (
            'connect() failed (111: Connection refused) while connecting to upstream, upstream: "http://10.1.0.4:3000/"',
            Failure("refused", "10.1.0.4", 3000),
        ),
        ("everything is fine, listening on orders-db:5432", None),
        ("the connection to the past was refused by nobody", None),
    ],
)
def test_a_failed_connection_is_read_from_what_clients_log(line: str, expected: Failure | None) -> None:
    assert failure(line) == expected


def client(*lines: str, crash: bool = True, name: str = "orders", holder: list[Object] | None = None, **spec: Any):
    objects = app(name, container(**spec), status=[looping(1)] if crash else None)
    return [objects, [log(objects[-1], *lines)], holder or []]


def cluster(parts: Parts, *more: Any):
    objects, logs, holder = parts
    return snapshot(objects, holder, POSTGRES, DB, *more, logs=logs)


def test_a_host_that_no_service_bears_is_a_wrong_address_and_the_nearest_service_is_proposed() -> None:
    parts = client(
        "dial tcp: lookup order-db on 10.96.0.10:53: no such host", env=env(DB_HOST="order-db", DB_PORT="5432")
    )
    finding = only(cluster(parts), FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert (str(finding.object), finding.field) == (
        "Deployment/shop/orders",
        "spec.template.spec.containers[0].env[0].value",
    )
    assert (finding.observed, finding.expected) == ("order-db", "orders-db")


def test_an_address_in_a_config_map_is_named_there() -> None:
    parts = client(
        "getaddrinfo ENOTFOUND order-db",
        envFrom=[{"configMapRef": {"name": "conf"}}],
        holder=[config_map("conf", DATABASE_URL="postgres://app:pw@order-db:5432/orders")],
    )
    finding = only(cluster(parts), FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert (str(finding.object), finding.field, finding.observed) == (
        "ConfigMap/shop/conf",
        "data.DATABASE_URL",
        "order-db",
    )


def test_an_address_in_a_mounted_file_is_named_with_its_key() -> None:
    parts = client("getaddrinfo ENOTFOUND order-db", volumes=None)
    objects = app("orders", container(), status=[looping(1)], volumes=[{"name": "c", "configMap": {"name": "conf"}}])
    parts = [
        objects,
        [log(objects[-1], "getaddrinfo ENOTFOUND order-db")],
        [
            config_map(
                "conf", **{"app.yml": "server:\n  port: 8080\ndatabase:\n  url: postgres://order-db:5432/orders\n"}
            )
        ],
    ]
    finding = only(cluster(parts), FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert finding.field == 'data["app.yml"]'


def test_what_siblings_have_under_the_same_key_is_the_right_address() -> None:
    sibling = app("billing", container(env=env(DB_HOST="orders-db")))
    parts = client("getaddrinfo ENOTFOUND pg-main", env=env(DB_HOST="pg-main"))
    finding = only(cluster(parts, sibling), FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert finding.expected == "orders-db"


def test_a_service_of_another_namespace_needs_its_namespace() -> None:
    other = service("ledger", {"port": 80}, namespace="finance")
    parts = client("getaddrinfo ENOTFOUND ledger", env=env(LEDGER_URL="http://ledger"))
    finding = only(cluster(parts, other, app("ledger", namespace="finance")), FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert finding.expected == "ledger.finance"


def test_a_namespace_that_does_not_exist_makes_an_address_wrong() -> None:
    known = [thing("Namespace", name, namespace="") for name in ("shop", "data")]
    parts = client(
        "getaddrinfo ENOTFOUND orders-db.date.svc.cluster.local", env=env(DB_HOST="orders-db.date.svc.cluster.local")
    )
    finding = only(cluster(parts, *known), FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert finding.expected == "orders-db.shop.svc.cluster.local"


def test_a_port_that_the_service_does_not_offer_is_a_wrong_port() -> None:
    parts = client("dial tcp 10.96.0.9:5433: i/o timeout", env=env(DB_HOST="orders-db", DB_PORT="5433"))
    finding = only(cluster(parts), FaultKind.DEPENDENCY_WRONG_PORT)
    assert (finding.field, finding.observed, finding.expected) == (
        "spec.template.spec.containers[0].env[1].value",
        "5433",
        "5432",
    )


def test_a_port_that_all_callers_use_makes_the_service_wrong() -> None:
    callers = [app(name, container(env=env(DB_URL="postgres://orders-db:5433/x"))) for name in ("one", "two")]
    finding = only(cluster(client(crash=False), *callers), FaultKind.SERVICE_PORT_MISMATCH)
    assert (str(finding.object), finding.observed, finding.expected) == ("Service/shop/orders-db", "5432", "5433")


def test_a_host_that_exists_but_that_no_sibling_uses_is_wrong_when_its_calls_fail() -> None:
    cache = [service("cache", {"port": 6379}, ip="10.96.0.5"), app("cache", container(ports=[{"containerPort": 6379}]))]
    siblings = [app(name, container(env=env(DB_HOST="orders-db"))) for name in ("one", "two")]
    parts = client("dial tcp cache:5432: i/o timeout", env=env(DB_HOST="cache", DB_PORT="5432"))
    findings = found(cluster(parts, *cache, *siblings))
    assert (FaultKind.DEPENDENCY_WRONG_ADDRESS, "Deployment/shop/orders") in findings


def test_a_program_that_calls_itself_where_nobody_listens_has_a_wrong_address() -> None:
    parts = client("connect ECONNREFUSED 127.0.0.1:5432", env=env(DB_HOST="localhost", DB_PORT="5432"))
    finding = only(
        cluster(parts, app("billing", container(env=env(DB_HOST="orders-db")))), FaultKind.DEPENDENCY_WRONG_ADDRESS
    )
    assert (finding.observed, finding.expected) == ("localhost", "orders-db")


def test_right_addresses_are_no_fault_even_of_a_crashing_client() -> None:
    parts = client("dial tcp 10.96.0.9:5432: connect: connection refused", env=env(DB_HOST="orders-db", DB_PORT="5432"))
    assert not {FaultKind.DEPENDENCY_WRONG_ADDRESS, FaultKind.DEPENDENCY_WRONG_PORT} & {
        kind for kind, _ in found(cluster(parts))
    }


@pytest.mark.parametrize(
    "value", ["true", "info", "2026-03-10", "10:30", "app.yaml", "eu-west-1", "a,b,c", "12", "/var/run/x.sock", ""]
)
def test_values_that_are_no_addresses_are_not_taken_for_some(value: str) -> None:
    parts = client("all is well", crash=True, env=env(FEATURE=value, SERVER_MODE=value))
    assert FaultKind.DEPENDENCY_WRONG_ADDRESS not in [kind for kind, _ in found(cluster(parts))]


def test_an_address_outside_the_cluster_is_not_judged_by_its_services() -> None:
    parts = client("started", env=env(DB_HOST="db.eu-west-1.rds.example.com", API_URL="https://api.example.org/v1"))
    assert FaultKind.DEPENDENCY_WRONG_ADDRESS not in [kind for kind, _ in found(cluster(parts))]


def test_a_name_that_only_the_log_tells_is_a_wrong_address_of_the_workload() -> None:
    parts = client("2026-03-10T11:59:00Z ERROR getaddrinfo ENOTFOUND order-db", crash=False)
    finding = only(cluster(parts), FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert (str(finding.object), finding.directness, finding.expected) == (
        "Deployment/shop/orders",
        "logged",
        "orders-db",
    )


def test_a_failed_call_of_long_ago_is_no_present_fault() -> None:
    parts = client(
        "2026-03-10T08:00:00Z ERROR getaddrinfo ENOTFOUND order-db",
        *(f"2026-03-10T11:{m}:00Z INFO ok" for m in range(10, 59)),
        crash=False,
    )
    assert found(cluster(parts)) == []


def test_the_value_of_a_secret_is_compared_and_never_shown() -> None:
    url = base64.b64encode(b"postgres://app:s3cr3t@order-db:5432/orders").decode()
    parts = client(
        "getaddrinfo ENOTFOUND order-db",
        envFrom=[{"secretRef": {"name": "login"}}],
        holder=[thing("Secret", "login", data={"DATABASE_URL": url})],
    )
    finding = only(cluster(parts), FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert "s3cr3t" not in finding.model_dump_json()


def test_an_init_container_that_waits_for_a_name_that_does_not_exist_is_a_wrong_address() -> None:
    waits = container(
        "wait", command=["sh", "-c", "until nslookup order-db.shop.svc.cluster.local; do echo waiting; sleep 2; done"]
    )
    objects = app("orders", container(), initContainers=[waits])
    objects[-1]["status"].update(
        initContainerStatuses=[running("wait", ready=False)], containerStatuses=[waiting("PodInitializing")]
    )
    objects[-1]["status"]["conditions"][1]["status"] = "False"
    finding = only(snapshot(objects, POSTGRES, DB), FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert finding.field == "spec.template.spec.initContainers[0].command[2]"
    assert (finding.observed, finding.expected) == (
        "order-db.shop.svc.cluster.local",
        "orders-db.shop.svc.cluster.local",
    )


def test_a_line_that_says_that_a_default_is_used_misses_no_variable() -> None:
    parts = client("WARN: CACHE_URL is not set, using the default", env=env(DB_HOST="orders-db"))
    assert FaultKind.MISSING_ENV not in [kind for kind, _ in found(cluster(parts))]


def test_what_a_sibling_of_another_namespace_has_must_resolve_here_too() -> None:
    cache = [service("cache", {"port": 6379}, namespace="data"), app("cache", namespace="data")]
    sibling = app("reader", container(env=env(REDIS_HOST="cache")), namespace="data")
    parts = client("getaddrinfo ENOTFOUND cache.date.svc", env=env(REDIS_HOST="cache.date.svc"))
    known = [thing("Namespace", name, namespace="") for name in ("shop", "data")]
    finding = only(cluster(parts, cache, sibling, *known), FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert finding.expected == "cache.data.svc.cluster.local"

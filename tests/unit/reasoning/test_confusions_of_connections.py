"""A connection that fails has many effects: pools run dry, traces, failing probes. Its cause comes out first."""

from typing import Any

import pytest

from tests.ailing_clusters import answers, cluster, complaining, killed, quiet, server, traced, unready, variables
from tests.clusters import Object, container, key_ref, looping, pod, service, thing, workload

DRY = "HikariPool-1 - Connection is not available, request timed out after 30000ms (total=0, active=0, idle=0)"
HOST = variables(DB_HOST="db", DB_PORT="5432", DB_POOL_SIZE="10")


LOST = "java.net.UnknownHostException: dbs"
WRONG_HOST = variables(DB_HOST="dbs", DB_PORT="5432")
DB = server("db", 5432)
PASSWORD = 'psycopg2.OperationalError: FATAL:  password authentication failed for user "app"'
LOGIN: Object = {
    "env": [
        {"name": "DB_USER", "value": "app"},
        {"name": "DB_HOST", "value": "db"},
        key_ref("DB_PASSWORD", "Secret", "login", "password"),
    ]
}
SECRET = thing("Secret", "login", data={"password": "eA=="})
ADDRESS = ("dependency_wrong_address", "Deployment/shop/orders")
POSTGRES = workload(
    "StatefulSet", "db", container(image="postgres:16", ports=[{"containerPort": 5432}]), labels={"app": "db"}
)
BLOCK = thing(
    "NetworkPolicy",
    "guard",
    api="networking.k8s.io/v1",
    spec={"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"]},
)


def postgres(**rest: Any) -> list[Object]:
    return [POSTGRES, pod(POSTGRES, name="db-0", ip="10.1.0.77", **rest), service("db", {"port": 5432})]


CASES: dict[str, tuple[list[Any], tuple[str, str]]] = {
    "a wrong host, and a dry pool": ([complaining("orders", LOST, DRY, spec=WRONG_HOST), DB], ADDRESS),
    "a wrong host, and a trace": (
        [
            traced(
                "orders",
                'psycopg2.OperationalError: could not translate host name "dbs" to address: Name or service not known',
                WRONG_HOST,
                crashes=True,
            ),
            DB,
        ],
        ADDRESS,
    ),
    "a wrong host, and traces": (
        [
            traced("orders", "socket.gaierror: [Errno -2] Name or service not known: 'dbs'", WRONG_HOST, crashes=False),
            DB,
        ],
        ADDRESS,
    ),
    "a wrong host, and readiness": ([unready("orders", LOST, WRONG_HOST), DB], ADDRESS),
    "a wrong host, and liveness": ([killed("orders", LOST, WRONG_HOST), DB], ADDRESS),
    "a wrong port, and a dry pool": (
        [
            complaining(
                "orders",
                "Connection to db:5433 refused. Check that the hostname and port are correct",
                DRY,
                spec=variables(DB_HOST="db", DB_PORT="5433"),
            ),
            DB,
        ],
        ("dependency_wrong_port", "Deployment/shop/orders"),
    ),
    "a wrong port, and liveness": (
        [
            killed(
                "orders",
                "dial tcp 10.96.0.9:5433: connect: connection refused",
                variables(DB_HOST="db", DB_PORT="5433"),
            ),
            DB,
        ],
        ("dependency_wrong_port", "Deployment/shop/orders"),
    ),
    "a dead server, and a dry pool": (
        [
            complaining(
                "orders", "Connection to db:5432 refused. Check that the hostname and port are correct", DRY, spec=HOST
            ),
            POSTGRES,
            pod(POSTGRES, looping(137, "OOMKilled"), name="db-0", ip="10.1.0.77"),
            service("db", {"port": 5432}),
        ],
        ("oom_killed", "StatefulSet/shop/db"),
    ),
    "a policy, and a dry pool": (
        [complaining("orders", "Connection to db:5432 timed out", DRY, spec=HOST), DB, BLOCK],
        ("network_policy_blocks", "NetworkPolicy/shop/guard"),
    ),
    "a policy, and readiness": (
        [unready("orders", "dial tcp 10.96.0.9:5432: i/o timeout", HOST), DB, BLOCK],
        ("network_policy_blocks", "NetworkPolicy/shop/guard"),
    ),
    "a password, and a dry pool": (
        [complaining("orders", 'FATAL: password authentication failed for user "app"', DRY, spec=LOGIN), DB],
        ("invalid_credentials", "Deployment/shop/orders"),
    ),
    "a password, and a trace": (
        [traced("orders", PASSWORD, LOGIN, crashes=True), DB],
        ("invalid_credentials", "Deployment/shop/orders"),
    ),
    "a password, and traces": (
        [traced("orders", PASSWORD, LOGIN, crashes=False), DB],
        ("invalid_credentials", "Deployment/shop/orders"),
    ),
    "a password, and readiness": (
        [unready("orders", PASSWORD, LOGIN), DB],
        ("invalid_credentials", "Deployment/shop/orders"),
    ),
    "a right, and traces": (
        [
            traced(
                "orders",
                "psycopg2.errors.InsufficientPrivilege: permission denied for table orders",
                LOGIN,
                crashes=False,
            ),
            DB,
        ],
        ("permission_denied", "Deployment/shop/orders"),
    ),
    "a read-only database, and traces": (
        [
            traced(
                "orders",
                "psycopg2.errors.ReadOnlySqlTransaction: cannot execute INSERT in a read-only transaction",
                HOST,
                crashes=False,
            ),
            postgres(),
        ],
        ("read_only_database", "StatefulSet/shop/db"),
    ),
    "a full server, and traces": (
        [
            traced("orders", "psycopg2.OperationalError: FATAL:  sorry, too many clients already", HOST, crashes=True),
            postgres(),
        ],
        ("connection_exhaustion", "StatefulSet/shop/db"),
    ),
    "a full server, and readiness": (
        [unready("orders", "FATAL: sorry, too many clients already", HOST), postgres()],
        ("connection_exhaustion", "StatefulSet/shop/db"),
    ),
    "an old certificate, and traces": (
        [
            traced(
                "orders",
                "requests.exceptions.SSLError: HTTPSConnectionPool(host='pay', port=8443): certificate verify "
                "failed: certificate has expired",
                variables(PAY_URL="https://pay:8443"),
                crashes=False,
            ),
            server("pay", 8443),
        ],
        ("certificate_expired", "Deployment/shop/pay"),
    ),
    "a selector, and traces": (
        [
            traced(
                "orders",
                "requests.exceptions.ConnectionError: HTTPConnectionPool(host='pay', port=80): Max retries "
                "exceeded (Caused by NewConnectionError('Connection refused'))",
                variables(PAY_URL="http://pay:80"),
                crashes=False,
            ),
            quiet("pay", {"ports": [{"containerPort": 8080}]}),
            service("pay", {"port": 80, "targetPort": 8080}, selector={"app": "pays"}),
        ],
        ("service_selector_mismatch", "Service/shop/pay"),
    ),
    "a target port, and readiness": (
        [
            unready("orders", "dial tcp 10.96.0.9:80: connect: connection refused", variables(PAY_URL="http://pay:80")),
            quiet("pay", {"ports": [{"containerPort": 8080}]}),
            service("pay", {"port": 80, "targetPort": 8081}),
        ],
        ("service_port_mismatch", "Service/shop/pay"),
    ),
    "a redis right, and traces": (
        [
            traced(
                "orders",
                "redis.exceptions.ResponseError: NOPERM this user has no permissions to run the 'set' command",
                LOGIN,
                crashes=False,
            ),
            DB,
        ],
        ("permission_denied", "Deployment/shop/orders"),
    ),
    "a mongo user, and traces": (
        [
            traced(
                "orders",
                "pymongo.errors.OperationFailure: Authentication failed., full error: {'code': 18}",
                LOGIN,
                crashes=False,
            ),
            DB,
        ],
        ("invalid_credentials", "Deployment/shop/orders"),
    ),
    "a dry pool of its own, and traces": (
        [
            traced(
                "orders",
                "sqlalchemy.exc.TimeoutError: QueuePool limit of size 10 overflow 0 reached, connection timed out, "
                "timeout 30.00",
                HOST,
                crashes=False,
            ),
            DB,
        ],
        ("connection_exhaustion", "Deployment/shop/orders"),
    ),
    "a value, and a trace": (
        [
            traced(
                "orders",
                "ValueError: invalid literal for int() with base 10: 'ten'",
                variables(POOL="ten"),
                crashes=True,
            )
        ],
        ("invalid_config", "Deployment/shop/orders"),
    ),
    "a resolver, and a dry pool": (
        [complaining("orders", "java.net.UnknownHostException: db", DRY, spec=HOST, dnsPolicy="Default"), DB],
        ("dns_misconfigured", "Deployment/shop/orders"),
    ),
}


@pytest.mark.parametrize(("parts", "expected"), CASES.values(), ids=CASES)
def test_a_cause_comes_before_its_effects(parts: list[Any], expected: tuple[str, str]) -> None:
    assert answers(cluster(*parts, SECRET, quiet("web"))) == expected

"""Which commit broke a connection: the one that wrote the wrong value, on either side, between innocent neighbours."""

import pytest

from tests.ailing_clusters import quiet, server, variables
from tests.clusters import container, deployment, env, service
from tests.declared_connections import (
    API,
    BEHIND,
    CALLS,
    CONF,
    FORBIDDEN,
    FRONT,
    GUILTY,
    LOGIN,
    OTHER,
    PASSWORD,
    REFUSED,
    SILENT,
    Story,
    api,
    binding,
    client,
    database,
    mounted,
    role,
    running_database,
    secret,
    told_of,
)

STORIES = {
    "an address in a file": Story(
        [mounted("a.yaml", "db:\n  host: db\n  port: 5432\n")],
        [mounted("a.yaml", "db:\n  host: dbs\n  port: 5432\n")],
        [
            client("getaddrinfo ENOTFOUND dbs", **CONF),
            server("db", 5432),
            mounted("a.yaml", "db:\n  host: dbs\n  port: 5432\n"),
        ],
        "dependency_wrong_address",
        "ConfigMap/shop/conf",
    ),
    "a port in a url": Story(
        [deployment("web", container(**variables(DB_URL="postgres://db:5432/x")))],
        [deployment("web", container(**variables(DB_URL="postgres://db:5433/x")))],
        [client("connect ECONNREFUSED 10.96.0.9:5433", variables(DB_URL="postgres://db:5433/x")), server("db", 5432)],
        "dependency_wrong_port",
        "Deployment/shop/web",
    ),
    "a service renamed under its callers": Story(
        [service("api", {"port": 80, "targetPort": 8080})],
        [service("api-v1", {"port": 80, "targetPort": 8080}, selector={"app": "api"})],
        [
            client("getaddrinfo ENOTFOUND api", CALLS),
            BEHIND,
            service("api-v1", {"port": 80, "targetPort": 8080}, selector={"app": "api"}),
        ],
        "dependency_wrong_address",
        "Deployment/shop/web",
    ),
    "a service's port taken from its callers": Story(
        [service("api", {"port": 80, "targetPort": "http"})],
        [service("api", {"port": 8080, "targetPort": "http"})],
        [client(REFUSED, CALLS), BEHIND, service("api", {"port": 8080, "targetPort": "http"})],
        "service_port_mismatch",
        "Service/shop/api",
    ),
    "another secret": Story(
        [deployment("web", container(**LOGIN))],
        [deployment("web", container(**OTHER))],
        [client(PASSWORD, OTHER), secret("logins", "eA=="), server("db", 5432)],
        "invalid_credentials",
        "Deployment/shop/web",
    ),
    "another password": Story(
        [secret("login", "eA==")],
        [secret("login", "eQ==")],
        [client(PASSWORD, LOGIN), secret("login", "eQ=="), server("db", 5432)],
        "invalid_credentials",
        "Deployment/shop/web",
    ),
    "a verb taken away": Story(
        [role("get", "list")],
        [role("get")],
        [client(FORBIDDEN, serviceAccountName="web"), role("get"), binding("web")],
        "permission_denied",
        "Role/shop/web",
    ),
    "a subject renamed": Story(
        [binding("web")],
        [binding("webs")],
        [client(FORBIDDEN, serviceAccountName="web"), role("list"), binding("webs")],
        "permission_denied",
        "RoleBinding/shop/web",
    ),
    "a database made read-only": Story(
        [database()],
        [database("-c", "default_transaction_read_only=on")],
        [
            client("cannot execute INSERT in a read-only transaction", variables(DB_HOST="db", DB_PORT="5432")),
            running_database(database("-c", "default_transaction_read_only=on")),
        ],
        "read_only_database",
        "StatefulSet/shop/db",
    ),
    "fewer connections": Story(
        [database("-c", "max_connections=200")],
        [database("-c", "max_connections=20")],
        [
            client("FATAL: sorry, too many clients already", variables(DB_HOST="db", DB_PORT="5432")),
            running_database(database("-c", "max_connections=20")),
        ],
        "connection_exhaustion",
        "StatefulSet/shop/db",
    ),
    "a larger pool elsewhere": Story(
        [deployment("jobs", container(**variables(DB_HOST="db", POOL_SIZE="5")))],
        [deployment("jobs", container(**variables(DB_HOST="db", POOL_SIZE="90")))],
        [
            client("FATAL: sorry, too many clients already", variables(DB_HOST="db", DB_PORT="5432")),
            running_database(database()),
            quiet("jobs", variables(DB_HOST="db", POOL_SIZE="90")),
        ],
        "connection_exhaustion",
        "StatefulSet/shop/db",
    ),
    "a smaller pool": Story(
        [deployment("web", container(env=env(DB_HOST="db", DB_POOL_SIZE="50")))],
        [deployment("web", container(env=env(DB_HOST="db", DB_POOL_SIZE="2")))],
        [
            client(
                "QueuePool limit of size 2 overflow 0 reached, connection timed out",
                variables(DB_HOST="db", DB_POOL_SIZE="2"),
            ),
            running_database(database()),
        ],
        "connection_exhaustion",
        "Deployment/shop/web",
    ),
    "a selector": Story(
        [FRONT],
        [service("api", {"port": 80, "targetPort": "http"}, selector={"app": "apis"})],
        [client(REFUSED, CALLS), BEHIND, service("api", {"port": 80, "targetPort": "http"}, selector={"app": "apis"})],
        "service_selector_mismatch",
        "Service/shop/api",
    ),
    "a target port": Story(
        [service("api", {"port": 80, "targetPort": 8080})],
        [service("api", {"port": 80, "targetPort": 8081})],
        [client(REFUSED, CALLS), BEHIND, service("api", {"port": 80, "targetPort": 8081})],
        "service_port_mismatch",
        "Service/shop/api",
    ),
    "the container's port": Story(
        [api({"containerPort": 8080})[0]],
        [api({"containerPort": 9000})[0]],
        [client(REFUSED, CALLS), api({"containerPort": 9000}), service("api", {"port": 80, "targetPort": 8080})],
        "service_port_mismatch",
        "Service/shop/api",
    ),
    "a protocol": Story(
        [FRONT],
        [service("api", {"port": 80, "targetPort": "http", "protocol": "UDP"})],
        [client(SILENT, CALLS), BEHIND, service("api", {"port": 80, "targetPort": "http", "protocol": "UDP"})],
        "service_protocol_mismatch",
        "Service/shop/api",
    ),
    "a dns policy": Story(
        [deployment("web", container(**CALLS))],
        [deployment("web", container(**CALLS), dnsPolicy="Default")],
        [client("getaddrinfo ENOTFOUND api", CALLS, dnsPolicy="Default"), API],
        "dns_misconfigured",
        "Deployment/shop/web",
    ),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_the_commit_that_wrote_the_wrong_value_is_guilty(story: Story) -> None:
    assert told_of(story) == (story.kind, story.named, GUILTY)

"""A host that exists and is the wrong one: of another program, or of another environment."""

import pytest

from tests.ailing_clusters import answers, cluster, complaining, crashing, server, variables

WRONG = "dependency_wrong_address"
STRANGERS = {
    "a database": 'FATAL:  database "orders" does not exist',
    "a table": 'psycopg2.errors.UndefinedTable: relation "orders" does not exist',
    "a user": 'pq: password authentication failed for user "orders"',
    "a mysql database": "Error 1049 (42000): Unknown database 'orders'",
}


@pytest.mark.parametrize("said", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("crashes", [True, False], ids=["crashing", "complaining"])
def test_a_store_that_belongs_to_somebody_else_is_a_wrong_address(said: str, crashes: bool) -> None:
    spec = variables(DB_HOST="users-db", DB_PORT="5432", DB_USER="orders", DB_NAME="orders")
    client = (crashing if crashes else complaining)("orders", said, spec=spec)
    seen = cluster(client, server("users-db", 5432), server("orders-db", 5432))
    assert answers(seen) == (WRONG, "Deployment/shop/orders")


def test_a_store_of_ones_own_that_lacks_something_is_no_wrong_address() -> None:
    spec = variables(DB_HOST="orders-db", DB_PORT="5432", DB_NAME="order")
    client = crashing("orders", 'FATAL:  database "order" does not exist', spec=spec)
    seen = cluster(client, server("users-db", 5432), server("orders-db", 5432))
    assert answers(seen) == ("invalid_config", "Deployment/shop/orders")


def test_another_environments_service_of_the_same_name_is_a_wrong_address() -> None:
    calls = variables(PRICES_URL="http://prices.shop-staging:8080")
    seen = cluster(
        complaining("orders", "all well", level="INFO", spec=calls),
        server("prices"),
        server("prices", namespace="shop-staging"),
    )
    assert answers(seen) == (WRONG, "Deployment/shop/orders")


def test_a_service_that_several_share_across_namespaces_is_none() -> None:
    calls = variables(PRICES_URL="http://prices.shop-staging:8080")
    parts = [complaining(name, "all well", level="INFO", spec=calls) for name in ("orders", "carts")]
    assert answers(cluster(*parts, server("prices"), server("prices", namespace="shop-staging")))[0] == "healthy"


def test_a_service_of_another_team_with_a_common_name_is_none() -> None:
    calls = variables(API_URL="http://api.payments:8080")
    seen = cluster(
        complaining("orders", "all well", level="INFO", spec=calls), server("api"), server("api", namespace="payments")
    )
    assert answers(seen)[0] == "healthy"


MALFORMED = {
    "a port": ("orders-db:5432", "Error: getaddrinfo ENOTFOUND orders-db:5432"),
    "a port, jvm": ("orders-db:5432", "java.net.UnknownHostException: orders-db:5432: Name or service not known"),
    "a scheme": ("http://orders-db", "Error: getaddrinfo ENOTFOUND http://orders-db"),
    "a scheme, go": ("tcp://orders-db", "dial tcp: lookup tcp://orders-db: no such host"),
}


@pytest.mark.parametrize(("host", "said"), MALFORMED.values(), ids=MALFORMED)
def test_a_host_that_holds_more_than_a_name_is_a_wrong_address(host: str, said: str) -> None:
    spec = variables(DB_HOST=host, DB_PORT="5432")
    assert answers(cluster(crashing("orders", said, spec=spec), server("orders-db", 5432))) == (
        WRONG,
        "Deployment/shop/orders",
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "orders-bd"])
def test_a_host_without_a_port_is_found_by_its_name_alone(host: str) -> None:
    said = f"redis.exceptions.ConnectionError: Error 111 connecting to {host}:6379. Connection refused."
    seen = cluster(crashing("orders", said, spec=variables(REDIS_HOST=host)), server("redis", 6379))
    assert answers(seen) == (WRONG, "Deployment/shop/orders")

"""A right host with a wrong port, in what clients log and in every place where ports are configured."""

import pytest

from tests.ailing_clusters import answers, cluster, complaining, crashing, quiet, server, variables
from tests.clusters import Object, config_map, container, pod, service, workload

WRONG = "dependency_wrong_port"
IP = "10.96.0.9"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("dial tcp 10.96.0.9:5433: connect: connection refused", id="go"),
        pytest.param("dial tcp 10.96.0.9:5433: i/o timeout", id="go, dropped"),
        pytest.param("Error: connect ECONNREFUSED 10.96.0.9:5433", id="node"),
        pytest.param("Error: connect ETIMEDOUT 10.96.0.9:5433", id="node, dropped"),
        pytest.param("java.net.ConnectException: Connection refused", id="jvm"),
        pytest.param(
            "org.postgresql.util.PSQLException: Connection to orders-db:5433 refused. Check that", id="pgjdbc"
        ),
        pytest.param(
            'connection to server at "orders-db" (10.96.0.9), port 5433 failed: Connection refused\n\tIs the server '
            "running on that host?",
            id="libpq",
        ),
        pytest.param("Npgsql.NpgsqlException: Failed to connect to 10.96.0.9:5433", id="npgsql"),
        pytest.param("System.Net.Http.HttpRequestException: Connection refused (orders-db:5433)", id="dotnet"),
        pytest.param("PDOException: SQLSTATE[HY000] [2002] Connection refused", id="php"),
        pytest.param(
            "Redis::CannotConnectError: Error connecting to Redis on orders-db:5433 (Errno::ECONNREFUSED)", id="ruby"
        ),
        pytest.param(
            "redis.exceptions.ConnectionError: Error 111 connecting to orders-db:5433. Connection refused.", id="redis"
        ),
        pytest.param(
            "requests.exceptions.ConnectionError: HTTPConnectionPool(host='orders-db', port=5433): Max retries "
            "exceeded with url: /v1 (Caused by NewConnectionError('Connection refused'))",
            id="requests",
        ),
        pytest.param(
            "error sending request for url (http://orders-db:5433/): error trying to connect: tcp connect "
            "error: Connection refused (os error 111)",
            id="rust",
        ),
        pytest.param(
            "pymongo.errors.ServerSelectionTimeoutError: orders-db:5433: [Errno 111] Connection refused", id="pymongo"
        ),
        pytest.param(
            "Connection to node -1 (orders-db/10.96.0.9:5433) could not be established. Node may not be available.",
            id="kafka",
        ),
        pytest.param(
            'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial '
            'tcp 10.96.0.9:5433: connect: connection refused"',
            id="grpc",
        ),
        pytest.param(
            "upstream connect error or disconnect/reset before headers. reset reason: connection timeout", id="envoy"
        ),
        pytest.param(
            "curl: (7) Failed to connect to orders-db port 5433 after 2 ms: Couldn't connect to server", id="curl"
        ),
        pytest.param(
            "(2003, \"Can't connect to MySQL server on 'orders-db' ([Errno 111] Connection refused)\")", id="pymysql"
        ),
        pytest.param("AMQPConnectionError: [Errno 111] Connection refused", id="pika"),
        pytest.param(
            "connect() failed (111: Connection refused) while connecting to upstream, upstream: "
            '"http://10.96.0.9:5433/"',
            id="nginx",
        ),
    ],
)
@pytest.mark.parametrize("crashes", [True, False], ids=["crashing", "complaining"])
def test_whatever_the_clients_words_a_port_that_is_not_offered_comes_out_first(said: str, crashes: bool) -> None:
    client = (crashing if crashes else complaining)("orders", said, spec=variables(DB_HOST="orders-db", DB_PORT="5433"))
    assert answers(cluster(client, server("orders-db", 5432))) == (WRONG, "Deployment/shop/orders")


FILES = {
    "properties": ("a.properties", "db.host=orders-db\ndb.port=5433\n"),
    "spring": ("a.properties", "spring.data.redis.host=orders-db\nspring.data.redis.port=5433\n"),
    "yaml": ("a.yaml", "database:\n  host: orders-db\n  port: 5433\n"),
    "json": ("a.json", '{"db": {"host": "orders-db", "port": 5433}}'),
    "toml": ("a.toml", '[database]\nhost = "orders-db"\nport = 5433\n'),
    "dsn": ("a.env", "DSN=host=orders-db port=5433 dbname=x\nA=1\n"),
    "go mysql": ("a.env", "DSN=app:pw@tcp(orders-db:5433)/orders\nA=1\n"),
    "ado.net": ("a.json", '{\n "Db": "Host=orders-db;Port=5433;Database=orders"\n}\n'),
    "url": ("a.env", "URL=postgres://app@orders-db:5433/x\nA=1\n"),
    "jdbc": ("a.properties", "url=jdbc:postgresql://orders-db:5433/x\na=1\n"),
    "list": ("a.yaml", "brokers:\n- orders-db:5433\nx: 1\n"),
}


@pytest.mark.parametrize(("file", "content"), FILES.values(), ids=FILES)
def test_in_whatever_file_the_port_stands_the_config_map_is_named(file: str, content: str) -> None:
    mounts: Object = {"volumes": [{"name": "conf", "configMap": {"name": "conf"}}]}
    client = crashing("orders", "dial tcp 10.96.0.9:5433: connect: connection refused", **mounts)
    seen = cluster(client, config_map("conf", **{file: content}), server("orders-db", 5432))
    assert answers(seen) == (WRONG, "ConfigMap/shop/conf")


CONTAINERS: dict[str, Object] = {
    "flags": {"args": ["--db-host=orders-db", "--db-port=5433"]},
    "flags and values": {"args": ["--db-host", "orders-db", "--db-port", "5433"]},
    "pair": {"args": ["--db=orders-db:5433"]},
    "pair beside its flag": {"args": ["--db", "orders-db:5433"]},
    "address": variables(DB_ADDR="orders-db:5433"),
    "fqdn": variables(DB_URL="postgres://app@orders-db.shop.svc.cluster.local.:5433/x"),
    "other words": variables(POSTGRES_SERVICE_HOST="orders-db", POSTGRES_SERVICE_PORT="5433"),
    "pghost": variables(PGHOST="orders-db", PGPORT="5433"),
    "camel": variables(dbHost="orders-db", dbPort="5433"),
    "list": variables(BROKERS="orders-db:5432,orders-db:5433"),
    "tail": variables(DB_HOST="orders-db", DB_PORT_NUMBER="5433"),
    "host and port in one word": variables(DB_HOSTPORT="orders-db:5433"),
}


@pytest.mark.parametrize("spec", CONTAINERS.values(), ids=CONTAINERS)
def test_however_the_container_gets_the_port_the_workload_is_named(spec: Object) -> None:
    client = crashing("orders", "dial tcp 10.96.0.9:5433: connect: connection refused", spec=spec)
    assert answers(cluster(client, server("orders-db", 5432))) == (WRONG, "Deployment/shop/orders")


def test_the_port_of_the_pods_is_not_that_of_their_service() -> None:
    client = crashing("web", "connect ECONNREFUSED 10.96.0.9:8080", spec=variables(API_URL="http://api:8080"))
    assert answers(cluster(client, server("api", 8080, offered=80))) == (WRONG, "Deployment/shop/web")


def test_a_url_without_port_calls_the_port_of_its_scheme() -> None:
    client = complaining("web", "dial tcp 10.96.0.9:80: i/o timeout", spec=variables(API_URL="http://api/v1"))
    assert answers(cluster(client, server("api", 8080))) == (WRONG, "Deployment/shop/web")


def test_a_grpc_client_on_the_http_port_speaks_to_the_wrong_one() -> None:
    both = [{"name": "http", "containerPort": 8080}, {"name": "grpc", "containerPort": 9090}]
    ports = [{"name": "http", "port": 8080, "targetPort": "http"}, {"name": "grpc", "port": 9090, "targetPort": "grpc"}]
    said = (
        'rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: http2: '
        'frame too large"'
    )
    client = complaining("web", said, spec=variables(STOCK_GRPC_ADDR="stock:8080"))
    seen = cluster(client, quiet("stock", {"ports": both}), service("stock", *ports))
    assert answers(seen) == (WRONG, "Deployment/shop/web")


def test_a_silent_fall_back_hides_no_wrong_port() -> None:
    client = complaining(
        "web",
        "stock is unavailable, serving cached figures",
        level="WARN",
        spec=variables(STOCK_URL="http://stock:8081"),
    )
    assert answers(cluster(client, server("stock", 8080))) == (WRONG, "Deployment/shop/web")


def test_a_pod_of_a_stateful_set_is_called_on_the_port_that_it_serves() -> None:
    made = workload("StatefulSet", "db", container(ports=[{"containerPort": 5432}]), labels={"app": "db"})
    head = service("db", {"port": 5432}, selector={"app": "db"}, clusterIP="None")
    said = "dial tcp 10.1.0.77:5433: connect: connection refused"
    seen = cluster(
        crashing("web", said, spec=variables(DB_ADDR="db-0.db:5433")),
        made,
        head,
        pod(made, name="db-0", ip="10.1.0.77"),
    )
    assert answers(seen) == (WRONG, "Deployment/shop/web")


def test_an_external_server_on_a_wrong_port_is_not_judged_by_our_services() -> None:
    client = complaining("web", "dial tcp 203.0.113.5:5433: i/o timeout", spec=variables(DB_ADDR="db.example.com:5433"))
    assert answers(cluster(client, server("db", 5432)))[0] not in (WRONG, "dependency_wrong_address")


def test_a_server_that_is_down_makes_no_port_wrong() -> None:
    client = complaining(
        "web", "dial tcp 10.96.0.9:8080: connect: connection refused", spec=variables(API_URL="http://api:8080")
    )
    seen = cluster(client, crashing("api", "panic: runtime error: index out of range"), service("api", {"port": 8080}))
    assert answers(seen)[0] not in (WRONG, "dependency_wrong_address", "service_port_mismatch")

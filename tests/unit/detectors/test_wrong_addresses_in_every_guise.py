"""A host that names nothing: wherever it is configured, whatever the client's words, it comes out first."""

import pytest

from tests.ailing_clusters import answers, cluster, complaining, crashing, server, variables
from tests.clusters import Object, config_map, key_ref, service, thing

WRONG = "dependency_wrong_address"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("psycopg.OperationalError: [Errno -2] Name or service not known", id="psycopg, nameless"),
        pytest.param("java.net.UnknownHostException: orders-bd: Name or service not known", id="jvm"),
        pytest.param("Caused by: java.net.UnknownHostException: orders-bd", id="jvm, musl"),
        pytest.param("dial tcp: lookup orders-bd on 10.96.0.10:53: no such host", id="go"),
        pytest.param(
            "dial tcp: lookup orders-bd.shop.svc.cluster.local. on 10.96.0.10:53: no such host", id="go, fqdn"
        ),
        pytest.param("Error: getaddrinfo ENOTFOUND orders-bd", id="node"),
        pytest.param("Error: getaddrinfo EAI_AGAIN orders-bd", id="node, again"),
        pytest.param(
            "System.Net.Sockets.SocketException (00000005, 0xFFFDFFFF): Name or service not known", id="dotnet"
        ),
        pytest.param(
            'could not translate host name "orders-bd" to address: Name or service not known (PG::ConnectionBad)',
            id="ruby",
        ),
        pytest.param(
            "PDOException: SQLSTATE[HY000] [2002] php_network_getaddresses: getaddrinfo for orders-bd failed: "
            "Name or service not known",
            id="php",
        ),
        pytest.param('[emerg] 1#1: host not found in upstream "orders-bd" in /etc/nginx/nginx.conf:4', id="nginx"),
        pytest.param(
            "rpc error: code = Unavailable desc = dns: A record lookup error: lookup orders-bd on 10.96.0.10:53: "
            "no such host",
            id="grpc",
        ),
        pytest.param(
            "rpc error: code = Unavailable desc = name resolver error: produced zero addresses", id="grpc, nameless"
        ),
        pytest.param(
            "error trying to connect: dns error: failed to lookup address information: Name or service not known",
            id="rust",
        ),
        pytest.param(
            "%3|1741607880.1|FAIL|rdkafka#producer-1| [thrd:orders-bd:5432/bootstrap]: orders-bd:5432/bootstrap: "
            "Failed to resolve 'orders-bd:5432': Name does not resolve",
            id="librdkafka",
        ),
        pytest.param(
            "WARN [Producer clientId=p-1] Couldn't resolve server orders-bd:5432 from bootstrap.servers as DNS "
            "resolution failed for orders-bd",
            id="kafka",
        ),
        pytest.param(
            "pymongo.errors.ServerSelectionTimeoutError: orders-bd:5432: [Errno -2] Name or service not known, "
            "Timeout: 30s",
            id="pymongo",
        ),
        pytest.param(
            "MongoTimeoutException: Timed out after 30000 ms while waiting to connect. servers=[{address=orders-bd:5432"
            ", type=UNKNOWN, exception={com.mongodb.MongoSocketException: orders-bd}}]",
            id="mongo java",
        ),
        pytest.param("django.db.utils.OperationalError: (2005, \"Unknown server host 'orders-bd' (-2)\")", id="mysql"),
        pytest.param(
            "redis.exceptions.ConnectionError: Error -2 connecting to orders-bd:5432. Name or service not known.",
            id="redis-py",
        ),
        pytest.param(
            "Redis::CannotConnectError: Error connecting to Redis on orders-bd:5432 (SocketError: getaddrinfo: "
            "Name or service not known)",
            id="redis-rb",
        ),
        pytest.param("RedisConnectionException: Unable to connect to orders-bd/<unresolved>:5432", id="lettuce"),
        pytest.param(
            "RedisConnectionException: It was not possible to connect to the redis server(s) orders-bd:5432/"
            "Interactive",
            id="stackexchange",
        ),
        pytest.param(
            "javax.naming.CommunicationException: orders-bd:5432 [Root exception is java.net.UnknownHostException: "
            "orders-bd]",
            id="ldap",
        ),
        pytest.param(
            "MailConnectException: Couldn't connect to host, port: orders-bd, 5432; timeout -1; nested exception is: "
            "java.net.UnknownHostException: orders-bd",
            id="smtp",
        ),
        pytest.param(
            "botocore.exceptions.EndpointConnectionError: Could not connect to the endpoint URL: "
            '"http://orders-bd:5432/bucket"',
            id="s3",
        ),
        pytest.param("curl: (6) Could not resolve host: orders-bd", id="curl"),
        pytest.param("nc: bad address 'orders-bd'", id="busybox"),
        pytest.param("[warning][upstream] dns resolution for orders-bd failed with c-ares status 4", id="envoy"),
        pytest.param(
            "urllib3.exceptions.NameResolutionError: Failed to resolve 'orders-bd' ([Errno -2] Name or service "
            "not known)",
            id="urllib3",
        ),
    ],
)
def test_whatever_the_clients_words_a_host_that_no_service_bears_comes_out_first(said: str) -> None:
    seen = cluster(
        crashing("orders", said, spec=variables(DB_HOST="orders-bd", DB_PORT="5432")), server("orders-db", 5432)
    )
    assert answers(seen) == (WRONG, "Deployment/shop/orders")


FILES: dict[str, tuple[str, str]] = {
    "properties": ("application.properties", "spring.datasource.url=jdbc:postgresql://orders-bd:5432/orders\nx=1\n"),
    "yaml": ("application.yaml", "database:\n  host: orders-bd\n  port: 5432\nlog: info\n"),
    "yaml, quoted": ("app.yml", 'database:\n  host: "orders-bd"\n  port: 5432\n'),
    "json": ("settings.json", '{\n  "db": {\n    "host": "orders-bd",\n    "port": 5432\n  }\n}\n'),
    "json in one line": ("settings.json", '{"db": {"host": "orders-bd", "port": 5432}, "cache": {"ttl": 5}}'),
    "toml": ("config.toml", '[database]\nhost = "orders-bd"\nport = 5432\n'),
    "ini": ("app.ini", "[database]\nhost = orders-bd\nport = 5432\n"),
    "dsn": ("app.env", 'DSN="host=orders-bd port=5432 dbname=orders sslmode=disable"\nX=1\n'),
    "go mysql": ("app.env", "DSN=app:pw@tcp(orders-bd:5432)/orders?parseTime=true\nX=1\n"),
    "ado.net": ("appsettings.json", '{\n "Db": "Server=orders-bd;Port=5432;Database=orders;User Id=app"\n}\n'),
    "sql server": ("appsettings.json", '{\n "Db": "Server=tcp:orders-bd,5432;Database=orders"\n}\n'),
    "list": ("app.yaml", "kafka:\n  brokers:\n  - orders-bd:5432\n  retries: 3\n"),
    "comma list": ("app.properties", "bootstrap.servers=orders-bd:5432,orders-db:5432\nacks=all\n"),
    "mongo url": ("app.env", "URL=mongodb://app:pw@orders-bd:5432,orders-db:5432/orders?replicaSet=rs0\nX=1\n"),
    "xml": ("context.xml", '<Context>\n<Resource url="jdbc:postgresql://orders-bd:5432/orders"/>\n</Context>\n'),
    "xml element": ("conf.xml", "<conf>\n<host>orders-bd</host>\n<port>5432</port>\n</conf>\n"),
}


@pytest.mark.parametrize(("file", "content"), FILES.values(), ids=FILES)
def test_in_whatever_file_it_stands_the_config_map_is_named(file: str, content: str) -> None:
    mounts: Object = {"volumes": [{"name": "conf", "configMap": {"name": "orders-conf"}}]}
    client = crashing("orders", "could not connect: getaddrinfo ENOTFOUND orders-bd", **mounts)
    seen = cluster(client, config_map("orders-conf", **{file: content}), server("orders-db", 5432))
    assert answers(seen) == (WRONG, "ConfigMap/shop/orders-conf")


CONTAINERS: dict[str, tuple[Object, str]] = {
    "envFrom": ({"envFrom": [{"configMapRef": {"name": "conf"}}]}, "ConfigMap/shop/conf"),
    "envFrom with a prefix": (
        {"envFrom": [{"prefix": "APP_", "configMapRef": {"name": "conf"}}]},
        "ConfigMap/shop/conf",
    ),
    "key reference": ({"env": [key_ref("HOST", "ConfigMap", "conf", "DB_HOST")]}, "ConfigMap/shop/conf"),
    "flag": ({"args": ["--db-host=orders-bd", "--db-port=5432"]}, "Deployment/shop/orders"),
    "flag and value": ({"args": ["serve", "--db-host", "orders-bd"]}, "Deployment/shop/orders"),
    "pair": ({"args": ["-db", "orders-bd:5432"]}, "Deployment/shop/orders"),
    "shell": ({"command": ["sh", "-c", "exec app --db postgres://orders-bd:5432/x"]}, "Deployment/shop/orders"),
    "url": (variables(URL="postgresql+psycopg2://app@orders-bd:5432/x"), "Deployment/shop/orders"),
    "jdbc": (variables(URL="jdbc:mysql://orders-bd:3306/x?useSSL=false"), "Deployment/shop/orders"),
    "expansion": (variables(DB="orders-bd", URL="postgres://$(DB):5432/x"), "Deployment/shop/orders"),
    "namespaced": (variables(DB_HOST="orders-bd.shop"), "Deployment/shop/orders"),
    "svc": (variables(DB_HOST="orders-bd.shop.svc"), "Deployment/shop/orders"),
    "fqdn": (variables(DB_HOST="orders-bd.shop.svc.cluster.local"), "Deployment/shop/orders"),
    "fqdn with a dot": (variables(DB_HOST="orders-bd.shop.svc.cluster.local."), "Deployment/shop/orders"),
    "other namespace": (variables(DB_HOST="orders-db.shopp.svc.cluster.local"), "Deployment/shop/orders"),
    "camel": (variables(dbHost="orders-bd"), "Deployment/shop/orders"),
}


@pytest.mark.parametrize(("spec", "holder"), CONTAINERS.values(), ids=CONTAINERS)
def test_however_the_container_gets_it_the_holder_of_the_value_is_named(spec: Object, holder: str) -> None:
    host = "orders-db.shopp" if "shopp" in str(spec) else "orders-bd"
    seen = cluster(
        crashing("orders", f"dial tcp: lookup {host} on 10.96.0.10:53: no such host", spec=spec),
        config_map("conf", DB_HOST="orders-bd"),
        server("orders-db", 5432),
        thing("Namespace", "shop", namespace=""),
    )
    assert answers(seen) == (WRONG, holder)


STATEFUL = {
    "a misspelt governing service": "db-0.orders-bd",
    "an ordinal that does not exist": "db-3.orders-db",
    "a misspelt pod": "orders-0.orders-db",
    "fully qualified": "db-3.orders-db.shop.svc.cluster.local",
}


@pytest.mark.parametrize("host", STATEFUL.values(), ids=STATEFUL)
def test_the_name_of_a_pod_that_a_stateful_set_does_not_have_is_a_wrong_address(host: str) -> None:
    seen = cluster(*_stateful(), crashing("orders", f"getaddrinfo ENOTFOUND {host}", spec=variables(DB_HOST=host)))
    assert answers(seen) == (WRONG, "Deployment/shop/orders")


def _stateful() -> list[Object]:
    from tests.clusters import container, pod, workload

    made = workload(
        "StatefulSet",
        "db",
        container(ports=[{"containerPort": 5432}]),
        labels={"app": "db"},
        replicas=2,
        template={"serviceName": "orders-db"},
    )
    head = service("orders-db", {"port": 5432}, selector={"app": "db"}, clusterIP="None")
    return [made, head, pod(made, name="db-0"), pod(made, name="db-1", ip="10.1.0.10")]


def test_an_external_name_that_names_nothing_is_the_services_wrong_address() -> None:
    alias = thing("Service", "db", spec={"type": "ExternalName", "externalName": "orders-bd.shop.svc.cluster.local"})
    client = crashing("orders", "getaddrinfo ENOTFOUND db", spec=variables(DB_HOST="db", DB_PORT="5432"))
    assert answers(cluster(client, alias, server("orders-db", 5432))) == (WRONG, "Service/shop/db")


def test_a_wrong_host_that_a_fall_back_hides_is_found() -> None:
    client = complaining(
        "orders",
        "prices lookup failed, using yesterday's",
        level="WARN",
        spec=variables(PRICES_URL="http://price:8080"),
    )
    assert answers(cluster(client, server("prices"))) == (WRONG, "Deployment/shop/orders")

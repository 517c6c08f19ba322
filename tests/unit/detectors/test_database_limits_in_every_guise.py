"""Databases that refuse writes, and connections that run out: who holds the limit is named, server or pool."""

import pytest

from tests.ailing_clusters import Part, answers, cluster, complaining, crashing, quiet, variables
from tests.clusters import ago, app, container, log, pod, service, workload

READ_ONLY, EXHAUSTED = "read_only_database", "connection_exhaustion"


def database(image: str, port: int, *args: str, lines: tuple[str, ...] = ()) -> Part:
    """A StatefulSet ``db`` of an engine and its Service; the lines are its own log."""
    made = workload(
        "StatefulSet",
        "db",
        container(image=image, ports=[{"containerPort": port}], args=list(args)),
        labels={"app": "db"},
    )
    child = pod(made, name="db-0", ip="10.1.0.77")
    said = [log(child, *(f"{ago(minute)} {line}" for minute in (7, 5, 3, 1) for line in lines))] if lines else []
    return Part([made, child, service("db", {"port": port})], said)


POSTGRES, MYSQL, REDIS, MONGO = ("postgres:16", 5432), ("mysql:8", 3306), ("redis:7", 6379), ("mongo:7", 27017)

REFUSED_WRITES = {
    "psycopg": (POSTGRES, "psycopg2.errors.ReadOnlySqlTransaction: cannot execute INSERT in a read-only transaction"),
    "pgx": (POSTGRES, "ERROR: cannot execute UPDATE in a read-only transaction (SQLSTATE 25006)"),
    "pgjdbc": (POSTGRES, "PSQLException: ERROR: cannot execute nextval() in a read-only transaction"),
    "rails": (
        POSTGRES,
        "ActiveRecord::StatementInvalid: PG::ReadOnlySqlTransaction: ERROR:  cannot execute DELETE in a "
        "read-only transaction",
    ),
    "recovery": (POSTGRES, "ERROR: cannot execute CREATE TABLE during recovery"),
    "assign xid": (POSTGRES, "ERROR: cannot assign TransactionIds during recovery"),
    "mysql": (
        MYSQL,
        "Error 1290 (HY000): The MySQL server is running with the --read-only option so it cannot execute this "
        "statement",
    ),
    "mysql super": (
        MYSQL,
        "(1290, 'The MySQL server is running with the --super-read-only option so it cannot execute this')",
    ),
    "mysql transaction": (MYSQL, "ERROR 1792 (25006): Cannot execute statement in a READ ONLY transaction."),
    "aurora": (MYSQL, "Error 1836 (HY000): Running in read-only mode"),
    "innodb": (MYSQL, "ERROR 1874 (HY000): InnoDB is in read only mode."),
    "redis": (REDIS, "READONLY You can't write against a read only replica."),
    "redis old": (REDIS, "ReplyError: READONLY You can't write against a read only slave."),
    "redis disk": (
        REDIS,
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. "
        "Commands that may modify the data set are disabled",
    ),
    "redis quorum": (REDIS, "NOREPLICAS Not enough good replicas to write."),
    "mongo": (
        MONGO,
        "pymongo.errors.NotPrimaryError: not primary, full error: {'code': 10107, 'codeName': 'NotWritablePrimary'}",
    ),
    "mongo java": (
        MONGO,
        "com.mongodb.MongoNotPrimaryException: Command failed with error 10107 (NotWritablePrimary): 'not primary'",
    ),
    "mongo go": (MONGO, "(NotWritablePrimary) not primary"),
    "mongo node": (MONGO, "MongoServerError: not primary"),
}


@pytest.mark.parametrize(("engine", "said"), REFUSED_WRITES.values(), ids=REFUSED_WRITES)
@pytest.mark.parametrize("crashes", [True, False], ids=["crashing", "complaining"])
def test_the_database_that_refuses_writes_is_named_and_not_its_client(
    engine: tuple[str, int], said: str, crashes: bool
) -> None:
    image, port = engine
    client = (crashing if crashes else complaining)("orders", said, spec=variables(DB_HOST="db", DB_PORT=str(port)))
    assert answers(cluster(client, database(image, port))) == (READ_ONLY, "StatefulSet/shop/db")


SETTINGS = {
    "pg flag": (POSTGRES, ("-c", "default_transaction_read_only=on")),
    "mysql flag": (MYSQL, ("--read-only=1",)),
    "mysql bare flag": (MYSQL, ("--super-read-only",)),
    "redis replica": (REDIS, ("--replicaof", "old-primary", "6379")),
}


@pytest.mark.parametrize(("engine", "args"), SETTINGS.values(), ids=SETTINGS)
def test_what_makes_it_read_only_is_in_its_own_arguments(engine: tuple[str, int], args: tuple[str, ...]) -> None:
    said = {
        "redis:7": "READONLY You can't write against a read only replica.",
        "mysql:8": "running with the --read-only option",
    }
    line = said.get(engine[0], "cannot execute INSERT in a read-only transaction")
    client = complaining("orders", line, spec=variables(DB_HOST="db", DB_PORT=str(engine[1])))
    assert answers(cluster(client, database(*engine, *args))) == (READ_ONLY, "StatefulSet/shop/db")


FULL = {
    "postgres": (POSTGRES, "FATAL:  sorry, too many clients already"),
    "pg reserved": (POSTGRES, "FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute"),
    "pg role": (POSTGRES, 'FATAL: too many connections for role "app"'),
    "pg database": (POSTGRES, 'FATAL: too many connections for database "orders"'),
    "mysql": (MYSQL, "Error 1040 (HY000): Too many connections"),
    "pymysql": (MYSQL, "pymysql.err.OperationalError: (1040, 'Too many connections')"),
    "mysql user": (
        MYSQL,
        "ERROR 1226 (42000): User 'app' has exceeded the 'max_user_connections' resource (current value: 10)",
    ),
    "mysql user now": (
        MYSQL,
        "ERROR 1203 (42000): User app already has more than 'max_user_connections' active connections",
    ),
    "redis": (REDIS, "redis.exceptions.ConnectionError: ERR max number of clients reached"),
    "mongo": (MONGO, "connection refused because too many open connections: 819"),
}


@pytest.mark.parametrize(("engine", "said"), FULL.values(), ids=FULL)
@pytest.mark.parametrize("crashes", [True, False], ids=["crashing", "complaining"])
def test_the_server_without_a_free_connection_is_named(engine: tuple[str, int], said: str, crashes: bool) -> None:
    image, port = engine
    client = (crashing if crashes else complaining)("orders", said, spec=variables(DB_HOST="db", DB_PORT=str(port)))
    assert answers(cluster(client, database(image, port))) == (EXHAUSTED, "StatefulSet/shop/db")


POOLS = {
    "hikari": "HikariPool-1 - Connection is not available, request timed out after 30000ms (total=5, active=5, "
    "idle=0, waiting=9)",
    "dbcp": "org.apache.commons.dbcp2.PoolExhaustedException: Cannot get a connection, pool error Timeout waiting "
    "for idle object",
    "tomcat": "org.apache.tomcat.jdbc.pool.PoolExhaustedException: [http-1] Timeout: Pool empty. Unable to fetch a "
    "connection in 30 "
    "seconds, none available[size:5; busy:5; idle:0; lastwait:30000].",
    "agroal": "java.sql.SQLException: Acquisition timeout while waiting for new connection",
    "sqlalchemy": "sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 0 reached, connection timed "
    "out, timeout 30.00",
    "psycopg pool": "psycopg_pool.PoolTimeout: couldn't get a connection after 30.00 sec",
    "asyncpg": "asyncpg.exceptions.TooManyConnectionsError: pool is exhausted",
    "node-pg": "Error: timeout exceeded when trying to connect",
    "knex": "KnexTimeoutError: Knex: Timeout acquiring a connection. The pool is probably full. Are you missing a "
    ".transacting(trx) call?",
    "sequelize": "SequelizeConnectionAcquireTimeoutError: Operation timeout",
    "prisma": "PrismaClientKnownRequestError: Timed out fetching a new connection from the connection pool.",
    "mysql2": "Error: Queue limit reached.",
    "npgsql": "Npgsql.NpgsqlException: The connection pool has been exhausted, either raise 'Max Pool Size' "
    "(currently 5) or 'Timeout'",
    "ado.net": "System.InvalidOperationException: Timeout expired.  The timeout period elapsed prior to obtaining "
    "a connection from "
    "the pool.  This may have occurred because all pooled connections were in use and max pool size was reached.",
    "rails": "ActiveRecord::ConnectionTimeoutError: could not obtain a connection from the pool within 5.000 "
    "seconds (waited 5.002 "
    "seconds); all pooled connections were in use",
    "go-redis": "redis: connection pool timeout",
    "jedis": "redis.clients.jedis.exceptions.JedisExhaustedPoolException: Could not get a resource since the pool "
    "is exhausted",
    "r2dbc": "io.r2dbc.pool: Connection Acquisition timed out after 5000ms",
    "mongo": "com.mongodb.MongoTimeoutException: Timeout waiting for a pooled connection after 120000 MILLISECONDS",
    "mongo go": "timed out while checking out a connection from connection pool: context deadline exceeded; "
    "maxPoolSize: 5",
    "http client": "ConnectionPoolTimeoutException: Timeout waiting for connection from pool",
    "urllib3": "urllib3.connectionpool WARNING Connection pool is full, discarding connection: db. Connection pool "
    "size: 5",
    "pgbouncer": "FATAL: no more connections allowed (max_client_conn)",
    "deadpool": "Timeout occurred while waiting for a slot to become available",
    "bb8": "timed out waiting for connection from pool",
    "django": "couldn't get a connection after 30.00 sec",
}


@pytest.mark.parametrize("said", [line for name, line in POOLS.items() if name not in ("urllib3", "pgbouncer")])
@pytest.mark.parametrize("crashes", [True, False], ids=["crashing", "complaining"])
def test_a_pool_without_a_free_connection_is_its_owners(said: str, crashes: bool) -> None:
    spec = variables(DB_HOST="db", DB_PORT="5432", DB_POOL_SIZE="5")
    client = (crashing if crashes else complaining)("orders", said, spec=spec)
    assert answers(cluster(client, database("postgres:16", 5432))) == (EXHAUSTED, "Deployment/shop/orders")


def test_a_pooler_that_admits_no_more_clients_holds_the_limit() -> None:
    pooler = app(
        "bouncer", container(image="pgbouncer:1.22", ports=[{"containerPort": 6432}]), labels={"app": "bouncer"}
    )
    client = complaining("orders", POOLS["pgbouncer"], spec=variables(DB_HOST="bouncer", DB_PORT="6432"))
    seen = cluster(client, pooler, service("bouncer", {"port": 6432}), database("postgres:16", 5432))
    assert answers(seen) == (EXHAUSTED, "Deployment/shop/bouncer")


def test_a_server_that_tells_it_itself_is_named_once() -> None:
    server = database(
        "postgres:16", 5432, "-c", "max_connections=20", lines=("FATAL:  sorry, too many clients already",)
    )
    assert answers(cluster(server, quiet("orders", variables(DB_HOST="db")))) == (EXHAUSTED, "StatefulSet/shop/db")


HARMLESS = {
    "a full keep-alive pool": "urllib3.connectionpool Connection pool is full, discarding connection: db. "
    "Connection pool size: 10",
    "a report": "report opened in read only mode for visitor 17",
    "a read replica": "query routed to read-only replica",
    "a pool's figures": "HikariPool-1 - Pool stats (total=10, active=2, idle=8, waiting=0)",
}


@pytest.mark.parametrize("said", HARMLESS.values(), ids=HARMLESS)
def test_what_is_no_limit_is_no_fault(said: str) -> None:
    client = complaining("orders", said, level="WARN", spec=variables(DB_HOST="db", DB_PORT="5432"))
    assert answers(cluster(client, database("postgres:16", 5432)))[0] == "healthy"

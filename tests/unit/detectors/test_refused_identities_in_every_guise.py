"""Identities that are refused, in the words of every server and client; and visitors who are none."""

import pytest

from tests.ailing_clusters import answers, cluster, complaining, crashing, quiet, server, variables, with_login
from tests.clusters import key_ref, thing

REFUSED = "invalid_credentials"

REFUSALS = {
    "psycopg": 'psycopg2.OperationalError: connection to server at "db" (10.96.0.9), port 5432 failed: FATAL:  '
    "password "
    'authentication failed for user "app"',
    "pgx": "failed to connect to `user=app database=x`: 10.96.0.9:5432 (db): failed SASL auth: FATAL: password "
    'authentication failed for user "app" (SQLSTATE 28P01)',
    "lib/pq": 'pq: password authentication failed for user "app"',
    "pgjdbc": 'org.postgresql.util.PSQLException: FATAL: password authentication failed for user "app"',
    "pgjdbc, none": "PSQLException: The server requested SCRAM-based authentication, but no password was provided.",
    "node-pg": 'error: password authentication failed for user "app"',
    "node-pg, none": "Error: SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string",
    "npgsql": 'Npgsql.PostgresException (0x80004005): 28P01: password authentication failed for user "app"',
    "pg role": 'FATAL:  role "app" does not exist',
    "pg_hba": 'FATAL:  no pg_hba.conf entry for host "10.1.0.9", user "app", database "x", no encryption',
    "mysql": "(1045, \"Access denied for user 'app'@'10.1.0.9' (using password: YES)\")",
    "connector/j": "java.sql.SQLException: Access denied for user 'app'@'10.1.0.9' (using password: YES)",
    "go mysql": "Error 1045 (28000): Access denied for user 'app'@'10.1.0.9' (using password: YES)",
    "php": "PDOException: SQLSTATE[HY000] [1045] Access denied for user 'app'@'10.1.0.9' (using password: NO)",
    "sql server": "Microsoft.Data.SqlClient.SqlException (0x80131904): Login failed for user 'app'.",
    "oracle": "ORA-01017: invalid username/password; logon denied",
    "redis": "WRONGPASS invalid username-password pair or user is disabled.",
    "redis, none": "NOAUTH Authentication required.",
    "redis, old": "ReplyError: ERR invalid password",
    "jedis": "redis.clients.jedis.exceptions.JedisAccessControlException: WRONGPASS invalid username-password pair",
    "redis-py": "redis.exceptions.AuthenticationError: Authentication required.",
    "pymongo": "pymongo.errors.OperationFailure: Authentication failed., full error: {'ok': 0.0, 'code': 18}",
    "node mongo": "MongoServerError: Authentication failed.",
    "mongo java": "com.mongodb.MongoSecurityException: Exception authenticating "
    "MongoCredential{mechanism=SCRAM-SHA-256, "
    "userName='app', source='admin'}",
    "go mongo": "connection() error occurred during connection handshake: auth error: sasl conversation error: "
    "unable to "
    'authenticate using mechanism "SCRAM-SHA-256": (AuthenticationFailed) Authentication failed.',
    "mongoose": "MongoServerError: bad auth : authentication failed",
    "kafka": "org.apache.kafka.common.errors.SaslAuthenticationException: Authentication failed: Invalid username "
    "or password",
    "librdkafka": "SASL authentication error: Authentication failed during authentication due to invalid "
    "credentials with "
    "SASL mechanism SCRAM-SHA-512",
    "sarama": "kafka: client has run out of available brokers to talk to: kafka server: SASL Authentication failed",
    "rabbit": "com.rabbitmq.client.AuthenticationFailureException: ACCESS_REFUSED - Login was refused using "
    "authentication mechanism PLAIN. For details see the broker logfile.",
    "amqplib": 'Error: Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - Login '
    'was refused"',
    "go amqp": 'Exception (403) Reason: "username or password not allowed"',
    "pika": "pika.exceptions.ProbableAuthenticationError: ConnectionClosedByBroker: (403) 'ACCESS_REFUSED - Login "
    "was refused'",
    "nats": "nats: Authorization Violation",
    "elastic": "elasticsearch.AuthenticationException: AuthenticationException(401, 'security_exception', \"unable to "
    'authenticate user [app] for REST request")',
    "elastic js": "ResponseError: security_exception: unable to authenticate user [app] for REST request [/_bulk]",
    "opensearch": "OpenSearchStatusException: Unauthorized, HTTP 401 from opensearch:9200",
    "clickhouse": "Code: 516. DB::Exception: app: Authentication failed: password is incorrect, or there is no "
    "user with such name.",
    "s3 key": "botocore.exceptions.ClientError: An error occurred (InvalidAccessKeyId) when calling the PutObject "
    "operation",
    "s3 secret": "SignatureDoesNotMatch: The request signature we calculated does not match the signature you "
    "provided.",
    "aws token": "UnrecognizedClientException: The security token included in the request is invalid.",
    "azure": "AuthenticationFailed: Server failed to authenticate the request. Make sure the value of "
    "Authorization header "
    "is formed correctly",
    "azure ad": "AADSTS7000215: Invalid client secret provided.",
    "gcp": "google.auth.exceptions.RefreshError: ('invalid_grant: Invalid JWT Signature.')",
    "oauth": "token endpoint answered 401 invalid_client: Client authentication failed",
    "smtp": "smtplib.SMTPAuthenticationError: (535, b'5.7.8 Authentication credentials invalid')",
    "nodemailer": "Error: Invalid login: 535 5.7.8 Error: authentication failed",
    "javamail": "javax.mail.AuthenticationFailedException: 535 5.7.3 Authentication unsuccessful",
    "ldap": "javax.naming.AuthenticationException: [LDAP: error code 49 - Invalid Credentials]",
    "ldap3": "LDAPInvalidCredentialsResult - 49 - invalidCredentials - None - None - bindResponse",
    "go ldap": 'LDAP Result Code 49 "Invalid Credentials": 80090308: LdapErr',
    "vault": "Error making API request. URL: PUT https://vault:8200/v1/auth/approle/login Code: 400. Errors: * "
    "invalid role or "
    "secret ID",
    "git": "remote: HTTP Basic: Access denied. fatal: Authentication failed for 'https://git.example/x.git/'",
    "influx": "influxdb_client.rest.ApiException: (401) Reason: Unauthorized HTTP response body: unauthorized access",
    "cassandra": "cassandra.AuthenticationFailed: Failed to authenticate to 10.1.0.9: Provided username app and/or "
    "password "
    "are incorrect",
    "neo4j": "Neo.ClientError.Security.Unauthorized: The client is unauthorized due to authentication failure.",
}


@pytest.mark.parametrize("said", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("crashes", [True, False], ids=["crashing", "complaining"])
def test_whatever_the_servers_words_refused_credentials_come_out_first(said: str, crashes: bool) -> None:
    client = (crashing if crashes else complaining)("orders", said, spec=with_login())
    login = thing("Secret", "login", data={"password": "c2VjcmV0"})
    seen = cluster(client, login, server("db", 5432))
    assert answers(seen) in ((REFUSED, "Deployment/shop/orders"), (REFUSED, "Secret/shop/login"))


VISITORS = {
    "a mistyped password": "login failed: invalid password for visitor 8213",
    "an unknown visitor": "401 Unauthorized GET /v1/me",
    "a forbidden page": "GET /admin 403 Forbidden",
    "a token of yesterday": "jwt expired for session 17",
    "a bot": "sshd: Failed password for root from 203.0.113.9",
    "bad credentials": "org.springframework.security.authentication.BadCredentialsException: Bad credentials",
}


@pytest.mark.parametrize("said", VISITORS.values(), ids=VISITORS)
def test_what_a_program_refuses_its_own_visitors_is_no_fault(said: str) -> None:
    seen = cluster(complaining("login", said, level="WARN", spec=with_login()), server("db", 5432))
    assert answers(seen)[0] == "healthy"


def test_a_server_that_tells_of_a_refused_client_is_not_the_one_to_blame() -> None:
    server_ = complaining(
        "db", 'FATAL:  password authentication failed for user "app"', level="", spec={"image": "postgres:16"}
    )
    client = complaining("orders", REFUSALS["lib/pq"], spec=with_login())
    assert answers(cluster(client, server_, quiet("web"))) == (REFUSED, "Deployment/shop/orders")


def test_variables_of_a_wrong_secret_are_not_shown() -> None:
    spec = variables(DB_PASSWORD="hunter2", DB_USER="app")
    seen = cluster(complaining("orders", REFUSALS["lib/pq"], spec=spec))
    assert answers(seen) == (REFUSED, "Deployment/shop/orders")


ANSWERS = {
    "go": 'unexpected answer: GET "http://stock:8080/v1/items": 401 Unauthorized',
    "status": "request to http://stock:8080/v1/items returned status 401",
    "axios": "AxiosError: Request failed with status code 401",
    "requests": "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: http://stock:8080/v1",
    "spring": "WebClientResponseException$Unauthorized: 401 Unauthorized from GET http://stock:8080/v1",
    "dotnet": "HttpRequestException: Response status code does not indicate success: 401 (Unauthorized).",
}


@pytest.mark.parametrize("said", ANSWERS.values(), ids=ANSWERS)
def test_a_service_that_answers_401_refuses_the_callers_token(said: str) -> None:
    spec = {
        "env": [
            key_ref("STOCK_TOKEN", "Secret", "login", "password"),
            {"name": "STOCK_URL", "value": "http://stock:8080"},
        ]
    }
    login = thing("Secret", "login", data={"password": "c2VjcmV0"})
    assert answers(cluster(complaining("orders", said, spec=spec), login, server("stock"))) == (
        REFUSED,
        "Deployment/shop/orders",
    )


def test_visitors_in_an_access_log_are_not_refused_clients() -> None:
    said = '10.1.0.4 - - "GET /me HTTP/1.1" 401 17 "http://shop.example/login" "Mozilla/5.0"'
    assert answers(cluster(complaining("orders", said, level="WARN")))[0] == "healthy"

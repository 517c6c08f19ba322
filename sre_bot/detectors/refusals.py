"""The words with which servers refuse an identity, or a right of a known one, and clients pass the refusal on.

Each is taken from the server's or client library's own messages: PostgreSQL (errcodes class 28 and 42501), MySQL (1044,
1045, 1142, 1227), SQL Server (18456, 229), Oracle (ORA-01017, ORA-01031), Redis (WRONGPASS, NOAUTH, NOPERM), MongoDB
(codes 13 and 18), Kafka, RabbitMQ (403), NATS, Elasticsearch, ClickHouse (516, 497), Cassandra, Neo4j, AWS, Google
Cloud, Azure, OAuth 2.0 (RFC 6749, 5.2), SMTP (RFC 4954, 535), LDAP (RFC 4511, result 49), Vault, and HTTP clients that
met a 401 or 403.
"""

import re

_ANSWERED = (
    r"^(?![^\n]*HTTP/[12])[^\n]*https?://(?=[^\n]{{0,600}}{0}\b)[\w.:-]\S{{0,500}}[^\n/]{{0,40}}?"
    r"(?:\b(?:status|code|returned|answered|responded|got)|:)"
    r"\W{{1,6}}(?:status |code |HTTP )?{0}\b"
)
"""A client's line with the URL that it called and the answer; access logs name the protocol."""

_REFUSED = (
    r"password authentication failed|no pg_hba\.conf entry|no password (?:supplied|was provided)"
    r"|client password must be a string|role \"[^\"]+\" does not exist|(?:pam|ident|peer|ldap|gssapi) "
    r"authentication failed",
    r"Access denied for user '[^']*'(?!(?:@'[^']*')? to database)|Login failed for user|ORA-01017|ORA-28000",
    r"WRONGPASS|NOAUTH|invalid username-password pair|ERR invalid password|AuthenticationError: Authentication required"
    r"|ERR (?:Client sent )?AUTH,? ",
    r"MongoServerError: (?:bad auth ?: ?)?authentication failed|OperationFailure: (?:bad auth ?: ?)?Authentication "
    r"failed"
    r"|MongoSecurityException|\(AuthenticationFailed\)|unable to authenticate using mechanism|AuthenticationFailed: ",
    r"SASL authentication (?:failed|error)|SaslAuthenticationException|SCRAM\S* authentication"
    r"|ACCESS[_-]REFUSED(?!(?:: ACCESS_REFUSED)? - (?:access|operation))|username or password not allowed"
    r"|AuthenticationFailureException"
    r"|ProbableAuthenticationError|nats: Authorization Violation",
    r"unable to authenticate user \[|missing authentication credentials for REST request|AuthenticationException\(401"
    r"|Authentication failed: password is incorrect|Provided username \S+ and/or password are incorrect"
    r"|Neo\.ClientError\.Security\.(?:Unauthorized|AuthenticationRateLimit)",
    r"InvalidAccessKeyId|SignatureDoesNotMatch|UnrecognizedClientException|InvalidClientTokenId|ExpiredToken"
    r"|security token included in the request is (?:invalid|expired)|InvalidSignatureException",
    r"AADSTS\d{4,}|failed to authenticate the request|InvalidAuthenticationToken|\binvalid_grant\b|\binvalid_client\b"
    r"|code = Unauthenticated",
    r"SMTPAuthenticationError|\b535[ -]5\.7\.\d|Invalid login: 5\d\d|AuthenticationFailedException: 5\d\d",
    r"LDAP: error code 49|LDAP Result Code 49|LDAPInvalidCredentials|ldap_bind: Invalid credentials"
    r"|INVALID_CREDENTIALS'?, ?'?desc|invalid role or secret ID",
    r"HTTP Basic: Access denied|fatal: Authentication failed for",
    r"ApiException: \(401\)|HTTP 401 from |401 Unauthorized from |401 Client Error|Request failed with status code 401"
    r"|Response status code does not indicate success: 401|\bUnauthorized, HTTP 401",
    r"(?:redis|amqp|kafka|ldap|smtp)\S*[^\n]{0,40}authentication fail",
    _ANSWERED.format("401"),
)
_LACKS = (
    r"permission denied (?:for (?:table|relation|schema|database|sequence|function|view|column|language|type"
    r"|materialized view|foreign \w+|large object)|to (?:create|set|alter|drop|terminate))|must be (?:owner of"
    r"|superuser)"
    r"|InsufficientPrivilege",
    r"command denied to user|Access denied for user '[^']*'@'[^']*' to database|Access denied; you need"
    r"|permission was denied on the (?:object|database|schema)|ORA-01031",
    r"\bNOPERM\b|not authorized on \S+ to execute",
    r"TOPIC_AUTHORIZATION_FAILED|(?:Topic|Group|Cluster|TransactionalId)AuthorizationException"
    r"|Not authorized to access (?:topics?|group|cluster)|(?:Topic|Group|Cluster) authorization failed"
    r"|ACCESS_REFUSED - (?:access|operation)|nats: Permissions Violation",
    r"is unauthorized for (?:user|API key|service account)|Not enough privileges|has no \w+ permission on",
    r"is not authorized to perform|Not authorized to perform|AccessDenied\b|\(403\) when calling"
    r"|\bAccessDeniedException: User",
    r"does not have [\w.]+ access to|User not authorized to perform|\bPERMISSION_DENIED\b|code = PermissionDenied",
    r"AuthorizationPermissionMismatch|AuthorizationFailure\b|AuthorizationFailed\b"
    r"|does not have authorization to perform action",
    r"insufficient privilege|insufficientAccessRights|LDAP: error code 50",
    r"403 Forbidden from |403 Client Error|Request failed with status code 403|ApiException: \(403\)"
    r"|Response status code does not indicate success: 403|Code: 403\. Errors:|HTTP 403 from ",
    _ANSWERED.format("403"),
)
REFUSED = re.compile("|".join(_REFUSED), re.IGNORECASE | re.MULTILINE)
"""An identity that is refused, in words of servers and clients: nobody says them of visitors."""

LACKS = re.compile("|".join(_LACKS), re.IGNORECASE | re.MULTILINE)
"""A known identity that lacks a right, in words of servers and clients."""

ANY_REFUSAL = re.compile(
    r"authentication fail(?:ed|ure)|auth(?:entication)? error|invalid (?:user(?:name)?|login) (?:or|and|/) password"
    r"|bad (?:user(?:name)?|password)|invalid password|invalid api key|invalid credentials|incorrect (?:user|password)"
    r"|401 Unauthorized|Bad credentials",
    re.IGNORECASE,
)
"""Words that an application also says of its own visitors: they count only as a failing container's."""

ANY_LACK = re.compile(r"403 Forbidden", re.IGNORECASE)
"""The same of rights."""

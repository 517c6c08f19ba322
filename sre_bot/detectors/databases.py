"""What databases and their clients log of limits: read-only servers, connections that ran out.

PostgreSQL, MySQL, Redis and MongoDB say so themselves, and clients repeat their words; a client's own pool is its own
limit.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sre_bot.detectors.calls import calls, clients, configurations, selected_workloads
from sre_bot.detectors.configuration import Setting
from sre_bot.detectors.fields import mappings, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_field, seen_line, seen_setting
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

_READ_ONLY = re.compile(
    r"cannot execute [\w ()]{1,100} in a read-only transaction"
    r"|cannot (?:execute [\w ]{1,100}|assign TransactionIds) during "
    r"recovery"
    r"|Cannot execute statement in a READ ONLY transaction|--(?:super-)?read-only option|Running in read-only mode"
    r"|InnoDB is in read[- ]only mode|READONLY You can't write|MISCONF Redis is configured|NOREPLICAS Not enough good"
    r"|NotWritablePrimary|NotPrimaryError|NotPrimaryException|not master and slaveOk|MongoServerError: not "
    r"(?:primary|master)"
    r"|database is read-only|attempt to write a readonly database|FORBIDDEN/12/index read-only"
    r"|TOO_MANY_REQUESTS/12|index \[[^\]]+\] blocked by: \[FORBIDDEN",
    re.IGNORECASE,
)
_SERVER_FULL = re.compile(
    r"too many clients already|too many connections\b|remaining connection slots are reserved"
    r"|max number of clients (?:\+ cluster connections )?reached|too many open connections|connection limit exceeded"
    r"|'max_(?:user_)?connections(?:_per_hour)?'|no more connections allowed|max_client_conn\b"
    r"|query_wait_timeout|connection limit \(\d+\) is reached",
    re.IGNORECASE,
)
_POOL_EMPTY = re.compile(
    r"Connection is not available, request timed out|QueuePool limit of size|pool (?:is )?exhausted"
    r"|connection pool (?:has been )?exhausted|PoolExhaustedException|ExhaustedPoolException|Pool empty\. Unable "
    r"to fetch"
    r"|Acquisition timeout while waiting|Connection Acquisition timed out|ConnectionAcquireTimeoutError"
    r"|Timeout acquiring a connection|timeout exceeded when trying to connect|Unable to acquire (?:JDBC )?connection"
    r"|Timed out fetching a new connection from the connection pool|Queue limit reached"
    r"|PoolTimeout\b|couldn't get a connection after|could not obtain a (?:database )?connection (?:from the pool "
    r")?within"
    r"|prior to obtaining a connection from the pool|waiting for a pooled connection|WaitQueueTimeoutError"
    r"|checking out a connection from (?:the )?connection pool|Timeout waiting for connection from pool"
    r"|waiting for a slot to become available|timed out waiting for (?:a )?connection from (?:the )?pool"
    r"|no (?:free|available) connections?|pool timeout|ResourceRequest timed out|waiting for (?:a )?connection.*pool",
    re.IGNORECASE,
)
_NEVER_CONNECTED = re.compile(r"\btotal=0\b")
"""HikariCP's figures of a pool that never had a connection: the server is not reached, and others say why."""

_POOL_KEY = re.compile(r"pool|max.?conn|connections?$|max.?open|max.?idle", re.IGNORECASE)
_LIMIT_KEY = re.compile(r"max.?connections|max.?clients", re.IGNORECASE)
_READ_ONLY_KEY = re.compile(
    r"read[_-]?only[\w\s=:-]{0,100}?[=\s:](?:on|1|true|yes)\b|--(?:super-)?read-only$|hot_standby=on"
    r"|(?:replicaof|slaveof)[=\s:]+\S",
    re.IGNORECASE,
)
_ARGUMENT = re.compile(r"^([a-z_]+)=(\S+)$")
_ENGINES = {
    "postgres": (5432, ("postgres",)),
    "mysql": (3306, ("mysql", "mariadb")),
    "redis": (6379, ("redis", "valkey")),
    "mongo": (27017, ("mongo",)),
    "elastic": (9200, ("elastic", "opensearch")),
    "pooler": (6432, ("pgbouncer", "pgpool", "odyssey", "pgcat")),
}
_ENGINE_WORDS = (
    (re.compile(r"no more connections allowed|max_client_conn|pgbouncer", re.IGNORECASE), "pooler"),
    (
        re.compile(
            r"too many clients|connection slots|read-only transaction|during recovery|FATAL:|psycopg|pgx|PSQL|\bPG::"
            r"|too many connections for",
            re.IGNORECASE,
        ),
        "postgres",
    ),
    (re.compile(r"READONLY|MISCONF|NOREPLICAS|max number of clients|redis"), "redis"),
    (
        re.compile(
            r"Too many connections|read-only option|mysql|\((?:25006|HY000|42000)\)|InnoDB|max_user_connections",
            re.IGNORECASE,
        ),
        "mysql",
    ),
    (re.compile(r"NotWritablePrimary|NotPrimary|not primary|mongo|slaveOk|too many open connections", re.I), "mongo"),
    (re.compile(r"elastic|opensearch|blocked by: \[FORBIDDEN|/12/", re.IGNORECASE), "elastic"),
)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that logs tell of: the words, whose it is, and which setting holds it."""

    words: re.Pattern[str]
    kind: FaultKind
    what: str
    is_set_by: Callable[[Setting], bool]
    of_the_server: bool


def _spoken(settings: tuple[Setting, ...]) -> Iterator[Setting]:
    """Arguments such as ``-c max_connections=20`` are settings of the name that they hold."""
    for setting in settings:
        match = _ARGUMENT.match(setting.value) if not setting.variable else None
        yield replace(setting, key=match[1], value=match[2]) if match else setting


def _counts(key: re.Pattern[str]) -> Callable[[Setting], bool]:
    """A setting of such a name with a number."""
    return lambda setting: bool(key.search(setting.key)) and setting.value.isdecimal()


def _forbids_writing(setting: Setting) -> bool:
    return bool(_READ_ONLY_KEY.search(f"{setting.key}={setting.value}")) and not setting.sensitive


_LIMITS = (
    Limit(_READ_ONLY, FaultKind.READ_ONLY_DATABASE, "refuses writes", _forbids_writing, of_the_server=True),
    Limit(
        _SERVER_FULL,
        FaultKind.CONNECTION_EXHAUSTION,
        "has no connection left",
        _counts(_LIMIT_KEY),
        of_the_server=True,
    ),
    Limit(
        _POOL_EMPTY,
        FaultKind.CONNECTION_EXHAUSTION,
        "has no connection left in its pool",
        _counts(_POOL_KEY),
        of_the_server=False,
    ),
)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the logs of every workload; a line tells of one limit."""
    for lines in index.once(troubles).values():
        for one in lines:
            for limit in _LIMITS:
                said = limit.words.search(one.line.text)
                if said and not _NEVER_CONNECTED.search(one.line.text):
                    yield _finding(index, one, limit, said[0])
                    break


def refuses_writes(line: str) -> bool:
    """Whether a line tells of a server that is read-only."""
    return bool(_READ_ONLY.search(line))


def is_limit(line: str) -> bool:
    """Whether a line tells of a limit of a database or of a pool."""
    return any(limit.words.search(line) for limit in _LIMITS)


def server_of(index: ClusterIndex, one: Trouble) -> ObjectRef | None:
    """The database's workload: the logger itself, or what its configuration calls by port or image."""
    engine = next((name for pattern, name in _ENGINE_WORDS if pattern.search(one.line.text)), "")
    if not engine:
        return None
    port, images = _ENGINES[engine]
    if any(_has_image(index, one.workload, own) for _, own in _ENGINES.values()):
        return one.workload
    for call in index.once(calls):
        if call.workload.ref != one.workload or call.target.service is None:
            continue
        for server in selected_workloads(index, call.target.service):
            if call.address.port == port or _has_image(index, server.ref, images):
                return server.ref
    return None


def _has_image(index: ClusterIndex, ref: ObjectRef, images: tuple[str, ...]) -> bool:
    workload = index.workload_by_ref.get(ref)
    return workload is not None and any(
        word in text(container, "image").rsplit("/", 1)[-1]
        for container in mappings(workload.spec, "containers")
        for word in images
    )


def _finding(index: ClusterIndex, one: Trouble, limit: Limit, said: str) -> Finding:
    ref = (server_of(index, one) if limit.of_the_server else None) or one.workload
    holder = index.once(configurations).get(ref)
    setting = next(filter(limit.is_set_by, _spoken(holder.settings)), None) if holder else None
    shown = [seen_setting(setting)] if setting else []
    return Finding(
        kind=limit.kind,
        object=ref,
        field=setting.field if setting else "",
        observed=setting.value if setting else said,
        expected="",
        message=f"{ref.name} {limit.what}: {one.line.text.strip()[:160]}",
        directness="logged",
        evidence=(seen_line(one.line), *shown, seen_field(ref, "metadata.name", ref.name)),
        since=earliest(one.line.first),
        container=one.container.name if ref == one.workload else "",
        hurts=tuple(sorted({one.workload, *index.once(clients).get(ref, ())} - {ref}, key=str)),
    )

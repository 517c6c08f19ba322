"""Failed connections that a client library logs without naming the host: which technology, and how it failed.

The words are those of the libraries' own errors (PgJDBC, psycopg, pgx, Connector/J, Lettuce, Jedis, ioredis, MongoDB's
drivers, the Kafka and AMQP clients); the ports are those that IANA registered for the technology.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sre_bot.detectors.connections import How


@dataclass(frozen=True, slots=True)
class Driver:
    """A technology, its usual port, how its clients' errors look, and words that its addresses and settings hold."""

    words: tuple[str, ...]
    ports: tuple[int, ...]
    errors: re.Pattern[str]


DRIVERS = (
    Driver(("postgres", "pgsql"), (5432,), re.compile(r"PSQLException|org\.postgresql|psycopg|\bpgx?\b|\bpq:", re.I)),
    Driver(("mysql", "mariadb"), (3306,), re.compile(r"Communications link failure|com\.mysql|pymysql|mysql", re.I)),
    Driver(("redis", "valkey"), (6379,), re.compile(r"JedisConnection|RedisConnection|lettuce|redis", re.I)),
    Driver(("mongo",), (27017,), re.compile(r"MongoTimeout|MongoSocket|ServerSelection|mongo", re.I)),
    Driver(("kafka",), (9092,), re.compile(r"org\.apache\.kafka|librdkafka|kafka", re.I)),
    Driver(("amqp", "rabbit"), (5672,), re.compile(r"AmqpConnect|amqp|rabbit", re.I)),
    Driver(("elastic", "opensearch"), (9200,), re.compile(r"elastic|opensearch", re.I)),
)
_FAILED: tuple[tuple[How, re.Pattern[str]], ...] = (
    (
        "unresolved",
        re.compile(r"UnknownHost|Name or service not known|could not translate host name|no such host", re.I),
    ),
    ("refused", re.compile(r"connection (?:was )?refused|ECONNREFUSED|Errno 111", re.I)),
    (
        "timeout",
        re.compile(
            r"connect(?:ion)?(?: attempt)? (?:timed? ?out|failed)|ConnectTimeout|connect timeout|unable to connect"
            r"|Communications link failure|timed? ?out (?:while |after [\w .]{1,20})?(?:waiting|connecting|selecting)"
            r"|could not connect|ServerSelectionTimeout",
            re.I,
        ),
    ),
)


_UNRESOLVED = re.compile(
    r"\[Errno -[235]\]|Name or service not known|Temporary failure in name resolution|nodename nor servname"
    r"|getaddrinfo (?:failed|ENOTFOUND|EAI_AGAIN)|Name does not resolve|UnknownHostException|no such host"
    r"|NameResolutionError|Could not resolve host|failed to lookup address information",
    re.IGNORECASE,
)


def unresolved(line: str) -> bool:
    """Whether a line says that some name did not resolve, in the words of resolvers and run-times."""
    return bool(_UNRESOLVED.search(line))


def nameless(line: str) -> tuple[How, Driver] | None:
    """How the connection of which technology failed; None where a line tells of no such failure."""
    ways: Iterator[How] = (how for how, pattern in _FAILED if pattern.search(line))
    how = next(ways, None)
    driver = next((one for one in DRIVERS if one.errors.search(line)), None) if how else None
    return (how, driver) if how and driver else None

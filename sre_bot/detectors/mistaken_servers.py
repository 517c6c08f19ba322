"""A configured host that exists and answers, but belongs to somebody else: it knows neither our user nor our data.

Told by what the server says it does not know (a database, a table, a user, a path), while a Service on the same port
bears the client's own name and is not called. That stores bear their owners' names is a convention, no rule.
"""

import re
from collections.abc import Iterator

from sre_bot.detectors.addresses import service_ports
from sre_bot.detectors.calls import Call
from sre_bot.detectors.complaints import calls_from
from sre_bot.detectors.dependencies import wrong_setting
from sre_bot.detectors.drivers import DRIVERS
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.sightings import seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

_STRANGE = re.compile(
    r"(?:database|relation|table|role|schema|column) [\"'`][^\"'`]+[\"'`] does(?:n't| not) exist|Unknown database"
    r"|Table '[^']+' doesn't exist|no such table|password authentication failed for user|Access denied for user"
    r"|WRONGTYPE|index_not_found|no such index|code = Unimplemented|unknown (?:service|method)|UNKNOWN_TOPIC"
    r"|UnknownTopicOrPartition|NoSuchBucket|NoSuchKey|ns not found|404 (?:Client Error|Not Found from)|status code 404"
    r"|does not host this topic",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"'`]([\w.-]{3,60})[\"'`]")
_WORDS = re.compile(r"[a-z]{3,}")
_COMMON = frozenset(
    (
        *(
            "api",
            "app",
            "backend",
            "cache",
            "client",
            "cluster",
            "data",
            "database",
            "endpoint",
            "grpc",
            "host",
            "http",
        ),
        *(
            "kafka",
            "main",
            "mongo",
            "mongodb",
            "mysql",
            "node",
            "postgres",
            "postgresql",
            "primary",
            "redis",
            "replica",
        ),
        *("server", "service", "shop", "store", "svc", "uri", "url", "user", "web"),
    )
)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the logs of every workload for servers that do not know it."""
    for ref, lines in index.once(troubles).items():
        calling = tuple(call for call in index.once(calls_from).get(ref, ()) if call.target.service is not None)
        for one in lines if calling else ():
            if _STRANGE.search(one.line.text):
                yield from _judged(index, calling, one)


def _judged(index: ClusterIndex, calling: tuple[Call, ...], one: Trouble) -> Iterator[Finding]:
    meant = _meant(calling, one.line.text)
    if len({call.address.host for call in meant}) != 1:
        return
    call = meant[0]
    own = _own_words(call, one.line.text)
    if own & _words(call.target.name):
        return
    right = _right_one(index, call, calling, own)
    if right:
        finding = wrong_setting(
            index,
            call,
            FaultKind.DEPENDENCY_WRONG_ADDRESS,
            call.address.host,
            right,
            (),
            f"{call.workload.ref.name} calls {call.address.host}, which does not know it; Service {right} bears "
            f"its name "
            "and is not called",
        )
        yield finding.model_copy(update={"evidence": (*finding.evidence, seen_line(one.line)), "since": one.line.first})


def _meant(calling: tuple[Call, ...], line: str) -> tuple[Call, ...]:
    """The calls that a line may be about: to a host that it names, of a technology that it speaks, else all."""
    named = tuple(call for call in calling if re.search(rf"(?<![\w-]){re.escape(call.address.host)}(?![\w-])", line))
    driver = next((driver for driver in DRIVERS if driver.errors.search(line)), None)
    spoken = tuple(call for call in calling if driver is not None and call.address.port in driver.ports)
    return named or spoken or calling


def _own_words(call: Call, line: str) -> set[str]:
    said = " ".join((call.workload.ref.name, *_QUOTED.findall(line)))
    return _words(said)


def _words(name: str) -> set[str]:
    return set(_WORDS.findall(name.lower())) - _COMMON


def _right_one(index: ClusterIndex, call: Call, calling: tuple[Call, ...], own: set[str]) -> str:
    """The only Service of that port and namespace which bears the client's words and which it does not call."""
    service = call.target.service or {}
    offered = set(service_ports(service))
    known = {other.target.name for other in calling}
    fitting = [
        name
        for other in index.of_kind("Service", call.target.namespace)
        if (name := ObjectRef.of(other).name) not in known
        and name != call.workload.ref.name
        and offered & set(service_ports(other))
        and own & _words(name)
    ]
    return fitting[0] if len(fitting) == 1 else ""

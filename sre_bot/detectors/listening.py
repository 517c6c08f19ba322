"""The ports that containers really listen on, as their logs, arguments and well-known variables tell."""

import re
from typing import NamedTuple

from sre_bot.detectors.calls import configurations
from sre_bot.detectors.fields import whole
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.domain.cluster import ObjectRef

_LISTENS = re.compile(
    r"(?:listen(?:ing|s)?|serving|running|started|bound|ready|accept(?:ing)?)\b[^\n]{0,60}?"
    r"(?:\bport[ =:(]+|https?://[^\s/:]*:|(?:\d{1,3}\.){3}\d{1,3}:|\[::\]:|(?<=[ \"'=]):|\*:|localhost:|0\.0\.0\.0:"
    r"|address[ =:]+:)(\d{2,5})\b",
    re.IGNORECASE,
)
_STARTED = re.compile(r"\(https?://[^\s/:)]*:(\d{2,5})/?\) (?:started|is )", re.IGNORECASE)
_PORT_VARIABLE = re.compile(r"^(?:(?:HTTP|SERVER|LISTEN|APP|WEB|GRPC|API|SERVICE|BIND)_)*PORT$")
_PORT_FLAG = re.compile(r"^(?:port|http-port|server-port|server\.port|listen-port|p)$", re.IGNORECASE)
_LISTEN_FLAG = re.compile(
    r"^(?:listen|bind|addr|address|listen-address|web\.listen-address|http-address)$", re.IGNORECASE
)
_TRAILING_PORT = re.compile(r":(\d{2,5})$")
_WORDS = ("listen", "serving", "running", "started", "bound", "ready", "accept")
_HEAD = 200_000


class Heard(NamedTuple):
    """A line that tells of a port, and in whose log it stands."""

    pod: ObjectRef
    container: str
    line: str


def listening(index: ClusterIndex) -> dict[ObjectRef, dict[int, Heard]]:
    """For each workload, the ports that it says it listens on, each with the log line that says so."""
    found: dict[ObjectRef, dict[int, Heard]] = {}
    for pod in index.current_pods:
        for log in index.logs_of(pod):
            for line in log.text[:_HEAD].splitlines():
                if _may_tell(line) and (match := _LISTENS.search(line) or _STARTED.search(line)):
                    heard = Heard(pod.ref, log.container, line[:500])
                    found.setdefault(pod.workload, {}).setdefault(whole(match[1]) or 0, heard)
    return found


def _may_tell(line: str) -> bool:
    lowered = line.lower()
    return any(word in lowered for word in _WORDS)


def listening_ports(index: ClusterIndex, workload: Workload) -> tuple[int, ...]:
    """The ports that a workload says it listens on in its logs; else those that it is told to use."""
    logged = index.once(listening).get(workload.ref)
    return tuple(sorted(logged)) if logged else configured_ports(index, workload)


def configured_ports(index: ClusterIndex, workload: Workload) -> tuple[int, ...]:
    """The ports that variables (``PORT``) and arguments (``--port``) tell a workload to listen on."""
    ports: set[int] = set()
    for setting in index.once(configurations)[workload.ref].settings:
        if (_PORT_VARIABLE.match(setting.key) or _PORT_FLAG.match(setting.key)) and setting.value.isdecimal():
            ports.add(whole(setting.value) or 0)
        elif _LISTEN_FLAG.match(setting.key) and (match := _TRAILING_PORT.search(setting.value)):
            ports.add(whole(match[1]) or 0)
    return tuple(sorted(port for port in ports if 1 <= port <= 65535))

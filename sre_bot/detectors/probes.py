"""Probes that judge a healthy container wrongly: port, protocol, path, timing.

https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/ gives the fields
and their defaults (timeout 1 s, period 10 s, failures 3, delay 0); the kubelet's ``Unhealthy`` events tell how a
probe failed. Startup probes kill as liveness probes do and count as such. A probe that fails because the program
itself is ill is no finding here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import dig, mapping, mappings, number, sequence, text, when, whole
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.listening import listening
from sre_bot.detectors.pods import Container
from sre_bot.detectors.sightings import seen_event, seen_field
from sre_bot.detectors.troubles import troubles
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_KINDS = {"livenessProbe": "liveness", "startupProbe": "liveness", "readinessProbe": "readiness"}
_WORDS = {"livenessProbe": "Liveness", "startupProbe": "Startup", "readinessProbe": "Readiness"}
_REFUSED = re.compile(r"connection refused|failed to connect service")
_UNANSWERED = re.compile(r"failed to connect service(?!.*connection refused)")
"""The kubelet's gRPC probe connected, or tried to, and no gRPC server spoke within its time."""
_STATUS = re.compile(r"statuscode: (\d{3})")
_PROTOCOL = re.compile(
    r"HTTP response to HTTPS client|malformed HTTP|does not look like a TLS|tls: |statuscode: 400"
    r"|does not implement the grpc health"
    r"|\bEOF\b|connection reset by peer|first record|transport: |frame"
)
_SLOW = re.compile(r"Client\.Timeout|DeadlineExceeded|context deadline exceeded|timed out(?: after|$)|i/o timeout")
_NO_PORT = re.compile(r"port (\S+) not found")
_NO_COMMAND = re.compile(
    r"no such file|not found|can't open|cannot (?:open|access|stat)|No such file|permission denied", re.IGNORECASE
)
_GRACE = timedelta(seconds=45)
"""What a kill may take beyond the last failed probe: the grace period of 30 s, and the kubelet's own turn."""
Aspect = Literal["port", "protocol", "path", "timing"]


@dataclass(frozen=True, eq=False)
class Probe:
    """One probe of a container."""

    container: Container
    word: str
    spec: dict[str, Any]

    @property
    def field(self) -> str:
        """Where it stands in the manifest."""
        return f"{self.container.field}.{self.word}"

    @property
    def handler(self) -> str:
        """``httpGet``, ``tcpSocket``, ``grpc``, ``exec``, or empty."""
        return next((name for name in ("httpGet", "tcpSocket", "grpc", "exec") if name in self.spec), "")

    @property
    def port(self) -> str:
        """The port as written: a number or a name."""
        return text(self.spec, self.handler, "port")

    @property
    def number(self) -> int | None:
        """The port as a number; None for a name that no container port has."""
        if self.port.isdecimal():
            return whole(self.port)
        named = (entry for entry in mappings(self.container.spec, "ports") if text(entry, "name") == self.port)
        return next((number(entry, "containerPort") for entry in named), None)

    @property
    def patience(self) -> int:
        """The seconds that a container has to become healthy before this probe kills it."""
        delay, period = number(self.spec, "initialDelaySeconds") or 0, number(self.spec, "periodSeconds") or 10
        return delay + period * (number(self.spec, "failureThreshold") or 3)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge the probes of every container that is not ready, or that its liveness probe kills."""
    for pod in index.current_pods:
        for container in pod.containers:
            for word in _KINDS:
                if mapping(container.spec, word) and _matters(index, container, word):
                    yield from _judge(index, Probe(container, word, mapping(container.spec, word)))


def _matters(index: ClusterIndex, container: Container, word: str) -> bool:
    if word == "readinessProbe":
        return not container.ready and container.running_since is not None and not _dies_by_itself(container)
    return _is_killed(index, container)


def _dies_by_itself(container: Container) -> bool:
    return container.restarts > 0 and container.exit_code not in (None, 0, 137, 143)


def _is_killed(index: ClusterIndex, container: Container) -> bool:
    """Killed from outside and not for memory: 137 or 143, or the kubelet says that the probe did it."""
    if not (container.fails(index.now) or (container.restarts and not container.ready)):
        return False
    if text(container.last_end, "reason") == "OOMKilled":
        return False
    told = any(event.reason == "Killing" and "probe" in event.message for event in _events(index, container))
    return told or container.exit_code in (137, 143)


def _events(index: ClusterIndex, container: Container) -> list[Event]:
    return [event for event in index.events_of(container.pod.ref) if event.speaks_of(container.name)]


def _judge(index: ClusterIndex, probe: Probe) -> Iterator[Finding]:
    events = [
        event
        for event in _events(index, probe.container)
        if event.reason == "Unhealthy" and event.message.startswith(_WORDS[probe.word])
    ]
    said = events[-1].message if events else ""
    if not said and not _is_suspicious(index, probe):
        return
    aspect = _aspect(index, probe, said)
    if aspect is None or (aspect == "timing" and probe.word == "readinessProbe"):
        return
    yield _finding(index, probe, aspect, said, tuple(seen_event(event) for event in events[-1:]))


def _is_suspicious(index: ClusterIndex, probe: Probe) -> bool:
    """Without an event: the port is none of those that the container declares and logs."""
    return (
        probe.handler in ("httpGet", "tcpSocket", "grpc")
        and bool(_served(index, probe))
        and not _is_served(index, probe)
    )


def _aspect(index: ClusterIndex, probe: Probe, said: str) -> Aspect | None:
    if _NO_PORT.search(said) or (probe.port and probe.number is None):
        return "port"
    if probe.handler == "exec":
        return "path" if _NO_COMMAND.search(said) else "timing" if _SLOW.search(said) else None
    if probe.handler == "grpc" and _UNANSWERED.search(said):
        return "protocol" if _is_served(index, probe) and not _grpc_elsewhere(probe) else "port"
    if _REFUSED.search(said) or not said:
        return _refused(index, probe)
    if status := _STATUS.search(said):
        return _by_status(index, probe, int(status[1]))
    if _PROTOCOL.search(said):
        return "protocol" if _is_served(index, probe) or not _served(index, probe) else "port"
    if _SLOW.search(said):
        return "timing"
    return None


def _grpc_elsewhere(probe: Probe) -> str:
    """The port on which gRPC is spoken, where it is another one: another probe's, or that which bears the name."""
    other = _of_other_probe(probe, "port")
    named = [
        text(entry, "containerPort")
        for entry in mappings(probe.container.spec, "ports")
        if "grpc" in text(entry, "name").lower() or text(entry, "appProtocol") in ("grpc", "kubernetes.io/h2c")
    ]
    known = str(other) if other else named[0] if len(named) == 1 else ""
    return known if known not in (probe.port, str(probe.number)) else ""


def _refused(index: ClusterIndex, probe: Probe) -> Aspect | None:
    """Refused on a port that the container does not serve: the port. On its own port: it was not up yet."""
    if _served(index, probe) and not _is_served(index, probe):
        return "port"
    return "timing"


def _by_status(index: ClusterIndex, probe: Probe, status: int) -> Aspect | None:
    if status == 400 and text(probe.spec, "httpGet", "scheme").upper() != "HTTPS" and _speaks_tls(index, probe):
        return "protocol"
    if status in (401, 403, 404, 405, 406, 410, 501):
        return "path" if _is_served(index, probe) or not _served(index, probe) else "port"
    if status >= 500 and probe.word != "readinessProbe" and _dies_young(index, probe):
        return "timing"
    return "protocol" if status == 400 else None


def _dies_young(index: ClusterIndex, probe: Probe) -> bool:
    """Killed as soon as the probe allows, run after run, without a word of trouble: it was still starting."""
    container = probe.container
    lines = [one for one in index.once(troubles).get(container.workload, ()) if one.container is container]
    return _ran_short(probe) and not lines


def _ran_short(probe: Probe) -> bool:
    """Whether the last run ended as early as the probe could end it."""
    started, ended = when(probe.container.last_end.get("startedAt")), probe.container.ended_at
    return started is not None and ended is not None and ended - started <= timedelta(seconds=probe.patience) + _GRACE


def _speaks_tls(index: ClusterIndex, probe: Probe) -> bool:
    names = {text(entry, "name").lower() for entry in mappings(probe.container.spec, "ports")}
    logged = " ".join(one.line for one in index.once(listening).get(probe.container.workload, {}).values()).lower()
    return probe.number in (443, 8443) or any("https" in name or "tls" in name for name in names) or "https" in logged


def _logged(index: ClusterIndex, probe: Probe) -> set[int]:
    return set(index.once(listening).get(probe.container.workload, {}))


def _served(index: ClusterIndex, probe: Probe) -> set[int]:
    """The ports that its pod is known to serve: those it declares and those its logs name."""
    declared = {port for container in probe.container.pod.containers for port in container.ports}
    return declared | _logged(index, probe)


def _is_served(index: ClusterIndex, probe: Probe) -> bool:
    """Logs count more than declarations: a declared port may be an error itself."""
    logged = _logged(index, probe)
    return probe.number in (logged if logged else _served(index, probe))


def _finding(index: ClusterIndex, probe: Probe, aspect: Aspect, said: str, evidence: tuple[Evidence, ...]) -> Finding:
    container = probe.container
    field, observed, expected = _details(index, probe, aspect)
    line = index.once(listening).get(container.workload, {})
    heard = [line[port] for port in sorted(line)[:1]]
    logged = tuple(Evidence.seen("log", one.pod, one.container, one.line) for one in heard)
    group = _KINDS[probe.word]
    return Finding(
        kind=FaultKind(f"{group}_probe_{aspect}"),
        object=container.workload,
        field=field,
        observed=observed,
        expected=expected,
        message=f"The {_WORDS[probe.word].lower()} probe of container {container.name} of {container.workload.name} "
        f"has a wrong {aspect} ({observed or 'unset'})" + (f": {said[:160]}" if said else "."),
        directness="stated" if evidence else "inferred",
        evidence=(*evidence, seen_field(container.workload, probe.field, probe.spec), *logged),
        since=_since(index, container),
        container=container.name,
    )


def _since(index: ClusterIndex, container: Container):
    firsts = [event.first for event in _events(index, container) if event.reason == "Unhealthy" and event.first]
    return min(firsts, default=container.pod.created)


def _details(index: ClusterIndex, probe: Probe, aspect: Aspect) -> tuple[str, str, str]:
    """Field, observed, expected."""
    where = f"{probe.field}.{probe.handler}"
    if aspect == "port":
        return f"{where}.port", probe.port, _right_port(index, probe)
    if aspect == "path":
        name = "path" if probe.handler == "httpGet" else "command"
        shown = text(probe.spec, "httpGet", "path") or "/"
        if probe.handler == "exec":
            words = [str(part) for part in sequence(probe.spec, "exec", "command")]
            shown = words[-1] if words else ""
        return f"{where}.{name}", shown, _right_path(probe)
    if aspect == "protocol":
        return _protocol(index, probe, where)
    return _timing(probe)


def _right_port(index: ClusterIndex, probe: Probe) -> str:
    if probe.handler == "grpc" and (elsewhere := _grpc_elsewhere(probe)):
        return elsewhere
    known = sorted(_logged(index, probe) or set(probe.container.ports))
    names = {text(entry, "name"): number(entry, "containerPort") for entry in mappings(probe.container.spec, "ports")}
    if not probe.port.isdecimal() and len(names) == 1 and next(iter(names)):
        return next(iter(names))
    return str(known[0]) if len(known) == 1 else str(_of_other_probe(probe, "port") or "")


def _right_path(probe: Probe) -> str:
    return str(_of_other_probe(probe, "path") or "") if probe.handler == "httpGet" else ""


def _of_other_probe(probe: Probe, name: str) -> Any:
    """What another probe of the container has in the same place, where that one differs."""
    for word in _KINDS:
        other = dig(probe.container.spec, word, probe.handler, name)
        if word != probe.word and other and other != dig(probe.spec, probe.handler, name):
            return other
    return None


def _protocol(index: ClusterIndex, probe: Probe, where: str) -> tuple[str, str, str]:
    if probe.handler == "httpGet":
        scheme = text(probe.spec, "httpGet", "scheme") or "HTTP"
        if scheme.upper() == "HTTPS":
            return f"{where}.scheme", scheme, "HTTP"
        if _speaks_tls(index, probe):
            return f"{where}.scheme", scheme, "HTTPS"
    return where, probe.handler, "tcpSocket" if probe.handler != "tcpSocket" else "httpGet"


def _timing(probe: Probe) -> tuple[str, str, str]:
    """The field that leaves too little time: the first probe's delay, or a single answer's for what ran well before."""
    name = "failureThreshold" if probe.word == "startupProbe" else "initialDelaySeconds"
    late = (number(probe.spec, "initialDelaySeconds") or 0) >= 60 or not _ran_short(probe)
    if probe.handler == "exec" or (probe.word == "livenessProbe" and late):
        name = "timeoutSeconds"
    return f"{probe.field}.{name}", text(probe.spec, name), ""

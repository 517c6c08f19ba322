"""Wrong addresses that a fall-back hides: no failed connection stands in any log, and the meant server is not called.

Two shapes: a name that no Service bears while the program's warnings speak of that dependency; and a Service of another
environment, called from a namespace that has its own of the same name. A namespace is the usual bound of an environment
(https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/#when-to-use-multiple-namespaces).
"""

import re
from collections.abc import Iterator

from sre_bot.detectors.addresses import service_ports
from sre_bot.detectors.calls import Call, calls
from sre_bot.detectors.complaints import complaints
from sre_bot.detectors.dependencies import right_name, wrong_setting
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import LogLine
from sre_bot.detectors.sightings import seen_line
from sre_bot.detectors.troubles import troubles
from sre_bot.domain.finding import FaultKind, Finding

_ENVIRONMENTS = frozenset(
    (
        "acc",
        "acceptance",
        "beta",
        "demo",
        "dev",
        "development",
        "int",
        "integration",
        "live",
        "load",
        "nonprod",
        "perf",
        "preprod",
        "preview",
        "prod",
        "production",
        "qa",
        "sandbox",
        "stage",
        "staging",
        "stg",
        "test",
        "testing",
        "uat",
    )
)
_USUAL = frozenset(("live", "prod", "production"))
"""The environment that a namespace belongs to when it names none."""

_ENDING = re.compile(
    r"[_.-]?(?:base)?[_.-]?(?:service)?[_.-]?(?:host|hostname|addr|address|url|uri|endpoint|server|port)s?$",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[a-z]+")
_SHORTEST = 4
_SPEAKING = 2


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every configured address of a workload that logs no failed call to it."""
    for call in index.once(calls):
        if any(
            one.failure.host.startswith(call.address.host) for one in index.once(complaints).get(call.workload.ref, ())
        ):
            continue
        if call.target.meaning == "nothing":
            yield from _spoken_of(index, call)
        elif call.target.service is not None and call.target.namespace != call.workload.ref.namespace:
            yield from _abroad(index, call)
            yield from _other_environment(index, call)


def _spoken_of(index: ClusterIndex, call: Call) -> Iterator[Finding]:
    """A name that is nobody's, with a right one at hand, while repeated warnings name the dependency."""
    expected = right_name(index, call)
    words = _names_of(call, expected)
    told = [line for line in _warnings(index, call) if words & set(_WORDS.findall(line.text.lower()))]
    if expected and sum(line.count for line in told) >= _SPEAKING:
        yield _with_lines(
            wrong_setting(
                index,
                call,
                FaultKind.DEPENDENCY_WRONG_ADDRESS,
                call.address.host,
                expected,
                (),
                f"{call.workload.ref.name} is told to call {call.address.host}, no Service has that name, and its log "
                "speaks of that dependency",
            ),
            told,
        )


def _names_of(call: Call, expected: str) -> set[str]:
    """The words that a program would use of a dependency: those of its setting's key and of the names meant."""
    said = f"{_ENDING.sub('', call.address.setting.key)} {call.target.name} {expected.split('.')[0]}".lower()
    return {word for word in _WORDS.findall(said) if len(word) >= _SHORTEST} - _ENVIRONMENTS


def _abroad(index: ClusterIndex, call: Call) -> Iterator[Finding]:
    """A Service of another environment, where the own one has the same Service on the same port."""
    own, service = call.workload.ref.namespace, index.get("Service", call.workload.ref.namespace, call.target.name)
    if service is None or call.address.port not in (None, *service_ports(service)):
        return
    told = [line for line in _warnings(index, call) if call.address.host in line.text]
    if not told and (not _are_environments(own, call.target.namespace) or _is_usual(index, call)):
        return
    yield _with_lines(
        wrong_setting(
            index,
            call,
            FaultKind.DEPENDENCY_WRONG_ADDRESS,
            call.address.host,
            call.target.name,
            (),
            f"{call.workload.ref.name} calls {call.address.host} in namespace {call.target.namespace}, while {own} "
            f"has a "
            f"Service {call.target.name} of its own",
        ),
        told,
    )


def _other_environment(index: ClusterIndex, call: Call) -> Iterator[Finding]:
    """A Service of a shared namespace of another environment, while that of the own environment has the same one.

    The warnings name the host, in any of the forms of a Service's name
    (https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#services), or a neighbour calls the twin.
    """
    own, abroad, name = call.workload.ref.namespace, call.target.namespace, call.target.name
    if abroad == own or _environment(abroad) == _environment(own):
        return
    for home in sorted(index.namespaces - {own, abroad}):
        twin = index.get("Service", home, name) if _is_twin(home, abroad, own) else None
        if twin is None or call.address.port not in (None, *service_ports(twin)) or _is_usual(index, call):
            continue
        told = [line for line in _warnings(index, call) if f"{name}.{abroad}" in line.text]
        if told or _is_called(index, own, twin):
            said = (
                f"{call.workload.ref.name} calls {call.address.host} in namespace {abroad}, while {home} has the same "
                f"Service for the environment of {own}"
            )
            host, right = call.address.host, call.address.host.replace(f"{name}.{abroad}", f"{name}.{home}", 1)
            kind = FaultKind.DEPENDENCY_WRONG_ADDRESS
            yield _with_lines(wrong_setting(index, call, kind, host, right, (), said), told)


def _environment(namespace: str) -> frozenset[str]:
    return (_ENVIRONMENTS - _USUAL) & set(_WORDS.findall(namespace))


def _is_twin(home: str, abroad: str, own: str) -> bool:
    """Whether a namespace is what another one is, for the environment that a third one belongs to."""
    return _are_environments(home, abroad) and _environment(home) == _environment(own)


def _is_called(index: ClusterIndex, namespace: str, service: object) -> bool:
    return any(one.target.service is service and one.workload.ref.namespace == namespace for one in index.once(calls))


def _are_environments(left: str, right: str) -> bool:
    """Whether two namespaces differ only in the word for an environment: ``shop`` and ``shop-staging``."""
    one, other = set(_WORDS.findall(left)), set(_WORDS.findall(right))
    return bool(one ^ other) and one ^ other <= _ENVIRONMENTS


def _is_usual(index: ClusterIndex, call: Call) -> bool:
    """Whether another workload of the same namespace calls that foreign Service too: then it is meant to be shared."""
    return any(
        other.workload.ref != call.workload.ref
        and other.workload.ref.namespace == call.workload.ref.namespace
        and other.target.service is call.target.service
        for other in index.once(calls)
    )


def _warnings(index: ClusterIndex, call: Call) -> list[LogLine]:
    return [one.line for one in index.once(troubles).get(call.workload.ref, ())]


def _with_lines(finding: Finding, told: list[LogLine]) -> Finding:
    firsts = [line.first for line in told if line.first]
    evidence = (*finding.evidence, *(seen_line(line) for line in told[-2:]))
    return finding.model_copy(update={"evidence": evidence, "since": min(firsts, default=finding.since)})

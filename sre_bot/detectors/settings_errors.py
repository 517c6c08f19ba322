"""Values that a program rejects as it starts, and ports that two containers of a pod both want."""

import re
from collections.abc import Iterator

from sre_bot.detectors.addresses import service_ports
from sre_bot.detectors.calls import configurations, selecting
from sre_bot.detectors.commands import unknown_word
from sre_bot.detectors.configuration import Setting, entries
from sre_bot.detectors.fields import dig, mappings, step, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.onset import failing_since
from sre_bot.detectors.pods import Container
from sre_bot.detectors.sightings import seen_end, seen_field, seen_line, seen_setting
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

_REJECTED = re.compile(
    r"invalid|malformed|unsupported|illegal|not a valid|cannot parse|can't parse|could not parse|failed to parse"
    r"|parse error|parsing|unmarshal"
    r"|syntax error|unexpected (?:token|character|end)|bad value|out of range|unknown (?:log level|value|option"
    r"|directive|key|field|property)"
    r"|\[emerg\]|could not convert|invalid literal|NumberFormatException|ConfigurationError|ConfigError"
    r"|configuration error|error in config"
    r"|yaml: line|did not find expected|must be (?:one of|between|a |an |greater|less|at least|at most|positive)"
    r"|is not one of|not allowed|cannot be loaded|unknown plugin|no applicable action|failed to (?:bind|convert)"
    r"|does not conform|ill-formed|not in a correct format|contains errors|toml: line|TOMLDecodeError|JSONDecodeError",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"'`“]([^\"'`”\n]{1,120})[\"'`”]")
_WORD = re.compile(r"[A-Za-z_][\w.-]{2,}|\d[\w.:/-]*")
_IN_USE = re.compile(
    r"address already in use|EADDRINUSE|Only one usage of each socket|BindException: Address"
    r"|port \d+ (?:was|is) already in use|Connection in use",
    re.IGNORECASE,
)
_PORT = re.compile(r"(?::|port[ =:]+|['\"], )(\d{2,5})\b", re.IGNORECASE)
_MILD = re.compile(r"default|falling back|fall(?:s|ing)? ?back|ignor|deprecat|using ", re.IGNORECASE)
_FILE_PLACE = re.compile(r"\bline:? (\d{1,6})|\.\w+:(\d{1,6})\b", re.IGNORECASE)
_COMMAND_LINE = re.compile(r"\.(?:args|command)\[\d+\]$")
"""A word of the command line that the program does not know at all is no value: that is ``starting``'s."""
_DULL = frozenset(
    {
        *(
            "true",
            "false",
            "yes",
            "no",
            "on",
            "off",
            "info",
            "debug",
            "error",
            "warn",
            "none",
            "null",
            "default",
            "http",
        ),
        *("https", "tcp", "config", "configuration", "value"),
    }
)
_UNKNOWN_TO_SERVER = re.compile(
    r'database "[^"]+" does not exist|Unknown database|NoSuchBucket|no (?:such )?(?:queue|topic|bucket)'
    r"|NOT_FOUND - no"
    r"|unknown topic|invalid ns|index_not_found",
    re.IGNORECASE,
)
"""A dependency that is reached and does not know what it is asked for: it counts of running containers too."""


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the last words of every failing container against what it is configured with."""
    yield from _same_ports(index)
    for ref, lines in index.once(troubles).items():
        workload = index.workload_by_ref.get(ref)
        if workload is None:
            continue
        for one in lines:
            if one.fatal and _IN_USE.search(one.line.text):
                yield from _port_taken(index, workload, one)
            elif _UNKNOWN_TO_SERVER.search(one.line.text) or (
                _REJECTED.search(one.line.text) and (one.fatal or _names_key_and_value(index, workload, one))
            ):
                yield from _rejected(index, workload, one)


def _same_ports(index: ClusterIndex) -> Iterator[Finding]:
    """Without a log: a container that ends by itself and declares a port that another one of its pod declares too."""
    for pod in index.current_pods:
        claimed = [(port, one) for one in pod.containers if not one.init or _is_sidecar(one) for port in one.ports]
        for port, one in claimed:
            rivals = [other for number, other in claimed if number == port and other is not one and other.running_since]
            quiet = not any(index.logs_of(pod, one.name))
            if rivals and quiet and one.fails(index.now) and one.exit_code not in (None, 0, 137, 143):
                field = step(f"{one.field}.ports", one.ports.index(port))
                yield Finding(
                    kind=FaultKind.PORT_CONFLICT,
                    object=one.workload,
                    field=f"{field}.containerPort",
                    observed=str(port),
                    expected="",
                    message=f"Containers {one.name} and {rivals[0].name} of {one.workload.name} want one port, {port}.",
                    directness="inferred",
                    evidence=(
                        seen_end(one),
                        seen_field(one.workload, f"{one.field}.ports", one.spec.get("ports")),
                        seen_field(one.workload, f"{rivals[0].field}.ports", rivals[0].spec.get("ports")),
                    ),
                    since=failing_since(index, one),
                    container=one.name,
                )


def _is_sidecar(container: Container) -> bool:
    return container.spec.get("restartPolicy") == "Always"


def _rejected(index: ClusterIndex, workload: Workload, one: Trouble) -> Iterator[Finding]:
    """The configured value that the line quotes; else the setting whose key it names."""
    settings = [
        s
        for s in index.once(configurations)[workload.ref].settings
        if s.container in ("", one.container.name) and s.value
    ]
    blamed = (
        _quoted(settings, one.line.text) or _in_file(index, workload, one.line.text) or _named(settings, one.line.text)
    )
    if blamed is None or (_COMMAND_LINE.search(blamed.field) and unknown_word(one.line.text)):
        return
    hidden = blamed.sensitive or blamed.value not in blamed.shown
    observed = blamed.key if hidden else blamed.value[:200]
    yield Finding(
        kind=FaultKind.DNS_MISCONFIGURED if _resolves_names(index, workload) else FaultKind.INVALID_CONFIG,
        object=blamed.holder,
        field=blamed.field,
        observed=observed,
        expected="",
        message=f"{workload.ref.name} rejects {blamed.key or blamed.line[:60]}: {one.line.text.strip()[:160]}",
        directness="inferred",
        evidence=(seen_setting(blamed), seen_line(one.line)),
        since=failing_since(index, one.container),
        container=one.container.name,
        hurts=() if blamed.holder == workload.ref else (workload.ref,),
    )


def _names_key_and_value(index: ClusterIndex, workload: Workload, one: Trouble) -> bool:
    """Whether a running program rejects a setting so plainly that key and value both stand in the line.

    Not where it says that it goes on with a default.
    """
    if _MILD.search(one.line.text):
        return False
    blamed = quoted_setting(index, workload, one.container.name, one.line.text)
    return blamed is not None and len(blamed.key) >= 4 and blamed.key.lower() in one.line.text.lower()


def quoted_setting(index: ClusterIndex, workload: Workload, container: str, line: str) -> Setting | None:
    """The setting whose whole value an error rejects and quotes; None where it quotes none."""
    if not _REJECTED.search(line):
        return None
    quotes = set(_QUOTED.findall(line)) - _DULL
    settings = index.once(configurations)[workload.ref].settings
    return next((s for s in settings if s.container in ("", container) and s.value in quotes), None)


def _resolves_names(index: ClusterIndex, workload: Workload) -> bool:
    """Whether a workload is the cluster's DNS: a Service on port 53 leads to it."""
    return any(53 in service_ports(service) for service in index.once(selecting).get(workload.ref, ()))


def _quoted(settings: list[Setting], line: str) -> Setting | None:
    """The setting that is what the line quotes; else the one whose value holds it as a word."""
    quotes = [quoted for quoted in _QUOTED.findall(line) if quoted.lower() not in _DULL]
    plain = [setting for setting in settings if not setting.sensitive]
    for quoted in quotes:
        for setting in plain:
            if quoted in (setting.value, setting.line):
                return setting
    words = [re.compile(rf"(?<![\w.-]){re.escape(quoted)}(?![\w-])") for quoted in quotes if len(quoted) > 3]
    return next((setting for word in words for setting in plain if word.search(setting.line)), None)


def _in_file(index: ClusterIndex, workload: Workload, line: str) -> Setting | None:
    """The line of a mounted file that an error names by the file's name and the line's number; else its first one."""
    for reference in index.once(configurations)[workload.ref].references:
        wanted = reference.volume and reference.kind == "ConfigMap"
        thing = index.get("ConfigMap", workload.ref.namespace, reference.name) if wanted else None
        for key, content, field in entries(thing) if thing is not None else ():
            named = _FILE_PLACE.search(line)
            if re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", line) and content.strip():
                lines = content.splitlines()
                number = int(next(group for group in named.groups() if group)) if named else 1
                shown = lines[number - 1].strip() if number <= len(lines) else ""
                return Setting(
                    "", shown or content.strip().splitlines()[0], ObjectRef.of(thing or {}), field, line=shown
                )
    return None


def _named(settings: list[Setting], line: str) -> Setting | None:
    words = {word.lower() for word in _WORD.findall(line)} - _DULL
    for setting in settings:
        key = setting.key.lower()
        if len(key) > 3 and key in words and key not in _DULL:
            return setting
    return None


def _port_taken(index: ClusterIndex, workload: Workload, one: Trouble) -> Iterator[Finding]:
    """Containers of a pod share one network; so do all pods on the host network (…/concepts/workloads/pods/)."""
    containers = mappings(workload.spec, "containers")
    sidecars = [one for one in mappings(workload.spec, "initContainers") if one.get("restartPolicy") == "Always"]
    on_host, alone = dig(workload.spec, "hostNetwork") is True, len(containers) + len(sidecars) < 2
    if alone and not on_host:
        return
    match = _PORT.search(one.line.text)
    port = match[1] if match else ""
    evidence = [seen_line(one.line)]
    evidence += [
        seen_field(workload.ref, f"{workload.field}.containers[{place}].ports", container.get("ports"))
        for place, container in enumerate(containers)
        if container.get("ports")
    ]
    holder = next(
        (
            f"{one.container.field}.ports[{n}].containerPort"
            for n, entry in enumerate(mappings(one.container.spec, "ports"))
            if text(entry, "containerPort") == port
        ),
        "",
    )
    yield Finding(
        kind=FaultKind.HOST_PORT_CONFLICT if on_host and alone else FaultKind.PORT_CONFLICT,
        object=workload.ref,
        field=holder,
        observed=port or "already in use",
        expected="",
        message=f"Two programs in the pods of {workload.ref.name} want port {port or 'the same'}.",
        directness="inferred",
        evidence=tuple(evidence),
        since=failing_since(index, one.container),
        container=one.container.name,
    )

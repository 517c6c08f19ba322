"""Values that a program rejects as it starts, and ports that two containers of a pod both want."""

import re
from collections.abc import Iterator

from sre_bot.detectors.addresses import service_ports
from sre_bot.detectors.calls import configurations, selected_workloads
from sre_bot.detectors.configuration import Setting
from sre_bot.detectors.fields import dig, mappings, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.onset import failing_since
from sre_bot.detectors.sightings import seen_field, seen_line, seen_setting
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.finding import FaultKind, Finding

_REJECTED = re.compile(
    r"invalid|malformed|unsupported|illegal|not a valid|cannot parse|can't parse|could not parse|failed to parse"
    r"|parse error|parsing|unmarshal"
    r"|syntax error|unexpected (?:token|character|end)|bad value|out of range|unknown (?:log level|value|option"
    r"|directive|key|field|property)"
    r"|\[emerg\]|could not convert|invalid literal|NumberFormatException|ConfigurationError|ConfigError"
    r"|configuration error|error in config"
    r"|yaml: line|did not find expected|must be (?:one of|between|a |an |greater|less|at least|at most|positive)"
    r"|is not one of|not allowed",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"'`“]([^\"'`”\n]{1,120})[\"'`”]")
_WORD = re.compile(r"[A-Za-z_][\w.-]{2,}|\d[\w.:/-]*")
_IN_USE = re.compile(
    r"address already in use|EADDRINUSE|Only one usage of each socket|BindException: Address", re.IGNORECASE
)
_PORT = re.compile(r"(?::|port[ =:]+)(\d{2,5})\b", re.IGNORECASE)
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
    for ref, lines in index.once(troubles).items():
        workload = index.workload_by_ref.get(ref)
        if workload is None:
            continue
        for one in lines:
            if one.fatal and _IN_USE.search(one.line.text):
                yield from _port_taken(index, workload, one)
            elif _UNKNOWN_TO_SERVER.search(one.line.text) or (one.fatal and _REJECTED.search(one.line.text)):
                yield from _rejected(index, workload, one)


def _rejected(index: ClusterIndex, workload: Workload, one: Trouble) -> Iterator[Finding]:
    """The configured value that the line quotes; else the setting whose key it names."""
    settings = [
        s
        for s in index.once(configurations)[workload.ref].settings
        if s.container in ("", one.container.name) and s.value
    ]
    blamed = _quoted(settings, one.line.text) or _named(settings, one.line.text)
    if blamed is None:
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


def _resolves_names(index: ClusterIndex, workload: Workload) -> bool:
    """Whether a workload is the cluster's DNS: a Service on port 53 leads to it."""
    return any(
        53 in service_ports(service) and workload in selected_workloads(index, service)
        for service in index.of_kind("Service", workload.ref.namespace)
    )


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
    on_host = dig(workload.spec, "hostNetwork") is True
    if len(containers) < 2 and not on_host:
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
        kind=FaultKind.HOST_PORT_CONFLICT if on_host and len(containers) < 2 else FaultKind.PORT_CONFLICT,
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

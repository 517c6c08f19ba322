"""Network addresses in configuration, and what they name in the cluster."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Literal

from sre_bot.detectors.configuration import Configuration, Setting
from sre_bot.detectors.fields import mapping, mappings, number, text, texts, whole
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.domain.cluster import KubernetesObject, ObjectRef

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL}){{0,60}}"
_URL = re.compile(
    rf"\b([a-z][a-z0-9+.-]{{0,40}})://(?:[^\s/@]{{0,500}}@)?({_HOST})\.?(?::(\d{{1,5}}))?(?=[/?,\s\"'#;)]|$)",
    re.IGNORECASE,
)
_PAIR = re.compile(rf"(?<![\w./@-])({_HOST})\.?:(\d{{2,5}})(?=[/,;\s\"'?)<]|$)")
_DSN_HOST = re.compile(
    rf"(?:^|[\s;\"'])(?:host|hostaddr|server|data source|addr|address|network "
    rf"address)\s*=\s*(?:tcp:)?({_HOST})\.?(?:,(\d{{2,5}}))?(?=[\s;\"']|$)",
    re.IGNORECASE,
)
_DSN_PORT = re.compile(r"(?:^|[\s;])port\s*=\s*(\d{2,5})\b", re.IGNORECASE)
"""Connection strings of keywords and values: ADO.NET, libpq
(https://www.postgresql.org/docs/current/libpq-connect.html)."""
_BARE = re.compile(_HOST)
_TOOLS = (
    re.compile(rf"\b(?:nslookup|getent (?:ahosts|hosts)|host|ping(?: -\w+(?: \d+)?){{0,9}})\s+({_HOST})"),
    re.compile(rf"\b(?:nc|ncat|netcat|telnet)(?:\s+-\w+(?:\s+\d+)?){{0,9}}\s+({_HOST})\s+(\d{{2,5}})\b"),
    re.compile(
        rf"\b(?:pg_isready|psql|mysql|mysqladmin|redis-cli|mongosh)\b[^;|&]{{0,300}}?(?:\s-h\s?|--host[= ])({_HOST})"
        r"(?:[^;|&]{0,300}?(?:\s-[pP]\s?|--port[= ])(\d{2,5}))?"
    ),
    re.compile(rf"/dev/tcp/({_HOST})/(\d{{2,5}})"),
)
"""How shell scripts wait for others."""
_HOST_KEY = re.compile(
    r"(?:^|[_.-]|^pg)(?:host|hostname|addr|address|server|servers|endpoint|url|uri|brokers?|upstream|backend"
    r"|target|svc|service|nodes?)s?$",
    re.IGNORECASE,
)
_PORT_KEY = re.compile(r"(?:^|[_.-]|^pg)port(?:[_.-](?:number|num|no))?$", re.IGNORECASE)
_PORT_WORDS = re.compile(r"[_.-]?port(?:[_.-](?:number|num|no))?$", re.IGNORECASE)
_HOST_WORDS = re.compile(r"[_.-]?(?:host|hostname|addr|address|server|endpoint|service|svc)s?$", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_FILE = re.compile(
    r"\.(?:ya?ml|json|conf|cfg|ini|toml|py|js|ts|go|java|jar|sh|txt|log|pem|crt|key|html?|xml|sql|sock|properties"
    r"|md|lock)$"
)
_VALUE_NOUN = re.compile(
    r"^(?:true|false|yes|no|on|off|none|null|auto|default|any|debug|info|warn|error|prod|production|staging|dev)$",
    re.IGNORECASE,
)
_FOREIGN_SCHEMES = ("file", "unix", "docker", "oci", "s3", "gs", "arn", "classpath", "data")
DEFAULT_PORTS = {
    "http": 80,
    "https": 443,
    "ws": 80,
    "wss": 443,
    "postgres": 5432,
    "postgresql": 5432,
    "mysql": 3306,
    "mariadb": 3306,
    "redis": 6379,
    "rediss": 6379,
    "mongodb": 27017,
    "amqp": 5672,
    "amqps": 5671,
    "nats": 4222,
    "ldap": 389,
}
"""Ports that a URL's scheme implies (IANA)."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and port that a setting holds. ``port`` is None where neither value nor scheme tells one."""

    host: str
    port: int | None
    setting: Setting
    explicit: bool = False
    scheme: str = ""
    port_setting: Setting | None = None

    @property
    def shown(self) -> str:
        """The address as it stands in the value."""
        return f"{self.host}:{self.port}" if self.explicit else self.host


Meaning = Literal["service", "pod", "local", "external", "nothing", "unknown"]


@dataclass(frozen=True, slots=True)
class Target:
    """What an address names: the Service that it would be, and the object where it is there."""

    meaning: Meaning
    namespace: str = ""
    name: str = ""
    service: KubernetesObject | None = None


def addresses_in(setting: Setting) -> Iterator[Address]:
    """The addresses that a value holds: URLs, ``host:port`` pairs, and lone hosts under a key that calls for one."""
    value = setting.value
    taken: list[tuple[int, int]] = []
    for match in _URL.finditer(value):
        taken.append(match.span())
        scheme = match[1].lower().removeprefix("jdbc:").split("+")[0]
        if scheme not in _FOREIGN_SCHEMES:
            port = whole(match[3]) if match[3] else DEFAULT_PORTS.get(scheme)
            yield Address(match[2], port, setting, bool(match[3]), scheme)
    for match in _PAIR.finditer(value):
        if not any(start <= match.start() < end for start, end in taken) and _is_pair(match[1], int(match[2])):
            taken.append(match.span())
            yield Address(match[1], int(match[2]), setting, explicit=True)
    for host, port in _keywords(value):
        taken.append((0, len(value)))
        yield Address(host, port, setting, port_setting=setting if port else None)
    if ".command[" in setting.field or ".args[" in setting.field:
        for pattern in _TOOLS:
            for match in pattern.finditer(value):
                port = match[2] if pattern.groups > 1 else None
                yield Address(match[1], whole(port), setting, explicit=bool(port))
    if not taken and setting.key and _HOST_KEY.search(_CAMEL.sub("_", setting.key)) and _is_lone_host(value):
        yield Address(value, None, setting)


def _keywords(value: str) -> Iterator[tuple[str, int | None]]:
    """Host and port of a connection string such as ``host=db port=5432`` or ``Server=db,1433;Database=x``."""
    for match in _DSN_HOST.finditer(value) if "=" in value and re.search(r"[\s;]\S+\s*=", value) else ():
        port = match[2] or (beside[1] if (beside := _DSN_PORT.search(value)) else None)
        if not _IP.fullmatch(match[1]) and not _FILE.search(match[1]):
            yield match[1], int(port) if port else None


def _is_pair(host: str, port: int) -> bool:
    return 1 <= port <= 65535 and not _FILE.search(host) and (bool(_IP.fullmatch(host)) or not host[0].isdecimal())


def _is_lone_host(value: str) -> bool:
    return (
        bool(_BARE.fullmatch(value))
        and len(value) <= 253
        and not value.isdecimal()
        and not _FILE.search(value)
        and not _VALUE_NOUN.match(value)
        and (value == value.lower())
    )


def addresses_of(configuration: Configuration) -> tuple[Address, ...]:
    """All addresses of a workload, a lone host joined with the port beside it (``DB_HOST``, ``DB_PORT``)."""
    ports = {
        (setting.container, str(setting.holder), setting.section, _stem(setting.key, _PORT_WORDS)): setting
        for setting in configuration.settings
        if _PORT_KEY.search(_CAMEL.sub("_", setting.key)) and setting.value.isdecimal()
    }
    found: dict[tuple[str, str, str, int | None], Address] = {}
    for setting in configuration.settings:
        for address in addresses_in(setting):
            if address.port is None:
                stem = _stem(setting.key, _HOST_WORDS)
                beside = ports.get((setting.container, str(setting.holder), setting.section, stem))
                if beside:
                    address = Address(address.host, whole(beside.value), setting, port_setting=beside)
            found[(str(setting.holder), setting.field, address.host, address.port)] = address
    return tuple(found.values())


def _stem(key: str, ending: re.Pattern[str]) -> str:
    return ending.sub("", _CAMEL.sub("_", key)).lower()


class Names:
    """Resolves addresses as a pod's resolver would: Services by name, ``name.ns``, ``name.ns.svc[.cluster.local]``."""

    def __init__(self, index: ClusterIndex) -> None:
        self.index = index
        self._named_pods: dict[str, frozenset[str]] = {}

    @cached_property
    def _by_ip(self) -> dict[str, KubernetesObject]:
        found: dict[str, KubernetesObject] = {}
        for service in self.index.of_kind("Service"):
            for ip in [
                text(service, "spec", "clusterIP"),
                *texts(service, "spec", "clusterIPs"),
                *texts(service, "spec", "externalIPs"),
            ]:
                if ip and ip != "None":
                    found[ip] = service
        return found

    @cached_property
    def _pod_ips(self) -> dict[str, ObjectRef]:
        return {
            text(pod.thing, "status", "podIP"): pod.workload
            for pod in self.index.pods
            if text(pod.thing, "status", "podIP")
        }

    def pod_owner(self, ip: str) -> ObjectRef | None:
        """The workload whose pod has an IP address."""
        return self._pod_ips.get(ip)

    def resolve(self, host: str, workload: Workload) -> Target:
        """What a host names for the pods of a workload."""
        host = host.rstrip(".").lower()
        namespace = workload.ref.namespace
        if host in ("localhost", "0.0.0.0", "::1") or host.startswith("127."):
            return Target("local")
        if _IP.fullmatch(host):
            return self._by_address(host)
        if host in self._host_aliases(workload):
            return Target("external")
        labels = host.split(".")
        if len(labels) == 1:
            return self._service(namespace, host)
        if len(labels) >= 3 and labels[-1] == "local" and labels[-3:] == ["svc", "cluster", "local"]:
            labels = labels[:-2]
        if len(labels) >= 3 and labels[-1] == "svc":
            found = self._service(labels[-2], labels[-3])
            return self._pod(labels[0], found) if len(labels) == 4 else found
        return self._dotted(labels, namespace)

    def _dotted(self, labels: list[str], own: str) -> Target:
        """A pod of a headless Service of the own namespace before a Service of another one: so goes the search path."""
        governing = self.index.get("Service", own, labels[1])
        if len(labels) == 2 and governing is not None:
            return self._pod(labels[0], Target("service", own, labels[1], governing))
        if len(labels) == 2 and labels[1] in self.index.namespaces:
            return self._service(labels[1], labels[0])
        if len(labels) == 2 and self.index.get("Namespace", "", labels[1]):
            return Target("unknown", labels[1], labels[0])
        if len(labels) == 2 and labels[0] in self._pod_names(own):
            return Target("nothing", own, labels[1])
        return Target("external")

    def _pod(self, hostname: str, found: Target) -> Target:
        """A pod behind a headless Service: it has a name where its ``subdomain`` is that Service's.

        https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id
        """
        if found.service is None or text(found.service, "spec", "clusterIP") != "None":
            return found
        known = self._pod_names(found.namespace)
        return found if not known or hostname in known else Target("nothing", found.namespace, hostname)

    def _pod_names(self, namespace: str) -> frozenset[str]:
        """The host names that the pods of a namespace's StatefulSets have, or that pods set themselves."""
        if namespace not in self._named_pods:
            self._named_pods[namespace] = frozenset(self._hostnames(namespace))
        return self._named_pods[namespace]

    def _hostnames(self, namespace: str) -> Iterator[str]:
        for workload in self.index.workloads_in(namespace):
            if workload.ref.kind == "StatefulSet":
                first = number(workload.thing, "spec", "ordinals", "start") or 0
                yield from (f"{workload.ref.name}-{first + place}" for place in range(min(workload.replicas, 1_000)))
            yield from (name for pod in workload.pods if (name := text(pod.spec, "hostname")))

    def _by_address(self, ip: str) -> Target:
        service = self._by_ip.get(ip)
        if service is not None:
            ref = ObjectRef.of(service)
            return Target("service", ref.namespace, ref.name, service)
        return Target("pod") if ip in self._pod_ips else Target("unknown")

    def _service(self, namespace: str, name: str) -> Target:
        service = self.index.get("Service", namespace, name)
        if service is not None:
            return Target("service", namespace, name, service)
        if self.index.could_read("Service", namespace) or self._is_no_namespace(namespace):
            return Target("nothing", namespace, name)
        return Target("unknown", namespace, name)

    def _is_no_namespace(self, namespace: str) -> bool:
        known = self.index.of_kind("Namespace")
        return bool(known) and self.index.get("Namespace", "", namespace) is None

    @staticmethod
    def _host_aliases(workload: Workload) -> set[str]:
        return {name for alias in mappings(workload.spec, "hostAliases") for name in texts(alias, "hostnames")}


def service_ports(service: KubernetesObject) -> tuple[int, ...]:
    """The ports that clients may use."""
    return tuple(port for entry in mappings(service, "spec", "ports") if (port := number(entry, "port")))


def has_selector(service: KubernetesObject) -> bool:
    """Whether the endpoints of a Service follow from a selector."""
    return bool(mapping(service, "spec", "selector")) and text(service, "spec", "type") != "ExternalName"


def likeness(left: str, right: str) -> float:
    """How alike two names are, from 0 to 1: shared characters in order, and shared words between separators."""
    left, right = left.lower(), right.lower()
    words_left, words_right = set(re.split(r"[-_.]", left)), set(re.split(r"[-_.]", right))
    shared = len(words_left & words_right) / max(1, min(len(words_left), len(words_right)))
    return max(SequenceMatcher(None, left, right).ratio(), shared * 0.9)


def nearest(name: str, known: Iterator[str] | list[str] | tuple[str, ...], least: float = 0.6) -> str:
    """The known name most like a given one, empty where none is alike enough. Ties go to the first by name."""
    ranked = sorted((-likeness(name, other), other) for other in set(known) if other != name)
    return ranked[0][1] if ranked and -ranked[0][0] >= least else ""

"""Which fault a field would bring if its value were wrong, and how often such a change is the one that broke something.

The fields are those of the Kubernetes API (https://kubernetes.io/docs/reference/kubernetes-api/), the annotations those
of the bandwidth plug-in (https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/network-plugins/).
The weights are hand-set: a changed selector or port seldom is harmless, a new image or one more replica usually is.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from sre_bot.detectors.fields import quantity, steps
from sre_bot.domain.finding import FaultKind
from sre_bot.reasoning.source import FieldChange

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "ReplicaSet")
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]{0,40}://)?(?:[^@/\s]{1,500}@)?(?P<host>[a-z0-9](?:[\w.-]{0,253}[a-z0-9])?)(?::(?P<port>\d{2,5}))?"
)
_ADDRESS_NAME = re.compile(
    r"url|uri|host|addr|endpoint|server|broker|dsn|upstream|target|peer|bootstrap", re.IGNORECASE
)
_PORT_NAME = re.compile(r"port\b|_port", re.IGNORECASE)
_CREDENTIAL_NAME = re.compile(r"user|login|passw|pwd|secret|token|api.?key|credential", re.IGNORECASE)
_POOL_NAME = re.compile(r"pool|max.?conn|connections\b|max.?open|max.?idle", re.IGNORECASE)
_MEMORY_NAME = re.compile(r"heap|cache.?(?:size|entries|max)|java.?opts|memory|old.space", re.IGNORECASE)
_THREAD_NAME = re.compile(r"threads|workers|parallel|concurren|gomaxprocs", re.IGNORECASE)
_HARMLESS_NAME = re.compile(r"log.?level|verbos|prometheus|description|colou?r", re.IGNORECASE)
_GATEWAY = re.compile(r"\b(?:proxy_pass|upstream|location|rewrite|backend|route|listen)\b")


class Fault(NamedTuple):
    """A kind, and the weight of the suspicion, 0 to 1."""

    kind: FaultKind
    weight: float


def faults_of(change: FieldChange) -> tuple[Fault, ...]:
    """What a change may have brought, the likeliest first; nothing where it can hardly do harm."""
    parts = tuple(part for part in steps(change.field) if isinstance(part, str))
    if not parts:
        return tuple(_of_whole(change))
    kind = change.object.kind
    if kind in _WORKLOADS:
        return tuple(_of_workload(parts, change))
    if kind == "ConfigMap":
        return tuple(_of_setting(parts[-1], change, text=True))
    table = _OBJECTS.get(kind)
    found = next((fault for name, fault in table if name in parts or not name), None) if table else None
    return (found,) if found else ()


_OBJECTS: dict[str, tuple[tuple[str, Fault], ...]] = {
    "Secret": (
        ("tls.crt", Fault(FaultKind.CERTIFICATE_EXPIRED, 0.5)),
        ("", Fault(FaultKind.INVALID_CREDENTIALS, 0.6)),
    ),
    "Service": (
        ("selector", Fault(FaultKind.SERVICE_SELECTOR_MISMATCH, 0.9)),
        ("protocol", Fault(FaultKind.SERVICE_PROTOCOL_MISMATCH, 0.8)),
        ("appProtocol", Fault(FaultKind.SERVICE_PROTOCOL_MISMATCH, 0.8)),
        ("ports", Fault(FaultKind.SERVICE_PORT_MISMATCH, 0.85)),
        ("externalName", Fault(FaultKind.DEPENDENCY_WRONG_ADDRESS, 0.8)),
    ),
    "Ingress": (
        ("ingressClassName", Fault(FaultKind.INGRESS_CLASS_MISSING, 0.9)),
        ("kubernetes.io/ingress.class", Fault(FaultKind.INGRESS_CLASS_MISSING, 0.9)),
        ("tls", Fault(FaultKind.TLS_SECRET_MISSING, 0.7)),
        ("service", Fault(FaultKind.INGRESS_BACKEND_MISSING, 0.8)),
        ("rules", Fault(FaultKind.GATEWAY_MISROUTE, 0.7)),
        ("annotations", Fault(FaultKind.GATEWAY_MISROUTE, 0.4)),
    ),
    "NetworkPolicy": (("", Fault(FaultKind.NETWORK_POLICY_BLOCKS, 0.85)),),
    "HorizontalPodAutoscaler": (("", Fault(FaultKind.HPA_CANNOT_SCALE, 0.5)),),
    "PodDisruptionBudget": (("", Fault(FaultKind.PDB_BLOCKS, 0.5)),),
    "ResourceQuota": (("", Fault(FaultKind.QUOTA_EXCEEDED, 0.6)),),
    "LimitRange": (("", Fault(FaultKind.LIMIT_RANGE_VIOLATION, 0.6)),),
    "PersistentVolumeClaim": (
        ("storageClassName", Fault(FaultKind.STORAGE_CLASS_MISSING, 0.7)),
        ("accessModes", Fault(FaultKind.PVC_ACCESS_MODE_MISMATCH, 0.7)),
        ("selector", Fault(FaultKind.PVC_SELECTOR_MISMATCH, 0.7)),
        ("storage", Fault(FaultKind.DISK_FULL, 0.5)),
    ),
    **{kind: (("", Fault(FaultKind.PERMISSION_DENIED, 0.7)),) for kind in ("Role", "RoleBinding", "ClusterRole")},
    "ClusterRoleBinding": (("", Fault(FaultKind.PERMISSION_DENIED, 0.7)),),
    **{
        kind: (("spec", Fault(FaultKind.GATEWAY_MISROUTE, 0.8)),)
        for kind in (
            "HTTPRoute",
            "GRPCRoute",
            "TCPRoute",
            "TLSRoute",
            "VirtualService",
            "DestinationRule",
            "IngressRoute",
        )
    },
}
"""For objects that are no workloads: the part of the path, and the fault; an empty part stands for any."""

_OF_TEMPLATE: tuple[tuple[str, Fault], ...] = (
    ("image", Fault(FaultKind.CODE_REGRESSION, 0.35)),
    ("kubernetes.io/egress-bandwidth", Fault(FaultKind.NETWORK_DELAY, 0.9)),
    ("kubernetes.io/ingress-bandwidth", Fault(FaultKind.NETWORK_DELAY, 0.9)),
    ("annotations", Fault(FaultKind.INVALID_CONFIG, 0.05)),
    ("secretKeyRef", Fault(FaultKind.INVALID_CREDENTIALS, 0.7)),
    ("secretRef", Fault(FaultKind.INVALID_CREDENTIALS, 0.5)),
    ("configMapKeyRef", Fault(FaultKind.INVALID_CONFIG, 0.6)),
    ("envFrom", Fault(FaultKind.INVALID_CONFIG, 0.6)),
    ("command", Fault(FaultKind.INVALID_COMMAND, 0.7)),
    ("securityContext", Fault(FaultKind.VOLUME_PERMISSION_DENIED, 0.5)),
    ("serviceAccountName", Fault(FaultKind.PERMISSION_DENIED, 0.6)),
    ("dnsPolicy", Fault(FaultKind.DNS_MISCONFIGURED, 0.8)),
    ("dnsConfig", Fault(FaultKind.DNS_MISCONFIGURED, 0.8)),
    ("hostAliases", Fault(FaultKind.DNS_MISCONFIGURED, 0.8)),
    ("hostNetwork", Fault(FaultKind.DNS_MISCONFIGURED, 0.5)),
    ("nodeSelector", Fault(FaultKind.NODE_SELECTOR_MISMATCH, 0.4)),
    ("nodeAffinity", Fault(FaultKind.NODE_AFFINITY_MISMATCH, 0.4)),
    ("podAntiAffinity", Fault(FaultKind.POD_ANTI_AFFINITY_CONFLICT, 0.4)),
    ("topologySpreadConstraints", Fault(FaultKind.POD_ANTI_AFFINITY_CONFLICT, 0.3)),
    ("tolerations", Fault(FaultKind.TAINT_NOT_TOLERATED, 0.4)),
    ("hostPort", Fault(FaultKind.HOST_PORT_CONFLICT, 0.5)),
    ("ports", Fault(FaultKind.PORT_CONFLICT, 0.3)),
    ("volumes", Fault(FaultKind.INVALID_CONFIG, 0.4)),
    ("volumeMounts", Fault(FaultKind.INVALID_CONFIG, 0.4)),
    ("suspend", Fault(FaultKind.CRONJOB_SUSPENDED, 0.8)),
)


def _of_workload(parts: tuple[str, ...], change: FieldChange) -> Iterator[Fault]:
    if probe := next((one for one in ("livenessProbe", "startupProbe", "readinessProbe") if one in parts), ""):
        yield from _of_probe("READINESS" if probe == "readinessProbe" else "LIVENESS", parts)
    elif "resources" in parts:
        yield from _of_resources(parts, change)
    elif parts[-1] == "replicas":
        yield from _of_replicas(change)
    elif "env" in parts and "valueFrom" not in parts:
        yield from _of_setting(change.name, change)
    elif "args" in parts:
        yield from _of_setting("", change)
        yield Fault(FaultKind.INVALID_COMMAND, 0.4)
    else:
        yield from (fault for name, fault in _OF_TEMPLATE if name in parts)


def _of_probe(which: str, parts: tuple[str, ...]) -> Iterator[Fault]:
    leaf = parts[-1]
    if leaf == "port":
        yield Fault(FaultKind[f"{which}_PROBE_PORT"], 0.8)
    elif leaf == "path":
        yield Fault(FaultKind[f"{which}_PROBE_PATH"], 0.8)
    elif leaf == "scheme" or {"tcpSocket", "grpc", "exec"} & set(parts):
        yield Fault(FaultKind[f"{which}_PROBE_PROTOCOL"], 0.8)
    elif which == "LIVENESS":
        yield Fault(FaultKind.LIVENESS_PROBE_TIMING, 0.6)


def _of_resources(parts: tuple[str, ...], change: FieldChange) -> Iterator[Fault]:
    """A lower limit, or a first one, takes away what was used; requests decide where a pod finds room."""
    lowered = change.after is not None and (change.before is None or _is_less(change.after, change.before))
    weight = 0.7 if lowered else 0.1
    if "limits" in parts and parts[-1] == "cpu":
        yield Fault(FaultKind.CPU_SATURATION, weight)
    elif "limits" in parts and parts[-1] == "memory":
        yield Fault(FaultKind.OOM_KILLED, weight)
    elif parts[-1] == "ephemeral-storage":
        yield Fault(FaultKind.DISK_FULL, weight)
    elif parts[-1] == "cpu":
        yield Fault(FaultKind.INSUFFICIENT_CPU, 0.1)
    elif parts[-1] == "memory":
        yield Fault(FaultKind.INSUFFICIENT_MEMORY, 0.1)


def _is_less(left: str, right: str) -> bool:
    after, before = quantity(left), quantity(right)
    return after is not None and before is not None and after < before


def _of_replicas(change: FieldChange) -> Iterator[Fault]:
    if change.after == "0":
        yield Fault(FaultKind.ZERO_REPLICAS, 0.9)
    elif _is_less(change.after or "", change.before or ""):
        yield Fault(FaultKind.CPU_SATURATION, 0.4)
    else:
        yield Fault(FaultKind.CONNECTION_EXHAUSTION, 0.05)


_BY_NAME: tuple[tuple[re.Pattern[str], Fault], ...] = (
    (_HARMLESS_NAME, Fault(FaultKind.INVALID_CONFIG, 0.05)),
    (_CREDENTIAL_NAME, Fault(FaultKind.INVALID_CREDENTIALS, 0.7)),
    (_POOL_NAME, Fault(FaultKind.CONNECTION_EXHAUSTION, 0.6)),
    (_MEMORY_NAME, Fault(FaultKind.OOM_KILLED, 0.4)),
    (_THREAD_NAME, Fault(FaultKind.CPU_SATURATION, 0.4)),
    (_PORT_NAME, Fault(FaultKind.DEPENDENCY_WRONG_PORT, 0.6)),
    (_ADDRESS_NAME, Fault(FaultKind.DEPENDENCY_WRONG_ADDRESS, 0.7)),
)


def _of_setting(name: str, change: FieldChange, *, text: bool = False) -> Iterator[Fault]:
    """A value that a program reads: an address, a credential, a size, or anything else."""
    old, new = (telling(change.before, change.after), telling(change.after, change.before))
    if text and "\n" in (change.after or "") and _GATEWAY.search(f"{old} {new}"):
        yield Fault(FaultKind.GATEWAY_MISROUTE, 0.7)
    if change.after is None and change.field.endswith((".name", ".value")):
        yield Fault(FaultKind.MISSING_ENV, 0.8)
        return
    host = _moved(old, new)
    if host is not None:
        yield host
        return
    label = f"{name} {new.partition('=')[0] if '=' in new else new.partition(':')[0] if text else ''}"
    yield next((fault for pattern, fault in _BY_NAME if pattern.search(label)), Fault(FaultKind.INVALID_CONFIG, 0.5))


def _moved(old: str, new: str) -> Fault | None:
    """Whether an address came to name another host, or another port of the same."""
    if not old or not new or (left := _address(old)) is None or (right := _address(new)) is None:
        return None
    if left["host"] != right["host"]:
        return Fault(FaultKind.DEPENDENCY_WRONG_ADDRESS, 0.85)
    return Fault(FaultKind.DEPENDENCY_WRONG_PORT, 0.85) if left["port"] != right["port"] else None


def _address(value: str) -> dict[str, str] | None:
    """Host and port of a value that has a scheme, a port, or dots between words."""
    for match in _ADDRESS.finditer(value.lower()):
        host, port = match["host"], match["port"] or ""
        if "://" in match[0] or (port and not host.isdigit()):
            return {"host": host, "port": port}
    return None


def telling(value: str | None, other: str | None) -> str:
    """Of a text of several lines, the first that the other text has not; a single line as it is."""
    if value is None or "\n" not in value:
        return (value or "").strip()
    known = set((other or "").split("\n"))
    return next((line.strip() for line in value.split("\n") if line.strip() and line not in known), "")


def _of_whole(change: FieldChange) -> Iterator[Fault]:
    """An object that came, or went."""
    added, kind = change.before is None, change.object.kind
    gone = {
        "ConfigMap": FaultKind.MISSING_CONFIG_MAP,
        "Secret": FaultKind.MISSING_SECRET,
        "ServiceAccount": FaultKind.MISSING_SERVICE_ACCOUNT,
        "Service": FaultKind.DEPENDENCY_WRONG_ADDRESS,
        "Role": FaultKind.PERMISSION_DENIED,
        "RoleBinding": FaultKind.PERMISSION_DENIED,
    }
    came = {
        "NetworkPolicy": Fault(FaultKind.NETWORK_POLICY_BLOCKS, 0.8),
        "ResourceQuota": Fault(FaultKind.QUOTA_EXCEEDED, 0.6),
        "LimitRange": Fault(FaultKind.LIMIT_RANGE_VIOLATION, 0.6),
        "PodDisruptionBudget": Fault(FaultKind.PDB_BLOCKS, 0.5),
        "HorizontalPodAutoscaler": Fault(FaultKind.HPA_CANNOT_SCALE, 0.3),
        "Ingress": Fault(FaultKind.GATEWAY_MISROUTE, 0.3),
        "HTTPRoute": Fault(FaultKind.GATEWAY_MISROUTE, 0.5),
        "VirtualService": Fault(FaultKind.GATEWAY_MISROUTE, 0.5),
    }
    if added and kind in came:
        yield came[kind]
    if not added and kind in gone:
        yield Fault(gone[kind], 0.7)

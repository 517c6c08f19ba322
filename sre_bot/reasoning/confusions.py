"""Which causes look alike: what the same evidence would show, were it another fault.

For each kind the others that it is taken for, with the share of such mistakes (hand-set), and where a word has to
stand in the evidence for the other to be possible at all, that word. The scheduler, registries and servers say several
of these in one sentence; which of them is the cause is a judgement. ``places`` says of which kind the object of a
fault is.
"""

import re
from typing import NamedTuple

from sre_bot.domain.finding import FaultKind as Kind

_REFUSED = r"authori[sz]|authenticat|denied|forbidden|40[13]|credential"
_UNREACHABLE = r"timeout|timed out|lookup|no such host|refused|x509|tls|dial"
_SERVICE, _INGRESS = ("Service",), ("Ingress", "HTTPRoute", "VirtualService", "ConfigMap")
_CLAIM, _NODE = ("PersistentVolumeClaim",), ("Node",)
_WORKLOAD = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod")


class Confusion(NamedTuple):
    """Another kind, its share, and the pattern that the evidence must match."""

    kind: Kind
    share: float
    needs: str = ""


def _each(*kinds: Kind, share: float = 0.3) -> dict[Kind, tuple[Confusion, ...]]:
    """Kinds that are all taken for one another."""
    return {one: tuple(Confusion(other, share) for other in kinds if other != one) for one in kinds}


_LIVENESS = _each(
    Kind.LIVENESS_PROBE_PORT, Kind.LIVENESS_PROBE_PROTOCOL, Kind.LIVENESS_PROBE_PATH, Kind.LIVENESS_PROBE_TIMING
)
_READINESS = _each(Kind.READINESS_PROBE_PORT, Kind.READINESS_PROBE_PROTOCOL, Kind.READINESS_PROBE_PATH)
_BINDING = _each(
    Kind.PVC_CAPACITY_MISMATCH,
    Kind.PVC_SELECTOR_MISMATCH,
    Kind.PVC_ACCESS_MODE_MISMATCH,
    Kind.PV_ALREADY_BOUND,
    Kind.STORAGE_CLASS_MISSING,
)
_SCHEDULER: dict[Kind, str] = {
    Kind.INSUFFICIENT_CPU: r"Insufficient cpu",
    Kind.INSUFFICIENT_MEMORY: r"Insufficient memory",
    Kind.TAINT_NOT_TOLERATED: r"untolerated taint|didn't tolerate",
    Kind.NODE_CORDONED: r"unschedulable",
    Kind.NODE_SELECTOR_MISMATCH: r"node affinity/selector|node selector",
    Kind.NODE_AFFINITY_MISMATCH: r"node affinity/selector|node affinity",
    Kind.POD_ANTI_AFFINITY_CONFLICT: r"anti-affinity|affinity rules|topology spread",
    Kind.HOST_PORT_CONFLICT: r"free ports",
}
"""The words of the scheduler for each reason (kube-scheduler, ``pkg/scheduler/framework/plugins``)."""

_PLACING = {
    one: tuple(Confusion(other, 0.4, words) for other, words in _SCHEDULER.items() if other != one)
    for one in _SCHEDULER
}

CONFUSIONS: dict[Kind, tuple[Confusion, ...]] = {
    **_LIVENESS,
    **_READINESS,
    **_BINDING,
    **_PLACING,
    Kind.LIVENESS_PROBE_TIMING: (*_LIVENESS[Kind.LIVENESS_PROBE_TIMING], Confusion(Kind.CPU_SATURATION, 0.4)),
    Kind.QUOTA_EXCEEDED: (Confusion(Kind.LIMIT_RANGE_VIOLATION, 0.4),),
    Kind.LIMIT_RANGE_VIOLATION: (Confusion(Kind.QUOTA_EXCEEDED, 0.4),),
    Kind.ADMISSION_DENIED: (Confusion(Kind.PERMISSION_DENIED, 0.3), Confusion(Kind.LIMIT_RANGE_VIOLATION, 0.2)),
    Kind.MISSING_SERVICE_ACCOUNT: (Confusion(Kind.PERMISSION_DENIED, 0.3),),
    Kind.IMAGE_NOT_FOUND: (
        Confusion(Kind.IMAGE_PULL_DENIED, 0.6, _REFUSED),
        Confusion(Kind.REGISTRY_UNREACHABLE, 0.4, _UNREACHABLE),
    ),
    Kind.IMAGE_PULL_DENIED: (
        Confusion(Kind.IMAGE_NOT_FOUND, 0.6, r"not exist|not found|unknown"),
        Confusion(Kind.REGISTRY_UNREACHABLE, 0.3, _UNREACHABLE),
    ),
    Kind.REGISTRY_UNREACHABLE: (Confusion(Kind.IMAGE_NOT_FOUND, 0.4), Confusion(Kind.IMAGE_PULL_DENIED, 0.3)),
    Kind.MISSING_CONFIG_MAP: (Confusion(Kind.MISSING_KEY, 0.3),),
    Kind.MISSING_SECRET: (Confusion(Kind.MISSING_KEY, 0.3), Confusion(Kind.IMAGE_PULL_DENIED, 0.2, r"pull")),
    Kind.MISSING_KEY: (Confusion(Kind.INVALID_CONFIG, 0.4), Confusion(Kind.MISSING_CONFIG_MAP, 0.2)),
    Kind.MISSING_ENV: (Confusion(Kind.INVALID_CONFIG, 0.5), Confusion(Kind.CODE_REGRESSION, 0.3)),
    Kind.INVALID_CONFIG: (
        Confusion(Kind.MISSING_ENV, 0.4),
        Confusion(Kind.CODE_REGRESSION, 0.3),
        Confusion(Kind.DEPENDENCY_WRONG_ADDRESS, 0.3, r"://|host|address"),
        Confusion(Kind.MISSING_KEY, 0.2),
    ),
    Kind.INVALID_COMMAND: (Confusion(Kind.INVALID_CONFIG, 0.4), Confusion(Kind.MISSING_ENV, 0.3)),
    Kind.CODE_REGRESSION: (
        Confusion(Kind.INVALID_CONFIG, 0.4),
        Confusion(Kind.UPSTREAM_OUTAGE, 0.3),
        Confusion(Kind.MISSING_ENV, 0.2),
    ),
    Kind.INIT_CONTAINER_FAILED: (
        Confusion(Kind.INVALID_COMMAND, 0.5),
        Confusion(Kind.DEPENDENCY_WRONG_ADDRESS, 0.4),
        Confusion(Kind.MISSING_ENV, 0.3),
    ),
    Kind.JOB_FAILED: (Confusion(Kind.CODE_REGRESSION, 0.5), Confusion(Kind.INVALID_COMMAND, 0.4)),
    Kind.ROLLOUT_STUCK: (
        Confusion(Kind.CPU_SATURATION, 0.15),
        Confusion(Kind.READINESS_PROBE_PATH, 0.15),
        Confusion(Kind.CODE_REGRESSION, 0.15),
    ),
    Kind.OOM_KILLED: (Confusion(Kind.MEMORY_LEAK, 0.6),),
    Kind.MEMORY_LEAK: (Confusion(Kind.OOM_KILLED, 0.6), Confusion(Kind.CODE_REGRESSION, 0.3)),
    Kind.CPU_SATURATION: (Confusion(Kind.TRAFFIC_SURGE, 0.6), Confusion(Kind.CODE_REGRESSION, 0.3)),
    Kind.TRAFFIC_SURGE: (Confusion(Kind.CPU_SATURATION, 0.6), Confusion(Kind.HPA_CANNOT_SCALE, 0.3)),
    Kind.HPA_CANNOT_SCALE: (Confusion(Kind.TRAFFIC_SURGE, 0.4), Confusion(Kind.CPU_SATURATION, 0.4)),
    Kind.CONNECTION_EXHAUSTION: (Confusion(Kind.CODE_REGRESSION, 0.3), Confusion(Kind.TRAFFIC_SURGE, 0.3)),
    Kind.NETWORK_DELAY: (Confusion(Kind.NODE_NETWORK_DEGRADED, 0.4), Confusion(Kind.CPU_SATURATION, 0.4)),
    Kind.NODE_NETWORK_DEGRADED: (Confusion(Kind.NETWORK_DELAY, 0.5), Confusion(Kind.NODE_NOT_READY, 0.3)),
    **_each(Kind.NODE_NOT_READY, Kind.KUBELET_DOWN, Kind.CONTAINER_RUNTIME_DOWN, share=0.4),
    Kind.KUBE_PROXY_DOWN: (Confusion(Kind.NODE_NETWORK_DEGRADED, 0.4), Confusion(Kind.NODE_NOT_READY, 0.3)),
    Kind.VOLUME_PERMISSION_DENIED: (Confusion(Kind.PERMISSION_DENIED, 0.3), Confusion(Kind.INVALID_CONFIG, 0.2)),
    Kind.PERMISSION_DENIED: (Confusion(Kind.INVALID_CREDENTIALS, 0.5),),
    Kind.INVALID_CREDENTIALS: (Confusion(Kind.PERMISSION_DENIED, 0.4), Confusion(Kind.UPSTREAM_OUTAGE, 0.2)),
    Kind.DISK_FULL: (Confusion(Kind.NODE_NOT_READY, 0.2), Confusion(Kind.READ_ONLY_DATABASE, 0.2)),
    Kind.READ_ONLY_DATABASE: (Confusion(Kind.DISK_FULL, 0.4), Confusion(Kind.PERMISSION_DENIED, 0.3)),
    Kind.DEPENDENCY_WRONG_ADDRESS: (
        Confusion(Kind.DNS_MISCONFIGURED, 0.5),
        Confusion(Kind.UPSTREAM_OUTAGE, 0.3),
        Confusion(Kind.DEPENDENCY_WRONG_PORT, 0.3, r"refused|:\d"),
    ),
    Kind.DEPENDENCY_WRONG_PORT: (
        Confusion(Kind.SERVICE_PORT_MISMATCH, 0.6),
        Confusion(Kind.DEPENDENCY_WRONG_ADDRESS, 0.4),
        Confusion(Kind.NETWORK_POLICY_BLOCKS, 0.3),
    ),
    Kind.DNS_MISCONFIGURED: (Confusion(Kind.DEPENDENCY_WRONG_ADDRESS, 0.5), Confusion(Kind.NETWORK_POLICY_BLOCKS, 0.3)),
    Kind.SERVICE_PORT_MISMATCH: (
        Confusion(Kind.DEPENDENCY_WRONG_PORT, 0.6),
        Confusion(Kind.SERVICE_PROTOCOL_MISMATCH, 0.3),
        Confusion(Kind.SERVICE_SELECTOR_MISMATCH, 0.3),
    ),
    Kind.SERVICE_SELECTOR_MISMATCH: (Confusion(Kind.SERVICE_PORT_MISMATCH, 0.3),),
    Kind.SERVICE_PROTOCOL_MISMATCH: (Confusion(Kind.SERVICE_PORT_MISMATCH, 0.6),),
    Kind.NETWORK_POLICY_BLOCKS: (
        Confusion(Kind.SERVICE_PORT_MISMATCH, 0.4),
        Confusion(Kind.DEPENDENCY_WRONG_PORT, 0.3),
        Confusion(Kind.DNS_MISCONFIGURED, 0.3),
    ),
    Kind.INGRESS_CLASS_MISSING: (Confusion(Kind.GATEWAY_MISROUTE, 0.3),),
    Kind.INGRESS_BACKEND_MISSING: (Confusion(Kind.GATEWAY_MISROUTE, 0.5),),
    Kind.TLS_SECRET_MISSING: (Confusion(Kind.CERTIFICATE_EXPIRED, 0.4),),
    Kind.GATEWAY_MISROUTE: (
        Confusion(Kind.INGRESS_BACKEND_MISSING, 0.4),
        Confusion(Kind.SERVICE_PORT_MISMATCH, 0.3),
        Confusion(Kind.DEPENDENCY_WRONG_ADDRESS, 0.3),
    ),
    Kind.CERTIFICATE_EXPIRED: (Confusion(Kind.TLS_SECRET_MISSING, 0.3), Confusion(Kind.UPSTREAM_OUTAGE, 0.4)),
    Kind.UPSTREAM_OUTAGE: (
        Confusion(Kind.DEPENDENCY_WRONG_ADDRESS, 0.4),
        Confusion(Kind.INVALID_CREDENTIALS, 0.4, _REFUSED),
        Confusion(Kind.CERTIFICATE_EXPIRED, 0.4, r"certificate|x509|tls"),
        Confusion(Kind.CODE_REGRESSION, 0.3),
    ),
    Kind.ZERO_REPLICAS: (Confusion(Kind.ROLLOUT_STUCK, 0.1),),
    Kind.PORT_CONFLICT: (Confusion(Kind.INVALID_CONFIG, 0.3),),
    Kind.PDB_BLOCKS: (Confusion(Kind.ROLLOUT_STUCK, 0.3),),
}

PLACES: dict[Kind, tuple[str, ...]] = {
    Kind.SERVICE_PORT_MISMATCH: _SERVICE,
    Kind.SERVICE_SELECTOR_MISMATCH: _SERVICE,
    Kind.SERVICE_PROTOCOL_MISMATCH: _SERVICE,
    Kind.INGRESS_CLASS_MISSING: ("Ingress",),
    Kind.INGRESS_BACKEND_MISSING: ("Ingress",),
    Kind.TLS_SECRET_MISSING: ("Ingress",),
    Kind.GATEWAY_MISROUTE: _INGRESS,
    Kind.NETWORK_POLICY_BLOCKS: ("NetworkPolicy",),
    Kind.PERMISSION_DENIED: ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", *_WORKLOAD),
    Kind.INVALID_CREDENTIALS: (*_WORKLOAD, "Secret"),
    Kind.INVALID_CONFIG: (*_WORKLOAD, "ConfigMap"),
    Kind.DEPENDENCY_WRONG_ADDRESS: (*_WORKLOAD, "ConfigMap"),
    Kind.DEPENDENCY_WRONG_PORT: (*_WORKLOAD, "ConfigMap"),
    Kind.HPA_CANNOT_SCALE: ("HorizontalPodAutoscaler", *_WORKLOAD),
    Kind.PDB_BLOCKS: ("PodDisruptionBudget",),
    Kind.DISK_FULL: (*_CLAIM, *_WORKLOAD),
    Kind.PVC_CAPACITY_MISMATCH: _CLAIM,
    Kind.PVC_SELECTOR_MISMATCH: _CLAIM,
    Kind.PVC_ACCESS_MODE_MISMATCH: _CLAIM,
    Kind.PV_ALREADY_BOUND: _CLAIM,
    Kind.STORAGE_CLASS_MISSING: _CLAIM,
    Kind.NODE_NOT_READY: _NODE,
    Kind.KUBELET_DOWN: _NODE,
    Kind.CONTAINER_RUNTIME_DOWN: _NODE,
    Kind.KUBE_PROXY_DOWN: _NODE,
    Kind.NODE_NETWORK_DEGRADED: _NODE,
    Kind.NODE_CORDONED: _NODE,
}
"""Of which kinds of object the wrong value of a fault is a part; a workload where nothing is written."""


def places(kind: Kind) -> tuple[str, ...]:
    """The kinds of object that a fault of this kind may be named at."""
    return PLACES.get(kind, _WORKLOAD)


def permitted(confusion: Confusion, told: str) -> bool:
    """Whether what the evidence says leaves room for the other kind."""
    return not confusion.needs or re.search(confusion.needs, told, re.IGNORECASE) is not None

"""Facts and what they rest on: fault kinds, evidence, findings."""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Literal

from sre_bot.domain.cluster import ObjectRef, Value


class FaultKind(StrEnum):
    """The vocabulary of causes. The object of a fault is where the wrong value stands, not where it hurts."""

    QUOTA_EXCEEDED = "quota_exceeded"
    LIMIT_RANGE_VIOLATION = "limit_range_violation"
    ADMISSION_DENIED = "admission_denied"
    MISSING_SERVICE_ACCOUNT = "missing_service_account"
    NODE_SELECTOR_MISMATCH = "node_selector_mismatch"
    NODE_AFFINITY_MISMATCH = "node_affinity_mismatch"
    POD_ANTI_AFFINITY_CONFLICT = "pod_anti_affinity_conflict"
    TAINT_NOT_TOLERATED = "taint_not_tolerated"
    NODE_CORDONED = "node_cordoned"
    INSUFFICIENT_CPU = "insufficient_cpu"
    INSUFFICIENT_MEMORY = "insufficient_memory"
    STORAGE_CLASS_MISSING = "storage_class_missing"
    PVC_CAPACITY_MISMATCH = "pvc_capacity_mismatch"
    PVC_SELECTOR_MISMATCH = "pvc_selector_mismatch"
    PVC_ACCESS_MODE_MISMATCH = "pvc_access_mode_mismatch"
    PV_ALREADY_BOUND = "pv_already_bound"
    HOST_PORT_CONFLICT = "host_port_conflict"
    IMAGE_NOT_FOUND = "image_not_found"
    IMAGE_PULL_DENIED = "image_pull_denied"
    REGISTRY_UNREACHABLE = "registry_unreachable"
    MISSING_CONFIG_MAP = "missing_config_map"
    MISSING_SECRET = "missing_secret"
    MISSING_KEY = "missing_key"
    VOLUME_PERMISSION_DENIED = "volume_permission_denied"
    INIT_CONTAINER_FAILED = "init_container_failed"
    INVALID_COMMAND = "invalid_command"
    OOM_KILLED = "oom_killed"
    LIVENESS_PROBE_PORT = "liveness_probe_port"
    LIVENESS_PROBE_PROTOCOL = "liveness_probe_protocol"
    LIVENESS_PROBE_PATH = "liveness_probe_path"
    LIVENESS_PROBE_TIMING = "liveness_probe_timing"
    READINESS_PROBE_PORT = "readiness_probe_port"
    READINESS_PROBE_PROTOCOL = "readiness_probe_protocol"
    READINESS_PROBE_PATH = "readiness_probe_path"
    MISSING_ENV = "missing_env"
    INVALID_CONFIG = "invalid_config"
    PORT_CONFLICT = "port_conflict"
    DEPENDENCY_WRONG_ADDRESS = "dependency_wrong_address"
    DEPENDENCY_WRONG_PORT = "dependency_wrong_port"
    INVALID_CREDENTIALS = "invalid_credentials"
    PERMISSION_DENIED = "permission_denied"
    DISK_FULL = "disk_full"
    READ_ONLY_DATABASE = "read_only_database"
    CONNECTION_EXHAUSTION = "connection_exhaustion"
    CPU_SATURATION = "cpu_saturation"
    MEMORY_LEAK = "memory_leak"
    NETWORK_DELAY = "network_delay"
    CODE_REGRESSION = "code_regression"
    SERVICE_SELECTOR_MISMATCH = "service_selector_mismatch"
    SERVICE_PORT_MISMATCH = "service_port_mismatch"
    SERVICE_PROTOCOL_MISMATCH = "service_protocol_mismatch"
    DNS_MISCONFIGURED = "dns_misconfigured"
    INGRESS_CLASS_MISSING = "ingress_class_missing"
    INGRESS_BACKEND_MISSING = "ingress_backend_missing"
    TLS_SECRET_MISSING = "tls_secret_missing"
    NETWORK_POLICY_BLOCKS = "network_policy_blocks"
    GATEWAY_MISROUTE = "gateway_misroute"
    ZERO_REPLICAS = "zero_replicas"
    HPA_CANNOT_SCALE = "hpa_cannot_scale"
    PDB_BLOCKS = "pdb_blocks"
    ROLLOUT_STUCK = "rollout_stuck"
    JOB_FAILED = "job_failed"
    CRONJOB_SUSPENDED = "cronjob_suspended"
    NODE_NOT_READY = "node_not_ready"
    KUBELET_DOWN = "kubelet_down"
    CONTAINER_RUNTIME_DOWN = "container_runtime_down"
    KUBE_PROXY_DOWN = "kube_proxy_down"
    SCHEDULER_DOWN = "scheduler_down"
    NODE_NETWORK_DEGRADED = "node_network_degraded"
    CERTIFICATE_EXPIRED = "certificate_expired"
    UPSTREAM_OUTAGE = "upstream_outage"
    TRAFFIC_SURGE = "traffic_surge"
    CONFIG_DRIFT = "config_drift"
    HEALTHY = "healthy"
    RECOVERED = "recovered"


Source = Literal["object", "event", "log", "metric", "commit", "manifest", "deployment"]


class Evidence(Value):
    """One thing that was seen, literally, and where.

    ``excerpt`` is copied from the source, at most 500 characters. ``subject`` is ``Kind/namespace/name`` for cluster
    evidence, a commit's sha, or a path. ``locator`` is a field path, an event's reason or a line number.
    """

    id: str
    source: Source
    subject: str
    locator: str
    excerpt: str
    at: datetime | None = None

    @classmethod
    def seen(
        cls, source: Source, subject: str | ObjectRef, locator: str, excerpt: str, at: datetime | None = None
    ) -> "Evidence":
        """Evidence whose id is a digest of what was seen, so that the same sight has the same id in any order."""
        excerpt = excerpt.strip()[:500]
        digest = hashlib.sha256("\0".join((source, str(subject), locator, excerpt)).encode()).hexdigest()[:10]
        return cls(
            id=f"{source}-{digest}", source=source, subject=str(subject), locator=locator, excerpt=excerpt, at=at
        )


Directness = Literal["stated", "inferred", "logged"]


class Finding(Value):
    """One fact about one object: what stands there, and what would have to.

    ``directness``: the object or its events say so; inferred by comparing objects; only a log says so.
    ``field`` is the path in the object that the manifest would have (``spec.ports[0].targetPort``), empty where no
    single field is to blame. ``hurts`` lists the objects that suffer from it, the named object apart.
    """

    kind: FaultKind
    object: ObjectRef
    field: str
    observed: str
    expected: str
    message: str
    directness: Directness
    evidence: tuple[Evidence, ...]
    since: datetime | None = None
    container: str = ""
    hurts: tuple[ObjectRef, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two findings the same fault: kind, object and field."""
        return (self.kind, str(self.object), self.field)

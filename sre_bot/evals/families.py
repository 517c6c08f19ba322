"""Fault families: which kinds are of one sort, for totals and pictures. A folder may name its own instead."""

from sre_bot.domain.finding import FaultKind
from sre_bot.lab.recording import Expectation

_MEMBERS: dict[str, tuple[str, ...]] = {
    "access": (
        *("quota_exceeded", "limit_range_violation", "admission_denied", "missing_service_account"),
        "permission_denied",
    ),
    "scheduling": (
        *("node_selector_mismatch", "node_affinity_mismatch", "pod_anti_affinity_conflict", "taint_not_tolerated"),
        *("insufficient_cpu", "insufficient_memory"),
    ),
    "storage": (
        *("storage_class_missing", "pvc_capacity_mismatch", "pvc_selector_mismatch", "pvc_access_mode_mismatch"),
        *("pv_already_bound", "volume_permission_denied"),
    ),
    "images": ("image_not_found", "image_pull_denied", "registry_unreachable"),
    "configuration": (
        *("missing_config_map", "missing_secret", "missing_key", "missing_env", "invalid_config", "invalid_command"),
        "port_conflict",
    ),
    "code": ("code_regression",),
    "probes": (
        *("liveness_probe_port", "liveness_probe_protocol", "liveness_probe_path", "liveness_probe_timing"),
        *("readiness_probe_port", "readiness_probe_protocol", "readiness_probe_path"),
    ),
    "dependencies": (
        *("dependency_wrong_address", "dependency_wrong_port", "invalid_credentials", "read_only_database"),
        *("connection_exhaustion", "upstream_outage", "certificate_expired"),
    ),
    "resources": ("oom_killed", "memory_leak", "cpu_saturation", "disk_full", "traffic_surge"),
    "networking": (
        *("service_selector_mismatch", "service_port_mismatch", "service_protocol_mismatch", "dns_misconfigured"),
        *("ingress_class_missing", "ingress_backend_missing", "tls_secret_missing", "network_policy_blocks"),
        *("gateway_misroute", "network_delay", "host_port_conflict"),
    ),
    "rollouts": ("rollout_stuck", "zero_replicas", "pdb_blocks"),
    "autoscaling": ("hpa_cannot_scale",),
    "jobs": ("job_failed", "cronjob_suspended", "init_container_failed"),
    "drift": ("config_drift",),
    "nodes": (
        *("node_not_ready", "node_cordoned", "kubelet_down", "container_runtime_down", "kube_proxy_down"),
        *("scheduler_down", "node_network_degraded"),
    ),
    "calm": ("healthy", "recovered"),
}
FAMILIES: dict[FaultKind, str] = {FaultKind(kind): name for name, kinds in _MEMBERS.items() for kind in kinds}
"""The family of every fault kind."""


def family_of(expect: Expectation) -> str:
    """The family of an incident that names none: its first cause's, or ``unnamed`` where no cause is expected."""
    kinds = [cause.kind for cause in expect.root_cause]
    return FAMILIES.get(FaultKind(kinds[0]), "other") if kinds and kinds[0] in FAMILIES else "unnamed"

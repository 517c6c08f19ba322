"""Columns of nodes, namespaces, configuration, storage and roles."""

from datetime import datetime
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cells import (
    AGE,
    CREATED_AT,
    NAME,
    NONE,
    UNSET,
    CellOf,
    Column,
    access_modes,
    joined,
    look_up,
    text,
)

_ROLE = "node-role.kubernetes.io/"


def _node_status(node: KubernetesObject, now: datetime) -> str:
    conditions = look_up(node, "status.conditions", [])
    ready = next((item["status"] for item in conditions if item["type"] == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    return ",".join(words + (["SchedulingDisabled"] if look_up(node, "spec.unschedulable") else []))


def _roles(node: KubernetesObject, now: datetime) -> str:
    labels: dict[str, str] = look_up(node, "metadata.labels", {})
    roles = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)}
    return joined(sorted(roles | {labels[key] for key in ("kubernetes.io/role",) if key in labels}))


def _address(kind: str) -> CellOf:
    def cell(node: KubernetesObject, now: datetime) -> str:
        addresses = look_up(node, "status.addresses", [])
        return next((item["address"] for item in addresses if item["type"] == kind), NONE)

    return cell


def _entries(thing: KubernetesObject, now: datetime) -> int:
    return len(thing.get("data") or ()) + len(thing.get("binaryData") or ())


def _secrets(account: KubernetesObject, now: datetime) -> int:
    return len(account.get("secrets") or ())


def _claim(volume: KubernetesObject, now: datetime) -> str:
    claim = look_up(volume, "spec.claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


def _claim_status(claim: KubernetesObject, now: datetime) -> str:
    return "Terminating" if claim["metadata"].get("deletionTimestamp") else look_up(claim, "status.phase", "")


def _bound(claim: KubernetesObject, path: str) -> Any:
    return look_up(claim, path) if look_up(claim, "spec.volumeName") else None


def _claim_capacity(claim: KubernetesObject, now: datetime) -> str:
    return str(_bound(claim, "status.capacity.storage") or "")


def _claim_modes(claim: KubernetesObject, now: datetime) -> str:
    return access_modes(_bound(claim, "status.accessModes"))


def _class_name(thing: KubernetesObject, now: datetime) -> str:
    default = look_up(thing, "metadata.annotations", {}).get("storageclass.kubernetes.io/is-default-class")
    return thing["metadata"]["name"] + (" (default)" if default == "true" else "")


def _quota(*, limits_only: bool) -> CellOf:
    def cell(quota: KubernetesObject, now: datetime) -> str:
        hard, used = look_up(quota, "status.hard", {}), look_up(quota, "status.used", {})
        limits = {name for name in hard if name.startswith("limits.")}
        names = sorted(limits if limits_only else set(hard) - limits)
        return ", ".join(f"{name}: {used.get(name, 0)}/{hard[name]}" for name in names)

    return cell


def _webhooks(thing: KubernetesObject, now: datetime) -> int:
    return len(thing.get("webhooks") or ())


def _role(binding: KubernetesObject, now: datetime) -> str:
    return f"{look_up(binding, 'roleRef.kind', '')}/{look_up(binding, 'roleRef.name', '')}"


_WEBHOOKS = (NAME, Column("Webhooks", _webhooks, type="integer"), AGE)
_BINDING = (NAME, Column("Role", _role), AGE)
_NAMED = (NAME, CREATED_AT)

CLUSTER_COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "Node"): (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _roles),
        AGE,
        text("Version", "status.nodeInfo.kubeletVersion", ""),
        Column("Internal-IP", _address("InternalIP"), wide=True),
        Column("External-IP", _address("ExternalIP"), wide=True),
        text("OS-Image", "status.nodeInfo.osImage", "<unknown>", wide=True),
        text("Kernel-Version", "status.nodeInfo.kernelVersion", "<unknown>", wide=True),
        text("Container-Runtime", "status.nodeInfo.containerRuntimeVersion", "<unknown>", wide=True),
    ),
    ("", "Namespace"): (NAME, text("Status", "status.phase", ""), AGE),
    ("", "ConfigMap"): (NAME, Column("Data", _entries, type="integer"), AGE),
    ("", "Secret"): (NAME, text("Type", "type", "Opaque"), Column("Data", _entries, type="integer"), AGE),
    ("", "ServiceAccount"): (NAME, Column("Secrets", _secrets, type="integer"), AGE),
    ("", "ResourceQuota"): (
        NAME,
        Column("Request", _quota(limits_only=False)),
        Column("Limit", _quota(limits_only=True)),
        AGE,
    ),
    ("", "LimitRange"): _NAMED,
    ("", "PersistentVolumeClaim"): (
        NAME,
        Column("Status", _claim_status),
        text("Volume", "spec.volumeName", ""),
        Column("Capacity", _claim_capacity),
        Column("Access Modes", _claim_modes),
        text("StorageClass", "spec.storageClassName", ""),
        text("VolumeAttributesClass", "spec.volumeAttributesClassName", UNSET),
        AGE,
        text("VolumeMode", "spec.volumeMode", UNSET, wide=True),
    ),
    ("", "PersistentVolume"): (
        NAME,
        text("Capacity", "spec.capacity.storage", ""),
        Column("Access Modes", lambda thing, now: access_modes(look_up(thing, "spec.accessModes"))),
        text("Reclaim Policy", "spec.persistentVolumeReclaimPolicy", ""),
        text("Status", "status.phase", ""),
        Column("Claim", _claim),
        text("StorageClass", "spec.storageClassName", ""),
        text("VolumeAttributesClass", "spec.volumeAttributesClassName", UNSET),
        text("Reason", "status.reason", ""),
        AGE,
        text("VolumeMode", "spec.volumeMode", UNSET, wide=True),
    ),
    ("storage.k8s.io", "StorageClass"): (
        Column("Name", _class_name),
        text("Provisioner", "provisioner"),
        text("ReclaimPolicy", "reclaimPolicy", "Delete"),
        text("VolumeBindingMode", "volumeBindingMode", UNSET),
        Column("AllowVolumeExpansion", lambda thing, now: str(bool(thing.get("allowVolumeExpansion"))).lower()),
        AGE,
    ),
    ("coordination.k8s.io", "Lease"): (NAME, text("Holder", "spec.holderIdentity", ""), AGE),
    ("rbac.authorization.k8s.io", "Role"): _NAMED,
    ("rbac.authorization.k8s.io", "ClusterRole"): _NAMED,
    ("rbac.authorization.k8s.io", "RoleBinding"): _BINDING,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _BINDING,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _NAMED,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _WEBHOOKS,
}

"""Health as Argo CD judges it, kind by kind, from what stands in the cluster."""

from dataclasses import dataclass
from typing import Literal

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.pods import is_ready
from sre_bot.lab.workload_status import generation_of, wanted_replicas

HealthStatus = Literal["Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"]
_WORST_LAST: tuple[HealthStatus, ...] = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")


@dataclass(frozen=True, slots=True)
class Health:
    """A status and why."""

    status: HealthStatus
    message: str = ""


HEALTHY = Health("Healthy")


def worst(healths: list[Health]) -> Health:
    """The health of a whole: that of its worst part; Healthy for no parts."""
    return max(healths, key=lambda health: _WORST_LAST.index(health.status), default=HEALTHY)


def health_of(thing: KubernetesObject | None) -> Health | None:
    """The health of one live object; None for kinds that have none."""
    if thing is None:
        return Health("Missing")
    judge = _JUDGES.get(thing["kind"])
    return judge(thing) if judge else None


def _deployment(thing: KubernetesObject) -> Health:
    status, wanted = thing.get("status") or {}, wanted_replicas(thing)
    if (thing.get("spec") or {}).get("paused"):
        return Health("Suspended", "Deployment is paused")
    if status.get("observedGeneration", 0) < generation_of(thing):
        return Health(
            "Progressing", "Waiting for rollout to finish: observed deployment generation less than desired generation"
        )
    if any(one.get("reason") == "ProgressDeadlineExceeded" for one in status.get("conditions") or ()):
        return Health("Degraded", f'Deployment "{thing["metadata"]["name"]}" exceeded its progress deadline')
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    rollout = "Waiting for rollout to finish: "
    if updated < wanted:
        return Health("Progressing", f"{rollout}{updated} out of {wanted} new replicas have been updated...")
    if status.get("replicas", 0) > updated:
        pending = status["replicas"] - updated
        return Health("Progressing", f"{rollout}{pending} old replicas are pending termination...")
    if available < updated:
        return Health("Progressing", f"{rollout}{available} of {updated} updated replicas are available...")
    return HEALTHY


def _stateful_set(thing: KubernetesObject) -> Health:
    status, wanted = thing.get("status") or {}, wanted_replicas(thing)
    if status.get("readyReplicas", 0) < wanted:
        return Health("Progressing", f"Waiting for {wanted - status.get('readyReplicas', 0)} pods to be ready...")
    return HEALTHY


def _daemon_set(thing: KubernetesObject) -> Health:
    status = thing.get("status") or {}
    wanted, available = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
    if available < wanted:
        name = thing["metadata"]["name"]
        waiting = f'Waiting for daemon set "{name}" rollout to finish'
        return Health("Progressing", f"{waiting}: {available} of {wanted} updated pods are available...")
    return HEALTHY


def _replica_set(thing: KubernetesObject) -> Health:
    status = thing.get("status") or {}
    failure = next((one for one in status.get("conditions") or () if one["type"] == "ReplicaFailure"), None)
    if failure:
        return Health("Degraded", failure.get("message", ""))
    if status.get("availableReplicas", 0) < wanted_replicas(thing):
        return Health("Progressing", "Waiting for rollout to finish: replicas are not available...")
    return HEALTHY


def _job(thing: KubernetesObject) -> Health:
    conditions = {
        one["type"]: one for one in (thing.get("status") or {}).get("conditions") or () if one["status"] == "True"
    }
    if "Failed" in conditions:
        return Health("Degraded", conditions["Failed"].get("message", ""))
    if "Suspended" in conditions:
        return Health("Suspended", conditions["Suspended"].get("message", ""))
    return HEALTHY if "Complete" in conditions else Health("Progressing", "Job is in progress")


def _pod(thing: KubernetesObject) -> Health:
    status = thing.get("status") or {}
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason.startswith("Err") or reason.endswith(("Error", "BackOff")):
            return Health("Degraded", waiting.get("message", reason))
    match status.get("phase"):
        case "Succeeded":
            return HEALTHY
        case "Failed":
            return Health("Degraded", status.get("message", ""))
        case "Running" if is_ready(thing):
            return HEALTHY
        case _:
            return Health("Progressing", status.get("message", ""))


def _claim(thing: KubernetesObject) -> Health:
    phase = (thing.get("status") or {}).get("phase")
    return {"Bound": HEALTHY, "Lost": Health("Degraded")}.get(str(phase), Health("Progressing"))


def _autoscaler(thing: KubernetesObject) -> Health:
    conditions = (thing.get("status") or {}).get("conditions") or ()
    failed = [one for one in conditions if one["type"] in ("AbleToScale", "ScalingActive") and one["status"] == "False"]
    return Health("Degraded", failed[0].get("message", "")) if failed else HEALTHY


def _always(thing: KubernetesObject) -> Health:
    return HEALTHY


_JUDGES = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "ReplicaSet": _replica_set,
    "Job": _job,
    "Pod": _pod,
    "PersistentVolumeClaim": _claim,
    "HorizontalPodAutoscaler": _autoscaler,
    "Service": _always,
    "Ingress": _always,
}

"""The statuses of workloads, derived from their pods as the controllers derive them."""

from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.pods import is_ready

Json = dict[str, Any]


def deployment_status(
    deployment: KubernetesObject,
    updated: list[KubernetesObject],
    old: list[KubernetesObject],
    replica_set: str,
    now: str,
    *,
    timed_out: bool = False,
) -> Json:
    """The status of a Deployment with these pods of its newest ReplicaSet and of older ones."""
    wanted = wanted_replicas(deployment)
    available = sum(map(is_ready, [*updated, *old]))
    complete = len(updated) == wanted and sum(map(is_ready, updated)) == wanted and not old
    counts = {
        "replicas": len(updated) + len(old),
        "updatedReplicas": len(updated),
        "readyReplicas": available,
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
    }
    minimum = available >= wanted - wanted // 4
    conditions = [
        _condition("Available", minimum, f"MinimumReplicas{'A' if minimum else 'Una'}vailable", _available(minimum)),
        _progressing(replica_set, complete, timed_out),
    ]
    return {
        "observedGeneration": generation_of(deployment),
        **{name: count for name, count in counts.items() if count},
        "conditions": _dated(conditions, deployment, now),
    }


def replica_set_status(replica_set: KubernetesObject, pods: list[KubernetesObject]) -> Json:
    """The status of a ReplicaSet with these pods."""
    ready = sum(map(is_ready, pods))
    counts = {"fullyLabeledReplicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
    return {
        "observedGeneration": generation_of(replica_set),
        "replicas": len(pods),
        **{name: count for name, count in counts.items() if count},
    }


def stateful_set_status(workload: KubernetesObject, pods: list[KubernetesObject], revision: str) -> Json:
    """The status of a StatefulSet whose pods all are of one revision."""
    ready = sum(map(is_ready, pods))
    counts = {"readyReplicas": ready, "currentReplicas": len(pods), "updatedReplicas": len(pods)}
    return {
        "observedGeneration": generation_of(workload),
        "replicas": len(pods),
        "availableReplicas": ready,
        "collisionCount": 0,
        "currentRevision": revision,
        "updateRevision": revision,
        **{name: count for name, count in counts.items() if count},
    }


def daemon_set_status(workload: KubernetesObject, pods: list[KubernetesObject]) -> Json:
    """The status of a DaemonSet with these pods, one for each node that wants one."""
    ready = sum(map(is_ready, pods))
    counts = {"numberAvailable": ready, "numberUnavailable": len(pods) - ready}
    return {
        "observedGeneration": generation_of(workload),
        "currentNumberScheduled": len(pods),
        "desiredNumberScheduled": len(pods),
        "numberMisscheduled": 0,
        "numberReady": ready,
        "updatedNumberScheduled": len(pods),
        **{name: count for name, count in counts.items() if count},
    }


def job_status(pods: list[KubernetesObject], now: str) -> Json:
    """The status of a Job: complete once all its pods succeeded, else active."""
    done = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Succeeded"]
    if len(done) < len(pods):
        return {"active": len(pods) - len(done), "ready": sum(map(is_ready, pods)), "startTime": now}
    kinds = ("SuccessCriteriaMet", "Complete")
    reached = "Reached expected number of succeeded pods"
    conditions = [_condition(kind, True, "CompletionsReached", reached) for kind in kinds]
    return {
        "startTime": now,
        "completionTime": now,
        "succeeded": len(done),
        "ready": 0,
        "conditions": [{**one, "lastProbeTime": now, "lastTransitionTime": now} for one in conditions],
    }


def wanted_replicas(workload: KubernetesObject) -> int:
    """How many replicas the spec asks for; 1 where it says nothing."""
    replicas = (workload.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def generation_of(thing: KubernetesObject) -> int:
    """The generation of an object's spec."""
    return int(thing["metadata"].get("generation") or 1)


def _progressing(replica_set: str, complete: bool, timed_out: bool) -> Json:
    if timed_out and not complete:
        text = f'ReplicaSet "{replica_set}" has timed out progressing.'
        return _condition("Progressing", False, "ProgressDeadlineExceeded", text)
    text = "has successfully progressed." if complete else "is progressing."
    reason = "NewReplicaSetAvailable" if complete else "ReplicaSetUpdated"
    return _condition("Progressing", True, reason, f'ReplicaSet "{replica_set}" {text}')


def _available(minimum: bool) -> str:
    return f"Deployment {'has' if minimum else 'does not have'} minimum availability."


def _condition(kind: str, true: bool, reason: str, message: str) -> Json:
    return {"type": kind, "status": "True" if true else "False", "reason": reason, "message": message}


def _dated(conditions: list[Json], thing: KubernetesObject, now: str) -> list[Json]:
    before = {one["type"]: one for one in (thing.get("status") or {}).get("conditions") or ()}
    dated: list[Json] = []
    for condition in conditions:
        known = before.get(condition["type"], {})
        kept = known.get("status") == condition["status"]
        since = known.get("lastTransitionTime", now) if kept else now
        dated.append({**condition, "lastUpdateTime": now, "lastTransitionTime": since})
    return dated

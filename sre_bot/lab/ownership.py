"""Who made whom: workloads, their ReplicaSets and Jobs, and their pods."""

from collections.abc import Iterable

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cluster import Key, key_of

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob")
REVISION = "deployment.kubernetes.io/revision"
Objects = dict[Key, KubernetesObject]


def top_workloads(objects: Objects) -> list[KubernetesObject]:
    """The workloads that no other workload controls, bare pods included, by name."""
    candidates = [thing for key, thing in objects.items() if key[1] in (*WORKLOADS, "Pod")]
    found = [thing for thing in candidates if (controller_of(thing) or ("", ""))[0] not in WORKLOADS]
    selected = {key_of(pod) for workload in found for pod in _selected(objects, workload)}
    return sorted((thing for thing in found if key_of(thing) not in selected), key=key_of)


def controller_of(thing: KubernetesObject) -> tuple[str, str] | None:
    """Kind and name of the controlling owner."""
    owners = thing["metadata"].get("ownerReferences") or ()
    return next(((owner["kind"], owner["name"]) for owner in owners if owner.get("controller", True)), None)


def children(objects: Objects, owner: KubernetesObject, kind: str) -> list[KubernetesObject]:
    """The objects of a kind that an object controls, by name."""
    wanted = (owner["kind"], owner["metadata"]["name"])
    namespace = owner["metadata"].get("namespace", "")
    found = (thing for key, thing in objects.items() if key[1] == kind and key[2] == namespace)
    return sorted((thing for thing in found if controller_of(thing) == wanted), key=key_of)


def pods_of(objects: Objects, workload: KubernetesObject) -> list[KubernetesObject]:
    """All pods of a workload, through its ReplicaSets or Jobs, by name; a bare pod is its own."""
    if workload["kind"] == "Pod":
        return [workload]
    between = {"Deployment": "ReplicaSet", "CronJob": "Job"}.get(workload["kind"])
    owners = [workload] if between is None else children(objects, workload, between)
    owned = [pod for owner in owners for pod in children(objects, owner, "Pod")]
    return owned or _selected(objects, workload)


def newest_replica_set(objects: Objects, deployment: KubernetesObject) -> KubernetesObject | None:
    """The ReplicaSet of a Deployment's highest revision, the younger one where they are equal."""
    sets = children(objects, deployment, "ReplicaSet")
    return max(sets, key=lambda one: (revision_of(one), one["metadata"].get("creationTimestamp", "")), default=None)


def revision_of(thing: KubernetesObject) -> int:
    """The revision that a Deployment or ReplicaSet is annotated with, 0 without."""
    return int((thing["metadata"].get("annotations") or {}).get(REVISION) or 0)


def newest_pods(objects: Objects, workload: KubernetesObject) -> list[KubernetesObject]:
    """The pods of a workload's newest generation."""
    newest = newest_replica_set(objects, workload) if workload["kind"] == "Deployment" else None
    return children(objects, newest, "Pod") if newest else pods_of(objects, workload)


def by_key(things: Iterable[KubernetesObject]) -> Objects:
    """Objects by their key."""
    return {key_of(thing): thing for thing in things}


def _selected(objects: Objects, workload: KubernetesObject) -> list[KubernetesObject]:
    """Pods without an owner that a workload's selector matches; recordings made from text lack the owners."""
    selector = (workload.get("spec") or {}).get("selector") or {}
    wanted = selector.get("matchLabels") if isinstance(selector.get("matchLabels"), dict) else None
    if not wanted or workload["kind"] not in WORKLOADS:
        return []
    namespace = workload["metadata"].get("namespace", "")
    pods = (thing for key, thing in objects.items() if key[1] == "Pod" and key[2] == namespace)
    return sorted(
        (
            pod
            for pod in pods
            if not controller_of(pod) and wanted.items() <= (pod["metadata"].get("labels") or {}).items()
        ),
        key=key_of,
    )

"""Pods as the lab's cluster makes them: names, specs from a template, and the statuses of good pods."""

import copy
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cluster import Cluster

Json = dict[str, Any]
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
_TOLERATIONS = [
    {"effect": "NoExecute", "key": f"node.kubernetes.io/{key}", "operator": "Exists", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]
_SPEC_DEFAULTS: Json = {
    "dnsPolicy": "ClusterFirst",
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "serviceAccountName": "default",
    "terminationGracePeriodSeconds": 30,
    "tolerations": _TOLERATIONS,
}


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a pod: a ReplicaSet, StatefulSet, DaemonSet or Job."""

    api_version: str
    kind: str
    name: str
    uid: str

    @classmethod
    def of(cls, thing: KubernetesObject) -> "Owner":
        """The owner that an object is."""
        return cls(thing["apiVersion"], thing["kind"], thing["metadata"]["name"], thing["metadata"]["uid"])

    @property
    def reference(self) -> Json:
        """As ``ownerReferences`` print it."""
        return {
            "apiVersion": self.api_version,
            "blockOwnerDeletion": True,
            "controller": True,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
        }


def short_hash(value: Any, length: int = 10) -> str:
    """A name's suffix in the alphabet that Kubernetes uses, the same for the same value."""
    digest = hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).digest()
    return "".join(_SAFE[byte % len(_SAFE)] for byte in digest[:length])


def new_pod(
    name: str, namespace: str, template: Json, owner: Owner | None, labels: Json, node: str, now: str
) -> KubernetesObject:
    """A pod from a template, bound to a node; its status is ``starting``."""
    metadata: Json = {"name": name, "namespace": namespace, "creationTimestamp": now}
    told = template.get("metadata") or {}
    metadata["labels"] = {**(told.get("labels") or {}), **labels}
    if told.get("annotations"):
        metadata["annotations"] = copy.deepcopy(told["annotations"])
    if owner:
        metadata["ownerReferences"] = [owner.reference]
        metadata["generateName"] = f"{owner.name}-"
    spec = {**copy.deepcopy(_SPEC_DEFAULTS), **copy.deepcopy(template.get("spec") or {}), "nodeName": node}
    pod: KubernetesObject = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    pod["status"] = starting(pod, now)
    return pod


def starting(pod: KubernetesObject, now: str) -> Json:
    """The status of a pod that was scheduled a moment ago."""
    names = [container["name"] for container in pod["spec"].get("containers") or ()]
    unready: Json = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(names)}]"}
    waiting: Json = {"waiting": {"reason": "ContainerCreating"}}
    return {
        "phase": "Pending",
        "conditions": [
            _condition("PodReadyToStartContainers", False, now),
            _condition("Initialized", True, now),
            {**_condition("Ready", False, now), **unready},
            {**_condition("ContainersReady", False, now), **unready},
            _condition("PodScheduled", True, now),
        ],
        "qosClass": _qos_class(pod),
        "startTime": now,
        "containerStatuses": [
            _container_status(pod, c, waiting, ready=False) for c in pod["spec"].get("containers") or ()
        ],
    }


def running(pod: KubernetesObject, now: str, host_ip: str) -> Json:
    """The status of a pod that is Ready and never restarted."""
    address = pod_address(pod)
    status: Json = {
        **starting(pod, now),
        "phase": "Running",
        "conditions": [_condition(kind, True, now) for kind in _ALL_TRUE],
        "hostIP": host_ip,
        "podIP": address,
        "podIPs": [{"ip": address}],
    }
    on: Json = {"running": {"startedAt": now}}
    status["containerStatuses"] = [
        _container_status(pod, c, on, ready=True) for c in pod["spec"].get("containers") or ()
    ]
    if pod["spec"].get("initContainers"):
        status["initContainerStatuses"] = [
            _container_status(pod, c, on if c.get("restartPolicy") == "Always" else _ended(now), ready=True)
            for c in pod["spec"]["initContainers"]
        ]
    return status


def succeeded(pod: KubernetesObject, now: str, host_ip: str) -> Json:
    """The status of a job's pod that has done its work."""
    status = running(pod, now, host_ip)
    done: Json = {"reason": "PodCompleted"}
    for condition in status["conditions"]:
        if condition["type"] in ("Ready", "ContainersReady"):
            condition.update({"status": "False", **done})
    for container in status["containerStatuses"]:
        container.update({"ready": False, "started": False, "state": _ended(now)})
    return {**status, "phase": "Succeeded"}


def is_ready(pod: KubernetesObject) -> bool:
    """Whether the pod's Ready condition is true."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def is_sound(pod: KubernetesObject, since: str) -> bool:
    """Whether nothing is wrong with a pod: it is done, or it is Ready and has not restarted since a moment."""
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded":
        return True
    containers = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return is_ready(pod) and not any(_restarted(container, since) for container in containers)


def _restarted(container: Json, since: str) -> bool:
    ended = (container.get("lastState") or {}).get("terminated") or {}
    return bool(container.get("restartCount")) and str(ended.get("finishedAt") or since) >= since


def pod_address(pod: KubernetesObject) -> str:
    """The pod's IP; where it has none yet, the one that its name and birth give it."""
    known = (pod.get("status") or {}).get("podIP")
    if known:
        return str(known)
    metadata = pod["metadata"]
    digest = hashlib.sha256(
        f"{metadata.get('namespace')}/{metadata['name']}/{metadata.get('creationTimestamp')}".encode()
    )
    return f"10.244.{digest.digest()[0]}.{2 + digest.digest()[1] % 250}"


def choose_node(cluster: Cluster, template: Json, preferred: str = "") -> tuple[str, str]:
    """A node for a pod, and its address: the preferred one, else the first that fits, else any."""
    nodes = cluster.of_kind("Node")
    wanted = (template.get("spec") or {}).get("nodeSelector") or {}
    fitting = [
        node for node in nodes if _takes_pods(node) and wanted.items() <= (node["metadata"].get("labels") or {}).items()
    ]
    for node in sorted(fitting or nodes, key=lambda node: node["metadata"]["name"] != preferred):
        addresses = (node.get("status") or {}).get("addresses") or ()
        address = next((one["address"] for one in addresses if one["type"] == "InternalIP"), "10.0.0.10")
        return node["metadata"]["name"], address
    return preferred or "worker-1", "10.0.0.10"


_ALL_TRUE = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def _takes_pods(node: KubernetesObject) -> bool:
    spec = node.get("spec") or {}
    repelling = [taint for taint in spec.get("taints") or () if taint.get("effect") in ("NoSchedule", "NoExecute")]
    return not spec.get("unschedulable") and not repelling


def _condition(kind: str, true: bool, now: str) -> Json:
    return {"type": kind, "status": "True" if true else "False", "lastProbeTime": None, "lastTransitionTime": now}


def _container_status(pod: KubernetesObject, container: Json, state: Json, *, ready: bool) -> Json:
    started = "running" in state
    image = container.get("image", "")
    identity = hashlib.sha256(f"{pod['metadata']['name']}/{container['name']}".encode()).hexdigest()
    known = started or "terminated" in state
    return {
        "name": container["name"],
        "image": image,
        "imageID": _image_id(image) if known else "",
        "containerID": f"containerd://{identity}" if known else "",
        "ready": ready,
        "started": started,
        "restartCount": 0,
        "state": copy.deepcopy(state),
        "lastState": {},
    }


def _image_id(image: str) -> str:
    return f"{image.partition('@')[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def _ended(now: str) -> Json:
    return {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}}


def _qos_class(pod: KubernetesObject) -> str:
    resources = [container.get("resources") or {} for container in pod["spec"].get("containers") or ()]
    if not any(one.get("limits") or one.get("requests") for one in resources):
        return "BestEffort"
    limits = [one.get("limits") or {} for one in resources]
    full = all({"cpu", "memory"} <= limit.keys() for limit in limits)
    equal = all((one.get("requests") or one.get("limits")) == one.get("limits") for one in resources)
    return "Guaranteed" if full and equal else "Burstable"

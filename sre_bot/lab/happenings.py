"""Ordinary events and log lines of the lab's cluster: scaling, scheduling, starting."""

from sre_bot.domain.cluster import ContainerLog, KubernetesObject
from sre_bot.lab.cluster import Cluster
from sre_bot.lab.pods import short_hash


def record(cluster: Cluster, about: KubernetesObject, reason: str, message: str, component: str) -> None:
    """Write a Normal event, as of now."""
    metadata, now = about["metadata"], cluster.clock.stamp()
    namespace = metadata.get("namespace", "default")
    name = f"{metadata['name']}.{short_hash([about['kind'], metadata['name'], reason, message, cluster.version], 16)}"
    cluster.put(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": now},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "namespace": metadata.get("namespace", ""),
                "uid": metadata.get("uid", ""),
            },
            "reason": reason,
            "message": message,
            "type": "Normal",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": "",
        }
    )


def record_scaling(cluster: Cluster, deployment: KubernetesObject, replica_set: str, before: int, after: int) -> None:
    """Tell that a Deployment scaled one of its ReplicaSets."""
    direction = "up" if after > before else "down"
    message = f"Scaled {direction} replica set {replica_set} from {before} to {after}"
    record(cluster, deployment, "ScalingReplicaSet", message, "deployment-controller")


def record_creation(cluster: Cluster, owner: KubernetesObject | None, pod: KubernetesObject) -> None:
    """Tell that a pod was created and scheduled."""
    if owner:
        name = pod["metadata"]["name"]
        record(cluster, owner, "SuccessfulCreate", f"Created pod: {name}", f"{owner['kind'].lower()}-controller")
    place = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    message = f"Successfully assigned {place} to {pod['spec'].get('nodeName', '')}"
    record(cluster, pod, "Scheduled", message, "default-scheduler")


def record_start(cluster: Cluster, pod: KubernetesObject) -> None:
    """Tell that a pod's containers were started."""
    for container in pod["spec"].get("containers") or ():
        image, name = container.get("image", ""), container["name"]
        record(cluster, pod, "Pulled", f'Container image "{image}" already present on machine', "kubelet")
        record(cluster, pod, "Created", f"Created container: {name}", "kubelet")
        record(cluster, pod, "Started", f"Started container {name}", "kubelet")


def quiet_logs(cluster: Cluster, pod: KubernetesObject) -> None:
    """Let a pod's containers log a couple of ordinary lines and nothing else."""
    namespace, name = pod["metadata"].get("namespace", ""), pod["metadata"]["name"]
    now = cluster.clock.stamp()
    for container in pod["spec"].get("containers") or ():
        text = f"{now} INFO {container['name']} started\n{now} INFO {container['name']} is serving\n"
        cluster.put_log(ContainerLog(namespace=namespace, pod=name, container=container["name"], text=text))
        cluster.logs.pop((namespace, name, container["name"], True), None)

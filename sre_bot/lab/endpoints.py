"""Endpoints and EndpointSlices, filled from selectors, target ports and readiness as the controllers fill them."""

from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cluster import Cluster
from sre_bot.lab.pods import is_ready, short_hash

Json = dict[str, Any]


def refresh_endpoints(cluster: Cluster) -> None:
    """Bring the endpoints of every Service with a selector up to date with the pods."""
    for service in cluster.of_kind("Service"):
        spec = service.get("spec") or {}
        if not spec.get("selector") or spec.get("type") == "ExternalName":
            continue
        pods = _selected(cluster, service)
        _store(cluster, _slice(cluster, service, pods))
        _store(cluster, _endpoints(service, pods))


def target_port(service_port: Json, pod: KubernetesObject) -> int | None:
    """The pod's port that a Service's port leads to, None where the pod has no port of that name."""
    target = service_port.get("targetPort", service_port.get("port"))
    if isinstance(target, int):
        return target
    protocol = service_port.get("protocol", "TCP")
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _selected(cluster: Cluster, service: KubernetesObject) -> list[KubernetesObject]:
    wanted = service["spec"]["selector"].items()
    pods = cluster.of_kind("Pod", service["metadata"].get("namespace", ""))
    fitting = [pod for pod in pods if wanted <= (pod["metadata"].get("labels") or {}).items()]
    return [pod for pod in fitting if (pod.get("status") or {}).get("podIP") and not _is_over(pod)]


def _is_over(pod: KubernetesObject) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def _ports(service: KubernetesObject, pod: KubernetesObject) -> list[Json]:
    ports: list[Json] = []
    for port in service["spec"].get("ports") or ():
        number = target_port(port, pod)
        if number is not None:
            named = {"name": port["name"]} if port.get("name") else {}
            ports.append({**named, "port": number, "protocol": port.get("protocol", "TCP")})
    return ports


def _slice(cluster: Cluster, service: KubernetesObject, pods: list[KubernetesObject]) -> KubernetesObject:
    name, namespace = service["metadata"]["name"], service["metadata"].get("namespace", "")
    labels = {
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": name,
    }
    known = next(
        (
            one
            for one in cluster.of_kind("EndpointSlice", namespace)
            if (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == name
        ),
        None,
    )
    metadata: Json = {"name": f"{name}-{short_hash([namespace, name], 5)}", "namespace": namespace, "labels": labels}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": known["metadata"] if known else {**metadata, "ownerReferences": [_owner(service)]},
        "addressType": known.get("addressType", "IPv4") if known else "IPv4",
        "endpoints": [_endpoint(pod) for pod in pods],
        "ports": [{"name": "", **port} for port in _ports(service, pods[0])] if pods else [],
    }


def _endpoint(pod: KubernetesObject) -> Json:
    ready = is_ready(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": _reference(pod),
    }


def _endpoints(service: KubernetesObject, pods: list[KubernetesObject]) -> KubernetesObject:
    metadata = {"name": service["metadata"]["name"], "namespace": service["metadata"].get("namespace", "")}
    subsets: list[Json] = []
    reachable = [pod for pod in pods if _ports(service, pod)]
    for ports in {str(_ports(service, pod)): _ports(service, pod) for pod in reachable}.values():
        subset: Json = {"ports": ports}
        for name, ready in (("addresses", True), ("notReadyAddresses", False)):
            addresses = [_address(pod) for pod in reachable if _ports(service, pod) == ports and is_ready(pod) == ready]
            subset |= {name: addresses} if addresses else {}
        subsets.append(subset)
    thing: KubernetesObject = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
    return {**thing, "subsets": subsets} if subsets else thing


def _address(pod: KubernetesObject) -> Json:
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName", ""), "targetRef": _reference(pod)}


def _reference(pod: KubernetesObject) -> Json:
    metadata = pod["metadata"]
    return {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}


def _owner(service: KubernetesObject) -> Json:
    metadata = service["metadata"]
    controlled = {"blockOwnerDeletion": True, "controller": True}
    return {
        "apiVersion": "v1",
        **controlled,
        "kind": "Service",
        "name": metadata["name"],
        "uid": metadata.get("uid", ""),
    }


def _store(cluster: Cluster, thing: KubernetesObject) -> None:
    """Store endpoints where they differ from what is there."""
    group = "discovery.k8s.io" if thing["kind"] == "EndpointSlice" else ""
    metadata = thing["metadata"]
    known = cluster.objects.get((group, thing["kind"], metadata["namespace"], metadata["name"]))
    content = ("endpoints", "ports", "subsets")
    if known is None or any(known.get(name) != thing.get(name) for name in content):
        cluster.put({**thing, "metadata": {**(known["metadata"] if known else {}), **metadata}})

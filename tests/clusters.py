"""Small clusters built in code: objects as the API prints them, with only what a test speaks of."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sre_bot.detectors import detect
from sre_bot.domain.cluster import ClusterSnapshot, ContainerLog, ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

Object = dict[str, Any]
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
NAMESPACE = "shop"


def ago(minutes: float) -> str:
    """A timestamp so many minutes before the snapshot."""
    return (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def thing(
    kind: str, name: str, *, api: str = "v1", namespace: str = NAMESPACE, age: float = 10_000, **rest: Any
) -> Object:
    """Any object; ``metadata`` in ``rest`` is merged in."""
    metadata = {"name": name, "uid": f"uid-{kind}-{namespace}-{name}", "creationTimestamp": ago(age)}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api, "kind": kind, "metadata": {**metadata, **rest.pop("metadata", {})}, **rest}


def container(name: str = "app", image: str = "registry.example/app:1.0", **spec: Any) -> Object:
    """A container's specification."""
    return {"name": name, "image": image, **spec}


def env(**values: str) -> list[Object]:
    """Literal variables."""
    return [{"name": name, "value": value} for name, value in values.items()]


def key_ref(variable: str, kind: str, name: str, key: str, **rest: Any) -> Object:
    """A variable from a key of a ConfigMap or Secret."""
    word = "configMapKeyRef" if kind == "ConfigMap" else "secretKeyRef"
    return {"name": variable, "valueFrom": {word: {"name": name, "key": key, **rest}}}


def running(
    name: str = "app", *, restarts: int = 0, up: float = 9_000, ready: bool = True, ended: Object | None = None
) -> Object:
    """The status of a container that runs; ``up`` in minutes."""
    last = {"terminated": ended} if ended else {}
    state = {"running": {"startedAt": ago(up)}}
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state, "lastState": last}


def waiting(
    reason: str, message: str = "", name: str = "app", *, restarts: int = 0, ended: Object | None = None
) -> Object:
    """The status of a container that waits."""
    state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    return {
        "name": name,
        "ready": False,
        "restartCount": restarts,
        "state": state,
        "lastState": {"terminated": ended} if ended else {},
    }


def ended(code: int, reason: str = "Error", *, minutes: float = 1, ran: float = 0.1, message: str = "") -> Object:
    """A terminated state."""
    end = {"exitCode": code, "reason": reason, "startedAt": ago(minutes + ran), "finishedAt": ago(minutes)}
    return {**end, **({"message": message} if message else {})}


def looping(code: int, reason: str = "Error", name: str = "app", *, restarts: int = 6, message: str = "") -> Object:
    """The status of a container in a crash loop."""
    return waiting(
        "CrashLoopBackOff",
        f"back-off restarting failed container={name}",
        name,
        restarts=restarts,
        ended=ended(code, reason, message=message),
    )


def workload(
    kind: str,
    name: str,
    *containers: Object,
    namespace: str = NAMESPACE,
    labels: Object | None = None,
    replicas: int = 1,
    template: Object | None = None,
    status: Object | None = None,
    age: float = 10_000,
    **spec: Any,
) -> Object:
    """A Deployment, StatefulSet or DaemonSet; ``spec`` goes into the pod specification, ``template`` beside it."""
    labels = {"app": name} if labels is None else labels
    pod = {"metadata": {"labels": labels}, "spec": {"containers": list(containers) or [container()], **spec}}
    return thing(
        kind,
        name,
        api="apps/v1",
        namespace=namespace,
        age=age,
        metadata={"generation": 1},
        spec={"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod, **(template or {})},
        status=status or {},
    )


def deployment(name: str, *containers: Object, **rest: Any) -> Object:
    """A Deployment."""
    return workload("Deployment", name, *containers, **rest)


def replica_set(owner: Object, *, revision: int = 1, replicas: int = 1, age: float = 9_000, digest: str = "") -> Object:
    """A ReplicaSet of a Deployment."""
    digest = digest or f"rev{revision}"
    name, namespace = owner["metadata"]["name"], owner["metadata"]["namespace"]
    labels = {**owner["spec"]["template"]["metadata"]["labels"], "pod-template-hash": digest}
    return thing(
        "ReplicaSet",
        f"{name}-{digest}",
        api="apps/v1",
        namespace=namespace,
        age=age,
        metadata={
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [_owner(owner)],
        },
        spec={"replicas": replicas, "template": owner["spec"]["template"]},
    )


def pod(
    owner: Object | None = None,
    *statuses: Object,
    name: str = "",
    ready: bool | None = None,
    phase: str = "Running",
    node: str = "node-1",
    age: float = 9_000,
    ip: str = "10.1.0.9",
    namespace: str = NAMESPACE,
    init: list[Object] | None = None,
    conditions: list[Object] | None = None,
    metadata: Object | None = None,
    spec: Object | None = None,
    since: float | None = None,
) -> Object:
    """A pod of an owner (or its own), ready when all its containers are; ``since`` is when readiness last changed."""
    template = (
        owner["spec"]["template"]
        if owner
        else {"metadata": {"labels": {}}, "spec": spec or {"containers": [container()]}}
    )
    statuses = statuses or tuple(running(one["name"]) for one in template["spec"]["containers"])
    ready = all(status["ready"] for status in statuses) if ready is None else ready
    name = name or f"{owner['metadata']['name']}-x1" if owner else name
    namespace = owner["metadata"]["namespace"] if owner else namespace
    owners = {"ownerReferences": [_owner(owner)]} if owner else {}
    stamp = ago(age if since is None else since)
    known = (
        conditions
        if conditions is not None
        else [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": str(ready), "lastTransitionTime": stamp},
        ]
    )
    status: Object = {"phase": phase, "conditions": known, "containerStatuses": list(statuses), "podIP": ip}
    if init is not None:
        status["initContainerStatuses"] = init
    return thing(
        "Pod",
        name,
        namespace=namespace,
        age=age,
        metadata={"labels": dict(template["metadata"]["labels"]), **owners, **(metadata or {})},
        spec={**template["spec"], **({"nodeName": node} if node else {})},
        status=status,
    )


def pending(owner: Object | None, message: str, **rest: Any) -> Object:
    """A pod that the scheduler refuses."""
    refusal = [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": ago(20),
        }
    ]
    made = pod(owner, phase="Pending", node="", age=20, ready=False, conditions=refusal, **rest)
    made["status"]["containerStatuses"] = []
    return made


def app(name: str, *containers: Object, status: list[Object] | None = None, **rest: Any) -> list[Object]:
    """A Deployment, its ReplicaSet and one pod; ready unless ``status`` says otherwise."""
    made = deployment(name, *containers, **rest)
    owner = replica_set(made)
    child = pod(owner, *(status or []), name=f"{name}-rev1-x1")
    return [made, owner, child]


def service(
    name: str,
    *ports: Object,
    selector: Object | None = None,
    namespace: str = NAMESPACE,
    ip: str = "10.96.0.9",
    **spec: Any,
) -> Object:
    """A Service; by default it selects ``app: name`` on port 80."""
    chosen = {"app": name} if selector is None else selector
    return thing(
        "Service",
        name,
        namespace=namespace,
        spec={
            "selector": chosen,
            "clusterIP": ip,
            "ports": list(ports) or [{"port": 80, "targetPort": 8080, "protocol": "TCP"}],
            **spec,
        },
    )


def config_map(name: str, namespace: str = NAMESPACE, **data: str) -> Object:
    """A ConfigMap."""
    return thing("ConfigMap", name, namespace=namespace, data=data)


def node(
    name: str = "node-1",
    *,
    labels: Object | None = None,
    taints: list[Object] | None = None,
    cordoned: bool = False,
    ready: Object | None = None,
    cpu: str = "4",
    memory: str = "16Gi",
    conditions: list[Object] | None = None,
) -> Object:
    """A Node, ready by default."""
    spec = {**({"taints": taints} if taints else {}), **({"unschedulable": True} if cordoned else {})}
    state = ready or {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
        "lastTransitionTime": ago(9_000),
    }
    return thing(
        "Node",
        name,
        namespace="",
        metadata={"labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        spec=spec,
        status={
            "conditions": [state, *(conditions or [])],
            "allocatable": {"cpu": cpu, "memory": memory, "pods": "110"},
        },
    )


def event(
    about: Object,
    reason: str,
    message: str,
    *,
    minutes: float = 2,
    first: float | None = None,
    warning: bool = True,
    count: int = 3,
    part: str = "",
) -> Object:
    """An event about an object; ``part`` is the container that it speaks of."""
    metadata = about["metadata"]
    involved = {
        "kind": about["kind"],
        "name": metadata["name"],
        "namespace": metadata.get("namespace", ""),
        "uid": metadata["uid"],
    }
    if part:
        involved["fieldPath"] = f"spec.containers{{{part}}}"
    return thing(
        "Event",
        f"{metadata['name']}.{reason}.{abs(hash(message)) % 10_000}",
        involvedObject=involved,
        reason=reason,
        message=message,
        type="Warning" if warning else "Normal",
        count=count,
        firstTimestamp=ago(first if first is not None else minutes + 5),
        lastTimestamp=ago(minutes),
    )


def log(of: Object, *lines: str, name: str = "app", previous: bool = False) -> ContainerLog:
    """A container's log."""
    return ContainerLog(
        namespace=of["metadata"]["namespace"],
        pod=of["metadata"]["name"],
        container=name,
        previous=previous,
        text="\n".join(lines) + "\n",
    )


def snapshot(
    *objects: Object | list[Any],
    events: list[Object] | None = None,
    logs: list[ContainerLog] | None = None,
    unseen: tuple[str, ...] = (),
) -> ClusterSnapshot:
    """A snapshot of single objects and of lists of them, nested as they come."""
    flat = list(_flattened(objects))
    namespaces = sorted({one["metadata"].get("namespace", "") for one in flat} - {""})
    return ClusterSnapshot(
        taken_at=NOW,
        namespaces=tuple(namespaces),
        objects=tuple(flat),
        events=tuple(events or ()),
        logs=tuple(logs or ()),
        unseen=unseen,
    )


def _flattened(objects: Iterable[Any]) -> Iterator[Object]:
    for one in objects:
        if isinstance(one, dict):
            yield cast("Object", one)
        else:
            yield from _flattened(one)


def found(cluster: ClusterSnapshot) -> list[tuple[FaultKind, str]]:
    """What the detectors find: kind and object."""
    return [(finding.kind, str(finding.object)) for finding in _grounded(detect(cluster))]


def only(cluster: ClusterSnapshot, kind: FaultKind) -> Finding:
    """The one finding of a kind; fails when there is none or more."""
    findings = _grounded(detect(cluster))
    chosen = [finding for finding in findings if finding.kind == kind]
    assert len(chosen) == 1, [(finding.kind, str(finding.object), finding.field) for finding in findings]
    return chosen[0]


def _grounded(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings, each with its observed value and its object's name literally in the evidence that it cites."""
    for finding in findings:
        assert finding.message and finding.evidence, finding
        assert any(finding.observed in piece.excerpt for piece in finding.evidence), finding
        assert any(finding.object.name in piece.subject + piece.excerpt for piece in finding.evidence), finding
    return findings


def ref(kind: str, name: str, namespace: str = NAMESPACE) -> ObjectRef:
    """A reference."""
    return ObjectRef(kind=kind, namespace=namespace, name=name)


def _owner(owner: Object) -> Object:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }

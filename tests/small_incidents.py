"""Small incident folders made for one test: a shop with a Service, a Deployment, and whatever the test adds."""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
NOW = "2026-03-17T10:20:00Z"
BORN = "2026-03-17T10:00:00Z"
SEEN = "2026-03-17T10:19:30Z"
HASH = "6b8f4c9d7f"


@dataclass
class SmallIncident:
    """What goes into a folder; ``write`` makes it."""

    objects: list[Json] = field(default_factory=list[Json])
    events: list[Json] = field(default_factory=list[Json])
    files: dict[str, str] = field(default_factory=dict[str, str])
    logs: dict[str, str] = field(default_factory=dict[str, str])
    extra: dict[str, str] = field(default_factory=dict[str, str])
    heals: list[Json] = field(default_factory=list[Json])
    harms: list[Json] = field(default_factory=list[Json])
    after: str | None = None
    path: str = "deploy"
    delivered: bool = True

    def write(self, folder: Path) -> Path:
        """Write the folder and return it."""
        described: Json = {
            "id": "small",
            "now": NOW,
            "ticket": {
                "key": "OPS-7",
                "summary": "The shop is broken",
                "description": "Nobody can pay.",
                "created": BORN,
            },
            "expect": {
                "verdict": "fix",
                "root_cause": [{"kind": "service_port_mismatch", "object": "Service/shop/secret-answer"}],
                "culprit": "the guilty subject",
                "heals_when": self.heals,
                "harms_when": self.harms,
                "after": self.after,
            },
        }
        if self.delivered:
            described["repository"] = {"name": "acme/shop", "branch": "main"}
            described["argocd"] = {"application": "shop", "path": self.path, "namespace": "shop"}
        _put(folder / "incident.yaml", yaml.safe_dump(described))
        listed = {"apiVersion": "v1", "kind": "List", "items": [*self.objects, *self.events]}
        _put(folder / "cluster" / "all.json", json.dumps(listed))
        for name, text in self.files.items():
            _put(folder / "repo" / name, text)
        for name, text in self.logs.items():
            _put(folder / "logs" / "shop" / name, text)
        for name, text in self.extra.items():
            _put(folder / name, text)
        return folder


def wrong_port() -> SmallIncident:
    """A Service whose named target port no container has; the pods are well, their client's log complains."""
    checkout, client = deployment("checkout"), deployment("client", replicas=1)
    manifest = service("checkout", target="web")
    return SmallIncident(
        objects=[NAMESPACE, NODE, *live(checkout), *live(client), {**manifest, "metadata": metadata("checkout")}],
        files={"deploy/checkout.yaml": text(checkout, manifest), "deploy/client.yaml": text(client)},
        logs={f"client-{HASH}-aaaa0/app.log": "connection refused\n"},
        heals=[{"object": "Service/checkout", "path": "spec.ports[0].targetPort", "equals": "http"}],
        harms=[{"object": "Deployment/checkout", "absent": True}],
    )


def crash_loop() -> SmallIncident:
    """A Deployment whose container ends at once because a variable is missing."""
    worker = deployment("worker", replicas=2)
    things = live(worker, crashing)
    pods = [thing for thing in things if thing["kind"] == "Pod"]
    return SmallIncident(
        objects=[NAMESPACE, NODE, *things],
        events=[
            warning(pod, "BackOff", f"Back-off restarting failed container app in pod {_name(pod)}") for pod in pods
        ],
        files={"deploy/worker.yaml": text(worker)},
        logs={
            f"{_name(pod)}/app{kind}.log": f"{_name(pod)}: MODE is not set\n"
            for pod in pods
            for kind in ("", ".previous")
        },
        heals=[
            {"object": "Deployment/worker", "path": "spec.template.spec.containers[0].env[0].name", "equals": "MODE"}
        ],
        harms=[{"object": "Deployment/worker", "path": "spec.replicas", "at_most": 0}],
    )


def with_mode(manifest: str) -> str:
    """The manifest of ``crash_loop`` repaired."""
    return manifest.replace(
        "image: shop/worker:1\n", "image: shop/worker:1\n        env:\n        - name: MODE\n          value: x\n"
    )


def metadata(name: str, **more: Any) -> Json:
    """Metadata of a live object in the shop."""
    return {"name": name, "namespace": "shop", "uid": f"uid-{name}", "creationTimestamp": BORN, "generation": 1, **more}


def deployment(name: str, replicas: int = 2) -> Json:
    """A Deployment's manifest."""
    container = {"name": "app", "image": f"shop/{name}:1", "ports": [{"name": "http", "containerPort": 5050}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def service(name: str, target: str | int) -> Json:
    """A Service's manifest."""
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": target}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def running(pod: Json) -> Json:
    """The status of a good pod."""
    address = f"10.244.0.{len(pod['metadata']['name'])}"
    state = {
        "name": "app",
        "ready": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": BORN}},
        "lastState": {},
    }
    return {
        "phase": "Running",
        "podIP": address,
        "conditions": [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Ready", "ContainersReady")],
        "containerStatuses": [{**state, "image": pod["spec"]["containers"][0]["image"]}],
    }


def crashing(pod: Json) -> Json:
    """The status of a pod that ends and ends again."""
    status = running(pod)
    ended = {"exitCode": 1, "reason": "Error", "startedAt": SEEN, "finishedAt": SEEN}
    waiting = {"reason": "CrashLoopBackOff", "message": f"back-off restarting failed container in {_name(pod)}"}
    status["conditions"] = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]
    status["containerStatuses"][0].update(
        ready=False, restartCount=5, state={"waiting": waiting}, lastState={"terminated": ended}
    )
    return status


def owned(kind: str, name: str, api_version: str = "apps/v1") -> list[Json]:
    """An owner's reference."""
    return [{"apiVersion": api_version, "kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}]


def live(manifest: Json, status_of: Any = running) -> list[Json]:
    """A Deployment as it stands in the cluster, with its ReplicaSet and pods in the wanted state."""
    name, replicas = manifest["metadata"]["name"], manifest["spec"]["replicas"]
    thing = copy.deepcopy(manifest)
    thing["metadata"] = metadata(name, annotations={"deployment.kubernetes.io/revision": "1"})
    template = copy.deepcopy(manifest["spec"]["template"])
    template["metadata"]["labels"]["pod-template-hash"] = HASH
    labels = template["metadata"]["labels"]
    made = f"{name}-{HASH}"
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": metadata(
            made,
            labels=labels,
            annotations={"deployment.kubernetes.io/revision": "1"},
            ownerReferences=owned("Deployment", name),
        ),
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }
    pods = [pod(f"{made}-aaaa{place}", template, status_of, owned("ReplicaSet", made)) for place in range(replicas)]
    ready = replicas if status_of is running else 0
    counts = {"replicas": replicas, "updatedReplicas": replicas, "readyReplicas": ready, "availableReplicas": ready}
    thing["status"] = {"observedGeneration": 1, **counts, "conditions": []}
    replica_set["status"] = {"replicas": replicas, "readyReplicas": ready, "availableReplicas": ready}
    return [thing, replica_set, *pods]


def pod(name: str, template: Json, status_of: Any = running, owners: list[Json] | None = None) -> Json:
    """A live pod from a template."""
    about = metadata(name, labels=template["metadata"].get("labels", {}))
    if owners:
        about["ownerReferences"] = owners
    spec = {**copy.deepcopy(template["spec"]), "nodeName": "worker-1"}
    thing: Json = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec}
    return {**thing, "status": status_of(thing)}


def warning(about: Json, reason: str, message: str) -> Json:
    """A Warning event about an object that was written just before the recording."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": metadata(f"{about['metadata']['name']}.{reason.lower()}"),
        "involvedObject": {
            "kind": about["kind"],
            "apiVersion": about["apiVersion"],
            "namespace": "shop",
            "name": about["metadata"]["name"],
            "uid": about["metadata"]["uid"],
        },
        "type": "Warning",
        "reason": reason,
        "message": message,
        "count": 7,
        "firstTimestamp": BORN,
        "lastTimestamp": SEEN,
    }


def text(*manifests: Json) -> str:
    """Manifests as a YAML file."""
    return yaml.safe_dump_all(manifests, sort_keys=False)


def _name(thing: Json) -> str:
    return str(thing["metadata"]["name"])


def _put(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


NAMESPACE: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "uid-shop-ns"}}
NODE: Json = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "worker-1", "uid": "uid-worker-1", "labels": {"kubernetes.io/arch": "amd64"}},
    "spec": {},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "10.0.0.10"}],
    },
}

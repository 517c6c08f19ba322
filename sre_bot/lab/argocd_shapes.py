"""The lab's application as Argo CD's API prints it."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.clock import stamp
from sre_bot.lab.cluster import Key
from sre_bot.lab.comparison import Comparison, ResourceState
from sre_bot.lab.delivery import Delivery, Deployed, Operation
from sre_bot.lab.health import Health, health_of
from sre_bot.lab.manifests import apply
from sre_bot.lab.ownership import children

Json = dict[str, Any]
DESTINATION = "https://kubernetes.default.svc"
PROJECT = "default"
_CHILD_KINDS = ("ReplicaSet", "Job", "Pod", "EndpointSlice", "Endpoints")


@dataclass(frozen=True, slots=True)
class ApplicationShapes:
    """Prints one application."""

    delivery: Delivery

    def application(self, comparison: Comparison) -> Json:
        """The whole application."""
        metadata: Json = {
            "name": self.delivery.source.application.application,
            "namespace": "argocd",
            "uid": "4f1c1d9e-6d0c-4c57-9c5e-2b1c5f6a7d10",
            "resourceVersion": str(self.delivery.world.cluster.version),
            "generation": len(self.delivery.history) + 1,
            "creationTimestamp": _time(self.delivery.history[0].started_at),
        }
        shown: Json = {"metadata": metadata, "spec": self._spec(), "status": self._status(comparison)}
        operation = self.delivery.operation
        if operation and operation.running:
            shown["operation"] = _requested(operation)
        return shown

    def tree(self, comparison: Comparison) -> Json:
        """The resource tree: managed objects and what their controllers made."""
        nodes: list[Json] = []
        for state in comparison.resources:
            live = self.delivery.world.cluster.objects.get(state.key)
            nodes += self._nodes(live, None) if live else []
        return {"nodes": nodes}

    def managed(self, comparison: Comparison) -> Json:
        """The managed resources with their live and wanted states as JSON text."""
        cluster, applied = self.delivery.world.cluster, self.delivery.applied
        items: list[Json] = []
        for state in comparison.resources:
            live, wanted = cluster.objects.get(state.key), applied.get(state.key)
            predicted = apply(cluster, wanted, wanted).after if wanted else live
            texts = {
                "liveState": live,
                "targetState": wanted,
                "normalizedLiveState": live,
                "predictedLiveState": predicted,
            }
            shown = {name: json.dumps(thing) for name, thing in texts.items()}
            items.append({**_identity(state.key), **shown, "modified": state.status != "Synced"})
        return {"items": items}

    def _spec(self) -> Json:
        spec: Json = {
            "source": self._source(),
            "destination": {"server": DESTINATION, "namespace": self.delivery.source.application.namespace},
            "project": PROJECT,
        }
        if self.delivery.auto_sync:
            spec["syncPolicy"] = {"automated": {"prune": False, "selfHeal": True}}
        return spec

    def _source(self) -> Json:
        source = self.delivery.source
        return {
            "repoURL": self.delivery.world.hub.clone_url(),
            "path": source.application.path,
            "targetRevision": source.branch,
        }

    def _status(self, comparison: Comparison) -> Json:
        health = self.delivery.health(comparison)
        compared: Json = {"source": self._source(), "destination": self._spec()["destination"]}
        status: Json = {
            "resources": [_resource(state) for state in comparison.resources],
            "sync": {"status": comparison.status, "revision": comparison.revision, "comparedTo": compared},
            "health": {"status": health.status, **({"message": health.message} if health.message else {})},
            "history": [self._deployed(entry) for entry in self.delivery.history],
            "reconciledAt": _time(comparison.at),
            "sourceType": "Directory",
            "summary": {"images": self._images(comparison)},
        }
        if comparison.error:
            at = _time(comparison.at)
            status["conditions"] = [{"type": "ComparisonError", "message": comparison.error, "lastTransitionTime": at}]
        if self.delivery.operation:
            status["operationState"] = self._operation_state(self.delivery.operation)
        return status

    def _operation_state(self, operation: Operation) -> Json:
        applied = operation.phase == "Succeeded"
        results = [
            {**_identity(key), "status": "Synced", "message": f"{key[1].lower()} configured", "syncPhase": "Sync"}
            for key in operation.manifests
            if applied
        ]
        state: Json = {
            "operation": _requested(operation),
            "phase": operation.phase,
            "message": operation.message,
            "startedAt": _time(operation.started_at),
            "syncResult": {"revision": operation.revision, "source": self._source(), "resources": results},
        }
        if operation.finished_at:
            state["finishedAt"] = _time(operation.finished_at)
        return state

    def _deployed(self, entry: Deployed) -> Json:
        return {
            "id": entry.id,
            "revision": entry.revision,
            "deployStartedAt": _time(entry.started_at),
            "deployedAt": _time(entry.deployed_at),
            "source": self._source(),
            "initiatedBy": _initiated(entry.by),
        }

    def _images(self, comparison: Comparison) -> list[str]:
        images: set[str] = set()
        for state in comparison.resources:
            spec = (self.delivery.world.cluster.objects.get(state.key) or {}).get("spec") or {}
            pod = (spec.get("template") or {}).get("spec") or spec
            images |= {one["image"] for one in pod.get("containers") or () if one.get("image")}
        return sorted(images)

    def _nodes(self, thing: KubernetesObject, parent: KubernetesObject | None) -> list[Json]:
        metadata = thing["metadata"]
        node: Json = {
            **_reference(thing),
            "resourceVersion": metadata["resourceVersion"],
            "createdAt": metadata["creationTimestamp"],
        }
        if parent:
            node["parentRefs"] = [_reference(parent)]
        health = health_of(thing)
        if health:
            node["health"] = _health(health)
        objects = self.delivery.world.cluster.objects
        below = [child for kind in _CHILD_KINDS for child in children(objects, thing, kind)]
        return [node, *(inner for child in below for inner in self._nodes(child, thing))]


def _requested(operation: Operation) -> Json:
    sync: Json = {"revision": operation.revision, "prune": operation.prune, "dryRun": operation.dry_run}
    sync["syncStrategy"] = {"hook": {}}
    return {"sync": sync, "initiatedBy": _initiated(operation.by), "retry": {}}


def _initiated(by: str) -> Json:
    return {"username": by} if by else {"automated": True}


def _resource(state: ResourceState) -> Json:
    shown: Json = {**_identity(state.key), "version": state.version, "status": state.status}
    if state.health:
        shown["health"] = _health(state.health)
    if state.requires_pruning:
        shown["requiresPruning"] = True
    return shown


def _identity(key: Key) -> Json:
    group, kind, namespace, name = key
    named = {"group": group, "namespace": namespace}
    return {**{field: value for field, value in named.items() if value}, "kind": kind, "name": name}


def _reference(thing: KubernetesObject) -> Json:
    metadata = thing["metadata"]
    group, slash, version = str(thing["apiVersion"]).partition("/")
    shown: Json = {"version": version if slash else group, "kind": thing["kind"], "name": metadata["name"]}
    if slash:
        shown["group"] = group
    if metadata.get("namespace"):
        shown["namespace"] = metadata["namespace"]
    return {**shown, "uid": metadata["uid"]}


def _health(health: Health) -> Json:
    return {"status": health.status, **({"message": health.message} if health.message else {})}


def _time(moment: datetime) -> str:
    return stamp(moment)

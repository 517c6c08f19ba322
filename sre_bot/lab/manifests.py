"""Manifests as the cluster takes them: completed, checked as the API would, and merged into the live objects."""

import base64
import copy
import json
from dataclasses import dataclass
from typing import Any

from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.lab.cluster import Cluster, Key, key_of
from sre_bot.lab.kinds import resources_of
from sre_bot.lab.merging import merged

_SELECTING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
REPLACED = ("Pod", "Job", "PersistentVolumeClaim")
"""Kinds whose specs cannot be changed: a changed manifest replaces the object, as ``Replace=true,Force=true`` does."""


class Rejected(Exception):
    """The API refuses an object, in its own words."""


@dataclass(frozen=True, slots=True)
class Applied:
    """One object after a manifest was applied to it. ``before`` is None where it is new."""

    before: KubernetesObject | None
    after: KubernetesObject

    @property
    def changed(self) -> bool:
        """Whether anything but the status is different."""
        return self.before is None or _desired(self.before) != _desired(self.after)

    @property
    def respecified(self) -> bool:
        """Whether the spec is different."""
        return self.before is None or self.before.get("spec") != self.after.get("spec")

    @property
    def new_template(self) -> bool:
        """Whether the pods have to be made anew."""
        return self.before is None or template_of(self.before) != template_of(self.after)


def template_of(thing: KubernetesObject) -> dict[str, Any] | None:
    """A workload's pod template, None for other kinds."""
    spec = thing.get("spec") or {}
    return (spec.get("jobTemplate", {}).get("spec", {}) if thing["kind"] == "CronJob" else spec).get("template")


def complete(manifests: tuple[KubernetesObject, ...], namespace: str, cluster: Cluster) -> dict[Key, KubernetesObject]:
    """Manifests by key, with their namespace filled in and what only clients understand translated."""
    cluster_scoped = _cluster_scoped(cluster)
    completed: dict[Key, KubernetesObject] = {}
    for manifest in manifests:
        thing = copy.deepcopy(manifest)
        thing.pop("status", None)
        metadata = {name: value for name, value in thing["metadata"].items() if name not in _SERVER_FIELDS}
        if (_group(thing), thing["kind"]) in cluster_scoped:
            metadata.pop("namespace", None)
        else:
            metadata.setdefault("namespace", namespace)
        thing["metadata"] = metadata
        completed[key_of(_with_encoded_data(thing))] = thing
    return completed


def apply(cluster: Cluster, before: KubernetesObject | None, manifest: KubernetesObject) -> Applied:
    """What applying a manifest makes of the live object; nothing is stored. ``before`` is the manifest of last time."""
    live = cluster.objects.get(key_of(manifest))
    if live is None:
        return Applied(None, copy.deepcopy(manifest))
    after = merged(live, before, {**manifest, "apiVersion": live.get("apiVersion", manifest["apiVersion"])})
    return Applied(live, after)


def check(cluster: Cluster, things: dict[Key, KubernetesObject], before: dict[Key, KubernetesObject]) -> list[str]:
    """What the API would answer to those manifests that it refuses, one sentence for each."""
    definitions = [thing for thing in things.values() if thing["kind"] == "CustomResourceDefinition"]
    known = {(item.group, item.kind) for item in resources_of([*cluster.objects.values(), *definitions])}
    refusals: list[str] = []
    for key, thing in things.items():
        try:
            _check_kind(known, thing)
            _check_namespace(cluster, things, thing)
            _check_selector(cluster, apply(cluster, before.get(key), thing))
        except Rejected as rejected:
            refusals.append(str(rejected))
    return refusals


_SERVER_FIELDS = ("creationTimestamp", "uid", "resourceVersion", "generation", "selfLink", "managedFields")


def _check_kind(known: set[tuple[str, str]], thing: KubernetesObject) -> None:
    if (_group(thing), thing["kind"]) not in known:
        ref = ObjectRef.of(thing)
        raise Rejected(
            f"The Kubernetes API could not find {_group(thing)}/{ref.kind} for requested resource "
            f'{ref.namespace}/{ref.name}. Make sure the "{ref.kind}" CRD is installed on the destination cluster.'
        )


def _check_namespace(cluster: Cluster, things: dict[Key, KubernetesObject], thing: KubernetesObject) -> None:
    namespace = thing["metadata"].get("namespace", "")
    inhabited = {key[2] for key in cluster.objects}
    made = {key[3] for key in things if key[1] == "Namespace"} | {
        ns["metadata"]["name"] for ns in cluster.of_kind("Namespace")
    }
    if namespace and namespace not in inhabited | made:
        raise Rejected(f'namespaces "{namespace}" not found')


def _check_selector(cluster: Cluster, applied: Applied) -> None:
    thing = applied.after
    spec = thing.get("spec") or {}
    if thing["kind"] not in _SELECTING or not isinstance(spec.get("selector"), dict):
        return
    name = f'{thing["kind"]}.apps "{thing["metadata"]["name"]}" is invalid'
    if applied.before and applied.before["spec"].get("selector") != spec["selector"]:
        shown = json.dumps(spec["selector"])
        raise Rejected(f"{name}: spec.selector: Invalid value: {shown}: field is immutable")
    wanted = spec["selector"].get("matchLabels") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        shown = f"Invalid value: {json.dumps(labels)}"
        raise Rejected(f"{name}: spec.template.metadata.labels: {shown}: `selector` does not match template `labels`")


def _desired(thing: KubernetesObject) -> dict[str, Any]:
    metadata = {name: thing["metadata"].get(name) or {} for name in ("labels", "annotations")}
    return {**{name: value for name, value in thing.items() if name not in ("status", "metadata")}, **metadata}


def _with_encoded_data(thing: KubernetesObject) -> KubernetesObject:
    if thing["kind"] == "Secret" and thing.get("stringData"):
        plain = thing.pop("stringData")
        encoded = {name: base64.b64encode(str(text).encode()).decode() for name, text in plain.items()}
        thing["data"] = {**(thing.get("data") or {}), **encoded}
    return thing


def _cluster_scoped(cluster: Cluster) -> set[tuple[str, str]]:
    resources = resources_of(list(cluster.objects.values()))
    return {(item.group, item.kind) for item in resources if not item.namespaced}


def _group(thing: KubernetesObject) -> str:
    group, slash, _ = str(thing.get("apiVersion", "v1")).partition("/")
    return group if slash else ""

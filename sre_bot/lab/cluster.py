"""The lab's cluster: a store of objects with resource versions, watchers and logs. Knows nothing of HTTP."""

import asyncio
import copy
import uuid
from dataclasses import dataclass, field
from typing import Literal

from sre_bot.domain.cluster import ContainerLog, KubernetesObject, ObjectRef
from sre_bot.lab.clock import Clock
from sre_bot.lab.recording import Recording

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]
Key = tuple[str, str, str, str]
"""apiVersion's group, kind, namespace, name."""


def key_of(thing: KubernetesObject) -> Key:
    """The key under which an object is stored."""
    ref = ObjectRef.of(thing)
    group, slash, _ = thing.get("apiVersion", "v1").partition("/")
    return (group if slash else "", ref.kind, ref.namespace, ref.name)


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the watch history. ``before`` is the object that was replaced or removed, None when it is new."""

    version: int
    type: ChangeType
    object: KubernetesObject
    before: KubernetesObject | None = None


@dataclass(slots=True)
class Cluster:
    """Objects by key, with one growing resource version and its history.

    Stored objects are replaced, never changed in place. ``floor`` is the oldest version that is still known: what lies
    before it was compacted. ``still_failing``: the last sync healed nothing, so logs go on as they were recorded.
    """

    clock: Clock
    objects: dict[Key, KubernetesObject] = field(default_factory=dict[Key, KubernetesObject])
    logs: dict[tuple[str, str, str, bool], ContainerLog] = field(
        default_factory=dict[tuple[str, str, str, bool], ContainerLog]
    )
    version: int = 0
    floor: int = 0
    still_failing: bool = False
    history: list[Change] = field(default_factory=list[Change])
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    def of(cls, recording: Recording, clock: Clock) -> "Cluster":
        """The cluster as it was recorded."""
        cluster = cls(clock)
        recorded = [*recording.objects, *recording.events]
        cluster.version = max([1_000, *(_version_of(thing) for thing in recorded)])
        cluster.floor = cluster.version
        for thing in [*_implied_namespaces(recorded), *recorded]:
            cluster.objects[key_of(thing)] = _complete(copy.deepcopy(thing), clock)
        for log in recording.logs:
            cluster.put_log(log)
        return cluster

    def put(self, thing: KubernetesObject) -> KubernetesObject:
        """Create or replace an object; gives it a new resource version and returns what is stored."""
        key = key_of(thing)
        known = self.objects.get(key)
        stored = _complete(copy.deepcopy(thing), self.clock)
        if known:
            stored["metadata"]["uid"] = known["metadata"]["uid"]
            stored["metadata"]["creationTimestamp"] = known["metadata"]["creationTimestamp"]
        self._record("MODIFIED" if known else "ADDED", stored, known)
        self.objects[key] = stored
        return stored

    def delete(self, key: Key) -> None:
        """Remove an object and, when it is a pod, its logs; unknown keys are ignored."""
        gone = self.objects.pop(key, None)
        if gone is None:
            return
        self._record("DELETED", copy.deepcopy(gone), gone)
        _, kind, namespace, name = key
        if kind == "Pod":
            for log_key in [k for k in self.logs if k[:2] == (namespace, name)]:
                del self.logs[log_key]

    def put_log(self, log: ContainerLog) -> None:
        """Set the text of a container's log."""
        self.logs[(log.namespace, log.pod, log.container, log.previous)] = log

    def of_kind(self, kind: str, namespace: str | None = None) -> list[KubernetesObject]:
        """All objects of a kind, in one namespace or in all, by name."""
        return sorted(
            (thing for key, thing in self.objects.items() if key[1] == kind and namespace in (None, key[2])),
            key=lambda thing: (thing["metadata"].get("namespace", ""), thing["metadata"]["name"]),
        )

    def at(self, version: int) -> dict[Key, KubernetesObject]:
        """The objects as they were at a resource version between ``floor`` and now."""
        objects = dict(self.objects)
        for change in reversed(self.history):
            if change.version <= version:
                break
            key = key_of(change.object)
            if change.before is None:
                objects.pop(key, None)
            else:
                objects[key] = change.before
        return objects

    def compact(self) -> None:
        """Forget the history, as etcd does every few minutes: older versions are gone for readers."""
        self.history.clear()
        self.floor = self.version

    async def announce(self) -> None:
        """Wake the watchers after a batch of changes."""
        async with self.changed:
            self.changed.notify_all()

    def _record(self, change: ChangeType, thing: KubernetesObject, before: KubernetesObject | None) -> None:
        self.version += 1
        thing["metadata"]["resourceVersion"] = str(self.version)
        self.history.append(Change(self.version, change, thing, before))


def _implied_namespaces(recorded: list[KubernetesObject]) -> list[KubernetesObject]:
    """Namespaces that hold objects: a recording need not spell them out."""
    names = {str((thing.get("metadata") or {}).get("namespace") or "") for thing in recorded}
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }
        for name in sorted(names)
        if name
    ]


def _version_of(thing: KubernetesObject) -> int:
    text = str((thing.get("metadata") or {}).get("resourceVersion") or "0")
    return int(text) if text.isdigit() else 0


def _complete(thing: KubernetesObject, clock: Clock) -> KubernetesObject:
    metadata = thing.setdefault("metadata", {})
    ref = ObjectRef.of(thing)
    metadata.setdefault("uid", str(uuid.uuid5(uuid.NAMESPACE_URL, f"{ref}@{clock.stamp()}")))
    metadata.setdefault("creationTimestamp", clock.stamp())
    metadata.setdefault("resourceVersion", "1")
    return thing

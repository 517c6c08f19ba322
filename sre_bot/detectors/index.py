"""A cluster snapshot made searchable: objects by kind, owners, pods, events by subject, logs by pod. Built once."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import condition, dig, labels_of, mapping, mappings, number, text
from sre_bot.detectors.pods import Pod, pod_labels, pod_spec, template_path
from sre_bot.domain.cluster import ClusterSnapshot, ContainerLog, KubernetesObject, ObjectRef

WORKLOAD_KINDS = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "CronJob",
    "Job",
    "ReplicationController",
    "Pod",
)
T = TypeVar("T")
CLUSTER_KINDS = (
    "Node",
    "PersistentVolume",
    "StorageClass",
    "IngressClass",
    "PriorityClass",
    "Namespace",
    "ClusterRole",
    "ClusterRoleBinding",
    "RuntimeClass",
    "GatewayClass",
    "VolumeAttachment",
    "CSINode",
)


@dataclass(frozen=True, eq=False)
class Workload:
    """An object that people wrote to run pods: never a ReplicaSet of a Deployment, never a pod of either."""

    ref: ObjectRef
    thing: KubernetesObject
    pods: tuple[Pod, ...]

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The pod specification: the workload's own, else that of one of its pods."""
        return pod_spec(self.thing) or (self.pods[0].spec if self.pods else {})

    @cached_property
    def labels(self) -> dict[str, str]:
        """The labels of its pods."""
        own = pod_labels(self.thing) if self.ref.kind != "Pod" else labels_of(self.thing)
        return own or (self.pods[0].labels if self.pods else {})

    @property
    def field(self) -> str:
        """The path of the pod specification in its manifest."""
        return template_path(self.ref.kind)

    @property
    def replicas(self) -> int:
        """How many pods are wanted; 1 where nothing is said."""
        wanted = number(self.thing, "spec", "replicas")
        return 1 if wanted is None else wanted

    @property
    def ready(self) -> bool:
        """Whether it has at least one current pod and all of them are ready."""
        return bool(self.pods) and all(pod.ready for pod in self.pods)


class ClusterIndex:
    """The typed view of one snapshot that every detector reads. Nothing in it depends on the order of the input."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self.snapshot = snapshot
        self.now = snapshot.taken_at
        self._objects: dict[str, dict[tuple[str, str], KubernetesObject]] = defaultdict(dict)
        self._made: dict[Callable[[ClusterIndex], object], object] = {}
        for thing in sorted(filter(_is_named, snapshot.objects), key=_order):
            ref = ObjectRef.of(thing)
            self._objects[ref.kind][(ref.namespace, ref.name)] = thing

    def of_kind(self, kind: str, namespace: str | None = None) -> tuple[KubernetesObject, ...]:
        """All objects of a kind, in one namespace or in all, by namespace and name."""
        if namespace is None:
            return tuple(self._objects[kind].values())
        return tuple(self._in_namespaces.get((kind, namespace), ()))

    @cached_property
    def _in_namespaces(self) -> dict[tuple[str, str], list[KubernetesObject]]:
        grouped: dict[tuple[str, str], list[KubernetesObject]] = defaultdict(list)
        for kind, things in self._objects.items():
            for (namespace, _), thing in things.items():
                grouped[(kind, namespace)].append(thing)
        return grouped

    def of_kinds(self, kinds: Iterable[str]) -> tuple[KubernetesObject, ...]:
        """All objects of several kinds."""
        return tuple(thing for kind in kinds for thing in self.of_kind(kind))

    def get(self, kind: str, namespace: str, name: str) -> KubernetesObject | None:
        """One object; None where the snapshot has none."""
        return self._objects[kind].get(("" if kind in CLUSTER_KINDS else namespace, name))

    def find(self, ref: ObjectRef) -> KubernetesObject | None:
        """The object of a reference; None where the snapshot has none."""
        return self._objects[ref.kind].get((ref.namespace, ref.name))

    def once(self, make: Callable[["ClusterIndex"], T]) -> T:
        """What a function makes of this index, made at the first call and shared by all detectors."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast(T, self._made[make])

    def could_read(self, kind: str, namespace: str = "") -> bool:
        """Whether the absence of an object means something: the kind was readable, and the namespace was looked at."""
        words = {
            word for entry in self.snapshot.unseen for word in entry.lower().replace(":", " ").replace("/", " ").split()
        }
        plural = f"{kind.lower()}s"
        if {kind.lower(), plural, f"{kind.lower()}es", plural.replace("ys", "ies")} & words:
            return False
        return not namespace or namespace in self.namespaces

    @cached_property
    def namespaces(self) -> frozenset[str]:
        """The namespaces that were read: those asked for, and those that namespaced objects were seen in."""
        seen = {namespace for kind, things in self._objects.items() if kind != "Namespace" for namespace, _ in things}
        return frozenset({*self.snapshot.namespaces, *seen} - {""})

    # owners

    def owner_of(self, thing: KubernetesObject) -> ObjectRef:
        """The top of the owner chain: Pod → ReplicaSet → Deployment, Pod → Job → CronJob, or the object itself.

        An owner that the snapshot lacks is still named; a ReplicaSet that it lacks is named by its Deployment, whose
        name is the ReplicaSet's without the pod template hash.
        """
        ref = ObjectRef.of(thing)
        for _ in range(8):
            owner = _controller(thing)
            if owner is None or owner.get("kind") == "Node":
                return ref
            above = ObjectRef(kind=text(owner, "kind"), namespace=ref.namespace, name=text(owner, "name"))
            known = self.find(above)
            if known is None:
                return _deployment_of(above, labels_of(thing))
            ref, thing = above, known
        return ref

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """All pods, ended and outdated ones included."""
        return tuple(self._pod(thing) for thing in self.of_kind("Pod"))

    def _pod(self, thing: KubernetesObject) -> Pod:
        owner = self.owner_of(thing)
        template = pod_spec(self.find(owner) or {})
        return Pod(thing, owner, template or mapping(thing, "spec"), current=self._is_current(thing))

    def _is_current(self, thing: KubernetesObject) -> bool:
        """Whether a pod belongs to what is wanted now: not being deleted, and of the newest revision of its owner."""
        if dig(thing, "metadata", "deletionTimestamp"):
            return False
        owner = _controller(thing)
        if owner is not None and owner.get("kind") == "Job":
            return self._is_current_job(text(thing, "metadata", "namespace"), text(owner, "name"))
        if owner is None or owner.get("kind") != "ReplicaSet":
            return True
        name = text(owner, "name")
        own = self.get("ReplicaSet", text(thing, "metadata", "namespace"), name)
        if own is None:
            return True
        newest = self._newest_replica_sets.get(str(self.owner_of(own)), name)
        return newest == name

    def _is_current_job(self, namespace: str, name: str) -> bool:
        """Whether a Job tells of the present: it did not complete, and is the newest of its CronJob."""
        job = self.get("Job", namespace, name)
        if job is None:
            return True
        return condition(job, "Complete").get("status") != "True" and self.newest_jobs.get(self.owner_of(job)) == name

    @cached_property
    def newest_jobs(self) -> dict[ObjectRef, str]:
        """The newest started Job of every CronJob, and every Job of its own."""
        jobs = sorted(
            self.of_kind("Job"), key=lambda job: (text(job, "status", "startTime"), text(job, "metadata", "name"))
        )
        return {self.owner_of(job): text(job, "metadata", "name") for job in jobs}

    @cached_property
    def _newest_replica_sets(self) -> dict[str, str]:
        newest: dict[str, tuple[int, str, str]] = {}
        for thing in self.of_kind("ReplicaSet"):
            owner = str(self.owner_of(thing))
            stamp = text(thing, "metadata", "creationTimestamp")
            newest[owner] = max(
                newest.get(owner, (-1, "", "")), (revision(thing), stamp, text(thing, "metadata", "name"))
            )
        return {owner: name for owner, (_, _, name) in newest.items()}

    @cached_property
    def pods_by_workload(self) -> dict[ObjectRef, tuple[Pod, ...]]:
        """All pods, grouped."""
        grouped: dict[ObjectRef, list[Pod]] = defaultdict(list)
        for pod in self.pods:
            grouped[pod.workload].append(pod)
        return {ref: tuple(found) for ref, found in grouped.items()}

    @cached_property
    def current_pods(self) -> tuple[Pod, ...]:
        """The pods that matter now: of the newest revision, not being deleted, not replaced after their end."""
        return tuple(pod for pod in self.pods if pod.current and not (pod.ended and _is_replaced(pod)))

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Every workload, those without pods included, by its reference."""
        pods: dict[ObjectRef, list[Pod]] = defaultdict(list)
        for pod in self.current_pods:
            pods[pod.workload].append(pod)
        owned = {self.owner_of(thing) for thing in self.of_kinds(WORKLOAD_KINDS) if text(thing, "kind") != "Pod"}
        refs = sorted({*owned, *pods}, key=str)
        return tuple(Workload(ref, self.find(ref) or {}, tuple(pods.get(ref, ()))) for ref in refs)

    @cached_property
    def workload_by_ref(self) -> dict[ObjectRef, Workload]:
        """Workloads by reference."""
        return {workload.ref: workload for workload in self.workloads}

    def workloads_in(self, namespace: str) -> tuple[Workload, ...]:
        """The workloads of one namespace."""
        return self._workloads_by_namespace.get(namespace, ())

    @cached_property
    def _workloads_by_namespace(self) -> dict[str, tuple[Workload, ...]]:
        grouped: dict[str, list[Workload]] = defaultdict(list)
        for workload in self.workloads:
            grouped[workload.ref.namespace].append(workload)
        return {namespace: tuple(found) for namespace, found in grouped.items()}

    def workloads_named(self, namespace: str, name: str) -> tuple[Workload, ...]:
        """The workloads of one name, of whatever kinds."""
        return self._workloads_by_name.get((namespace, name), ())

    @cached_property
    def _workloads_by_name(self) -> dict[tuple[str, str], tuple[Workload, ...]]:
        grouped: dict[tuple[str, str], list[Workload]] = defaultdict(list)
        for workload in self.workloads:
            grouped[(workload.ref.namespace, workload.ref.name)].append(workload)
        return {name: tuple(found) for name, found in grouped.items()}

    def workloads_labelled(self, namespace: str, wanted: Mapping[str, Any]) -> tuple[Workload, ...]:
        """Candidates for an equality selector that is not empty: the fewest workloads that share one of its pairs."""
        shared = (self._workloads_by_label.get((namespace, str(key), str(value)), ()) for key, value in wanted.items())
        return min(shared, key=len, default=())

    @cached_property
    def _workloads_by_label(self) -> dict[tuple[str, str, str], tuple[Workload, ...]]:
        grouped: dict[tuple[str, str, str], list[Workload]] = defaultdict(list)
        for workload in self.workloads:
            for key, value in workload.labels.items():
                grouped[(workload.ref.namespace, key, value)].append(workload)
        return {pair: tuple(found) for pair, found in grouped.items()}

    # events and logs

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """All events by time, then by what they say."""
        read = [Event.read(thing) for thing in self.snapshot.events]
        return tuple(sorted(read, key=lambda event: (str(event.at), str(event.subject), event.reason, event.message)))

    @cached_property
    def _events_by_subject(self) -> dict[ObjectRef, tuple[Event, ...]]:
        grouped: dict[ObjectRef, list[Event]] = defaultdict(list)
        for event in self.events:
            grouped[event.subject].append(event)
        return {subject: tuple(found) for subject, found in grouped.items()}

    def events_of(self, thing: KubernetesObject | ObjectRef) -> tuple[Event, ...]:
        """The events about an object, oldest first; those of a namesake of before are told by the uid."""
        ref = thing if isinstance(thing, ObjectRef) else ObjectRef.of(thing)
        known = self.find(ref)
        uid = text(known, "metadata", "uid")
        found = self._events_by_subject.get(ref, ())
        if ref.kind == "Node" or not uid:
            return found
        return tuple(event for event in found if event.uid in ("", uid))

    @cached_property
    def _logs(self) -> dict[tuple[str, str], tuple[ContainerLog, ...]]:
        grouped: dict[tuple[str, str], list[ContainerLog]] = defaultdict(list)
        for log in sorted(self.snapshot.logs, key=lambda log: (log.container, not log.previous)):
            grouped[(log.namespace, log.pod)].append(log)
        return {key: tuple(found) for key, found in grouped.items()}

    def logs_of(self, pod: Pod, container: str | None = None) -> tuple[ContainerLog, ...]:
        """The logs of a pod, or of one container; the log of the ended run comes before that of the present one."""
        found = self._logs.get((pod.ref.namespace, pod.ref.name), ())
        return tuple(log for log in found if container in (None, log.container))


def revision(thing: KubernetesObject) -> int:
    """A ReplicaSet's rollout revision; 0 where the annotation is missing."""
    notes = mapping(thing, "metadata", "annotations")
    return number(notes, "deployment.kubernetes.io/revision") or number(notes, "rollout.argoproj.io/revision") or 0


def _is_named(thing: KubernetesObject) -> bool:
    """Whether an object can be referred to at all; nothing else can be said of one that cannot."""
    metadata = mapping(thing, "metadata")
    namespace = metadata.get("namespace", "")
    return all(isinstance(part, str) for part in (thing.get("kind"), metadata.get("name"), namespace))


def _order(thing: KubernetesObject) -> tuple[str, str, str]:
    ref = ObjectRef.of(thing)
    return (ref.kind, ref.namespace, ref.name)


def _controller(thing: KubernetesObject) -> dict[str, Any] | None:
    owners = mappings(thing, "metadata", "ownerReferences")
    return next((owner for owner in owners if owner.get("controller")), owners[0] if owners else None)


def _deployment_of(owner: ObjectRef, labels: dict[str, str]) -> ObjectRef:
    digest = labels.get("pod-template-hash", "")
    if owner.kind == "ReplicaSet" and digest and owner.name.endswith(f"-{digest}"):
        return ObjectRef(kind="Deployment", namespace=owner.namespace, name=owner.name.removesuffix(f"-{digest}"))
    return owner


def _is_replaced(pod: Pod) -> bool:
    """Whether a controller makes a new pod in an ended pod's place, so that the ended one is only a trace."""
    return pod.workload.kind in (
        *("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController"),
        *("Rollout", "DeploymentConfig", "CloneSet"),
    )

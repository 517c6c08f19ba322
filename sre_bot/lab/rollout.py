"""The cluster after a sync: manifests become specs, controllers make pods, the physics decides how they turn out."""

import copy
from dataclasses import dataclass, field
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cluster import Cluster, Key, key_of
from sre_bot.lab.endpoints import refresh_endpoints
from sre_bot.lab.happenings import quiet_logs
from sre_bot.lab.manifests import REPLACED, Applied, apply
from sre_bot.lab.ownership import children, newest_replica_set, pods_of, top_workloads
from sre_bot.lab.physics import Outcome
from sre_bot.lab.pods import short_hash
from sre_bot.lab.recording import read_objects
from sre_bot.lab.reissue import Look, Reissue, key_about, refreshed
from sre_bot.lab.renewal import Renewal, Renewer
from sre_bot.lab.workload_status import (
    daemon_set_status,
    deployment_status,
    generation_of,
    job_status,
    replica_set_status,
    stateful_set_status,
    wanted_replicas,
)

Json = dict[str, Any]


@dataclass(slots=True)
class Rollout:
    """One sync on its way through the cluster: ``start`` applies it, ``settle`` ends it some seconds later."""

    cluster: Cluster
    look: Look
    outcome: Outcome
    applied: dict[Key, Applied] = field(default_factory=dict[Key, Applied])
    renewals: list[Renewal] = field(default_factory=list[Renewal])

    def start(self, before: dict[Key, KubernetesObject], after: dict[Key, KubernetesObject], *, prune: bool) -> None:
        """Apply the manifests ``after``; ``before`` are those of the last sync. Unwanted objects go with ``prune``."""
        for key, manifest in sorted(after.items(), key=_creation_order):
            self.applied[key] = apply(self.cluster, before.get(key), manifest)
            self._store(key, self.applied[key])
        if prune:
            for key in before.keys() - after.keys():
                self._delete(key)
        renewer = Renewer(self.cluster, self.look, self.outcome)
        for workload in top_workloads(self.cluster.objects):
            if self._needs_renewal(workload):
                self.renewals.append(renewer.start(self._to_renew(workload)))
        self._derive_statuses()
        refresh_endpoints(self.cluster)

    def settle(self) -> None:
        """Let everything turn out: pods, statuses, endpoints, logs, events."""
        renewer = Renewer(self.cluster, self.look, self.outcome)
        for renewal in self.renewals:
            renewer.settle(renewal)
        self.cluster.still_failing = self.outcome != "healed"
        if self.outcome == "healed":
            self._recover()
        else:
            self._keep_failing()
        self._derive_statuses()
        refresh_endpoints(self.cluster)

    def exceed_deadlines(self) -> None:
        """Tell of every Deployment that is still not rolled out that its progress deadline has passed."""
        for renewal in self.renewals:
            workload = self.cluster.objects.get(renewal.workload)
            if workload is not None and workload["kind"] == "Deployment":
                self._derive_deployment(workload, timed_out=True)

    def _store(self, key: Key, applied: Applied) -> None:
        thing = copy.deepcopy(applied.after)
        if applied.before is None:
            thing["metadata"].setdefault("generation", 1)
            self.cluster.put({**thing, **({"status": {}} if "spec" in thing else {})})
        elif applied.changed and (key[1] not in REPLACED or _is_bound(applied.before)):
            grown = generation_of(applied.before) + (1 if applied.respecified else 0)
            if "generation" in applied.before["metadata"] or applied.respecified:
                thing["metadata"]["generation"] = grown
            self.cluster.put(thing)
        elif applied.changed and key[1] != "Pod":
            self._delete(key)
            thing.pop("status", None)
            self.cluster.put(thing)

    def _delete(self, key: Key) -> None:
        """Delete an object and what it made."""
        thing = self.cluster.objects.get(key)
        if thing is None:
            return
        for kind in ("ReplicaSet", "Job", "Pod"):
            for child in children(self.cluster.objects, thing, kind):
                self._delete(key_of(child))
        self.cluster.delete(key)

    def _needs_renewal(self, workload: KubernetesObject) -> bool:
        key = key_of(workload)
        applied = self.applied.get(key)
        if applied and applied.before is None:
            return True
        if workload["kind"] == "Pod" and applied and applied.respecified:
            return True
        if (
            workload["kind"] == "CronJob"
            and applied
            and applied.respecified
            and not applied.after["spec"].get("suspend")
        ):
            return self.outcome == "healed"
        if applied and workload["kind"] != "CronJob" and applied.new_template:
            return True
        sound = self._is_sound(workload)
        if self.outcome == "healed":
            return not sound
        return (sound and not self.look.is_sound(key)) or self._is_rescaled(applied)

    def _is_sound(self, workload: KubernetesObject) -> bool:
        objects = self.cluster.objects
        pods = pods_of(objects, workload)
        if workload["kind"] == "CronJob":
            return not any((job.get("status") or {}).get("failed") for job in children(objects, workload, "Job"))
        if workload["kind"] in ("Deployment", "StatefulSet") and len(pods) != wanted_replicas(workload):
            return False
        return all(map(self.look.is_sound_pod, pods))

    def _is_rescaled(self, applied: Applied | None) -> bool:
        if applied is None or applied.before is None or applied.after["kind"] not in ("Deployment", "StatefulSet"):
            return False
        return wanted_replicas(applied.before) != wanted_replicas(applied.after)

    def _to_renew(self, workload: KubernetesObject) -> KubernetesObject:
        """A bare pod as its manifest wants it, anything else as it is stored."""
        applied = self.applied.get(key_of(workload))
        return copy.deepcopy(applied.after if applied and workload["kind"] == "Pod" else workload)

    def _recover(self) -> None:
        for kind, recover in (("PersistentVolumeClaim", self._bind), ("HorizontalPodAutoscaler", self._let_scale)):
            for thing in self.cluster.of_kind(kind):
                recover(thing)
        renewed = {key for renewal in self.renewals for key in renewal.fresh}
        for pod in self.cluster.of_kind("Pod"):
            if key_of(pod) not in renewed and (pod.get("status") or {}).get("phase") == "Running":
                quiet_logs(self.cluster, pod)
        for thing in self._after_objects():
            self.cluster.put(thing)

    def _keep_failing(self) -> None:
        for log in self.look.recording.logs:
            if ("", "Pod", log.namespace, log.pod) in self.cluster.objects:
                self.cluster.put_log(log)
        renewed = {key for renewal in self.renewals for key in renewal.fresh}
        for event in self.look.persisting_warnings():
            about = key_about(event, self.cluster.objects)
            if about and about not in renewed:
                known = self.cluster.objects.get(key_of(event), event)
                self.cluster.put(refreshed(known, self.cluster.clock.stamp()))
        for thing in self._after_objects():
            recorded = self.look.objects.get(key_of(thing))
            if recorded is not None and key_of(thing) not in self.applied and thing["kind"] != "Pod":
                self.cluster.put(recorded)
        for kind in ("PersistentVolumeClaim", "HorizontalPodAutoscaler"):
            for thing in self.cluster.of_kind(kind):
                self._relapse(thing)

    def _relapse(self, thing: KubernetesObject) -> None:
        recorded = self.look.objects.get(key_of(thing))
        if recorded is not None and recorded.get("status") != thing.get("status"):
            status = Reissue.on(self.cluster.clock, recorded, thing).value(recorded.get("status") or {})
            self.cluster.put({**thing, "status": status})

    def _after_objects(self) -> list[KubernetesObject]:
        after = self.look.recording.incident.expect.after
        folder = self.look.recording.folder / after if after else None
        files = sorted(folder.rglob("*")) if folder and folder.is_dir() else []
        return [one for file in files if file.suffix in (".yaml", ".yml", ".json") for one in read_objects(file)]

    def _bind(self, claim: KubernetesObject) -> None:
        status = claim.get("status") or {}
        spec = copy.deepcopy(claim.get("spec") or {})
        spec.setdefault("volumeName", f"pvc-{claim['metadata']['uid']}")
        storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "1Gi")
        modes = spec.get("accessModes") or ["ReadWriteOnce"]
        bound = {"phase": "Bound", "accessModes": modes, "capacity": {"storage": storage}}
        if status.get("phase") != "Bound" or status.get("capacity") != bound["capacity"]:
            self.cluster.put({**claim, "spec": spec, "status": {**status, **bound}})

    def _let_scale(self, autoscaler: KubernetesObject) -> None:
        status = copy.deepcopy(autoscaler.get("status") or {})
        for condition in status.get("conditions") or ():
            good = "False" if condition["type"] == "ScalingLimited" else "True"
            if condition["status"] != good and condition["type"] != "ScalingLimited":
                reason = {"AbleToScale": "ReadyForNewScale", "ScalingActive": "ValidMetricFound"}
                condition.update(
                    status=good,
                    reason=reason.get(condition["type"], "Ready"),
                    message="the HPA controller is able to scale as recommended",
                    lastTransitionTime=self.cluster.clock.stamp(),
                )
        if status != (autoscaler.get("status") or {}):
            self.cluster.put({**autoscaler, "status": status})

    def _derive_statuses(self) -> None:
        touched = {renewal.workload for renewal in self.renewals} | {
            key for key, applied in self.applied.items() if applied.changed
        }
        for key in touched:
            workload = self.cluster.objects.get(key)
            if workload is not None:
                self._derive_status(workload)

    def _derive_status(self, workload: KubernetesObject) -> None:
        pods = pods_of(self.cluster.objects, workload)
        match workload["kind"]:
            case "Deployment":
                self._derive_deployment(workload, timed_out=self.outcome == "harmed")
            case "StatefulSet":
                revision = f"{workload['metadata']['name']}-{short_hash(workload['spec'].get('template'))}"
                self.cluster.put({**workload, "status": stateful_set_status(workload, pods, revision)})
            case "DaemonSet":
                self.cluster.put({**workload, "status": daemon_set_status(workload, pods)})
            case "Job":
                self._derive_job(workload, pods, self.look.objects.get(key_of(workload)))
            case "CronJob":
                self._derive_jobs(workload)
            case _:
                return

    def _derive_deployment(self, deployment: KubernetesObject, *, timed_out: bool) -> None:
        objects = self.cluster.objects
        newest = newest_replica_set(objects, deployment)
        if newest is None:
            return
        updated = children(objects, newest, "Pod")
        fresh = {key_of(pod) for pod in updated}
        old = [pod for pod in pods_of(objects, deployment) if key_of(pod) not in fresh]
        now, name = self.cluster.clock.stamp(), newest["metadata"]["name"]
        status = deployment_status(deployment, updated, old, name, now, timed_out=timed_out)
        failure = [
            one for one in (newest.get("status") or {}).get("conditions") or () if one["type"] == "ReplicaFailure"
        ]
        status["conditions"] += failure
        self.cluster.put({**deployment, "status": status})
        if not failure:
            self.cluster.put({**newest, "status": replica_set_status(newest, updated)})

    def _derive_jobs(self, cron_job: KubernetesObject) -> None:
        known = self.look.jobs(key_of(cron_job))
        for job in children(self.cluster.objects, cron_job, "Job"):
            if key_of(job) not in self.look.objects:
                pods = children(self.cluster.objects, job, "Pod")
                self._derive_job(job, pods, known[-1] if known else None)

    def _derive_job(
        self, job: KubernetesObject, pods: list[KubernetesObject], recorded: KubernetesObject | None
    ) -> None:
        if self.outcome != "healed" and recorded is not None:
            status = Reissue.on(self.cluster.clock, recorded, job).value(recorded.get("status") or {})
            self.cluster.put({**job, "status": status})
        elif pods and not (job.get("status") or {}).get("completionTime"):
            self.cluster.put({**job, "status": job_status(pods, self.cluster.clock.stamp())})


def _is_bound(thing: KubernetesObject) -> bool:
    return thing["kind"] == "PersistentVolumeClaim" and (thing.get("status") or {}).get("phase") == "Bound"


def _creation_order(item: tuple[Key, KubernetesObject]) -> tuple[int, Key]:
    """Namespaces and definitions first, workloads last, as Argo CD orders them."""
    first = ("Namespace", "CustomResourceDefinition", "ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim")
    kind = item[0][1]
    return (first.index(kind) if kind in first else len(first), item[0])

"""Making a workload's pods anew: ReplicaSets, Jobs and pods while they start, then as they turn out."""

import copy
from dataclasses import dataclass, field
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cluster import Cluster, Key, key_of
from sre_bot.lab.happenings import quiet_logs, record_creation, record_scaling, record_start
from sre_bot.lab.manifests import template_of
from sre_bot.lab.ownership import REVISION, children, pods_of, revision_of
from sre_bot.lab.physics import Outcome
from sre_bot.lab.pods import Owner, choose_node, is_ready, new_pod, running, short_hash, succeeded
from sre_bot.lab.reissue import Look, Reissue
from sre_bot.lab.workload_status import replica_set_status, wanted_replicas

Json = dict[str, Any]
_HASH = "pod-template-hash"


@dataclass(slots=True)
class Renewal:
    """One workload whose pods are being made anew.

    ``fresh`` are the new pods, ``old`` those that go once the new ones are Ready; ``maker`` is the new pods' owner,
    None for a bare pod.
    """

    workload: Key
    maker: Key | None
    fresh: list[Key] = field(default_factory=list[Key])
    old: list[Key] = field(default_factory=list[Key])


@dataclass(frozen=True, slots=True)
class Renewer:
    """Renews workloads towards an outcome."""

    cluster: Cluster
    look: Look
    outcome: Outcome

    def start(self, workload: KubernetesObject) -> Renewal:
        """Create what comes next, starting; what was there stays until ``settle``."""
        kind = workload["kind"]
        old = [key_of(pod) for pod in pods_of(self.cluster.objects, workload)]
        if kind == "Pod":
            return self._replace_bare_pod(workload)
        maker = self._maker(workload)
        renewal = Renewal(key_of(workload), key_of(maker), [], old)
        for place in range(self._count(workload)):
            name = self._pod_name(maker, place)
            key = ("", "Pod", workload["metadata"].get("namespace", ""), name)
            if key in old:  # a StatefulSet's pod keeps its name
                self.cluster.delete(key)
                old.remove(key)
            renewal.fresh.append(key_of(self._create(maker, name, place, key_of(workload))))
        return renewal

    def settle(self, renewal: Renewal) -> None:
        """Let the new pods turn out as the outcome wants, and take away those that they replace."""
        recorded = self.look.pods(renewal.workload)
        for place, key in enumerate(renewal.fresh):
            pod = copy.deepcopy(self.cluster.objects[key])
            if self.outcome == "healed" or not recorded:
                self._turn_out_well(pod)
            else:
                self._turn_out_as(recorded[place % len(recorded)], pod)
        self._retire(renewal)
        if self.outcome != "healed" and self.look.makes_no_pods(renewal.workload):
            self._refuse_pods(renewal)

    def _count(self, workload: KubernetesObject) -> int:
        if self.outcome != "healed" and self.look.makes_no_pods(key_of(workload)):
            return 0
        match workload["kind"]:
            case "DaemonSet":
                recorded = len(self.look.pods(key_of(workload)))
                return recorded or max(1, len(self.cluster.of_kind("Node")))
            case "Job" | "CronJob":
                return 1
            case _ if self.outcome != "healed" and self.look.older_ready(key_of(workload)):
                return len(self.look.pods(key_of(workload)))
            case _:
                return wanted_replicas(workload)

    def _maker(self, workload: KubernetesObject) -> KubernetesObject:
        if workload["kind"] == "Deployment":
            return self._replica_set(workload)
        if workload["kind"] == "CronJob":
            return self._job(workload)
        return workload

    def _replica_set(self, deployment: KubernetesObject) -> KubernetesObject:
        """The Deployment's ReplicaSet for its template, made or brought back as the newest revision."""
        sets = children(self.cluster.objects, deployment, "ReplicaSet")
        revision = max([revision_of(deployment), *map(revision_of, sets)])
        known = next((one for one in sets if _bare_template(one) == _template(deployment)), None)
        if known is None or revision_of(known) != revision:
            revision += 1
        replica_set = copy.deepcopy(known) if known else _new_replica_set(deployment, revision)
        for thing in (replica_set, deployment):
            thing["metadata"]["annotations"] = {**(thing["metadata"].get("annotations") or {}), REVISION: str(revision)}
        self.cluster.put(deployment)
        before = int((known or {}).get("spec", {}).get("replicas") or 0)
        wanted = wanted_replicas(deployment)
        replica_set["spec"]["replicas"] = wanted
        stored = self.cluster.put(replica_set)
        if before != wanted:
            record_scaling(self.cluster, deployment, stored["metadata"]["name"], before, wanted)
        return stored

    def _job(self, cron_job: KubernetesObject) -> KubernetesObject:
        metadata, now = cron_job["metadata"], self.cluster.clock.now()
        name = f"{metadata['name']}-{int(now.timestamp()) // 60}"
        job: KubernetesObject = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name,
                "namespace": metadata["namespace"],
                "labels": copy.deepcopy(cron_job["spec"]["jobTemplate"].get("metadata", {}).get("labels") or {}),
                "ownerReferences": [Owner.of(cron_job).reference],
            },
            "spec": copy.deepcopy(cron_job["spec"]["jobTemplate"]["spec"]),
        }
        stamp = self.cluster.clock.stamp()
        status = {**(cron_job.get("status") or {}), "lastScheduleTime": stamp}
        self.cluster.put({**cron_job, "status": status})
        return self.cluster.put(job)

    def _pod_name(self, maker: KubernetesObject, place: int) -> str:
        name = maker["metadata"]["name"]
        if maker["kind"] == "StatefulSet":
            return f"{name}-{place}"
        return f"{name}-{short_hash([name, place, self.cluster.version], 5)}"

    def _create(self, maker: KubernetesObject, name: str, place: int, workload: Key) -> KubernetesObject:
        recorded = self.look.pods(workload)
        preferred = recorded[place % len(recorded)]["spec"].get("nodeName", "") if recorded else ""
        template = template_of(maker) or {}
        node, _ = choose_node(self.cluster, template, preferred)
        namespace = maker["metadata"].get("namespace", "")
        labels = _extra_labels(maker, name)
        pod = self.cluster.put(
            new_pod(name, namespace, template, Owner.of(maker), labels, node, self.cluster.clock.stamp())
        )
        record_creation(self.cluster, maker, pod)
        return pod

    def _replace_bare_pod(self, pod: KubernetesObject) -> Renewal:
        """A bare pod keeps its name; the new one has its manifest's spec, without what the last node added."""
        metadata = pod["metadata"]
        key = key_of(pod)
        template = {"metadata": metadata, "spec": {k: v for k, v in pod["spec"].items() if k != "nodeName"}}
        node, _ = choose_node(self.cluster, template, pod["spec"].get("nodeName", ""))
        self.cluster.delete(key)
        fresh = new_pod(
            metadata["name"], metadata.get("namespace", ""), template, None, {}, node, self.cluster.clock.stamp()
        )
        record_creation(self.cluster, None, self.cluster.put(fresh))
        return Renewal(key, None, [key])

    def _turn_out_well(self, pod: KubernetesObject) -> None:
        _, host_ip = choose_node(self.cluster, {}, pod["spec"].get("nodeName", ""))
        owners = pod["metadata"].get("ownerReferences") or ()
        finishes = any(owner["kind"] == "Job" for owner in owners)
        pod["status"] = (succeeded if finishes else running)(pod, self.cluster.clock.stamp(), host_ip)
        stored = self.cluster.put(pod)
        record_start(self.cluster, stored)
        quiet_logs(self.cluster, stored)

    def _turn_out_as(self, recorded: KubernetesObject, pod: KubernetesObject) -> None:
        reissue = Reissue.on(self.cluster.clock, recorded, pod)
        _, host_ip = choose_node(self.cluster, {}, pod["spec"].get("nodeName", ""))
        if not recorded["spec"].get("nodeName"):
            pod["spec"].pop("nodeName", None)
        pod["status"] = reissue.status(recorded, pod, host_ip)
        stored = self.cluster.put(pod)
        reissue.events(self.cluster, self.look.events_of(recorded))
        reissue.logs(self.cluster, self.look.logs_of(recorded), stored)

    def _retire(self, renewal: Renewal) -> None:
        """Old pods go; while the new ones are not Ready, as many Ready ones stay as stayed when it was recorded."""
        all_ready = all(_well(self.cluster.objects[key]) for key in renewal.fresh)
        kept = 0 if all_ready else self.look.older_ready(renewal.workload)
        for key in sorted(renewal.old, key=lambda key: not is_ready(self.cluster.objects[key])):
            if kept > 0 and is_ready(self.cluster.objects[key]):
                kept -= 1
            else:
                self.cluster.delete(key)
        workload = self.cluster.objects[renewal.workload]
        if workload["kind"] == "Deployment":
            self._shrink_old_sets(workload, renewal)
        if workload["kind"] == "CronJob":
            self._drop_failed_jobs(workload)

    def _shrink_old_sets(self, deployment: KubernetesObject, renewal: Renewal) -> None:
        for replica_set in children(self.cluster.objects, deployment, "ReplicaSet"):
            pods = children(self.cluster.objects, replica_set, "Pod")
            before = int(replica_set["spec"].get("replicas") or 0)
            after = before if key_of(replica_set) == renewal.maker else len(pods)
            shrunk = {**replica_set, "spec": {**replica_set["spec"], "replicas": after}}
            self.cluster.put({**shrunk, "status": replica_set_status(replica_set, pods)})
            if after < before:
                record_scaling(self.cluster, deployment, replica_set["metadata"]["name"], before, after)

    def _drop_failed_jobs(self, cron_job: KubernetesObject) -> None:
        for job in children(self.cluster.objects, cron_job, "Job"):
            if (job.get("status") or {}).get("failed") and self.outcome == "healed":
                for pod in children(self.cluster.objects, job, "Pod"):
                    self.cluster.delete(key_of(pod))
                self.cluster.delete(key_of(job))

    def _refuse_pods(self, renewal: Renewal) -> None:
        """Nothing could create the pods when this was recorded, and nothing can now."""
        recorded = self.look.replica_set(renewal.workload) or self.look.objects[renewal.workload]
        maker = copy.deepcopy(self.cluster.objects[renewal.maker or renewal.workload])
        reissue = Reissue.on(self.cluster.clock, recorded, maker)
        maker["status"] = reissue.value(recorded.get("status") or {})
        self.cluster.put(maker)
        reissue.events(self.cluster, self.look.events_of(recorded))


def _new_replica_set(deployment: KubernetesObject, revision: int) -> KubernetesObject:
    metadata, template = deployment["metadata"], _template(deployment)
    suffix = short_hash(template)
    template["metadata"] = {**(template.get("metadata") or {})}
    template["metadata"]["labels"] = {**(template["metadata"].get("labels") or {}), _HASH: suffix}
    selector = copy.deepcopy(deployment["spec"].get("selector") or {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), _HASH: suffix}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{suffix}",
            "namespace": metadata.get("namespace", ""),
            "generation": 1,
            "labels": dict(template["metadata"]["labels"]),
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [Owner.of(deployment).reference],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }


def _template(deployment: KubernetesObject) -> Json:
    return copy.deepcopy(template_of(deployment) or {})


def _bare_template(replica_set: KubernetesObject) -> Json:
    template = copy.deepcopy(template_of(replica_set) or {})
    labels = (template.get("metadata") or {}).get("labels") or {}
    labels.pop(_HASH, None)
    return template


def _extra_labels(maker: KubernetesObject, pod_name: str) -> Json:
    name = maker["metadata"]["name"]
    match maker["kind"]:
        case "StatefulSet":
            revision = f"{name}-{short_hash(template_of(maker))}"
            return {
                "apps.kubernetes.io/pod-index": pod_name.rpartition("-")[2],
                "controller-revision-hash": revision,
                "statefulset.kubernetes.io/pod-name": pod_name,
            }
        case "DaemonSet":
            return {"controller-revision-hash": short_hash(template_of(maker)), "pod-template-generation": "1"}
        case "Job":
            uid = maker["metadata"]["uid"]
            return {"batch.kubernetes.io/job-name": name, "batch.kubernetes.io/controller-uid": uid, "job-name": name}
        case _:
            return {}


def _well(pod: KubernetesObject) -> bool:
    return is_ready(pod) or (pod.get("status") or {}).get("phase") == "Succeeded"

"""The recorded look of each workload, put on new pods: statuses, events and logs with new names and times."""

import copy
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sre_bot.domain.cluster import ContainerLog, KubernetesObject
from sre_bot.lab.clock import Clock, stamp
from sre_bot.lab.cluster import Cluster, Key
from sre_bot.lab.ownership import Objects, by_key, children, newest_pods, newest_replica_set, pods_of
from sre_bot.lab.pods import is_ready, is_sound, pod_address, running, short_hash
from sre_bot.lab.recording import Recording

Json = dict[str, Any]
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_PERSISTING = timedelta(minutes=30)
"""An event that was written this shortly before the recording would go on being written."""

_RECENT = timedelta(hours=1)
"""A restart this shortly before the recording is part of the incident."""


@dataclass(frozen=True, slots=True)
class Look:
    """The cluster as it was recorded, to be asked how a workload looked then."""

    recording: Recording
    objects: Objects

    @classmethod
    def of(cls, recording: Recording) -> "Look":
        """The look of a recording."""
        return cls(recording, by_key(copy.deepcopy(recording.objects)))

    def pods(self, workload: Key) -> list[KubernetesObject]:
        """The recorded pods of the newest generation of a workload."""
        thing = self.objects.get(workload)
        return newest_pods(self.objects, thing) if thing else []

    def older_ready(self, workload: Key) -> int:
        """How many Ready pods of older generations a workload had besides its newest."""
        thing = self.objects.get(workload)
        newest = {pod["metadata"]["name"] for pod in self.pods(workload)}
        older = [pod for pod in pods_of(self.objects, thing) if pod["metadata"]["name"] not in newest] if thing else []
        return sum(map(is_ready, older))

    def replica_set(self, workload: Key) -> KubernetesObject | None:
        """The recorded newest ReplicaSet of a Deployment."""
        thing = self.objects.get(workload)
        return newest_replica_set(self.objects, thing) if thing and thing["kind"] == "Deployment" else None

    def jobs(self, workload: Key) -> list[KubernetesObject]:
        """The recorded Jobs of a CronJob."""
        thing = self.objects.get(workload)
        return children(self.objects, thing, "Job") if thing and thing["kind"] == "CronJob" else []

    def makes_no_pods(self, workload: Key) -> bool:
        """Whether the workload wanted pods and had none: something refused to create them."""
        thing = self.objects.get(workload)
        if thing is None or thing["kind"] not in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
            return False
        return not self.pods(workload) and (thing.get("spec") or {}).get("replicas", 1) != 0

    def is_sound(self, workload: Key) -> bool:
        """Whether nothing was wrong with the workload's pods when it was recorded."""
        return not self.makes_no_pods(workload) and all(map(self.is_sound_pod, self.pods(workload)))

    def is_sound_pod(self, pod: KubernetesObject) -> bool:
        """Whether nothing is wrong with a pod; a restart that was long over when this was recorded is not."""
        return is_sound(pod, stamp(self.recording.now - _RECENT))

    def events_of(self, thing: KubernetesObject) -> list[KubernetesObject]:
        """The recorded events about an object."""
        metadata = thing["metadata"]
        wanted = (thing["kind"], metadata.get("namespace", ""), metadata["name"])
        return [event for event in self.recording.events if _about(event) == wanted]

    def logs_of(self, pod: KubernetesObject) -> list[ContainerLog]:
        """The recorded logs of a pod."""
        wanted = (pod["metadata"].get("namespace", ""), pod["metadata"]["name"])
        return [log for log in self.recording.logs if (log.namespace, log.pod) == wanted]

    def persisting_warnings(self) -> list[KubernetesObject]:
        """The recorded Warning events that were still being written."""
        since = stamp(self.recording.now - _PERSISTING)
        warnings = [event for event in self.recording.events if event.get("type") == "Warning"]
        return [event for event in warnings if _last_seen(event) >= since]


@dataclass(frozen=True, slots=True)
class Reissue:
    """Puts the look of a recorded object on a new one."""

    clock: Clock
    names: dict[str, str]
    born: str

    @classmethod
    def on(cls, clock: Clock, old: KubernetesObject, new: KubernetesObject) -> "Reissue":
        """From one object to another of its kind; names, uids, addresses and images are translated."""
        names = {old["metadata"]["name"]: new["metadata"]["name"]}
        names[str(old["metadata"].get("uid"))] = str(new["metadata"].get("uid"))
        if old["kind"] == "Pod":
            names[pod_address(old)] = pod_address(new)
            images = {one["name"]: one.get("image", "") for one in new["spec"].get("containers") or ()}
            for container in old["spec"].get("containers") or ():
                names[container.get("image", "")] = images.get(container["name"], container.get("image", ""))
        changed = {before: after for before, after in names.items() if before and before != after}
        return cls(clock, changed, new["metadata"]["creationTimestamp"])

    def text(self, text: str) -> str:
        """A text with the old names replaced, longest first."""
        for before in sorted(self.names, key=len, reverse=True):
            text = text.replace(before, self.names[before])
        return text

    def value(self, value: Any) -> Any:
        """Plain data with names replaced and times moved between the new object's birth and now."""
        if isinstance(value, dict):
            return {key: self.value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        if isinstance(value, str):
            return self._time(value) if _TIME.fullmatch(value) else self.text(value)
        return value

    def _time(self, text: str) -> str:
        moved = _moment(text) + (self.clock.now() - self.clock.start)
        return min(max(stamp(moved), self.born), self.clock.stamp())

    def status(self, old: KubernetesObject, new: KubernetesObject, host_ip: str) -> Json:
        """The old pod's status on the new pod; containers that the old one had not are running."""
        status: Json = self.value(old.get("status") or {})
        fresh = running(new, self.clock.stamp(), host_ip)
        for name in ("containerStatuses", "initContainerStatuses"):
            known = {one["name"]: one for one in status.get(name) or ()}
            if known:
                status[name] = [known.get(one["name"], one) for one in fresh.get(name) or ()]
        return status

    def events(self, cluster: Cluster, events: list[KubernetesObject]) -> None:
        """Issue events again, as of now, about the new object."""
        for place, event in enumerate(events):
            again = self.value(event)
            name = again["involvedObject"].get("name", "")
            again["metadata"] = {
                "name": f"{name}.{short_hash([name, place, cluster.version], 16)}",
                "namespace": event["metadata"].get("namespace", "default"),
                "creationTimestamp": self.clock.stamp(),
            }
            cluster.put(refreshed(again, self.clock.stamp()))

    def logs(self, cluster: Cluster, logs: list[ContainerLog], pod: KubernetesObject) -> None:
        """Issue logs again on the new pod."""
        containers = {one["name"] for name in ("containers", "initContainers") for one in pod["spec"].get(name) or ()}
        for log in logs:
            if log.container in containers:
                cluster.put_log(log.model_copy(update={"pod": pod["metadata"]["name"], "text": self.text(log.text)}))


def refreshed(event: KubernetesObject, now: str) -> KubernetesObject:
    """An event as if it had been written once more just now."""
    again = copy.deepcopy(event)
    if again.get("series"):
        again["series"]["lastObservedTime"] = now.replace("Z", ".000000Z")
        again["series"]["count"] = int(again["series"].get("count") or 0) + 1
    elif again.get("eventTime") and not again.get("lastTimestamp"):
        again["eventTime"] = now.replace("Z", ".000000Z")
    else:
        again["lastTimestamp"] = now
        again["count"] = int(again.get("count") or 0) + 1
    return again


def _about(event: KubernetesObject) -> tuple[str, str, str]:
    about = event.get("involvedObject") or event.get("regarding") or {}
    return (about.get("kind", ""), about.get("namespace", ""), about.get("name", ""))


def key_about(event: KubernetesObject, objects: Objects) -> Key | None:
    """The key of the object that an event is about, None where it is gone."""
    kind, namespace, name = _about(event)
    return next((key for key in objects if key[1:] == (kind, namespace, name)), None)


def _last_seen(event: KubernetesObject) -> str:
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)

"""Pods and containers as detectors read them: specification, status, owner, place in the manifest."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sre_bot.detectors.fields import condition, dig, mapping, mappings, number, step, text, when
from sre_bot.domain.cluster import KubernetesObject, ObjectRef

SETTLED = timedelta(minutes=10)
"""How long a container that failed must run without failing before we call it recovered."""

TEMPLATE_PATHS = {
    "Pod": "spec",
    "CronJob": "spec.jobTemplate.spec.template.spec",
}
"""Where a kind keeps its pod specification; all others keep it under ``spec.template.spec``."""


def template_path(kind: str) -> str:
    """The field path of the pod specification in a workload's manifest."""
    return TEMPLATE_PATHS.get(kind, "spec.template.spec")


def pod_spec(workload: KubernetesObject) -> dict[str, Any]:
    """The pod specification of a workload; empty where it has none."""
    return mapping(workload, *template_path(text(workload, "kind")).split("."))


def pod_labels(workload: KubernetesObject) -> dict[str, str]:
    """The labels that a workload's pods get; a bare pod's are its own."""
    where = template_path(text(workload, "kind")).split(".")[:-1]
    return {str(key): str(value) for key, value in mapping(workload, *where, "metadata", "labels").items()}


@dataclass(frozen=True, eq=False)
class Pod:
    """One pod and the workload that owns it. ``template`` is the workload's pod specification, else the pod's own."""

    thing: KubernetesObject
    workload: ObjectRef
    template: dict[str, Any]
    current: bool

    @cached_property
    def ref(self) -> ObjectRef:
        """The pod itself."""
        return ObjectRef.of(self.thing)

    @property
    def spec(self) -> dict[str, Any]:
        """``spec``."""
        return mapping(self.thing, "spec")

    @property
    def labels(self) -> dict[str, str]:
        """``metadata.labels``."""
        return {str(key): str(value) for key, value in mapping(self.thing, "metadata", "labels").items()}

    @property
    def phase(self) -> str:
        """``status.phase``."""
        return text(self.thing, "status", "phase")

    @property
    def node(self) -> str:
        """``spec.nodeName``, empty until it is scheduled."""
        return text(self.thing, "spec", "nodeName")

    @property
    def ready(self) -> bool:
        """Whether the Ready condition is True."""
        return condition(self.thing, "Ready").get("status") == "True"

    @property
    def ready_since(self) -> datetime | None:
        """When the Ready condition last changed, whatever its value."""
        return when(condition(self.thing, "Ready").get("lastTransitionTime"))

    @property
    def created(self) -> datetime | None:
        """When the pod was created."""
        return when(dig(self.thing, "metadata", "creationTimestamp"))

    @property
    def ended(self) -> bool:
        """Whether all its containers have ended for good."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def field(self) -> str:
        """The path of the pod specification in the workload's manifest."""
        return template_path(self.workload.kind)

    @cached_property
    def containers(self) -> tuple["Container", ...]:
        """Init containers first, then the others, in order."""
        return tuple(self._containers("initContainers")) + tuple(self._containers("containers"))

    def container(self, name: str) -> "Container | None":
        """The container of that name."""
        return next((container for container in self.containers if container.name == name), None)

    def _containers(self, group: str) -> Iterator["Container"]:
        key = "initContainerStatuses" if group == "initContainers" else "containerStatuses"
        statuses = {text(status, "name"): status for status in mappings(self.thing, "status", key)}
        places = {text(spec, "name"): position for position, spec in enumerate(mappings(self.template, group))}
        for position, spec in enumerate(mappings(self.thing, "spec", group)):
            name = text(spec, "name")
            where = step(step(self.field, group), places.get(name, position))
            yield Container(self, name, spec, statuses.get(name, {}), where, init=group == "initContainers")


@dataclass(frozen=True, eq=False)
class Container:
    """One container: its specification, its status, and its field path in the workload's manifest."""

    pod: Pod
    name: str
    spec: dict[str, Any]
    status: dict[str, Any]
    field: str
    init: bool = False

    @property
    def workload(self) -> ObjectRef:
        """The workload that owns the pod."""
        return self.pod.workload

    @property
    def waiting(self) -> str:
        """The reason of the waiting state, empty when it does not wait."""
        return text(self.status, "state", "waiting", "reason")

    @property
    def waiting_message(self) -> str:
        """The message of the waiting state."""
        return text(self.status, "state", "waiting", "message")

    @property
    def running_since(self) -> datetime | None:
        """When the present run started; None unless it runs."""
        return when(dig(self.status, "state", "running", "startedAt"))

    @property
    def ready(self) -> bool:
        """``status.ready``."""
        return bool(self.status.get("ready"))

    @property
    def restarts(self) -> int:
        """``status.restartCount``."""
        return number(self.status, "restartCount") or 0

    @property
    def last_end(self) -> dict[str, Any]:
        """The newest terminated state: the present one, else that of the run before; empty when it never ended."""
        return mapping(self.status, "state", "terminated") or mapping(self.status, "lastState", "terminated")

    @property
    def ended_at(self) -> datetime | None:
        """When the newest ended run ended."""
        return when(self.last_end.get("finishedAt"))

    @property
    def exit_code(self) -> int | None:
        """The exit code of the newest ended run; None when none ended."""
        return number(self.last_end, "exitCode")

    @property
    def end_field(self) -> str:
        """Where the newest terminated state stands in the pod's status."""
        group = "initContainerStatuses" if self.init else "containerStatuses"
        state = "state" if mapping(self.status, "state", "terminated") else "lastState"
        return f"status.{group}[{self.name}].{state}.terminated"

    @property
    def waiting_field(self) -> str:
        """Where the waiting state stands in the pod's status."""
        group = "initContainerStatuses" if self.init else "containerStatuses"
        return f"status.{group}[{self.name}].state.waiting"

    @property
    def ports(self) -> tuple[int, ...]:
        """The declared container ports."""
        return tuple(port for entry in mappings(self.spec, "ports") if (port := number(entry, "containerPort")))

    def fails(self, now: datetime) -> bool:
        """Whether it is failing at present: waiting after an end, ended badly, or not running for long since.

        A container that failed counts as recovered once it has been ready and running for ``SETTLED``, and for half as
        long again as its usual run where it fails regularly (an out-of-memory kill may need hours to return).
        """
        if self.init and self.exit_code == 0 and not self.waiting:
            return False
        if self.waiting and self.waiting not in ("ContainerCreating", "PodInitializing"):
            return True
        if mapping(self.status, "state", "terminated"):
            return self.exit_code != 0 or self._should_run()
        return self.restarts > 0 and self.ended_at is not None and not self._settled(now)

    def recovered(self, now: datetime) -> bool:
        """Whether it failed before and has been running well for long enough."""
        return self.restarts > 0 and self.ended_at is not None and self._settled(now)

    def _should_run(self) -> bool:
        return text(self.pod.spec, "restartPolicy") in ("", "Always") and not self.init and not self.pod.ended

    def _settled(self, now: datetime) -> bool:
        if self.running_since is None or not (self.ready or self.init):
            return False
        return now - self.running_since >= max(SETTLED, self._usual_run() * 1.5)

    def _usual_run(self) -> timedelta:
        """How long a run lasts where ends come regularly, the last run about as long as the average; else 0."""
        started, created = when(self.last_end.get("startedAt")), self.pod.created
        if self.restarts < 3 or started is None or self.ended_at is None or created is None:
            return timedelta(0)
        last, average = self.ended_at - started, (self.ended_at - created) / self.restarts
        return last if average / 3 <= last <= average * 3 else timedelta(0)

"""Columns of workloads and of what scales and guards them."""

from datetime import datetime
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cells import AGE, NAME, NONE, UNSET, CellOf, Column, joined, look_up, number, selector_text, text
from sre_bot.lab.durations import age, human, parse_time
from sre_bot.lab.pod_cells import POD_COLUMNS


def _containers(template: str = "spec.template.spec") -> tuple[Column, Column]:
    def listed(field: str) -> CellOf:
        return lambda thing, now: joined(item.get(field, "") for item in look_up(thing, f"{template}.containers", []))

    return Column("Containers", listed("name"), wide=True), Column("Images", listed("image"), wide=True)


def _fraction(part: str, whole: str) -> CellOf:
    return lambda thing, now: f"{look_up(thing, part, 0)}/{look_up(thing, whole, 1)}"


_SELECTOR = Column("Selector", lambda thing, now: selector_text(look_up(thing, "spec.selector")), wide=True)
_READY = Column("Ready", _fraction("status.readyReplicas", "spec.replicas"))


def _job_status(job: KubernetesObject, now: datetime) -> str:
    true = {item["type"] for item in look_up(job, "status.conditions", []) if item["status"] == "True"}
    for kind, word in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if kind in true:
            return word
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((kind for kind in ("FailureTarget", "SuccessCriteriaMet") if kind in true), "Running")


def _completions(job: KubernetesObject, now: datetime) -> str:
    succeeded, wanted = look_up(job, "status.succeeded", 0), look_up(job, "spec.completions")
    parallelism = look_up(job, "spec.parallelism", 0)
    return f"{succeeded}/{wanted if wanted is not None else f'1 of {parallelism}' if parallelism > 1 else 1}"


def _job_duration(job: KubernetesObject, now: datetime) -> str:
    start = parse_time(look_up(job, "status.startTime"))
    end = parse_time(look_up(job, "status.completionTime")) or now
    return human((end - start).total_seconds()) if start else ""


def _last_schedule(job: KubernetesObject, now: datetime) -> str:
    last = look_up(job, "status.lastScheduleTime")
    return age(last, now) if last else NONE


def _target(hpa: KubernetesObject, now: datetime) -> str:
    return f"{look_up(hpa, 'spec.scaleTargetRef.kind', '')}/{look_up(hpa, 'spec.scaleTargetRef.name', '')}"


def _targets(hpa: KubernetesObject, now: datetime) -> str:
    current = look_up(hpa, "status.currentMetrics", [])
    metrics = look_up(hpa, "spec.metrics", [])
    shown = [_metric(metric, current[i] if i < len(current) else {}) for i, metric in enumerate(metrics)]
    more = f" + {len(shown) - 2} more..." if len(shown) > 2 else ""
    return ", ".join(shown[:2]) + more if shown else NONE


def _metric(metric: dict[str, Any], current: dict[str, Any]) -> str:
    source = metric["type"][0].lower() + metric["type"][1:]
    target, now = look_up(metric, f"{source}.target", {}), look_up(current, f"{source}.current", {})
    name = look_up(metric, f"{source}.name")
    prefix = f"{name}: " if name else ""
    if "averageUtilization" in target:
        seen = now.get("averageUtilization")
        return f"{prefix}{'<unknown>' if seen is None else f'{seen}%'}/{target['averageUtilization']}%"
    field = "averageValue" if "averageValue" in target else "value"
    return f"{prefix}{now.get(field) or '<unknown>'}/{target.get(field)}{' (avg)' if field == 'averageValue' else ''}"


_REPLICA_SET = (
    NAME,
    number("Desired", "spec.replicas"),
    number("Current", "status.replicas"),
    number("Ready", "status.readyReplicas"),
    AGE,
    *_containers(),
    _SELECTOR,
)

WORKLOAD_COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "Pod"): POD_COLUMNS,
    ("", "ReplicationController"): _REPLICA_SET,
    ("apps", "ReplicaSet"): _REPLICA_SET,
    ("apps", "Deployment"): (
        NAME,
        _READY,
        number("Up-to-date", "status.updatedReplicas"),
        number("Available", "status.availableReplicas"),
        AGE,
        *_containers(),
        _SELECTOR,
    ),
    ("apps", "StatefulSet"): (NAME, _READY, AGE, *_containers()),
    ("apps", "DaemonSet"): (
        NAME,
        number("Desired", "status.desiredNumberScheduled"),
        number("Current", "status.currentNumberScheduled"),
        number("Ready", "status.numberReady"),
        number("Up-to-date", "status.updatedNumberScheduled"),
        number("Available", "status.numberAvailable"),
        Column("Node Selector", lambda thing, now: selector_text(look_up(thing, "spec.template.spec.nodeSelector"))),
        AGE,
        *_containers(),
        _SELECTOR,
    ),
    ("batch", "Job"): (
        NAME,
        Column("Status", _job_status),
        Column("Completions", _completions),
        Column("Duration", _job_duration),
        AGE,
        *_containers(),
        _SELECTOR,
    ),
    ("batch", "CronJob"): (
        NAME,
        text("Schedule", "spec.schedule"),
        text("Timezone", "spec.timeZone"),
        Column("Suspend", lambda thing, now: str(bool(look_up(thing, "spec.suspend")))),
        Column("Active", lambda thing, now: len(look_up(thing, "status.active", [])), type="integer"),
        Column("Last Schedule", _last_schedule),
        AGE,
        *_containers("spec.jobTemplate.spec.template.spec"),
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): (
        NAME,
        Column("Reference", _target),
        Column("Targets", _targets),
        text("MinPods", "spec.minReplicas", UNSET),
        number("MaxPods", "spec.maxReplicas"),
        number("Replicas", "status.currentReplicas"),
        AGE,
    ),
    ("policy", "PodDisruptionBudget"): (
        NAME,
        text("Min Available", "spec.minAvailable", "N/A"),
        text("Max Unavailable", "spec.maxUnavailable", "N/A"),
        number("Allowed Disruptions", "status.disruptionsAllowed"),
        AGE,
    ),
    ("apps", "ControllerRevision"): (
        NAME,
        Column("Controller", lambda thing, now: joined(_owners(thing))),
        number("Revision", "revision"),
        AGE,
    ),
}


def _owners(thing: KubernetesObject) -> list[str]:
    return [f"{owner['kind'].lower()}/{owner['name']}" for owner in look_up(thing, "metadata.ownerReferences", [])]

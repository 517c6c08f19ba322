"""One fault in many guises: what the pipeline answers first, for a cluster and the repository that declares it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sre_bot.domain.cluster import ContainerLog
from tests.clusters import NAMESPACE, Object, container, deployment, pod, replica_set, snapshot, thing, workload
from tests.diagnoses import diagnose
from tests.histories import history, manifest

_MADE = ("Pod", "Node", "Endpoints", "EndpointSlice", "Lease", "PersistentVolume")


_LEAST = 0.3
"""Below it a hypothesis is a lead to follow and no answer."""


class Answer(NamedTuple):
    """The first hypothesis in brief, with what it blames most."""

    kind: str
    object: str
    field: str
    observed: str
    verdict: str
    culprit: str


def answer(
    *objects: Any,
    events: Sequence[Object] = (),
    logs: Sequence[ContainerLog] = (),
    before: Sequence[Object] | None = None,
) -> Answer:
    """Diagnose a cluster whose repository declares its objects; ``before`` is what it declared until an hour ago."""
    cluster = snapshot(list(objects), events=list(events), logs=list(logs))
    declared = [one for one in cluster.objects if not one["metadata"].get("ownerReferences") and _is_written(one)]
    first = list(before) if before is not None else declared
    newer = [("change something", 9_100.0, {"deploy/all.yaml": manifest(*declared)})] if before is not None else []
    diagnosis = diagnose(cluster, history({"deploy/all.yaml": manifest(*first)}, *newer))
    best = diagnosis.best
    if best is None or best.confidence < _LEAST:
        return Answer("none", "", "", "", diagnosis.verdict, "")
    culprit = best.culprit.subject if best.culprit else "none"
    return Answer(
        best.kind.value, str(best.object), best.finding.field, best.finding.observed, diagnosis.verdict, culprit
    )


def named(*objects: Any, **rest: Any) -> tuple[str, str]:
    """Kind and object of the first hypothesis."""
    return answer(*objects, **rest)[:2]


def _is_written(one: Object) -> bool:
    return one["kind"] not in _MADE or (one["kind"] == "Pod" and not one["metadata"].get("ownerReferences"))


def job(
    name: str, *containers: Object, status: Object | None = None, owner: Object | None = None, **spec: Any
) -> Object:
    """A Job; ``spec`` goes into the pod specification."""
    inner = {"containers": list(containers) or [container()], "restartPolicy": "Never", **spec}
    template = {"metadata": {"labels": {"job-name": name}}, "spec": inner}
    owners = {"ownerReferences": [_owned_by(owner)]} if owner else {}
    return thing("Job", name, api="batch/v1", age=60, metadata=owners, spec={"template": template}, status=status or {})


def cron_job(
    name: str, *containers: Object, suspend: bool = False, pod_spec: Object | None = None, **spec: Any
) -> Object:
    """A CronJob that runs every five minutes; ``spec`` is its own."""
    inner = {"containers": list(containers) or [container()], "restartPolicy": "Never", **(pod_spec or {})}
    template = {"spec": {"template": {"metadata": {"labels": {"cron": name}}, "spec": inner}}}
    return thing(
        "CronJob",
        name,
        api="batch/v1",
        spec={"schedule": "*/5 * * * *", "jobTemplate": template, "suspend": suspend, **spec},
        status={},
    )


def family(kind: str, *containers: Object, name: str = "api", rest: Object | None = None, **spec: Any) -> list[Object]:
    """A workload of a kind and what stands between it and its pods; the pod's direct owner comes last.

    ``spec`` goes into the pod specification, ``rest`` to the pod-making object.
    """
    if kind == "Deployment":
        made = deployment(name, *containers, **spec, **(rest or {}))
        return [made, replica_set(made)]
    if kind == "CronJob":
        made = cron_job(name, *containers, pod_spec=spec)
        return [made, job(f"{name}-29000", *containers, owner=made, **spec)]
    if kind == "Job":
        return [job(name, *containers, **spec)]
    return [workload(kind, name, *containers, **spec, **(rest or {}))]


def pods_of(kind: str, *containers: Object, statuses: Sequence[Object] = (), made: Object | None = None, **spec: Any):
    """A family with one pod; ``made`` goes to the pod's builder. A bare pod has no owner."""
    if kind == "Pod":
        inner = {"containers": list(containers) or [container()], **spec}
        return [pod(None, *statuses, name="api", spec=inner, **(made or {}))]
    chain = family(kind, *containers, **spec)
    child = {"StatefulSet": "api-0", "Deployment": "api-rev1-x1"}.get(kind, "api-x1")
    return [*chain, pod(chain[-1], *statuses, name=child, **(made or {}))]


def _owned_by(owner: Object) -> Object:
    names = {key: owner["metadata"][key] for key in ("name", "uid")}
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "controller": True, **names}


def claim(
    name: str = "data", *, size: str = "10Gi", storage: str | None = "standard", phase: str = "Pending", **spec: Any
) -> Object:
    """A PersistentVolumeClaim; without a class where ``storage`` is None."""
    named = {} if storage is None else {"storageClassName": storage}
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **named, **spec}
    return thing("PersistentVolumeClaim", name, namespace=NAMESPACE, age=60, spec=asked, status={"phase": phase})


def volume(
    name: str, *, size: str = "10Gi", storage: str = "manual", labels: Object | None = None, **spec: Any
) -> Object:
    """A PersistentVolume, available unless it has a ``claimRef``."""
    held = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": storage, **spec}
    phase = "Bound" if "claimRef" in spec else "Available"
    return thing(
        "PersistentVolume",
        name,
        namespace="",
        metadata={"labels": labels or {}},
        spec=held,
        status={"phase": phase},
    )


def mounts(name: str = "data") -> Object:
    """A pod specification's volume from a claim."""
    return {"name": name, "persistentVolumeClaim": {"claimName": name}}

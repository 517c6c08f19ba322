"""One snapshot of a cluster: read in parallel, bounded, freed of secrets, and honest about what it did not see."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime

from sre_bot.domain.cluster import ClusterSnapshot, ContainerLog, KubernetesObject
from sre_bot.domain.errors import KubernetesError
from sre_bot.domain.redaction import redact
from sre_bot.tools.kubernetes_api import KubernetesApi, happened_since, newest, together
from sre_bot.tools.kubernetes_reading import Reading, discover, readings
from sre_bot.tools.log_choice import LogWish, choose
from sre_bot.tools.tidying import distinct, tidy

MOST_OBJECTS = 20_000
MOST_EVENTS = 20_000
TAIL_LINES = 400
SHORT_TAIL_LINES = 40
LOG_BYTES = 256 * 1024
ALL_LOG_BYTES = 8 * 1024 * 1024
LOG_SECONDS = 60.0
"""How long logs are asked for; a node that does not answer must not cost the whole snapshot."""
_BATCH = 16
_FORBIDDEN = "forbidden"


@dataclass(slots=True)
class _Gathered:
    """What has been read so far."""

    date: datetime
    since: datetime | None = None
    objects: list[KubernetesObject] = field(default_factory=list[KubernetesObject])
    events: list[KubernetesObject] = field(default_factory=list[KubernetesObject])
    logs: list[ContainerLog] = field(default_factory=list[ContainerLog])
    unseen: list[str] = field(default_factory=list[str])


async def take_snapshot(
    api: KubernetesApi, namespaces: tuple[str, ...], since: datetime | None = None
) -> ClusterSnapshot:
    """Read the namespaces and what they depend on. Raises ``KubernetesError``; forbidden pods are such an error.

    Events and log lines from before ``since`` are left out.
    """
    offer = await discover(api)
    gathered = _Gathered((await api.get("/version")).date, since)
    pods = await _read_pods(api, gathered, namespaces)
    await together(
        [
            *(_read_list(api, gathered, reading) for reading in readings(offer, namespaces)),
            *(_read_namespace(api, gathered, namespace) for namespace in namespaces),
            *(_read_events(api, gathered, reading) for reading in _event_readings(namespaces)),
        ]
    )
    await _read_logs(api, gathered, choose(pods))
    return await asyncio.to_thread(_assemble, gathered, namespaces)


async def _read_pods(
    api: KubernetesApi, gathered: _Gathered, namespaces: tuple[str, ...]
) -> tuple[KubernetesObject, ...]:
    paths = [f"/api/v1/namespaces/{namespace}/pods" for namespace in namespaces]
    lists = await together(api.list(path, keep=MOST_OBJECTS) for path in paths)
    for namespace, items in zip(namespaces, lists, strict=True):
        _keep(gathered, items.objects, items.date, f"pods in {namespace}", items.total)
    return tuple(pod for items in lists for pod in items.objects)


async def _read_list(api: KubernetesApi, gathered: _Gathered, reading: Reading) -> None:
    try:
        items = await api.list(reading.path, reading.query, keep=MOST_OBJECTS)
    except KubernetesError as error:
        gathered.unseen.append(f"{reading.label}: {_why_unseen(error, anything=reading.optional)}")
        return
    _keep(gathered, items.objects, items.date, reading.label, items.total)


def _keep(gathered: _Gathered, objects: tuple[KubernetesObject, ...], date: datetime, label: str, total: int) -> None:
    gathered.objects.extend(objects)
    gathered.date = max(gathered.date, date)
    if total > len(objects):
        gathered.unseen.append(f"{label}: only the newest {len(objects)} of {total} were kept")


async def _read_namespace(api: KubernetesApi, gathered: _Gathered, namespace: str) -> None:
    try:
        gathered.objects.append((await api.get(f"/api/v1/namespaces/{namespace}")).json())
    except KubernetesError as error:
        gathered.unseen.append(f"namespace {namespace}: {_why_unseen(error)}")


def _event_readings(namespaces: tuple[str, ...]) -> list[Reading]:
    """Events of the namespaces, and those of nodes, which live in ``default``.

    core/v1 shows every Event, those written through events.k8s.io too, so one face is enough.
    """
    plan = [Reading(f"/api/v1/namespaces/{namespace}/events", f"events in {namespace}") for namespace in namespaces]
    if "default" not in namespaces:
        of_nodes = (("fieldSelector", "involvedObject.kind=Node"),)
        plan.append(Reading("/api/v1/namespaces/default/events", "events of nodes", of_nodes))
    return plan


async def _read_events(api: KubernetesApi, gathered: _Gathered, reading: Reading) -> None:
    try:
        items = await api.list(reading.path, reading.query, keep=MOST_EVENTS)
    except KubernetesError as error:
        gathered.unseen.append(f"{reading.label}: {_why_unseen(error)}")
        return
    gathered.events.extend(items.objects)
    gathered.date = max(gathered.date, items.date)
    if items.total > len(items.objects):
        gathered.unseen.append(f"{reading.label}: only the newest {len(items.objects)} of {items.total} were kept")


def _why_unseen(error: KubernetesError, *, anything: bool = False) -> str:
    """In a word why something could not be read; raises the error again where it must not be passed over.

    What a snapshot lacks without saying so would be taken for absent from the cluster.
    """
    if error.status == 403 and error.retry_after is None:
        return _FORBIDDEN
    if error.status == 404:
        return "not found"
    if anything and error.status is not None and error.status != 401:
        return str(error)
    raise error


async def _read_logs(api: KubernetesApi, gathered: _Gathered, wishes: tuple[LogWish, ...]) -> None:
    """Read the logs in order until there is enough of them."""
    size, ends = 0, time.monotonic() + LOG_SECONDS
    for start in range(0, len(wishes), _BATCH):
        if size >= ALL_LOG_BYTES or time.monotonic() > ends:
            gathered.unseen.append(f"logs of {len(wishes) - start} more containers: the first were enough")
            return
        logs = await together(_read_log(api, gathered, wish) for wish in wishes[start : start + _BATCH])
        found = [log for log in logs if log]
        gathered.logs.extend(found)
        size += sum(len(log.text) for log in found)


async def _read_log(api: KubernetesApi, gathered: _Gathered, wish: LogWish) -> ContainerLog | None:
    """One log's tail; None where there is none, which is no fault: the container has not run, or is gone."""
    try:
        body, truncated = await _tail(api, wish, gathered.since)
    except KubernetesError as error:
        _note_missing_log(gathered, wish, error)
        return None
    text = await asyncio.to_thread(lambda: redact(body.decode(errors="replace").replace("\x00", "")))
    return ContainerLog(
        namespace=wish.namespace,
        pod=wish.pod,
        container=wish.container,
        previous=wish.previous,
        text=text,
        truncated=truncated,
    )


async def _tail(api: KubernetesApi, wish: LogWish, since: datetime | None) -> tuple[bytes, bool]:
    """The newest lines and whether older ones were left out.

    The kubelet cuts the end off when lines are too long for ``limitBytes``, so then fewer lines are asked for.
    """
    path = f"/api/v1/namespaces/{wish.namespace}/pods/{wish.pod}/log"
    parameters = {"container": wish.container, "limitBytes": str(LOG_BYTES), "previous": str(wish.previous).lower()}
    if since is not None:
        parameters["sinceTime"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    reply = await api.get(path, {**parameters, "tailLines": str(TAIL_LINES)}, most=LOG_BYTES)
    if len(reply.body) < LOG_BYTES:
        return reply.body, reply.body.count(b"\n") >= TAIL_LINES
    reply = await api.get(path, {**parameters, "tailLines": str(SHORT_TAIL_LINES)}, most=LOG_BYTES)
    return reply.body, True


def _note_missing_log(gathered: _Gathered, wish: LogWish, error: KubernetesError) -> None:
    if error.status == 401 or error.retry_after is not None:
        raise error
    if error.status in (400, 404):
        return
    why = f"logs in {wish.namespace}: {_FORBIDDEN}"
    if error.status != 403:
        why = f"log of {wish.namespace}/{wish.pod}, container {wish.container}: {error}"
    if why not in gathered.unseen:
        gathered.unseen.append(why)


def _assemble(gathered: _Gathered, namespaces: tuple[str, ...]) -> ClusterSnapshot:
    events = [event for event in distinct(gathered.events) if happened_since(event, gathered.since)]
    if len(events) > MOST_EVENTS:
        gathered.unseen.append(f"events: only the newest {MOST_EVENTS} of {len(events)} were kept")
    return ClusterSnapshot(
        taken_at=gathered.date,
        namespaces=namespaces,
        objects=tuple(tidy(thing) for thing in distinct(gathered.objects)),
        events=tuple(tidy(event) for event in newest(events, MOST_EVENTS)),
        logs=tuple(sorted(gathered.logs, key=lambda log: (log.namespace, log.pod, log.container, log.previous))),
        unseen=tuple(sorted(set(gathered.unseen))),
    )

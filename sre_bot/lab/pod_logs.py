"""Container logs as the kubelet hands them out, and its reasons for not doing so."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cells import look_up
from sre_bot.lab.cluster import Cluster
from sre_bot.lab.durations import parse_time
from sre_bot.lab.listing import whole_number
from sre_bot.lab.status import Refused, bad_request

_CONTAINER_FIELDS = (
    ("containers", "containerStatuses"),
    ("initContainers", "initContainerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)
_WAITING = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?)\s?(Z|[+-]\d\d:?\d\d)?")


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What part of which log."""

    container: str = ""
    previous: bool = False
    tail: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit: int | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, str], now: datetime) -> Self:
        """Read a query string; ``now`` is the cluster's clock. Raises ``Refused`` (400)."""
        seconds = whole_number(parameters, "sinceSeconds")
        since = parse_time(parameters.get("sinceTime"))
        return cls(
            container=parameters.get("container", ""),
            previous=parameters.get("previous") == "true",
            tail=whole_number(parameters, "tailLines"),
            since=now - timedelta(seconds=seconds) if seconds else since,
            timestamps=parameters.get("timestamps") == "true",
            limit=whole_number(parameters, "limitBytes"),
        )


def read_log(cluster: Cluster, pod: KubernetesObject, options: LogOptions) -> bytes:
    """The log's bytes. Raises ``Refused`` (400) where the kubelet would."""
    container = _chosen(pod, options.container)
    status = _status(pod, container)
    raw = _recorded(cluster, pod, container, options.previous)
    if raw is None:
        _require_run(pod, container, status, previous=options.previous)
        return b""
    if cluster.still_failing:
        raw = _moved(raw, cluster.clock.now() - cluster.clock.start)
    return _cut(raw, options, _written(status, cluster.clock.now(), previous=options.previous))


def _chosen(pod: KubernetesObject, wanted: str) -> str:
    name = pod["metadata"]["name"]
    groups = [[item["name"] for item in look_up(pod, f"spec.{field}", [])] for field, _ in _CONTAINER_FIELDS]
    if wanted:
        if wanted not in {one for group in groups for one in group}:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    main, inits, _ = groups
    if len(main) == 1:
        return main[0]
    also = f" or one of the init containers: [{' '.join(inits)}]" if inits else ""
    raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]{also}")


def _status(pod: KubernetesObject, container: str) -> dict[str, Any]:
    statuses = (item for _, field in _CONTAINER_FIELDS for item in look_up(pod, f"status.{field}", []))
    return next((item for item in statuses if item["name"] == container), {})


def _recorded(cluster: Cluster, pod: KubernetesObject, container: str, previous: bool) -> bytes | None:
    place = (pod["metadata"]["namespace"], pod["metadata"]["name"], container)
    log = cluster.logs.get((*place, previous))
    if log is None and not previous and look_up(_status(pod, container), "state.waiting"):
        log = cluster.logs.get((*place, True))  # a container in back-off shows its last run
    return log.text.encode(errors="surrogateescape") if log else None


def _require_run(pod: KubernetesObject, container: str, status: dict[str, Any], *, previous: bool) -> None:
    """Refuse unless the container has run; a pod that no node has taken yet has an empty log."""
    name = pod["metadata"]["name"]
    ended_before = bool(look_up(status, "lastState.terminated"))
    if not look_up(pod, "spec.nodeName"):
        return
    if previous:
        if not ended_before:
            raise _refused(f'previous terminated container "{container}" in pod "{name}" not found')
        return
    state = status.get("state") or {}
    if "running" in state or "terminated" in state or ended_before:
        return
    reason = look_up(state, "waiting.reason", "")
    raise _refused(
        f'container "{container}" in pod "{name}" is waiting to start'
        + (f": {_WAITING.get(reason, reason)}" if reason else "")
    )


def _refused(message: str) -> Refused:
    return bad_request(message)


def _written(status: dict[str, Any], now: datetime, *, previous: bool) -> datetime:
    """When undated lines count as written: at the end of the run."""
    ended = look_up(status, "lastState.terminated.finishedAt" if previous else "state.terminated.finishedAt")
    return parse_time(ended) or now


def _moved(raw: bytes, by: timedelta) -> bytes:
    """The same lines, written ``by`` later: what a sync has not healed goes on as it was recorded."""
    return _STAMP.sub(lambda match: _later(match[1].decode(), by).encode() + match[0][len(match[1]) :], raw)


def _later(moment: str, by: timedelta) -> str:
    """A time stamp in its own format, whole seconds later."""
    whole, fraction = moment[:19], moment[19:]
    moved = datetime.fromisoformat(whole) + timedelta(seconds=int(by.total_seconds()))
    return moved.isoformat(sep="T" if "T" in whole else " ") + fraction


def _cut(raw: bytes, options: LogOptions, written: datetime) -> bytes:
    lines = raw.splitlines(keepends=True)
    dated = _dated(lines, written) if options.since or options.timestamps else ((written, line) for line in lines)
    kept = [
        _stamped(moment, line) if options.timestamps else line
        for moment, line in dated
        if options.since is None or moment >= options.since
    ]
    if options.tail is not None and options.tail >= 0:
        kept = kept[-options.tail :] if options.tail else []
    text = b"".join(kept)
    return text[: options.limit] if options.limit else text


def _dated(lines: list[bytes], written: datetime) -> Iterator[tuple[datetime, bytes]]:
    """Each line with the time that it states, or the time of the line before it."""
    last = next((moment for line in lines if (moment := _time_of(line))), written)
    for line in lines:
        last = _time_of(line) or last
        yield last, line


def _time_of(line: bytes) -> datetime | None:
    match = _STAMP.search(line[:200])
    if not match:
        return None
    moment = parse_time(match[1].decode().replace(",", ".") + (match[2] or b"").decode())
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _stamped(moment: datetime, line: bytes) -> bytes:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode() + line

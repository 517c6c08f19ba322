"""When a dump was made, by the cluster's own clock: the newest moment that its objects know of."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sre_bot.domain.cluster import KubernetesObject

_IN_CONDITIONS = ("lastHeartbeatTime", "lastProbeTime", "lastTransitionTime", "lastUpdateTime")
_OF_EVENTS = ("lastTimestamp", "eventTime", "deprecatedLastTimestamp")


def clock_of(things: list[KubernetesObject]) -> datetime:
    """The newest moment, aware, in UTC; our own time where no object bears one.

    A node's heartbeat and its lease are written every few seconds, so that this is seldom a minute early. Moments in
    the future of everything, such as the end of a certificate, are in none of the fields that are read.
    """
    moments = [moment for thing in things for text in _stamps(thing) if (moment := _moment(text))]
    return max(moments, default=datetime.now(UTC))


def _stamps(thing: KubernetesObject) -> Iterator[Any]:
    yield thing["metadata"].get("creationTimestamp")
    status, spec = thing.get("status") or {}, thing.get("spec") or {}
    for condition in _mappings(status.get("conditions")):
        yield from (condition.get(name) for name in _IN_CONDITIONS)
    for name in ("containerStatuses", "initContainerStatuses"):
        for item in _mappings(status.get(name)):
            for state in (item.get("state"), item.get("lastState")):
                for part in state.values() if isinstance(state, dict) else ():
                    yield from (part.get("startedAt"), part.get("finishedAt")) if isinstance(part, dict) else ()
    if thing["kind"] == "Lease":
        yield spec.get("renewTime")
    if thing["kind"] == "Event":
        yield from (thing.get(name) for name in _OF_EVENTS)
        series = thing.get("series")
        yield series.get("lastObservedTime") if isinstance(series, dict) else None


def _mappings(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None

"""Kubernetes Events read into one shape, whichever API wrote them."""

from dataclasses import dataclass
from datetime import datetime

from sre_bot.detectors.fields import mapping, number, text, when
from sre_bot.domain.cluster import KubernetesObject, ObjectRef

LONGEST_MESSAGE = 4_000
"""Characters of a message that are read; the API server keeps 1,024 (``pkg/apis/core/validation/events.go``)."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``at`` is its last occurrence, ``first`` its first; ``field`` names the container it speaks of."""

    subject: ObjectRef
    uid: str
    reason: str
    message: str
    warning: bool
    count: int
    first: datetime | None
    at: datetime | None
    field: str
    component: str

    @classmethod
    def read(cls, thing: KubernetesObject) -> "Event":
        """Read a core/v1 or an events.k8s.io/v1 Event (they are one object with two spellings).

        The time is ``series.lastObservedTime``, else ``lastTimestamp``, else ``eventTime``: recorders of the new API
        leave the old fields null and refresh the series.
        """
        regarding = mapping(thing, "involvedObject") or mapping(thing, "regarding")
        last = (
            when(mapping(thing, "series").get("lastObservedTime"))
            or when(thing.get("lastTimestamp") or thing.get("deprecatedLastTimestamp"))
            or when(thing.get("eventTime"))
            or when(mapping(thing, "metadata").get("creationTimestamp"))
        )
        first = when(thing.get("firstTimestamp") or thing.get("deprecatedFirstTimestamp"))
        return cls(
            subject=ObjectRef(
                kind=text(regarding, "kind"), namespace=_namespace(regarding), name=text(regarding, "name")
            ),
            uid=text(regarding, "uid"),
            reason=text(thing, "reason"),
            message=(text(thing, "message") or text(thing, "note"))[:LONGEST_MESSAGE],
            warning=text(thing, "type") == "Warning",
            count=number(thing, "series", "count") or number(thing, "count") or 1,
            first=first or when(thing.get("eventTime")) or last,
            at=last,
            field=text(regarding, "fieldPath"),
            component=text(thing, "source", "component") or text(thing, "reportingComponent"),
        )

    def speaks_of(self, container: str) -> bool:
        """Whether the event is about a container, by its field path or by naming it; True when it names none."""
        if self.field:
            return f"{{{container}}}" in self.field
        return True


def _namespace(regarding: dict[str, object]) -> str:
    return "" if regarding.get("kind") in ("Node", "PersistentVolume") else text(regarding, "namespace")

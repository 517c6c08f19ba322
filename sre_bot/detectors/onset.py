"""When a container's trouble began, as far as its pod's status and events tell."""

from datetime import datetime, timedelta

from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.pods import Container

_LONGEST_LOOP = timedelta(minutes=6)
"""A crash loop's longest turn: the back-off of five minutes, and a short run."""


def failing_since(index: ClusterIndex, container: Container) -> datetime | None:
    """The pod's creation where the container never ran well; else the first warning, or the last end."""
    created, ended = container.pod.created, container.ended_at
    if not container.restarts and container.running_since is None:
        return created
    if created and ended and ended - created <= _LONGEST_LOOP * max(1, container.restarts):
        return created
    warnings = [
        event.first
        for event in index.events_of(container.pod.ref)
        if event.first and event.warning and event.speaks_of(container.name)
    ]
    return earliest(ended, *warnings)

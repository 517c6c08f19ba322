"""An Event's two faces: core/v1 ``Event`` and events.k8s.io/v1 ``Event``, two spellings of one stored object."""

from typing import Any

from sre_bot.domain.cluster import KubernetesObject

_SPELLINGS = (
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
)
_TO_EVENTS = dict(_SPELLINGS)
_TO_CORE = {new: old for old, new in _SPELLINGS}


def as_core(event: KubernetesObject) -> KubernetesObject:
    """The event in its core/v1 spelling."""
    return _respelled(event, "v1", _TO_CORE, {"source": {}, "firstTimestamp": None, "lastTimestamp": None})


def as_events(event: KubernetesObject) -> KubernetesObject:
    """The event in its events.k8s.io/v1 spelling."""
    return _respelled(event, "events.k8s.io/v1", _TO_EVENTS, {"eventTime": None})


def _respelled(
    event: KubernetesObject, api_version: str, spelling: dict[str, str], missing: dict[str, Any]
) -> KubernetesObject:
    fields = {spelling.get(key, key): value for key, value in event.items()}
    return {**missing, **fields, "apiVersion": api_version}

"""Watches: the changes of a resource as they happen, from a resource version on."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cluster import Change, Cluster, key_of
from sre_bot.lab.kinds import Resource
from sre_bot.lab.listing import Inventory, Query, list_page, shown
from sre_bot.lab.selectors import matcher
from sre_bot.lab.status import Refused, version_too_old

LONGEST = 1800.0
"""A watch ends by itself after this many seconds when the client sets no time."""
BOOKMARK_EVERY = 60.0

Event = dict[str, Any]
Render = Callable[[KubernetesObject], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How to watch. ``render`` turns an object into what the client asked for (a row of a table, say)."""

    namespace: str
    query: Query
    render: Render
    timeout: float = LONGEST
    bookmarks: bool = False
    initial: bool = False


async def watch(inventory: Inventory, resource: Resource, options: WatchOptions) -> AsyncIterator[Event]:
    """The events of a watch until its time is over. A version that is too old ends it with an ``ERROR`` event."""
    cluster = inventory.cluster
    try:
        seen = _start(cluster, options)
    except Refused as refused:
        yield {"type": "ERROR", "object": refused.body}
        return
    if seen is None:
        seen = cluster.version
        for event in _everything(inventory, resource, options):
            yield event
    async for event in _follow(cluster, resource, options, seen):
        yield event


async def _follow(cluster: Cluster, resource: Resource, options: WatchOptions, seen: int) -> AsyncIterator[Event]:
    ends = time.monotonic() + options.timeout
    while True:
        version, changes = cluster.version, _since(cluster, seen)
        for change in changes:
            if event := _event(change, resource, options):
                yield event
        seen = version
        left = ends - time.monotonic()
        if await _changed(cluster, seen, min(left, BOOKMARK_EVERY)):
            continue
        if options.bookmarks:
            yield _bookmark(resource, options, seen)
        if left <= BOOKMARK_EVERY:
            return


async def _changed(cluster: Cluster, seen: int, seconds: float) -> bool:
    """Whether anything changes within that time."""
    async with cluster.changed:
        try:
            await asyncio.wait_for(cluster.changed.wait_for(lambda: cluster.version > seen), seconds)
        except TimeoutError:
            return False
    return True


def _start(cluster: Cluster, options: WatchOptions) -> int | None:
    """The version after which to begin; None: with everything that is there now."""
    version = options.query.version
    if options.initial or version == 0:
        return None
    if version < cluster.floor:
        raise version_too_old(version, cluster.floor)
    return version


def _everything(inventory: Inventory, resource: Resource, options: WatchOptions) -> list[Event]:
    query = Query(options.query.labels, options.query.fields)
    page = list_page(inventory, resource, options.namespace, query)
    added = [{"type": "ADDED", "object": options.render(thing)} for thing in page.things]
    if not (options.initial and options.bookmarks):
        return added
    return [*added, _bookmark(resource, options, page.version, {"k8s.io/initial-events-end": "true"})]


def _since(cluster: Cluster, seen: int) -> list[Change]:
    newest: list[Change] = []
    for change in reversed(cluster.history):
        if change.version <= seen:
            break
        newest.append(change)
    return newest[::-1]


def _event(change: Change, resource: Resource, options: WatchOptions) -> Event | None:
    """How a change looks through the watch's selectors: what stops matching is deleted, what starts is added."""
    group, kind, namespace, _ = key_of(change.object)
    if kind != resource.kind or group not in resource.stored_groups or options.namespace not in ("", namespace):
        return None
    matches = matcher(options.query.labels, options.query.fields, resource)
    thing = shown(change.object, resource)
    now = change.type != "DELETED" and matches(thing)
    before = change.before is not None and matches(shown(change.before, resource))
    if not now and not before:
        return None
    kind_of_event = "MODIFIED" if now and before else "ADDED" if now else "DELETED"
    return {"type": kind_of_event, "object": options.render(thing)}


def _bookmark(
    resource: Resource, options: WatchOptions, version: int, annotations: dict[str, str] | None = None
) -> Event:
    metadata: dict[str, Any] = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    thing = {"kind": resource.kind, "apiVersion": resource.group_version, "metadata": metadata}
    return {"type": "BOOKMARK", "object": thing}

"""Watches on the lab's Kubernetes API: what a client is told while the cluster changes."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sre_bot.domain.cluster import KubernetesObject
from tests.kubernetes_lab import Served, served

PODS = "/api/v1/namespaces/shop/pods"
Events = AsyncIterator[dict[str, Any]]


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as serving:
        yield serving


@asynccontextmanager
async def watching(
    lab: Served, path: str = PODS, accept: str = "*/*", **parameters: str
) -> AsyncGenerator[Events, None]:
    query = {"watch": "true", "timeoutSeconds": "10", **parameters}
    async with (
        lab.http() as client,
        client.stream("GET", path, params=query, headers={"Accept": accept}) as response,
    ):
        assert response.status_code == 200
        yield (json.loads(line) async for line in response.aiter_lines())


async def take(events: Events, count: int) -> list[tuple[str, str]]:
    async with asyncio.timeout(10):
        taken = [await anext(events) for _ in range(count)]
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in taken]


def version(lab: Served) -> str:
    return str(lab.world.cluster.version)


def pod(name: str, namespace: str = "shop", **labels: str) -> KubernetesObject:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}}


async def change(lab: Served, *things: KubernetesObject) -> None:
    for thing in things:
        lab.world.cluster.put(thing)
    await lab.world.cluster.announce()


async def test_changes_after_a_version_arrive_in_order(lab: Served) -> None:
    start = version(lab)
    await change(lab, pod("early"))

    async with watching(lab, resourceVersion=start) as events:
        assert await take(events, 1) == [("ADDED", "early")]
        await change(lab, pod("early", changed="yes"), pod("elsewhere", "archive"))
        lab.world.cluster.delete(("", "Pod", "shop", "early"))
        await lab.world.cluster.announce()
        assert await take(events, 2) == [("MODIFIED", "early"), ("DELETED", "early")]


async def test_a_watch_without_a_version_begins_with_what_is_there(lab: Served) -> None:
    async with watching(lab, labelSelector="tier=web") as events:
        assert await take(events, 3) == [
            ("ADDED", "cart-0"),
            ("ADDED", "checkout-5d9c7f8b6d-4tzlq"),
            ("ADDED", "checkout-5d9c7f8b6d-9wkrm"),
        ]


async def test_initial_events_end_with_a_marked_bookmark(lab: Served) -> None:
    parameters = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    async with watching(lab, fieldSelector="metadata.name=cart-0", **parameters) as events:
        added, bookmark = [await anext(events) for _ in range(2)]

    assert (added["type"], bookmark["type"]) == ("ADDED", "BOOKMARK")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert bookmark["object"]["metadata"]["resourceVersion"] == version(lab)


async def test_an_object_that_stops_matching_is_deleted_for_the_watcher(lab: Served) -> None:
    async with watching(lab, resourceVersion=version(lab), labelSelector="app=stock") as events:
        await change(lab, pod("a", app="other"), pod("a", app="stock"), pod("a", app="other"))

        assert await take(events, 2) == [("ADDED", "a"), ("DELETED", "a")]


async def test_a_version_that_was_compacted_ends_the_watch_with_gone(lab: Served) -> None:
    start = version(lab)
    await change(lab, pod("a"))
    lab.world.cluster.compact()

    async with watching(lab, resourceVersion=start) as events:
        error = await anext(events)

    assert error["type"] == "ERROR"
    assert (error["object"]["code"], error["object"]["reason"]) == (410, "Expired")


async def test_a_watch_ends_after_its_time_with_a_bookmark(lab: Served) -> None:
    parameters = {"timeoutSeconds": "1", "allowWatchBookmarks": "true"}
    async with asyncio.timeout(10), watching(lab, resourceVersion=version(lab), **parameters) as events:
        told = [event["type"] async for event in events]

    assert told == ["BOOKMARK"]


async def test_a_table_watch_sends_rows(lab: Served) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    async with watching(lab, accept=accept, resourceVersion=version(lab)) as events:
        await change(lab, pod("new"))
        event = await anext(events)

    assert event["object"]["kind"] == "Table"
    assert event["object"]["rows"][0]["cells"][:3] == ["new", "0/0", "Unknown"]


async def test_both_faces_of_an_event_are_watched(lab: Served) -> None:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "cart-0.e5", "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "name": "cart-0", "namespace": "shop"},
        "message": "Pulling image",
    }
    path = "/apis/events.k8s.io/v1/namespaces/shop/events"
    async with watching(lab, path, resourceVersion=version(lab)) as events:
        await change(lab, event)
        told = await anext(events)

    assert told["object"]["note"] == "Pulling image"

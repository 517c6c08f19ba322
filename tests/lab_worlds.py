"""A lab's world in the test's own process, without HTTP: for what the cluster and Argo CD do by themselves."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from sre_bot.lab import argocd, jira
from sre_bot.lab.delivery import Operation
from sre_bot.lab.server import LabOptions, build_world
from sre_bot.lab.wire import Wire
from sre_bot.lab.world import World
from tests.small_incidents import SmallIncident

Json = dict[str, Any]


@dataclass(frozen=True)
class Lab:
    """A world and the few things that tests ask of it."""

    world: World

    async def deploy(self, files: dict[str, str | None], *, prune: bool = False) -> Operation:
        """Push files, sync them, and wait until they have turned out; the operation as it ended."""
        return await self.sync(await self.push(files), prune=prune)

    async def push(self, files: dict[str, str | None]) -> str:
        """Push files to the branch; its new head."""
        return await self.world.hub.push("main", files, "a change")

    def http(self, service: Literal["jira", "argocd"], token: str | None = None) -> httpx.AsyncClient:
        """A client of one of the services, without a socket; an empty token is not sent."""
        token = self.world.token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        app = {"jira": jira.app, "argocd": argocd.app}[service](self.world)
        wire = Wire(service, app, self.world.clock, self.world.log, self.world.faults)
        transport = httpx.ASGITransport(wire)
        return httpx.AsyncClient(transport=transport, base_url=self.world.urls[service], headers=headers)

    async def sync(self, revision: str, *, prune: bool = False) -> Operation:
        """Sync a revision and wait until it has turned out."""
        await self.world.delivery.sync(revision, prune=prune, dry_run=False, by="somebody")
        await self.world.delivery.rest()
        operation = self.world.delivery.operation
        assert operation is not None
        return operation

    async def file(self, name: str) -> str:
        """A file at the head of the branch."""
        head = await self.world.hub.head("main")
        assert head
        return (await self.world.hub.tree(head))[name]

    async def health(self) -> str:
        """The application's health."""
        return self.world.delivery.health(await self.world.delivery.current()).status

    def one(self, kind: str, name: str) -> Json:
        """An object by kind and name."""
        return next(thing for thing in self.world.cluster.of_kind(kind) if thing["metadata"]["name"] == name)

    def pods(self, app: str) -> list[Json]:
        """The pods with an ``app`` label."""
        pods = self.world.cluster.of_kind("Pod", "shop")
        return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get("app") == app]

    def addresses(self, service: str) -> list[str]:
        """The Ready addresses behind a Service, by its EndpointSlice."""
        slices = self.world.cluster.of_kind("EndpointSlice", "shop")
        mine = [one for one in slices if one["metadata"]["labels"]["kubernetes.io/service-name"] == service]
        ready = [point for one in mine for point in one["endpoints"] if one["ports"] and point["conditions"]["ready"]]
        return [address for point in ready for address in point["addresses"]]

    def warnings_since(self, moment: str) -> list[tuple[str, str]]:
        """Reason and object's name of the Warning events written at or after a moment."""
        events = self.world.cluster.of_kind("Event")
        fresh = [one for one in events if one["type"] == "Warning" and one["lastTimestamp"] >= moment]
        return sorted((one["reason"], one["involvedObject"]["name"]) for one in fresh)

    def log(self, pod: Json, *, previous: bool = False) -> str | None:
        """A pod's log, None where it has none."""
        found = self.world.cluster.logs.get(("shop", pod["metadata"]["name"], "app", previous))
        return found.text if found else None


@asynccontextmanager
async def lab_of(
    incident: SmallIncident, folder: Path, *, speed: float = 500, cloud: bool = False, auto_sync: bool = False
) -> AsyncGenerator[Lab]:
    """A world over a small incident."""
    data = folder / "data"
    data.mkdir()
    recorded = incident.write(folder / "incident")
    world = build_world(LabOptions(recorded, data, speed=speed, cloud=cloud, auto_sync=auto_sync))
    world.urls.update({"jira": "http://jira.lab", "github": "http://github.lab", "argocd": "http://argocd.lab"})
    await world.delivery.begin()
    yield Lab(world)


def is_ready(pod: Json) -> bool:
    """Whether a pod is Ready and was never restarted."""
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"]["conditions"])
    return ready and all(one["restartCount"] == 0 for one in pod["status"]["containerStatuses"])

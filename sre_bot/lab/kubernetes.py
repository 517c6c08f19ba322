"""The lab's Kubernetes API server: what a read-only role sees of the world's cluster, in the real wire format."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab import discovery
from sre_bot.lab.access import Role, read_review, review
from sre_bot.lab.kinds import Catalogue, Resource
from sre_bot.lab.listing import Inventory, Query, list_page, whole_number
from sre_bot.lab.pod_logs import LogOptions, read_log
from sre_bot.lab.status import Refused, forbidden, no_such_resource, not_found, unauthorised, wrong_method
from sre_bot.lab.tables import partial, table
from sre_bot.lab.watching import LONGEST, WatchOptions, watch
from sre_bot.lab.world import World

_WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMED_SUBRESOURCES = ("log", "status", "scale")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def plural(self) -> str:
        """The resource as a role names it: ``pods``, ``pods/log``."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


@dataclass(frozen=True, slots=True)
class ApiServer:
    """The HTTP side of one world's cluster."""

    world: World
    catalogue: Catalogue
    inventory: Inventory

    @property
    def _role(self) -> Role:
        return Role(self.world.bot_account, self.world.forbidden)

    async def version(self, request: Request) -> Response:
        """``/version``."""
        self._authenticate(request)
        return JSONResponse(discovery.VERSION)

    async def health(self, request: Request) -> Response:
        """``/livez`` and its like, open to everyone."""
        return PlainTextResponse("ok")

    async def core(self, request: Request) -> Response:
        """``/api``."""
        self._authenticate(request)
        return self._discovered(request, core=True, plain=discovery.core_versions())

    async def groups(self, request: Request) -> Response:
        """``/apis``."""
        self._authenticate(request)
        return self._discovered(request, core=False, plain=discovery.group_list(self.catalogue.resources))

    async def group(self, request: Request) -> Response:
        """``/apis/{group}``."""
        self._authenticate(request)
        return _document(discovery.group(self.catalogue.resources, request.path_params["group"]))

    async def group_version(self, request: Request) -> Response:
        """``/api/v1`` and ``/apis/{group}/{version}``."""
        self._authenticate(request)
        parameters = request.path_params
        name = f"{parameters['group']}/{parameters['version']}" if "group" in parameters else "v1"
        return _document(discovery.resource_list(self.catalogue.resources, name))

    async def serve(self, request: Request) -> Response:
        """Everything below a group version: objects, lists, watches, logs, reviews."""
        self._authenticate(request)
        target = self._target(request.path_params)
        request.scope["path_params"] = {"namespace": target.namespace, "name": target.name}
        verb = _verb(request, target)
        if not self._role.allows(verb, target.resource.group, target.plural):
            user, resource = self._role.user, target.resource
            raise forbidden(user, verb, resource, target.subresource, target.namespace, target.name)
        if request.method == "POST":
            return await self._review(request, target.resource)
        if verb not in target.resource.verbs:
            raise wrong_method(target.resource)
        if verb == "watch":
            return self._watch(request, target)
        return self._list(request, target) if verb == "list" else self._get(request, target)

    def _authenticate(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self.world.token}":
            raise unauthorised()

    def _discovered(self, request: Request, *, core: bool, plain: dict[str, Any]) -> Response:
        if not discovery.wants_aggregated(request.headers.get("accept", "")):
            return JSONResponse(plain)
        body = discovery.aggregated(self.catalogue.resources, core=core)
        return JSONResponse(body, media_type=discovery.AGGREGATED)

    def _target(self, parameters: dict[str, Any]) -> Target:
        """Read ``[namespaces/{ns}/]{plural}[/{name}[/{subresource}]]``. Raises ``Refused`` (404)."""
        parts: list[str] = parameters["path"].strip("/").split("/")
        namespace = ""
        if len(parts) > 2 and parts[0] == "namespaces" and parts[2] not in _NAMED_SUBRESOURCES:
            namespace, parts = parts[1], parts[2:]
        version = parameters.get("version", "v1")
        resource = self.catalogue.find(parameters.get("group", ""), version, parts[0])
        if resource is None or len(parts) > 3 or (namespace and not resource.namespaced):
            raise no_such_resource()
        return Target(resource, namespace, *parts[1:])

    def _get(self, request: Request, target: Target) -> Response:
        thing = self.inventory.get(target.resource, target.namespace, target.name)
        if thing is None:
            raise not_found(target.resource, target.name)
        if target.plural == "pods/log":
            options = LogOptions.of(request.query_params, self.world.clock.now())
            return PlainTextResponse(read_log(self.world.cluster, thing, options))
        if target.subresource not in ("", "status"):
            raise no_such_resource()
        form = _Form.of(request)
        metadata = {"resourceVersion": thing["metadata"]["resourceVersion"]}
        return JSONResponse(form.table(self, target.resource, [thing], metadata) if form.is_table else form.one(thing))

    def _list(self, request: Request, target: Target) -> Response:
        page = list_page(self.inventory, target.resource, target.namespace, Query.of(request.query_params))
        form = _Form.of(request)
        if form.is_table:
            return JSONResponse(form.table(self, target.resource, page.things, page.metadata))
        return JSONResponse(form.many(target.resource, page.things, page.metadata))

    def _watch(self, request: Request, target: Target) -> Response:
        form, parameters = _Form.of(request), request.query_params

        def render(thing: KubernetesObject) -> dict[str, Any]:
            metadata = {"resourceVersion": thing["metadata"]["resourceVersion"]}
            return form.table(self, target.resource, [thing], metadata) if form.is_table else form.one(thing)

        options = WatchOptions(
            target.namespace,
            Query.of(parameters),
            render,
            float(whole_number(parameters, "timeoutSeconds") or LONGEST),
            parameters.get("allowWatchBookmarks") in ("true", "1"),
            parameters.get("sendInitialEvents") in ("true", "1"),
        )
        events = watch(self.inventory, target.resource, options)
        return StreamingResponse(_lines(events), media_type="application/json")

    async def _review(self, request: Request, resource: Resource) -> Response:
        asked = read_review(await request.body(), request.headers.get("content-type", ""))
        answer = review(resource.kind, self._role, asked, self.catalogue.resources)
        head = {"kind": resource.kind, "apiVersion": resource.group_version, "metadata": {"creationTimestamp": None}}
        return JSONResponse({**head, **answer}, 201)


@dataclass(frozen=True, slots=True)
class _Form:
    """How the client wants objects: plain, as a table, or only their metadata."""

    kind: str
    include: str

    @classmethod
    def of(cls, request: Request) -> "_Form":
        wanted = request.headers.get("accept", "").split(",")[0].split(";")
        kind = next((part.removeprefix("as=") for part in wanted if part.startswith("as=")), "")
        return cls(kind, request.query_params.get("includeObject", "Metadata"))

    @property
    def is_table(self) -> bool:
        return self.kind == "Table"

    def table(self, server: ApiServer, resource: Resource, things: Any, metadata: dict[str, Any]) -> dict[str, Any]:
        return table(resource, things, metadata, server.world.clock.now(), include=self.include)

    def one(self, thing: KubernetesObject) -> dict[str, Any]:
        return partial(thing) if self.kind.startswith("PartialObjectMetadata") else thing

    def many(self, resource: Resource, things: Any, metadata: dict[str, Any]) -> dict[str, Any]:
        if self.kind.startswith("PartialObjectMetadata"):
            head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            return {**head, "metadata": metadata, "items": [partial(thing) for thing in things]}
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.group_version}
        items = things if resource.custom else [_without_kind(thing) for thing in things]
        return {**head, "metadata": metadata, "items": list(items)}


def _without_kind(thing: KubernetesObject) -> KubernetesObject:
    """Items of built-in lists carry neither kind nor version, as in a real cluster."""
    return {key: value for key, value in thing.items() if key not in ("kind", "apiVersion")}


def _verb(request: Request, target: Target) -> str:
    if request.method not in ("GET", "HEAD"):
        verb = _WRITES.get(request.method, request.method.lower())
        return "deletecollection" if verb == "delete" and not target.name else verb
    if request.query_params.get("watch") in ("true", "1"):
        return "watch"
    return "get" if target.name else "list"


async def _lines(events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    async for event in events:
        yield json.dumps(event).encode() + b"\n"


def _document(body: dict[str, Any] | None) -> Response:
    if body is None:
        return PlainTextResponse("404 page not found\n", 404)
    return JSONResponse(body)


async def _refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, Refused):
        return JSONResponse(error.body, error.code)
    return PlainTextResponse("404 page not found\n", error.status_code if isinstance(error, HTTPException) else 500)


def app(world: World) -> Starlette:
    """The API server as an ASGI application."""
    server = ApiServer(world, Catalogue(world.cluster), Inventory(world.cluster))
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Route("/version", server.version),
            *(Route(path, server.health) for path in ("/healthz", "/livez", "/readyz")),
            Route("/api", server.core),
            Route("/apis", server.groups),
            Route("/api/v1", server.group_version),
            Route("/api/v1/{path:path}", server.serve, methods=methods),
            Route("/apis/{group}", server.group),
            Route("/apis/{group}/{version}", server.group_version),
            Route("/apis/{group}/{version}/{path:path}", server.serve, methods=methods),
        ],
        exception_handlers={Refused: _refuse, HTTPException: _refuse},
    )

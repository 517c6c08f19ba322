"""The lab's Argo CD over HTTP: sessions, the application, its operations, its resources."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sre_bot.lab.argocd_shapes import PROJECT, ApplicationShapes
from sre_bot.lab.delivery import Delivery, OperationRefused
from sre_bot.lab.world import World

Json = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]
_HTTP_OF_CODE = {3: 400, 5: 404, 7: 403, 9: 400, 16: 401}


class Refused(Exception):
    """An error in gRPC's words; the gateway chooses the HTTP status from the code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.answer = JSONResponse({"error": message, "code": code, "message": message}, _HTTP_OF_CODE[code])


def app(world: World) -> Starlette:
    """The ASGI application of the lab's Argo CD."""
    api = _Api(world, world.delivery, ApplicationShapes(world.delivery))
    one = "/api/v1/applications/{name}"
    routes = [
        Route("/api/version", api.version),
        Route("/api/v1/session", api.session, methods=["POST"]),
        Route("/api/v1/session/userinfo", api.known(api.user)),
        Route("/api/v1/applications", api.known(api.applications)),
        Route(one, api.known(api.application)),
        Route(one + "/sync", api.known(api.sync), methods=["POST"]),
        Route(one + "/rollback", api.known(api.rollback), methods=["POST"]),
        Route(one + "/operation", api.known(api.terminate), methods=["DELETE"]),
        Route(one + "/resource-tree", api.known(api.tree)),
        Route(one + "/managed-resources", api.known(api.managed)),
    ]
    return Starlette(routes=routes)


@dataclass(frozen=True, slots=True)
class _Api:
    """The endpoints."""

    world: World
    delivery: Delivery
    shapes: ApplicationShapes

    def known(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint for those who have a token; refusals become gRPC errors."""

        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            try:
                self._check_token(request)
                return await endpoint(request)
            except OperationRefused as refused:
                return Refused(refused.code, str(refused)).answer
            except Refused as refused:
                return refused.answer

        return guarded

    async def version(self, request: Request) -> Response:
        return JSONResponse({"Version": "v3.1.0+lab"})

    async def session(self, request: Request) -> Response:
        given = await _body(request)
        if (given.get("username"), given.get("password")) != (self.world.bot_account, self.world.token):
            return Refused(16, "Invalid username or password").answer
        return JSONResponse({"token": self.world.token})

    async def user(self, request: Request) -> Response:
        return JSONResponse({"loggedIn": True, "username": self.world.bot_account, "iss": "argocd", "groups": []})

    async def applications(self, request: Request) -> Response:
        asked = request.query_params
        name = self.delivery.source.application.application if self.delivery.source.exists else ""
        items = [await self._application(request)] if name and asked.get("name") in (None, "", name) else []
        metadata = {"resourceVersion": str(self.world.cluster.version)}
        return JSONResponse({"metadata": metadata, "items": items})

    async def application(self, request: Request) -> Response:
        self._check_exists(request)
        return JSONResponse(await self._application(request))

    async def sync(self, request: Request) -> Response:
        self._check_exists(request)
        given = await _body(request)
        await self.delivery.sync(
            str(given.get("revision") or ""),
            prune=bool(given.get("prune")),
            dry_run=bool(given.get("dryRun")),
            by=self.world.bot_account,
        )
        return JSONResponse(await self._application(request))

    async def rollback(self, request: Request) -> Response:
        self._check_exists(request)
        given = await _body(request)
        if not str(given.get("id", "")).isdigit():
            raise Refused(3, "invalid id")
        prune, dry_run = bool(given.get("prune")), bool(given.get("dryRun"))
        await self.delivery.rollback(int(given["id"]), prune=prune, dry_run=dry_run, by=self.world.bot_account)
        return JSONResponse(await self._application(request))

    async def terminate(self, request: Request) -> Response:
        self._check_exists(request)
        await self.delivery.terminate()
        return JSONResponse({})

    async def tree(self, request: Request) -> Response:
        self._check_exists(request)
        return JSONResponse(self.shapes.tree(await self.delivery.current()))

    async def managed(self, request: Request) -> Response:
        self._check_exists(request)
        return JSONResponse(self.shapes.managed(await self.delivery.current()))

    async def _application(self, request: Request) -> Json:
        refresh = request.query_params.get("refresh") in ("normal", "hard", "true")
        return self.shapes.application(await self.delivery.current(refresh=refresh))

    def _check_token(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        cookie = request.cookies.get("argocd.token", "")
        if not token and not cookie:
            raise Refused(16, "no session information")
        if self.world.token not in (token if scheme.lower() == "bearer" else "", cookie):
            raise Refused(16, "invalid session: token signature is invalid: signature is invalid")

    def _check_exists(self, request: Request) -> None:
        """An unknown name is forbidden, not missing, unless its project is named: that is what Argo CD answers."""
        name = request.path_params["name"]
        if self.delivery.source.exists and name == self.delivery.source.application.application:
            return
        if PROJECT in request.query_params.getlist("project"):
            raise Refused(5, f'applications.argoproj.io "{name}" not found')
        raise Refused(7, "permission denied")


async def _body(request: Request) -> Json:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise Refused(3, f"invalid request body: {error}") from error
    if not isinstance(body, dict):
        raise Refused(3, "invalid request body: not an object")
    return body

"""The lab's Jira over HTTP: REST v2 as Data Center and Cloud speak it, v3 and its search on Cloud, webhooks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sre_bot.lab.jira_requests import Refused, read_body, read_credentials, read_names, read_query, read_text
from sre_bot.lab.jira_shapes import Shapes, fields_list, jira_time
from sre_bot.lab.jql import BadJql, parse
from sre_bot.lab.tickets import STATUSES, Account, Happening, Issue
from sre_bot.lab.webhooks import Webhook, Webhooks
from sre_bot.lab.world import World

Json = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]


def app(world: World) -> Starlette:
    """The ASGI application of the lab's Jira."""
    site = _Site(world, Webhooks())
    world.tickets.tell = site.tell
    issue = "/rest/api/{version}/issue/{key}"
    routes = [
        Route("/rest/api/{version}/serverInfo", site.server_info),
        Route("/rest/api/{version}/myself", site.known(site.myself)),
        Route("/rest/api/{version}/field", site.known(site.fields)),
        Route("/rest/api/{version}/status", site.known(site.statuses)),
        Route("/rest/api/{version}/user/search", site.known(site.users)),
        Route("/rest/api/{version}/project/{key}", site.known(site.project)),
        Route("/rest/api/{version}/search", site.known(site.search), methods=["GET", "POST"]),
        Route("/rest/api/{version}/search/jql", site.known(site.search_jql), methods=["GET", "POST"]),
        Route("/rest/api/{version}/issue", site.known(site.create), methods=["POST"]),
        Route(issue, site.known(site.issue), methods=["GET", "PUT", "DELETE"]),
        Route(issue + "/assignee", site.known(site.assignee), methods=["PUT"]),
        Route(issue + "/transitions", site.known(site.transitions), methods=["GET", "POST"]),
        Route(issue + "/comment", site.known(site.comments), methods=["GET", "POST"]),
        Route(issue + "/remotelink", site.known(site.links), methods=["GET", "POST"]),
        Route("/rest/webhooks/1.0/webhook", site.known(site.webhooks), methods=["GET", "POST"]),
        Route("/rest/webhooks/1.0/webhook/{id:int}", site.known(site.webhook), methods=["DELETE"]),
    ]
    return Starlette(routes=routes)


@dataclass(slots=True)
class _Site:
    """The endpoints."""

    world: World
    hooks: Webhooks

    def known(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint for those who are logged in; refusals become Jira's errors."""

        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            if request.path_params.get("version", "2") not in (
                ("2", "3", "latest") if self.world.cloud else ("2", "latest")
            ):
                return JSONResponse({"message": "null for uri: " + str(request.url), "status-code": 404}, 404)
            account = self._account(request)
            if account is None:
                message = "Client must be authenticated to access this resource."
                return JSONResponse({"message": message, "status-code": 401}, 401, {"WWW-Authenticate": "OAuth"})
            request.state.account = account
            try:
                return await endpoint(request)
            except Refused as refused:
                return refused.answer

        return guarded

    def tell(self, happening: Happening) -> None:
        """Pass a change on to the webhooks."""
        self.hooks.tell(happening, self._shapes(None), self.world.clock.now())

    async def server_info(self, request: Request) -> Response:
        version = [1001, 0, 0] if self.world.cloud else [9, 12, 4]
        return JSONResponse(
            {
                "baseUrl": self.world.urls["jira"],
                "version": ".".join(map(str, version)),
                "versionNumbers": version,
                "deploymentType": "Cloud" if self.world.cloud else "Server",
                "buildNumber": 912_004,
                "serverTime": jira_time(self.world.clock.now()),
                "serverTitle": "Jira",
            }
        )

    async def myself(self, request: Request) -> Response:
        return JSONResponse(self._shapes(request).account(request.state.account))

    async def fields(self, request: Request) -> Response:
        return JSONResponse(fields_list())

    async def statuses(self, request: Request) -> Response:
        return JSONResponse([self._shapes(request).status(status) for status in STATUSES])

    async def users(self, request: Request) -> Response:
        asked = request.query_params
        wanted = (asked.get("username") or asked.get("query") or asked.get("accountId") or "").lower()
        found = [one for one in self.world.tickets.accounts.values() if wanted in f"{one.name} {one.display}".lower()]
        exact = self.world.tickets.account(wanted)
        found = [exact] if exact and exact not in found else found
        return JSONResponse([self._shapes(request).account(one) for one in found])

    async def project(self, request: Request) -> Response:
        key = request.path_params["key"]
        if key not in {issue.project for issue in self.world.tickets.issues.values()}:
            raise Refused(404, f"No project could be found with key '{key}'.")
        return JSONResponse(self._shapes(request).project(key))

    async def search(self, request: Request) -> Response:
        if self.world.cloud:
            raise Refused(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")
        asked = await read_query(request)
        found = self._found(request, asked)
        start, limit = int(asked.get("startAt", 0)), min(int(asked.get("maxResults", 50)), 1000)
        shapes, fields = self._shapes(request), read_names(asked.get("fields"))
        issues = [shapes.issue(issue, fields) for issue in found[start : start + limit]]
        page = {"startAt": start, "maxResults": limit, "total": len(found)}
        return JSONResponse({"expand": "schema,names", **page, "issues": issues})

    async def search_jql(self, request: Request) -> Response:
        if not self.world.cloud:
            raise Refused(404, "HTTP 404 Not Found")
        asked = await read_query(request)
        if not str(asked.get("jql", "")).strip():
            raise Refused(
                400, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
            )
        found = self._found(request, asked)
        start, limit = int(asked.get("nextPageToken") or 0), int(asked.get("maxResults", 50))
        fields = read_names(asked.get("fields")) or ("id",)
        issues = [self._shapes(request).issue(issue, fields) for issue in found[start : start + limit]]
        more = start + limit < len(found)
        page: Json = {"nextPageToken": str(start + limit)} if more else {}
        return JSONResponse({"issues": issues, "isLast": not more, **page})

    async def create(self, request: Request) -> Response:
        fields = (await read_body(request)).get("fields") or {}
        summary = str(fields.get("summary") or "").strip()
        if not summary:
            raise Refused(400, summary="You must specify a summary of the issue.")
        project = (fields.get("project") or {}).get("key")
        if not project:
            raise Refused(400, project="project is required")
        issue = self.world.tickets.create(
            summary,
            project=project,
            description=read_text(fields.get("description")),
            priority=(fields.get("priority") or {}).get("name", "Medium"),
            labels=list(fields.get("labels") or ()),
            assignee=self._person(fields["assignee"]) if fields.get("assignee") else None,
        )
        shown = self._shapes(request).issue(issue)
        return JSONResponse({name: shown[name] for name in ("id", "key", "self")}, 201)

    async def issue(self, request: Request) -> Response:
        issue = self._issue(request)
        if request.method == "GET":
            fields = read_names(request.query_params.getlist("fields"))
            return JSONResponse(self._shapes(request).issue(issue, fields))
        if request.method == "DELETE":
            self.world.tickets.delete(issue.key)
            return Response(status_code=204)
        self._edit(issue, (await read_body(request)).get("fields") or {}, request.state.account)
        return Response(status_code=204)

    async def assignee(self, request: Request) -> Response:
        self.world.tickets.assign(self._issue(request), self._person(await read_body(request)), request.state.account)
        return Response(status_code=204)

    async def transitions(self, request: Request) -> Response:
        issue = self._issue(request)
        if request.method == "GET":
            shown = [self._shapes(request).transition(move) for move in issue.moves()]
            return JSONResponse({"expand": "transitions", "transitions": shown})
        wanted = str(((await read_body(request)).get("transition") or {}).get("id", ""))
        move = next((move for move in issue.moves() if move.id == wanted), None)
        if move is None:
            raise Refused(400, f"It seems that you have tried to perform a workflow operation ({wanted}) that is not "
                          f"valid for the current state of this issue ({issue.key}).")  # fmt: skip
        self.world.tickets.move(issue, move, request.state.account)
        return Response(status_code=204)

    async def comments(self, request: Request) -> Response:
        issue = self._issue(request)
        if request.method == "GET":
            asked = request.query_params
            limit = int(asked.get("maxResults", 100 if self.world.cloud else 1_048_576))
            return JSONResponse(self._shapes(request).comments(issue, int(asked.get("startAt", 0)), limit))
        body = read_text((await read_body(request)).get("body"))
        if not body.strip():
            raise Refused(400, comment="Comment body can not be empty!")
        if len(body) > 32_767:
            raise Refused(
                400, comment="The entered text is too long. It exceeds the allowed limit of 32,767 characters."
            )
        comment = self.world.tickets.comment(issue, body, request.state.account)
        return JSONResponse(self._shapes(request).comment(issue, comment), 201)

    async def links(self, request: Request) -> Response:
        issue, shapes = self._issue(request), self._shapes(request)
        if request.method == "GET":
            wanted = request.query_params.get("globalId")
            links = [link for link in issue.links if wanted in (None, link.get("globalId"))]
            return JSONResponse([shapes.link(issue, link) for link in links])
        raw = await read_body(request)
        target = raw.get("object") or {}
        if not target.get("url") or not target.get("title"):
            raise Refused(400, url="'url' and 'title' are required.")
        kept = {name: raw[name] for name in ("globalId", "application", "relationship", "object") if name in raw}
        link, new = self.world.tickets.link(issue, kept)
        shown = shapes.link(issue, link)
        return JSONResponse({"id": shown["id"], "self": shown["self"]}, 201 if new else 200)

    async def webhooks(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse([self._hook(webhook) for webhook in self.hooks.registered.values()])
        raw = await read_body(request)
        if not raw.get("url") or not raw.get("name"):
            raise Refused(400, "A webhook needs a name and a url.")
        webhook = self.hooks.register(
            raw["name"], raw["url"], tuple(raw.get("events") or ()), str(raw.get("secret") or "")
        )
        return JSONResponse(self._hook(webhook), 201)

    async def webhook(self, request: Request) -> Response:
        if self.hooks.registered.pop(request.path_params["id"], None) is None:
            raise Refused(404, "Webhook with specified id does not exist.")
        return Response(status_code=204)

    def _hook(self, webhook: Webhook) -> Json:
        link = f"{self.world.urls['jira']}/rest/webhooks/1.0/webhook/{webhook.id}"
        return {"self": link, "name": webhook.name, "url": webhook.url, "events": list(webhook.events), "enabled": True}

    def _found(self, request: Request, asked: Json) -> list[Issue]:
        try:
            query = parse(str(asked.get("jql", "")), request.state.account)
        except BadJql as error:
            raise Refused(400, str(error)) from error
        return query.run(list(self.world.tickets.issues.values()))

    def _edit(self, issue: Issue, fields: Json, actor: Account) -> None:
        for name, value in fields.items():
            if name == "assignee":
                self.world.tickets.assign(issue, self._person(value or {}), actor)
            elif name == "labels":
                self.world.tickets.set_labels(issue, list(value), actor)
            elif name in ("summary", "description"):
                self.world.tickets.set_text(issue, name, read_text(value), actor)
            elif name == "priority":
                self.world.tickets.set_text(issue, name, str(value["name"]), actor)
            else:
                raise Refused(400, **{name: f"Field '{name}' cannot be set. It is not on the appropriate screen."})

    def _person(self, raw: Json) -> Account | None:
        wanted = raw.get("accountId" if self.world.cloud else "name")
        if not wanted:
            return None
        account = self.world.tickets.account(str(wanted))
        if account is None or account.identifier != wanted:
            raise Refused(400, assignee=f"User '{wanted}' does not exist.")
        return account

    def _issue(self, request: Request) -> Issue:
        wanted = request.path_params["key"]
        issues = self.world.tickets.issues
        issue = issues.get(wanted.upper()) or next((one for one in issues.values() if one.id == wanted), None)
        if issue is None:
            raise Refused(404, "Issue Does Not Exist")
        return issue

    def _account(self, request: Request) -> Account | None:
        bot = self.world.tickets.bot
        scheme, user, secret = read_credentials(request)
        if secret != self.world.token:
            return None
        if scheme == "bearer":
            return None if self.world.cloud else bot
        return bot if user == bot.login else None

    def _shapes(self, request: Request | None) -> Shapes:
        version = request.path_params.get("version", "2") if request else "2"
        return Shapes(self.world.urls["jira"], self.world.cloud, "3" if version == "3" else "2")

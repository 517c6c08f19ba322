"""The lab's control API: what was asked of it, what shall go wrong, and what the people around the bot do.

It has a token of its own, serves nothing of ``expect``, and its requests are not logged.
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, fields
from functools import wraps
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sre_bot.domain.errors import BadInput
from sre_bot.domain.review import LineComment
from sre_bot.lab.clock import stamp
from sre_bot.lab.git_repository import GitFailed
from sre_bot.lab.pods import is_ready
from sre_bot.lab.pull_requests import Pull, ReviewState
from sre_bot.lab.tickets import STATUSES, Account, Issue, Move
from sre_bot.lab.wire import Fault
from sre_bot.lab.world import World

Json = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Json]]
_STATES: dict[str, ReviewState] = {
    "approve": "APPROVED",
    "request_changes": "CHANGES_REQUESTED",
    "reject": "CHANGES_REQUESTED",
    "comment": "COMMENTED",
}


def app(world: World) -> Starlette:
    """The ASGI application of the control API."""
    room = _ControlRoom(world)
    routes = [
        Route("/requests", room.answer(room.requests)),
        Route("/faults", room.answer(room.faults), methods=["GET"]),
        Route("/faults", room.answer(room.add_fault), methods=["POST"]),
        Route("/faults", room.answer(room.clear_faults), methods=["DELETE"]),
        Route("/review", room.answer(room.review), methods=["POST"]),
        Route("/pull/{number:int}/close", room.answer(room.close_pull), methods=["POST"]),
        Route("/pull/{number:int}/merge", room.answer(room.merge_pull), methods=["POST"]),
        Route("/push", room.answer(room.push), methods=["POST"]),
        Route("/protect", room.answer(room.protect), methods=["POST"]),
        Route("/dismiss", room.answer(room.dismiss), methods=["POST"]),
        Route("/ticket", room.answer(room.create_ticket), methods=["POST"]),
        Route("/ticket/{key}", room.answer(room.delete_ticket), methods=["DELETE"]),
        Route("/ticket/{key}/comment", room.answer(room.say_on_ticket), methods=["POST"]),
        Route("/ticket/{key}/status", room.answer(room.move_ticket), methods=["POST"]),
        Route("/ticket/{key}/assignee", room.answer(room.assign_ticket), methods=["POST"]),
        Route("/clock", room.answer(room.advance), methods=["POST"]),
        Route("/state", room.answer(room.state)),
    ]
    return Starlette(routes=routes)


@dataclass(frozen=True, slots=True)
class _ControlRoom:
    """The endpoints."""

    world: World

    def answer(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint for those who have the control token; what people get wrong is told as 400."""

        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self.world.control_token}":
                return JSONResponse({"error": "the control API wants its own token"}, 401)
            try:
                return JSONResponse(await endpoint(request))
            except (BadInput, GitFailed) as error:
                return JSONResponse({"error": str(error)}, 400)

        return guarded

    async def requests(self, request: Request) -> Json:
        logged = self.world.log.requests
        counts = Counter(f"{one.service} {one.method} {one.route or one.path}" for one in logged)
        return {"requests": [asdict(one) for one in logged], "counts": dict(counts)}

    async def faults(self, request: Request) -> Json:
        return {"faults": [asdict(fault) for fault in self.world.faults if fault.times]}

    async def add_fault(self, request: Request) -> Json:
        given = await _body(request)
        unknown = given.keys() - {one.name for one in fields(Fault)}
        if unknown or not {"service", "kind"} <= given.keys():
            raise BadInput(f"a fault needs service and kind, and knows no {sorted(unknown)}")
        self.world.faults.append(Fault(**given))
        return {"faults": len(self.world.faults)}

    async def clear_faults(self, request: Request) -> Json:
        self.world.faults.clear()
        return {"faults": 0}

    async def review(self, request: Request) -> Json:
        given = await _body(request)
        number, action = int(given["pr"]), str(given["action"])
        if action not in _STATES:
            raise BadInput(f"{action!r} is none of {sorted(_STATES)}")
        comments = tuple(LineComment(**one) for one in given.get("comments") or ())
        reviewer, may_write = str(given.get("reviewer") or "reviewer"), bool(given.get("may_write", True))
        review = await self.world.hub.review(
            number, reviewer, _STATES[action], str(given.get("body") or ""), comments, may_write
        )
        if action == "reject":
            await self.world.hub.close(number)
        return {"id": review.id, "state": review.state, "commit": review.commit}

    async def dismiss(self, request: Request) -> Json:
        review = await self.world.hub.dismiss(int((await _body(request))["review"]))
        return {"id": review.id, "state": review.state}

    async def close_pull(self, request: Request) -> Json:
        return _pull(await self.world.hub.close(request.path_params["number"]))

    async def merge_pull(self, request: Request) -> Json:
        return {"sha": await self.world.hub.merge(request.path_params["number"])}

    async def push(self, request: Request) -> Json:
        given = await _body(request)
        sha = await self.world.hub.push(
            str(given.get("branch") or self.world.hub.default_branch),
            dict(given.get("files") or {}),
            str(given.get("message") or "Change by hand"),
            force=bool(given.get("force")),
            base=str(given.get("base") or ""),
        )
        return {"sha": sha}

    async def protect(self, request: Request) -> Json:
        self.world.hub.protect(str((await _body(request)).get("branch") or self.world.hub.default_branch))
        return {"protected": sorted(self.world.hub.protected)}

    async def create_ticket(self, request: Request) -> Json:
        given = await _body(request)
        tickets = self.world.tickets
        wanted = given.get("assignee")
        assignee = tickets.bot if wanted is None else self._person(str(wanted)) if wanted else None
        issue = tickets.create(
            str(given.get("summary") or "Something is wrong"),
            key=str(given.get("key") or ""),
            description=str(given.get("description") or ""),
            priority=str(given.get("priority") or "Medium"),
            labels=list(given.get("labels") or ()),
            assignee=assignee,
        )
        return {"key": issue.key}

    async def delete_ticket(self, request: Request) -> Json:
        issue = self._issue(request)
        self.world.tickets.delete(issue.key)
        return {"key": issue.key}

    async def say_on_ticket(self, request: Request) -> Json:
        given = await _body(request)
        author = self._person(str(given.get("author") or "dreyes"))
        comment = self.world.tickets.comment(self._issue(request), str(given.get("body") or ""), author)
        return {"id": comment.id}

    async def move_ticket(self, request: Request) -> Json:
        issue, wanted = self._issue(request), str((await _body(request)).get("status"))
        status = next((status for status in STATUSES if status.name.lower() == wanted.lower()), None)
        if status is None:
            raise BadInput(f"{wanted!r} is none of {[status.name for status in STATUSES]}")
        self.world.tickets.move(issue, Move("0", "By hand", status), issue.reporter)
        return {"key": issue.key, "status": status.name}

    async def assign_ticket(self, request: Request) -> Json:
        issue, account = self._issue(request), str((await _body(request)).get("account") or "")
        self.world.tickets.assign(issue, self._person(account) if account else None, issue.reporter)
        return {"key": issue.key, "assignee": account}

    def _issue(self, request: Request) -> Issue:
        key = request.path_params["key"]
        if key not in self.world.tickets.issues:
            raise BadInput(f"there is no ticket {key!r}")
        return self.world.tickets.issues[key]

    def _person(self, name: str) -> Account:
        account = self.world.tickets.account(name)
        if account is None:
            raise BadInput(f"{name!r} is none of {sorted(self.world.tickets.accounts)}")
        return account

    async def advance(self, request: Request) -> Json:
        self.world.clock.advance(float((await _body(request))["seconds"]))
        return {"now": self.world.clock.stamp()}

    async def state(self, request: Request) -> Json:
        pulls = await self.world.hub.all_pulls() if self.world.hub.repository else []
        return {
            "now": self.world.clock.stamp(),
            "tickets": [self._ticket(key) for key in sorted(self.world.tickets.issues)],
            "pull_requests": [_pull(pull) for pull in pulls],
            "application": await self._application(),
            "pods": [_pod(pod) for pod in self.world.cluster.of_kind("Pod")],
        }

    def _ticket(self, key: str) -> Json:
        issue = self.world.tickets.issues[key]
        return {
            "key": key,
            "status": issue.status.name,
            "resolution": issue.resolution,
            "assignee": issue.assignee.identifier if issue.assignee else None,
            "comments": [comment.body for comment in issue.comments],
            "links": [link["object"] for link in issue.links],
        }

    async def _application(self) -> Json | None:
        delivery = self.world.delivery
        if not delivery.source.exists:
            return None
        comparison = await delivery.current()
        return {
            "name": delivery.source.application.application,
            "sync": comparison.status,
            "health": delivery.health(comparison).status,
            "operation": delivery.operation.phase if delivery.operation else None,
            "history": [{"revision": entry.revision, "at": stamp(entry.deployed_at)} for entry in delivery.history],
            "outcomes": delivery.outcomes,
        }


def _pull(pull: Pull) -> Json:
    return {
        "number": pull.number,
        "title": pull.title,
        "branch": pull.branch,
        "head": pull.head,
        "state": pull.state,
        "merged": pull.merged_at is not None,
        "merge_sha": pull.merge_sha,
    }


def _pod(pod: Json) -> Json:
    metadata = pod["metadata"]
    phase = (pod.get("status") or {}).get("phase", "")
    return {
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "phase": phase,
        "ready": is_ready(pod),
    }


async def _body(request: Request) -> Json:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise BadInput(f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadInput("the body is no JSON object")
    return body

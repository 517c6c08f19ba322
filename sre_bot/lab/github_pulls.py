"""The lab's pull requests over the API: open, list, change, merge, and talk in them."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sre_bot.domain.errors import BadInput
from sre_bot.lab.diffs import FileDiff, differences
from sre_bot.lab.github_answers import (
    Refusal,
    answer,
    body_of,
    created,
    invalid,
    not_found,
    page_of,
    text_in,
    unprocessable,
)
from sre_bot.lab.github_shapes import Json, Shapes
from sre_bot.lab.hub import HeadMoved, Hub, NotMergeable
from sre_bot.lab.pull_requests import Pull
from sre_bot.lab.pull_shapes import conversation_comment, pull_full, pull_simple

_SORTS: dict[str, Callable[[Pull], tuple[Any, ...]]] = {
    "created": lambda pull: (pull.number,),
    "updated": lambda pull: (pull.updated_at, pull.number),
    "popularity": lambda pull: (len(pull.conversation), pull.number),
    "long-running": lambda pull: (pull.number,),
}


class Pulls:
    """The endpoints under ``/repos/{owner}/{repo}/pulls`` and the conversation under ``/issues``."""

    def __init__(self, hub: Hub, shapes: Shapes) -> None:
        self._hub = hub
        self._shapes = shapes

    def routes(self) -> list[Route]:
        """All routes, relative to the repository."""
        return [
            Route("/pulls", self.list),
            Route("/pulls", self.create, methods=["POST"]),
            Route("/pulls/{number:int}", self.get),
            Route("/pulls/{number:int}", self.update, methods=["PATCH"]),
            Route("/pulls/{number:int}/files", self.files),
            Route("/pulls/{number:int}/commits", self.commits),
            Route("/pulls/{number:int}/merge", self.is_merged),
            Route("/pulls/{number:int}/merge", self.merge, methods=["PUT"]),
            Route("/issues/{number:int}/comments", self.comments),
            Route("/issues/{number:int}/comments", self.comment, methods=["POST"]),
        ]

    async def pull(self, request: Request) -> Pull:
        """The pull request that a path names. Raises ``Refusal``."""
        try:
            return await self._hub.pull(request.path_params["number"])
        except BadInput as error:
            raise not_found() from error

    async def list(self, request: Request) -> Response:
        """Pull requests by state, head and base, newest first unless asked otherwise."""
        wanted = request.query_params
        state, sort = wanted.get("state", "open"), wanted.get("sort", "created")
        if state not in ("open", "closed", "all") or sort not in _SORTS:
            raise invalid("PullRequest", "state" if sort in _SORTS else "sort")
        descending = wanted.get("direction", "desc" if sort == "created" else "asc") == "desc"
        found = [pull for pull in await self._hub.all_pulls() if self._is_wanted(pull, state, request)]
        found.sort(key=_SORTS[sort], reverse=descending)
        shown, headers = page_of(request, found, self._shapes.url)
        return answer(request, [pull_simple(self._shapes, pull) for pull in shown], headers=headers)

    def _is_wanted(self, pull: Pull, state: str, request: Request) -> bool:
        head, base = request.query_params.get("head", ""), request.query_params.get("base")
        return (
            state in ("all", pull.state)
            and (":" not in head or head == f"{self._shapes.owner}:{pull.branch}")
            and base in (None, pull.base)
        )

    async def create(self, request: Request) -> Response:
        """Open one; refused where there is nothing to merge, or there is an open one from that branch already."""
        body = await body_of(request)
        title, base = text_in(body, "title", "PullRequest"), text_in(body, "base", "PullRequest")
        branch = await self._checked_branches(text_in(body, "head", "PullRequest"), base)
        for pull in await self._hub.all_pulls():
            if pull.open and (pull.branch, pull.base) == (branch, base):
                raise unprocessable("PullRequest", f"A pull request already exists for {self._shapes.owner}:{branch}.")
        pull = await self._hub.open_pull(
            author=request.state.login,
            title=title,
            body=body.get("body") or "",
            branch=branch,
            base=base,
            draft=bool(body.get("draft")),
        )
        return created(request, await self._full(pull))

    async def _checked_branches(self, head: str, base: str) -> str:
        owner, colon, name = head.rpartition(":")
        branch = name if colon else head
        head_sha, base_sha = await self._hub.head(branch), await self._hub.head(base)
        if head_sha is None or (colon and owner != self._shapes.owner):
            raise invalid("PullRequest", "head")
        if base_sha is None:
            raise invalid("PullRequest", "base")
        if await self._hub.git.is_ancestor(head_sha, base_sha):
            raise unprocessable("PullRequest", f"No commits between {base} and {branch}")
        return branch

    async def get(self, request: Request) -> Response:
        """One pull request."""
        return answer(request, await self._full(await self.pull(request)))

    async def update(self, request: Request) -> Response:
        """Change title, body or state."""
        pull, body = await self.pull(request), await body_of(request)
        pull.title = text_in(body, "title", "PullRequest") if "title" in body else pull.title
        pull.body = body.get("body") or "" if "body" in body else pull.body
        now = self._hub.world.clock.now()
        pull.updated_at = now
        if body.get("state") == "closed":
            pull.close(now)
        if body.get("state") == "open" and not pull.open:
            if pull.merged_at or await self._hub.head(pull.branch) is None:
                raise invalid("PullRequest", "state")
            pull.reopen(now)
        return answer(request, await self._full(pull))

    async def files(self, request: Request) -> Response:
        """The files that it changes, seen from where its branch left the base branch."""
        pull = await self.pull(request)
        shown, headers = page_of(request, await self._files(pull), self._shapes.url)
        return answer(request, [self._shapes.file(file, pull.head) for file in shown], headers=headers)

    async def commits(self, request: Request) -> Response:
        """Its commits, oldest first."""
        shas = await self._commits(await self.pull(request))
        shown, headers = page_of(request, shas, self._shapes.url)
        shapes = [self._shapes.commit(await self._hub.git.commit(sha)) for sha in shown]
        return answer(request, shapes, headers=headers)

    async def is_merged(self, request: Request) -> Response:
        """204 where it is merged, else 404."""
        pull = await self.pull(request)
        return Response(status_code=204 if pull.merged_at else 404)

    async def merge(self, request: Request) -> Response:
        """Merge it, if its head is still the one that the caller names."""
        pull, body = await self.pull(request), await body_of(request)
        method = body.get("merge_method", "merge")
        if method not in ("merge", "squash", "rebase"):
            raise invalid("PullRequest", "merge_method")
        if body.get("sha", pull.head) != pull.head and pull.open:
            raise Refusal(409, "Head branch was modified. Review and try the merge again.")
        try:
            sha = await self._hub.merge(
                pull.number,
                request.state.login,
                method=method,
                title=body.get("commit_title") or "",
                message=body.get("commit_message") or "",
            )
        except NotMergeable as error:
            raise Refusal(405, str(error)) from error
        except HeadMoved as error:
            raise Refusal(409, str(error)) from error
        return answer(request, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"})

    async def comments(self, request: Request) -> Response:
        """The conversation, oldest first."""
        pull = await self.pull(request)
        shown, headers = page_of(request, pull.conversation, self._shapes.url)
        return answer(request, [conversation_comment(self._shapes, pull, said) for said in shown], headers=headers)

    async def comment(self, request: Request) -> Response:
        """Add to the conversation."""
        pull, body = await self.pull(request), await body_of(request)
        said = await self._hub.say(pull.number, request.state.login, text_in(body, "body", "IssueComment"))
        return created(request, conversation_comment(self._shapes, pull, said))

    async def _full(self, pull: Pull) -> Json:
        mergeable = await self._hub.mergeable(pull) if pull.open else None
        commits = len(await self._commits(pull))
        return pull_full(self._shapes, pull, mergeable=mergeable, commits=commits, files=await self._files(pull))

    async def _commits(self, pull: Pull) -> "list[str]":
        return await self._hub.git.log("--reverse", "--topo-order", f"{pull.base_sha}..{pull.head}")

    async def _files(self, pull: Pull) -> "list[FileDiff]":
        start = await self._hub.git.merge_base(pull.base_sha, pull.head)
        return await differences(self._hub.git, start or pull.base_sha, pull.head)

"""The lab's reviews over the API: what people say about a pull request, and who may write."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sre_bot.domain.errors import BadInput
from sre_bot.domain.review import LineComment
from sre_bot.lab.diffs import differences
from sre_bot.lab.github_answers import Refusal, answer, body_of, not_found, page_of
from sre_bot.lab.github_pulls import Pulls
from sre_bot.lab.github_shapes import Json, Shapes
from sre_bot.lab.hub import Hub
from sre_bot.lab.pull_requests import Pull, ReviewComment, ReviewState, SubmittedReview
from sre_bot.lab.pull_shapes import review, review_comment

EVENTS: dict[str | None, ReviewState] = {
    None: "PENDING",
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}
_LEGACY = {"maintain": "write", "triage": "read"}


class Reviews:
    """The endpoints under ``/repos/{owner}/{repo}/pulls/{n}/reviews``, ``…/comments`` and ``/collaborators``."""

    def __init__(self, hub: Hub, shapes: Shapes, pulls: Pulls) -> None:
        self._hub = hub
        self._shapes = shapes
        self._pulls = pulls

    def routes(self) -> list[Route]:
        """All routes, relative to the repository."""
        reviews = "/pulls/{number:int}/reviews"
        return [
            Route(reviews, self.list),
            Route(reviews, self.create, methods=["POST"]),
            Route(reviews + "/{review:int}", self.get),
            Route(reviews + "/{review:int}/events", self.submit, methods=["POST"]),
            Route(reviews + "/{review:int}/dismissals", self.dismiss, methods=["PUT"]),
            Route(reviews + "/{review:int}/comments", self.comments),
            Route("/pulls/{number:int}/comments", self.comments),
            Route("/collaborators/{login}/permission", self.permission),
        ]

    async def list(self, request: Request) -> Response:
        """All reviews, oldest first; pending ones only for their author."""
        pull = await self._pulls.pull(request)
        visible = [given for given in pull.reviews if _is_visible(given, request)]
        shown, headers = page_of(request, visible, self._shapes.url)
        return answer(request, [self._review(pull, given) for given in shown], headers=headers)

    async def get(self, request: Request) -> Response:
        """One review."""
        pull, given = await self._given(request)
        return answer(request, self._review(pull, given))

    async def create(self, request: Request) -> Response:
        """Review a pull request; without an event it stays pending."""
        pull, body = await self._pulls.pull(request), await body_of(request)
        state = _checked_event(body, pull, request.state.login)
        comments = tuple(_line_comment(comment) for comment in body.get("comments") or ())
        commit = body.get("commit_id") or pull.head
        if commit not in await self._hub.git.log(f"{pull.base_sha}..{pull.head}"):
            raise Refusal(422, "Unprocessable Entity", "commit_id is not part of the pull request")
        text = body.get("body") or ""
        try:
            given = await self._hub.review(pull.number, request.state.login, state, text, comments, commit=commit)
        except BadInput as error:
            raise Refusal(422, "Unprocessable Entity", "Path could not be resolved") from error
        return answer(request, self._review(pull, given))

    async def submit(self, request: Request) -> Response:
        """Submit a pending review."""
        pull, given = await self._given(request)
        body = await body_of(request)
        state = _checked_event({**body, "body": body.get("body") or given.body}, pull, request.state.login)
        if given.state != "PENDING" or state == "PENDING":
            raise Refusal(422, "Unprocessable Entity", "Could not submit this review")
        given.state, given.submitted_at = state, self._hub.world.clock.now()
        given.body = body.get("body") or given.body
        return answer(request, self._review(pull, given))

    async def dismiss(self, request: Request) -> Response:
        """Dismiss an approval or a request for changes; only writers may."""
        pull, given = await self._given(request)
        if request.state.login not in self._hub.writers:
            raise Refusal(403, "Must have write access")
        if given.state not in ("APPROVED", "CHANGES_REQUESTED"):
            raise Refusal(422, "Unprocessable Entity", "Can not dismiss a comment pull request review")
        return answer(request, self._review(pull, await self._hub.dismiss(given.id)))

    async def comments(self, request: Request) -> Response:
        """The comments on lines, of a pull request or of one of its reviews."""
        pull = await self._pulls.pull(request)
        wanted = request.path_params.get("review")
        hidden = {given.id for given in pull.reviews if not _is_visible(given, request)}
        said = [c for c in pull.review_comments if wanted in (None, c.review) and c.review not in hidden]
        shown, headers = page_of(request, said, self._shapes.url)
        shapes = [review_comment(self._shapes, pull, one, outdated=await self._is_outdated(pull, one)) for one in shown]
        return answer(request, shapes, headers=headers)

    async def permission(self, request: Request) -> Response:
        """What an account may do here; accounts that nobody knows are not found."""
        login = request.path_params["login"]
        role = self._hub.roles.get(login)
        if role is None:
            raise Refusal(404, f"{login} is not a user")
        permission = _LEGACY.get(role, role)
        rights = {name: name in rights_of(role) for name in ("admin", "maintain", "push", "triage", "pull")}
        user = {**self._shapes.user(login), "permissions": rights, "role_name": role}
        return answer(request, {"permission": permission, "role_name": role, "user": user})

    async def _given(self, request: Request) -> tuple[Pull, SubmittedReview]:
        pull = await self._pulls.pull(request)
        given = pull.review_of(request.path_params["review"])
        if given is None or not _is_visible(given, request):
            raise not_found()
        return pull, given

    async def _is_outdated(self, pull: Pull, said: ReviewComment) -> bool:
        if said.commit == pull.head:
            return False
        changed = await differences(self._hub.git, said.commit, pull.head)
        return said.comment.path in {path for file in changed for path in (file.path, file.old_path)}

    def _review(self, pull: Pull, given: SubmittedReview) -> Json:
        known = "COLLABORATOR" if self._hub.roles.get(given.author, "none") != "none" else "NONE"
        return review(self._shapes, pull, given, known)


def rights_of(role: str) -> tuple[str, ...]:
    """The rights that a role includes, strongest first."""
    ladder = ("admin", "maintain", "push", "triage", "pull")
    first = {"admin": 0, "maintain": 1, "write": 2, "triage": 3, "read": 4}.get(role, 5)
    return ladder[first:]


def _is_visible(given: SubmittedReview, request: Request) -> bool:
    return given.state != "PENDING" or given.author == request.state.login


def _checked_event(body: Json, pull: Pull, login: str) -> ReviewState:
    event = body.get("event") or None
    if event not in EVENTS:
        raise Refusal(422, "Unprocessable Entity", f"Variable $event of type PullRequestReviewEvent: {event!r}")
    if login == pull.author and event in ("APPROVE", "REQUEST_CHANGES"):
        verb = "approve" if event == "APPROVE" else "request changes on"
        raise Refusal(422, "Unprocessable Entity", f"Can not {verb} your own pull request")
    if event in ("REQUEST_CHANGES", "COMMENT") and not body.get("body") and not body.get("comments"):
        raise Refusal(422, "Unprocessable Entity", "You need to leave a comment indicating the requested changes.")
    return EVENTS[event]


def _line_comment(given: Json) -> LineComment:
    line = given.get("line") or given.get("position") or 0
    return LineComment(path=given["path"], body=given["body"], line=line, start_line=given.get("start_line") or 0)

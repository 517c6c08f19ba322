"""The lab's GitHub over HTTP: its routes, and what it tells an account about itself."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from sre_bot.lab.git_data import GitData
from sre_bot.lab.git_http import GitHttp
from sre_bot.lab.github_answers import Refusal, answer, not_found
from sre_bot.lab.github_gate import Gate, RateLimit
from sre_bot.lab.github_history import History
from sre_bot.lab.github_pulls import Pulls
from sre_bot.lab.github_reviews import Reviews, rights_of
from sre_bot.lab.github_shapes import Shapes
from sre_bot.lab.hub import Hub
from sre_bot.lab.world import World


def app(world: World, *, requests_per_hour: int = 5000) -> Starlette:
    """The ASGI application of the lab's GitHub. ``world.urls`` must hold its address already."""
    hub, limit = world.hub, RateLimit(world.clock, requests_per_hour)
    shapes = Shapes(world.urls["github"], hub.name, hub.default_branch, world.clock.start)
    pulls = Pulls(hub, shapes)
    parts = (GitData(hub, shapes), History(hub, shapes), pulls, Reviews(hub, shapes, pulls))
    account = Account(hub, shapes, limit)
    repository = [route for part in parts for route in part.routes()]
    return Starlette(
        routes=[
            *account.routes(),
            Mount(f"/repos/{hub.name}", routes=repository) if hub.name else Mount("/repos", routes=[]),
            *GitHttp(hub).routes(),
        ],
        exception_handlers={Refusal: _refused, HTTPException: _unrouted},
        middleware=[Middleware(Gate, world=world, limit=limit)],
    )


class Account:
    """What an account reads about itself and about the repository as a whole."""

    def __init__(self, hub: Hub, shapes: Shapes, limit: RateLimit) -> None:
        self._hub = hub
        self._shapes = shapes
        self._limit = limit

    def routes(self) -> list[Route]:
        """All routes, from the server's root."""
        return [
            Route("/user", self.user),
            Route("/rate_limit", self.rate_limit),
            Route("/repos/{owner}/{repo}", self.repository),
        ]

    async def user(self, request: Request) -> Response:
        """The account whose token it is."""
        return answer(request, self._shapes.own_user(request.state.login, self._hub.world.clock.now()))

    async def rate_limit(self, request: Request) -> Response:
        """How many requests are left; asking is free."""
        rate = self._limit.rate()
        return answer(request, {"resources": {"core": rate}, "rate": rate})

    async def repository(self, request: Request) -> Response:
        """The repository."""
        name = f"{request.path_params['owner']}/{request.path_params['repo']}"
        if not self._hub.name or name.lower() != self._hub.name.lower():
            raise not_found()
        rights = rights_of(self._hub.roles.get(request.state.login, "none"))
        permissions = {right: right in rights for right in ("admin", "maintain", "push", "triage", "pull")}
        return answer(request, self._shapes.full_repository(permissions))


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return refusal.answer()


async def _unrouted(request: Request, error: Exception) -> Response:
    return not_found().answer()

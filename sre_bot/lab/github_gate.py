"""The door of the lab's GitHub: tokens, rate limit, API versions, and the headers that every answer carries."""

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sre_bot.lab.clock import Clock
from sre_bot.lab.github_answers import Refusal
from sre_bot.lab.github_shapes import Json
from sre_bot.lab.hub import PERSON
from sre_bot.lab.world import World

API_VERSION = "2022-11-28"
_GIT = re.compile(r"\.git/(info/refs|git-upload-pack|git-receive-pack)$")


@dataclass(slots=True)
class RateLimit:
    """How many requests an hour of the incident's time allows."""

    clock: Clock
    per_hour: int
    _used: int = 0
    _reset: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._reset = self.clock.now() + timedelta(hours=1)

    def take(self) -> bool:
        """Count one request; False where none was left."""
        if self.clock.now() >= self._reset:
            self._used, self._reset = 0, self.clock.now() + timedelta(hours=1)
        self._used += 1
        return self._used <= self.per_hour

    def rate(self) -> Json:
        """The state as ``/rate_limit`` prints it; ``reset`` is in seconds since the epoch."""
        used = min(self._used, self.per_hour)
        left = self.per_hour - used
        return {"limit": self.per_hour, "used": used, "remaining": left, "reset": int(self._reset.timestamp())}

    def headers(self) -> dict[str, str]:
        """The state as every answer carries it."""
        return {f"X-RateLimit-{name.title()}": str(value) for name, value in self.rate().items()}


class Gate:
    """ASGI middleware: who asks is ``scope["state"]["login"]`` from here on."""

    def __init__(self, app: ASGIApp, world: World, limit: RateLimit) -> None:
        self._app = app
        self._limit = limit
        self._logins = {world.token: world.bot_account, world.control_token: PERSON}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_git = _GIT.search(scope["path"]) is not None
        refusal = self._refusal(scope, Headers(scope=scope), is_git=is_git)
        app = refusal or self._app
        await app(scope, receive, send if is_git else self._stamped(send))

    def _refusal(self, scope: Scope, headers: Headers, *, is_git: bool) -> Response | None:
        login = self._logins.get(_token(headers.get("authorization", "")))
        scope.setdefault("state", {})["login"] = login
        if is_git:
            challenge = {"WWW-Authenticate": 'Basic realm="GitHub"'}
            return None if login else Response("Invalid username or token.", 401, challenge, "text/plain")
        if not headers.get("user-agent"):
            return Refusal(403, "Request forbidden by administrative rules.").answer()
        if login is None:
            known = "authorization" in headers
            return Refusal(401, "Bad credentials" if known else "Requires authentication").answer()
        version = headers.get("x-github-api-version", API_VERSION)
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", version):
            return Refusal(400, f"{version!r} is not a supported API version").answer()
        if scope["path"] != "/rate_limit" and not self._limit.take():
            return Refusal(403, f"API rate limit exceeded for user {login}.").answer()
        return None

    def _stamped(self, send: Send) -> Send:
        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                headers.update(self._limit.headers())
                headers["X-RateLimit-Resource"] = "core"
                headers["X-GitHub-Api-Version-Selected"] = API_VERSION
                headers["X-GitHub-Media-Type"] = "github.v3; format=json"
                headers["X-GitHub-Request-Id"] = secrets.token_hex(8).upper()
                message = {**message, "headers": headers.raw}
            await send(message)

        return stamped


def _token(authorization: str) -> str:
    """The token of ``Bearer``, ``token`` or ``Basic`` credentials, empty where there is none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password if password not in ("", "x-oauth-basic") else user

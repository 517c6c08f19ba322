"""Argo CD through its REST API."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx

from sre_bot.domain.errors import ArgoCDError, Reason
from sre_bot.domain.release import Application

Json = dict[str, Any]
_FAILED_PRECONDITION = 9
_BUSY = "another operation is already in progress"


class ArgoCD:
    """One Argo CD. Every method raises ``ArgoCDError``; ``timeout`` is in seconds, for each request.

    ``token`` is an account's API token. Reads are tried twice when the connection breaks, writes never.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 20.0) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._timeout = timeout
        self._trust = httpx.create_ssl_context()  # once: it takes longer than a request

    async def server_time(self) -> datetime:
        """Argo CD's clock."""
        answer = await self._request("GET", "/api/version")
        try:
            return parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
        except (KeyError, ValueError) as error:
            raise ArgoCDError("an answer came without a Date", reason=Reason.BAD_ANSWER) from error

    async def applications(self) -> tuple[Application, ...]:
        """All applications that we may see, by name."""
        raw = _json("listing applications", await self._request("GET", "/api/v1/applications"))
        found = [_application(one) for one in raw.get("items") or ()]
        return tuple(sorted(found, key=lambda application: application.name))

    async def application(self, name: str, *, refresh: bool = False) -> Application:
        """One application; ``refresh`` lets Argo CD compare with Git first. A missing one may look forbidden."""
        asked = {"refresh": "normal"} if refresh else {}
        answer = await self._request("GET", _path(name), params=asked)
        return _application(_json(f"reading {name}", answer))

    async def sync(self, name: str, revision: str) -> None:
        """Start a sync to a fixed revision, without pruning; conflict where an operation is in progress."""
        await self._request("POST", f"{_path(name)}/sync", json={"revision": revision, "prune": False})

    async def rollback(self, name: str, history_id: int) -> None:
        """Start a rollback to a history entry; Argo CD refuses it (conflict) while auto-sync is on."""
        await self._request("POST", f"{_path(name)}/rollback", json={"id": history_id, "prune": False})

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=self._timeout, verify=self._trust)

    async def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            return await self._send(method, path, **content)
        except ArgoCDError as error:
            broke = isinstance(error.__cause__, (httpx.NetworkError, httpx.RemoteProtocolError))
            if method != "GET" or not broke:
                raise
        return await self._send(method, path, **content)

    async def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        doing = f"{method} {path}"
        try:
            async with self._client() as client:
                answer = await client.request(method, path, **content)
        except httpx.TimeoutException as error:
            raise ArgoCDError(f"{doing}: no answer in time", reason=Reason.UNAVAILABLE) from error
        except httpx.DecodingError as error:
            raise ArgoCDError(f"{doing}: the answer cannot be read", reason=Reason.BAD_ANSWER) from error
        except httpx.HTTPError as error:
            raise ArgoCDError(f"{doing}: cannot be reached: {error}", reason=_reason(error)) from error
        if not answer.is_success:
            raise _refusal(doing, answer)
        return answer


def _reason(error: httpx.HTTPError) -> Reason:
    """A body that was cut short is a bad answer; everything else means that nobody answered."""
    cut_short = isinstance(error, httpx.RemoteProtocolError) and "message body" in str(error)
    return Reason.BAD_ANSWER if cut_short else Reason.UNAVAILABLE


def _refusal(doing: str, answer: httpx.Response) -> ArgoCDError:
    raw = _error(answer)
    said = " ".join(str(raw.get("message") or raw.get("error") or answer.reason_phrase).split())[:300]
    wait = answer.headers.get("Retry-After", "")
    if raw.get("code") == _FAILED_PRECONDITION or _BUSY in said:
        message = f"{doing}: {said} (HTTP {answer.status_code})"
        return ArgoCDError(message, reason=Reason.CONFLICT, status=answer.status_code)
    return ArgoCDError.from_status(answer.status_code, f"{doing}: {said}", float(wait) if wait.isdigit() else None)


def _error(answer: httpx.Response) -> Json:
    try:
        raw = answer.json()
    except ValueError:
        return {}
    return raw if isinstance(raw, dict) else {}


def _json(doing: str, answer: httpx.Response) -> Json:
    try:
        raw = answer.json()
    except ValueError as error:
        raise ArgoCDError(f"{doing}: the answer is no JSON", reason=Reason.BAD_ANSWER) from error
    if not isinstance(raw, dict):
        raise ArgoCDError(f"{doing}: the answer is no object", reason=Reason.BAD_ANSWER)
    return raw


def _path(name: str) -> str:
    return f"/api/v1/applications/{quote(name, safe='')}"


def _application(raw: Json) -> Application:
    try:
        return _parsed(raw)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ArgoCDError(f"an application cannot be read: {error!r}", reason=Reason.BAD_ANSWER) from error


def _parsed(raw: Json) -> Application:
    spec, status = raw["spec"], raw.get("status") or {}
    source = spec.get("source") or spec["sources"][0]
    operation, health = _operation(raw, status), status.get("health") or {}
    result = operation.get("syncResult") or {}
    return Application(
        name=str(raw["metadata"]["name"]),
        namespace=str((spec.get("destination") or {}).get("namespace") or ""),
        repository_url=str(source.get("repoURL") or ""),
        path=str(source.get("path") or ""),
        target_revision=str(source.get("targetRevision") or ""),
        sync_status=str((status.get("sync") or {}).get("status") or ""),
        synced_revision=_synced_revision(status),
        health=str(health.get("status") or ""),
        health_message=str(health.get("message") or _unhealthy(status)),
        operation_phase=str(operation.get("phase") or ""),
        operation_message=str(operation.get("message") or ""),
        operation_revision=_revision(result) or _revision((operation.get("operation") or {}).get("sync") or {}),
        auto_sync=_auto_sync(spec.get("syncPolicy") or {}),
        conditions=tuple(f"{one['type']}: {one.get('message', '')}" for one in status.get("conditions") or ()),
        reconciled_at=_moment(status.get("reconciledAt")),
    )


def _operation(raw: Json, status: Json) -> Json:
    """The newest operation. One that was only asked for stands beside the state of the one before it."""
    state = status.get("operationState") or {}
    if raw.get("operation") and state.get("phase") not in ("Running", "Terminating"):
        return {"phase": "Running", "operation": raw["operation"]}
    return state


def _synced_revision(status: Json) -> str:
    """What was deployed last. ``status.sync.revision`` is only what was compared last, which may be newer."""
    history = status.get("history") or ()
    newest = max(history, key=lambda entry: entry.get("id", 0), default=None)
    return _revision(newest or {}) or _revision(status.get("sync") or {})


def _revision(raw: Mapping[str, Any]) -> str:
    return str(raw.get("revision") or next(iter(raw.get("revisions") or ()), ""))


def _unhealthy(status: Json) -> str:
    """Newer versions say why only for each resource."""
    worse = [one for one in status.get("resources") or () if (one.get("health") or {}).get("message")]
    return "; ".join(f"{one['kind']}/{one['name']}: {one['health']['message']}" for one in worse)


def _auto_sync(policy: Json) -> bool:
    automated = policy.get("automated")
    return automated is not None and automated.get("enabled", True) is not False


def _moment(raw: str | None) -> datetime | None:
    return datetime.fromisoformat(raw.replace("Z", "+00:00")).astimezone(UTC) if raw else None

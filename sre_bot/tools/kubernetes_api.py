"""Raw reads of a Kubernetes API through the official client: bounded, timed, with every failure named."""

import asyncio
import binascii
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.domain.errors import BadSetting, KubernetesError, Reason

CONCURRENCY = 8
PAGE = 500
PAGE_BYTES = 64 * 1024 * 1024
"""The largest answer that is read; a list whose page is larger is asked for in smaller pages."""
_CHUNK = 256 * 1024
Parameters = dict[str, str]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer. ``date`` is the server's clock; ``cut`` says that the body went on."""

    body: bytes
    date: datetime
    cut: bool = False

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ``KubernetesError`` (BAD_ANSWER)."""
        try:
            document = json.loads(self.body)
        except ValueError as error:
            raise _bad_answer(f"an answer is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise _bad_answer("an answer is JSON, but no object")
        return cast(dict[str, Any], document)


@dataclass(frozen=True, slots=True)
class Items:
    """A whole list, its items with kind and version filled in. ``total`` counts those that were not kept too."""

    objects: tuple[KubernetesObject, ...]
    date: datetime
    total: int


@dataclass(slots=True)
class KubernetesApi:
    """One connection pool to one cluster; at most ``CONCURRENCY`` requests at once."""

    client: ApiClient
    timeout: float
    page_bytes: int = PAGE_BYTES
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENCY))

    async def get(self, path: str, parameters: Parameters | None = None, *, most: int = PAGE_BYTES) -> Reply:
        """GET a path. Raises ``KubernetesError``; a body above ``most`` bytes is cut."""
        async with self._places:
            return await asyncio.to_thread(self._get, path, parameters or {}, most)

    async def list(self, path: str, parameters: Parameters | None = None, *, keep: int) -> Items:
        """Read all pages of a list, but keep no more than ``keep`` items. Raises ``KubernetesError``.

        A ``continue`` token that expires on the way starts the list once more from its beginning.
        """
        try:
            return await self._pages(path, parameters or {}, keep)
        except KubernetesError as error:
            if error.status != 410:
                raise
        try:
            return await self._pages(path, parameters or {}, keep)
        except KubernetesError as error:
            if error.status != 410:
                raise
            message = f"GET {path}: the list expired twice before its end"
            raise KubernetesError(message, reason=Reason.UNAVAILABLE, status=410) from error

    async def _pages(self, path: str, parameters: Parameters, keep: int) -> Items:
        objects: list[KubernetesObject] = []
        total, token, limit = 0, "", PAGE
        while True:
            more = {"continue": token} if token else {}
            reply = await self.get(path, {**parameters, "limit": str(limit), **more}, most=self.page_bytes)
            if reply.cut:
                limit = _smaller(limit, path)
                continue
            page, token = await asyncio.to_thread(_page, reply)
            total += len(page)
            objects.extend(page)
            if len(objects) > 2 * keep:
                objects = newest(objects, keep)
            if not token:
                return Items(tuple(newest(objects, keep)), reply.date, total)

    def _get(self, path: str, parameters: Parameters, most: int) -> Reply:
        try:
            return self._exchange(path, parameters, most)
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            message = f"GET {path}: no answer: {_first_line(error)}"
            raise KubernetesError(message, reason=Reason.UNAVAILABLE) from error
        except (config.ConfigException, UnicodeError, ValueError) as error:
            message = f"GET {path}: the credentials cannot be used: {_first_line(error)}"
            raise KubernetesError(message, reason=Reason.NOT_AUTHORISED) from error

    def _exchange(self, path: str, parameters: Parameters, most: int) -> Reply:
        request = self.client.param_serialize(
            "GET",
            path,
            query_params=list(parameters.items()),
            header_params={"Accept": "text/plain, */*" if path.endswith("/log") else "application/json"},
            auth_settings=["BearerToken"],
        )
        response = self.client.call_api(*request, _request_timeout=(self.timeout, self.timeout)).response
        try:
            body, cut = _read(response, most, time.monotonic() + self.timeout)
            if not 200 <= response.status < 300:
                raise _refusal(path, response, body)
            return Reply(body, _date(response.headers.get("Date")), cut)
        finally:
            response.close()


@asynccontextmanager
async def connect(kubeconfig: str | None, context: str | None, timeout: float) -> AsyncGenerator[KubernetesApi, None]:
    """Open a pool for the time of one piece of work. Raises ``BadSetting`` when the kubeconfig is no use."""
    client = await asyncio.to_thread(_client, kubeconfig, context)
    try:
        yield KubernetesApi(client, timeout)
    finally:
        client.close()


async def together(work: Iterable[Awaitable[Result]]) -> list[Result]:
    """Await all of it; the first failure cancels the rest and is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def newest(objects: list[KubernetesObject], keep: int) -> list[KubernetesObject]:
    """No more than ``keep`` objects, the oldest left out."""
    if len(objects) <= keep:
        return objects
    return sorted(objects, key=_last_seen, reverse=True)[:keep]


def happened_since(event: KubernetesObject, since: datetime | None) -> bool:
    """Whether an event was last seen at or after a moment."""
    return since is None or _last_seen(event) >= since.strftime("%Y-%m-%dT%H:%M:%SZ")


def _last_seen(thing: KubernetesObject) -> str:
    series = (thing.get("series") or {}).get("lastObservedTime")
    created = (thing.get("metadata") or {}).get("creationTimestamp")
    return str(series or thing.get("lastTimestamp") or thing.get("eventTime") or created or "")


def _client(kubeconfig: str | None, context: str | None) -> ApiClient:
    settings = Configuration()
    try:
        _load(settings, kubeconfig, context)
    except (config.ConfigException, OSError, yaml.YAMLError, binascii.Error, ValueError, TypeError, KeyError) as error:
        where = kubeconfig or "the default kubeconfig and the pod's service account"
        raise BadSetting(f"Kubernetes cannot be reached through {where}: {_first_line(error)}") from error
    settings.retries = urllib3.Retry(1, read=0, redirect=0, status=0, other=0, respect_retry_after_header=False)
    settings.connection_pool_maxsize = CONCURRENCY
    return ApiClient(settings)


def _load(settings: Configuration, kubeconfig: str | None, context: str | None) -> None:
    if kubeconfig or context:
        config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=settings)
        return
    try:
        config.load_incluster_config(client_configuration=settings)
    except config.ConfigException:
        config.load_kube_config(client_configuration=settings)


def _read(response: Any, most: int, deadline: float) -> tuple[bytes, bool]:
    """The body up to ``most`` bytes, and whether it went on."""
    chunks: list[bytes] = []
    size = 0
    while size <= most and (chunk := response.read(_CHUNK, decode_content=True)):
        chunks.append(chunk)
        size += len(chunk)
        if time.monotonic() > deadline:
            raise urllib3.exceptions.TimeoutError("the answer came too slowly")
    return b"".join(chunks)[:most], size > most


def _refusal(path: str, response: Any, body: bytes) -> KubernetesError:
    after = str(response.headers.get("Retry-After") or "")
    wait = float(after) if after.isdigit() else None
    return KubernetesError.from_status(response.status, f"GET {path}: {_status_message(body)}", wait)


def _status_message(body: bytes) -> str:
    text = body[:2000].decode(errors="replace").strip()
    try:
        document = json.loads(body)
    except ValueError:
        return text or "refused without a reason"
    return str(document.get("message") or text) if isinstance(document, dict) else text


def _smaller(limit: int, path: str) -> int:
    if limit == 1:
        raise _bad_answer(f"GET {path}: a single object is too large")
    return max(1, limit // 10)


def _page(reply: Reply) -> tuple[list[KubernetesObject], str]:
    """A page's items and the token of the next one."""
    document = reply.json()
    return _items(document), (document.get("metadata") or {}).get("continue") or ""


def _items(document: dict[str, Any]) -> list[KubernetesObject]:
    items, kind = document.get("items"), str(document.get("kind") or "")
    if items is None and kind.endswith("List"):
        items = []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in cast(list[Any], items)):
        raise _bad_answer("an answer that should be a list of objects is none")
    head = {"apiVersion": document.get("apiVersion", "v1"), "kind": kind.removesuffix("List")}
    return [{**head, **item} for item in cast(list[KubernetesObject], items)]


def _date(header: str | None) -> datetime:
    try:
        return parsedate_to_datetime(header or "").astimezone(UTC)
    except ValueError as error:
        raise _bad_answer("an answer has no Date header, and ages are measured by the server's clock") from error


def _bad_answer(message: str) -> KubernetesError:
    return KubernetesError(message, reason=Reason.BAD_ANSWER)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

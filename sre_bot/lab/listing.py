"""Lists as the Kubernetes API answers them: consistent pages of a chosen moment."""

import base64
import binascii
import json
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Self

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cluster import Cluster, Key
from sre_bot.lab.event_faces import as_core, as_events
from sre_bot.lab.kinds import Resource
from sre_bot.lab.selectors import matcher
from sre_bot.lab.status import Refused, bad_request, continuation_expired, version_too_large, version_too_old

_REMEMBERED = 64
Place = tuple[str, str]
"""Namespace and name: the order of a list."""


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a list or watch, as the client sent them."""

    labels: str = ""
    fields: str = ""
    limit: int = 0
    token: str = ""
    resource_version: str = ""
    match: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Self:
        """Read a query string. Raises ``Refused`` (400)."""
        return cls(
            parameters.get("labelSelector", ""),
            parameters.get("fieldSelector", ""),
            whole_number(parameters, "limit") or 0,
            parameters.get("continue", ""),
            parameters.get("resourceVersion", ""),
            parameters.get("resourceVersionMatch", ""),
        )

    @property
    def version(self) -> int:
        """The resource version asked for; 0 means any. Raises ``Refused`` (400)."""
        if self.resource_version and not self.resource_version.isdigit():
            raise bad_request(f"resourceVersion: Invalid value: {self.resource_version!r}: invalid resource version")
        return int(self.resource_version or 0)


def whole_number(parameters: Mapping[str, str], name: str) -> int | None:
    """A query parameter as a number, None without it. Raises ``Refused`` (400)."""
    value = parameters.get(name)
    if not value:
        return None
    if not value.lstrip("-").isdigit():
        raise bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    return int(value)


@dataclass(frozen=True, slots=True)
class Page:
    """One page: objects as ``resource`` shows them, and where the next page starts."""

    things: tuple[KubernetesObject, ...]
    version: int
    token: str = ""
    remaining: int | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        """The ``ListMeta``."""
        metadata: dict[str, Any] = {"resourceVersion": str(self.version)}
        if self.token:
            metadata["continue"] = self.token
        if self.remaining:
            metadata["remainingItemCount"] = self.remaining
        return metadata


@dataclass(slots=True)
class Inventory:
    """Objects of a resource at a version, sorted, remembered for the pages that follow."""

    cluster: Cluster
    _sorted: "OrderedDict[tuple[int, str, str], dict[Place, KubernetesObject]]" = field(
        default_factory=lambda: OrderedDict[tuple[int, str, str], dict[Place, KubernetesObject]]()
    )

    def objects(self, resource: Resource, version: int) -> dict[Place, KubernetesObject]:
        """Stored objects by place, in the order of a list."""
        key = (version, resource.group, resource.kind)
        if key not in self._sorted:
            self._sorted[key] = self._collect(resource, version)
            while len(self._sorted) > _REMEMBERED:
                self._sorted.popitem(last=False)
        return self._sorted[key]

    def get(self, resource: Resource, namespace: str, name: str) -> KubernetesObject | None:
        """One object as the resource shows it, None when there is none."""
        groups = resource.stored_groups
        found = (self.cluster.objects.get((group, resource.kind, namespace, name)) for group in groups)
        thing = next((thing for thing in found if thing), None)
        return shown(thing, resource) if thing else None

    def _collect(self, resource: Resource, version: int) -> dict[Place, KubernetesObject]:
        current = version == self.cluster.version
        objects = self.cluster.objects if current else self.cluster.at(version)
        groups = resource.stored_groups
        chosen = {_place(key): thing for key, thing in objects.items() if key[1] == resource.kind and key[0] in groups}
        return dict(sorted(chosen.items()))


def _place(key: Key) -> Place:
    return key[2], key[3]


def shown(thing: KubernetesObject, resource: Resource) -> KubernetesObject:
    """A stored object in the version, and for Events with the face, under which it was asked for."""
    if resource.kind == "Event" and len(resource.stored_groups) > 1:
        return as_events(thing) if resource.group else as_core(thing)
    return {**thing, "apiVersion": resource.group_version, "kind": resource.kind}


def list_page(inventory: Inventory, resource: Resource, namespace: str, query: Query) -> Page:
    """One page of a list. Raises ``Refused``: 400 on selectors and tokens, 410 when its moment is forgotten, 504."""
    cluster = inventory.cluster
    version, start = _moment(cluster, query)
    matches = matcher(query.labels, query.fields, resource)
    objects = inventory.objects(resource, version)
    places = _between(list(objects), namespace, start)
    chosen = ((place, thing) for place in places if matches(thing := shown(objects[place], resource)))
    page = list(islice(chosen, query.limit if query.limit > 0 else None))
    more = next(chosen, None) is not None
    return Page(
        tuple(thing for _, thing in page),
        version,
        encode_token(version, page[-1][0]) if more else "",
        len(places) - len(page) if more and not (query.labels or query.fields) else None,
    )


def _between(places: list[Place], namespace: str, start: Place | None) -> list[Place]:
    """The sorted places of a namespace, or of all, after ``start``."""
    first = bisect_left(places, (namespace, ""))
    last = bisect_left(places, (f"{namespace}\u0000", "")) if namespace else len(places)
    return places[max(first, bisect_right(places, start) if start else 0) : last]


def _moment(cluster: Cluster, query: Query) -> tuple[int, Place | None]:
    """The version at which to read, and after which place."""
    if query.token:
        version, start = decode_token(query.token)
        if version < 0:
            return cluster.version, start
        if version < cluster.floor:
            raise continuation_expired(encode_token(-1, start))
        return version, start
    if query.version > cluster.version:
        raise version_too_large(query.version, cluster.version)
    if query.match == "Exact":
        if query.version < cluster.floor:
            raise version_too_old(query.version, cluster.floor)
        return query.version, None
    return cluster.version, None


def encode_token(version: int, place: Place) -> str:
    """A ``continue`` token in the API server's own form; version -1 reads on without consistency."""
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": "/".join(place) + "\u0000"})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_token(token: str) -> tuple[int, Place]:
    """The version and the place that a token stands for. Raises ``Refused`` (400)."""
    try:
        raw = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, _, name = raw["start"].rstrip("\u0000").partition("/")
        return int(raw["rv"]), (namespace, name)
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _invalid_token() from error


def _invalid_token() -> Refused:
    return bad_request("continue key is not valid: the token was not made by this server")

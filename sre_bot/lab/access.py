"""What the bot's role allows in the lab's cluster, and the API's own answers to "can I?"."""

import json
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any

from sre_bot.lab.kinds import READ_VERBS, Resource
from sre_bot.lab.status import Refused, bad_request

PROTOBUF = "application/vnd.kubernetes.protobuf"
_ENVELOPE = b"k8s\x00"


@dataclass(frozen=True, slots=True)
class Role:
    """A read-only role over everything but the forbidden (group, plural) pairs; ``pods/log`` counts as a plural."""

    user: str
    forbidden: Set[tuple[str, str]]

    def allows(self, verb: str, group: str, plural: str) -> bool:
        """Whether a verb on a resource is allowed."""
        if group in ("authorization.k8s.io", "authentication.k8s.io"):
            return verb == "create" and plural.startswith("selfsubject")
        return verb in READ_VERBS and (group, plural) not in self.forbidden

    def rules(self, resources: tuple[Resource, ...]) -> list[dict[str, Any]]:
        """The ``resourceRules`` of a rules review."""
        groups = dict.fromkeys(item.group for item in resources)
        return [
            {"verbs": list(READ_VERBS), "apiGroups": [group], "resources": allowed}
            for group in groups
            if (allowed := self._readable(group, resources))
        ]

    def _readable(self, group: str, resources: tuple[Resource, ...]) -> list[str]:
        names = dict.fromkeys(item.plural for item in resources if item.group == group)
        logs = ["pods/log"] if group == "" else []
        return [name for name in (*names, *logs) if self.allows("get", group, name)]


def review(kind: str, role: Role, asked: dict[str, Any], resources: tuple[Resource, ...]) -> dict[str, Any]:
    """The answer to a ``SelfSubject…Review``: the request with its ``status`` filled in."""
    if kind == "SelfSubjectReview":
        return {"status": {"userInfo": {"username": role.user, "groups": ["system:authenticated"]}}}
    if kind == "SelfSubjectRulesReview":
        paths = [{"verbs": ["get"], "nonResourceURLs": ["/api", "/apis", "/healthz", "/livez", "/readyz", "/version"]}]
        rules = {"resourceRules": role.rules(resources), "nonResourceRules": paths, "incomplete": False}
        return {"spec": asked, "status": rules}
    return {"spec": asked, "status": _verdict(role, asked)}


def _verdict(role: Role, asked: dict[str, Any]) -> dict[str, Any]:
    if wanted := asked.get("resourceAttributes"):
        plural = "/".join(filter(None, (wanted.get("resource", ""), wanted.get("subresource", ""))))
        allowed = role.allows(wanted.get("verb", ""), wanted.get("group", ""), plural)
    else:
        allowed = (asked.get("nonResourceAttributes") or {}).get("verb", "") == "get"
    return {"allowed": allowed, "reason": "the lab's read-only role"} if allowed else {"allowed": False}


def read_review(body: bytes, content_type: str) -> dict[str, Any]:
    """The ``spec`` of a posted review, in JSON or in the protobuf that kubectl sends. Raises ``Refused`` (400)."""
    try:
        if content_type.startswith(PROTOBUF):
            return _read_protobuf(body)
        return json.loads(body or b"{}").get("spec") or {}
    except (ValueError, IndexError, AttributeError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> Refused:
    return bad_request(f"the object provided is unrecognized: {error}")


_ATTRIBUTES = {1: "namespace", 2: "verb", 3: "group", 4: "version", 5: "resource", 6: "subresource", 7: "name"}


def _read_protobuf(body: bytes) -> dict[str, Any]:
    """Unwrap ``runtime.Unknown`` (1 type, 2 raw) and read the spec (2) of an authorization.k8s.io/v1 review."""
    if not body.startswith(_ENVELOPE):
        raise ValueError("the protobuf envelope is missing")
    unknown = dict(_fields(body[len(_ENVELOPE) :]))
    kind = dict(_fields(unknown[1])).get(2, b"").decode()
    spec = dict(_fields(dict(_fields(unknown.get(2, b""))).get(2, b"")))
    if kind == "SelfSubjectRulesReview":
        return {"namespace": spec.get(1, b"").decode()}
    if 2 in spec:
        path = dict(_fields(spec[2]))
        return {"nonResourceAttributes": {"path": path.get(1, b"").decode(), "verb": path.get(2, b"").decode()}}
    attributes = {_ATTRIBUTES[tag]: raw.decode() for tag, raw in _fields(spec.get(1, b"")) if tag in _ATTRIBUTES}
    return {"resourceAttributes": {name: value for name, value in attributes.items() if value}}


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a protobuf message; numbers are skipped."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        length, at = _number(message, at)
        if key & 7 == 2:
            yield key >> 3, message[at : at + length]
            at += length
        elif key & 7:
            raise ValueError(f"a field of the unexpected wire type {key & 7}")


def _number(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at

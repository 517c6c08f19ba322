"""Label and field selectors as the Kubernetes API reads them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.kinds import Resource
from sre_bot.lab.status import Refused, bad_request

Matcher = Callable[[KubernetesObject], bool]

_KEY = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_PAIR = re.compile(rf"({_KEY})\s*(==|=|!=|>|<)\s*([\w.-]*)")
_BARE = re.compile(rf"(!?)\s*({_KEY})")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One comma-separated part of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: dict[str, str]) -> bool:
        """Whether these labels meet it."""
        value = labels.get(self.key)
        if self.operator in ("exists", "absent"):
            return (value is not None) == (self.operator == "exists")
        if self.operator in (">", "<"):
            return _compares(value, self.operator, self.values[0])
        return (value in self.values) == (self.operator == "in")


def _compares(value: str | None, operator: str, bound: str) -> bool:
    if value is None or not value.lstrip("-").isdigit():
        return False
    return int(value) > int(bound) if operator == ">" else int(value) < int(bound)


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Read a label selector, equality- or set-based. Raises ``Refused`` (400)."""
    return tuple(_requirement(part.strip()) for part in re.split(r",(?![^()]*\))", text) if text.strip())


def _requirement(part: str) -> Requirement:
    if match := _SET.fullmatch(part):
        values = tuple(value.strip() for value in match[3].split(","))
        return Requirement(match[1], match[2], values)
    if match := _PAIR.fullmatch(part):
        operator = {"==": "in", "=": "in", "!=": "notin"}.get(match[2], match[2])
        if operator in "<>" and not re.fullmatch(r"-?\d+", match[3]):
            raise _unparsable(part)
        return Requirement(match[1], operator, (match[3],))
    if match := _BARE.fullmatch(part):
        return Requirement(match[2], "absent" if match[1] else "exists")
    raise _unparsable(part)


def _unparsable(part: str) -> Refused:
    return bad_request(f"unable to parse requirement: found {part!r}, expected: a label, an operator and its values")


_METADATA = ("metadata.name", "metadata.namespace")
_SELECTABLE: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    ("", "events"): (
        *(f"involvedObject.{field}" for field in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
        "involvedObject.resourceVersion",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    ("events.k8s.io", "events"): (
        *(f"regarding.{field}" for field in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
        "regarding.resourceVersion",
        "reason",
        "reportingController",
        "type",
    ),
    ("", "namespaces"): ("status.phase",),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "replicationcontrollers"): ("status.replicas",),
    ("", "secrets"): ("type",),
    ("apps", "replicasets"): ("status.replicas",),
    ("batch", "jobs"): ("status.successful",),
}
_UNSET = {"spec.hostNetwork": "false", "spec.unschedulable": "false", "status.replicas": "0", "status.successful": "0"}
_SPELLED = {"status.successful": "status.succeeded", "source": "source.component"}


def parse_fields(text: str, resource: Resource) -> tuple[tuple[str, bool, str], ...]:
    """Read a field selector into (path, equal, value). Raises ``Refused`` (400) on a field that is not selectable."""
    terms: list[tuple[str, bool, str]] = []
    for part in filter(None, re.split(r"(?<!\\),", text)):
        match = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", part.strip())
        if not match:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        if match[1] not in (*_METADATA, *_SELECTABLE.get((resource.group, resource.plural), ())):
            raise bad_request(f'field label not supported: "{match[1]}"')
        terms.append((match[1], match[2] != "!=", re.sub(r"\\(.)", r"\1", match[3])))
    return tuple(terms)


def matcher(labels: str, fields: str, resource: Resource) -> Matcher:
    """A function that tells whether an object, as ``resource`` shows it, is selected. Raises ``Refused`` (400)."""
    requirements = parse_labels(labels)
    terms = parse_fields(fields, resource)

    def matches(thing: KubernetesObject) -> bool:
        carried = thing["metadata"].get("labels") or {}
        return all(requirement.holds(carried) for requirement in requirements) and all(
            (_field(thing, path) == value) == equal for path, equal, value in terms
        )

    return matches


def _field(thing: KubernetesObject, path: str) -> str:
    value: Any = thing
    for step in _SPELLED.get(path, path).split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, list):
        return ",".join(item.get("ip", "") for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    return _UNSET.get(path, "") if value is None else str(value)

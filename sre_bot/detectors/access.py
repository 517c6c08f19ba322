"""Rights that RBAC withholds from a service account, and the role or binding that should give them.

A rule grants a request when it names the verb, the API group and the resource, or ``*`` for any of them; ``resource/*``
is no wildcard, ``*/subresource`` is, and a rule with ``resourceNames`` grants no request for the collection as a whole
(https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources).
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.fields import mappings, text, texts
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.detectors.troubles import Trouble, remarks
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_REFUSED = re.compile(
    r'User "system:serviceaccount:([\w.-]+):([\w.-]+)" cannot (\w+) resource "([\w./-]+)" in API group "([\w.-]*)"'
    r'(?: in the namespace "([\w.-]+)")?'
)
_NAMED = re.compile(r'"([\w.:-]+)" is forbidden:')
_REMEMBERED = timedelta(hours=3)
_WHOLE = ("list", "watch", "create", "deletecollection")
"""Verbs whose requests name no object, so that ``resourceNames`` cannot allow them."""


class Request(NamedTuple):
    """What an account was refused: ``place`` is the namespace that it asked for, ``name`` the object, if it named one.

    ``resource`` holds the subresource as well, after a slash.
    """

    namespace: str
    account: str
    verb: str
    resource: str
    group: str
    place: str
    name: str


class Gap(NamedTuple):
    """Where a right is missing: the role or binding, its field, what stands there, what should."""

    ref: ObjectRef
    field: str
    observed: str
    expected: str
    shown: Evidence


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the logs of every workload; a refusal of some time ago stands as long as the roles still refuse."""
    for lines in index.once(remarks).values():
        for one in lines:
            request = request_of(one.line.text)
            if request and (one.fatal or one.line.is_present(index.now) or _still_lacks(index, one, request)):
                yield _finding(index, one, request)


def request_of(line: str) -> Request | None:
    """The request that the API server's refusal in a log line speaks of; None where it speaks of none."""
    plain = line.replace("\\", "")
    match = _REFUSED.search(plain)
    if match is None:
        return None
    named = _NAMED.search(plain)
    place = match[6] or match[1]
    return Request(match[1], match[2], match[3], match[4], match[5], place, named[1] if named else "")


def _still_lacks(index: ClusterIndex, one: Trouble, request: Request) -> bool:
    """Whether the roles at hand still lack the right that was missed within the last hours."""
    recent = one.line.at is not None and index.now - one.line.at <= _REMEMBERED
    return recent and _gap(index, request) is not None


def _finding(index: ClusterIndex, one: Trouble, request: Request) -> Finding:
    """Find the role that lacks the right; else the binding that misses its role or its subject."""
    gap = _gap(index, request)
    ref = gap.ref if gap else one.workload
    said = f"{request.verb} {request.resource}"
    return Finding(
        kind=FaultKind.PERMISSION_DENIED,
        object=ref,
        field=gap.field if gap else "",
        observed=(gap.observed if gap else "") or f'cannot {request.verb} resource "{request.resource}"',
        expected=(gap.expected if gap else "") or said,
        message=f"The service account {request.account} of {one.workload.name} may not {said} in {request.place}.",
        directness="stated" if gap else "logged",
        evidence=(seen_line(one.line), *((gap.shown,) if gap else ())),
        since=earliest(one.line.first),
        container=one.container.name,
        hurts=() if ref == one.workload else (one.workload,),
    )


def _gap(index: ClusterIndex, request: Request) -> Gap | None:
    """What is missing for a request; None where the roles at hand grant it, or where none is known to be meant."""
    bindings = [*index.of_kind("RoleBinding", request.place), *index.of_kind("ClusterRoleBinding")]
    lacking: list[Gap] = []
    for binding in bindings:
        if not any(_is_subject(one, request) for one in mappings(binding, "subjects")):
            continue
        kind, name = text(binding, "roleRef", "kind"), text(binding, "roleRef", "name")
        role = index.get(kind, request.place, name)
        if role is None and index.of_kind(kind):
            return _without_role(index, binding, kind, name)
        if role is not None and any(_grants(rule, request) for rule in mappings(role, "rules")):
            return None
        if role is not None:
            lacking.append(_lacking(role, request))
    about = [gap for gap in lacking if gap.field != "rules"] or lacking
    return about[0] if about else _lost_subject(bindings, request)


def _grants(rule: KubernetesObject, request: Request) -> bool:
    names = texts(rule, "resourceNames")
    named = not names or (request.verb not in _WHOLE and request.name in names)
    return named and _has_verb(rule, request) and _has_group(rule, request) and _has_resource(rule, request)


def _has_verb(rule: KubernetesObject, request: Request) -> bool:
    return bool({request.verb, "*"} & set(texts(rule, "verbs")))


def _has_group(rule: KubernetesObject, request: Request) -> bool:
    return bool({request.group, "*"} & set(texts(rule, "apiGroups")))


def _has_resource(rule: KubernetesObject, request: Request) -> bool:
    part = request.resource.partition("/")[2]
    return bool({request.resource, "*", *([f"*/{part}"] if part else [])} & set(texts(rule, "resources")))


def _without_role(index: ClusterIndex, binding: KubernetesObject, kind: str, name: str) -> Gap:
    ref, known = ObjectRef.of(binding), [ObjectRef.of(one).name for one in index.of_kind(kind)]
    return Gap(ref, "roleRef.name", name, nearest(name, known), seen_field(ref, "roleRef", binding.get("roleRef")))


def _lacking(role: KubernetesObject, request: Request) -> Gap:
    """The rule that comes nearest: it speaks of the resource, and misses the group, the verb or the object's name."""
    ref, shown = ObjectRef.of(role), seen_field(ObjectRef.of(role), "rules", role.get("rules"))
    base = request.resource.split("/")[0]
    about = [
        (position, rule)
        for position, rule in enumerate(mappings(role, "rules"))
        if _has_resource(rule, request) or base in [name.split("/")[0] for name in texts(rule, "resources")]
    ]
    for position, rule in sorted(about, key=lambda entry: (not _has_group(entry[1], request), entry[0])):
        field, wanted = _missing_part(rule, request)
        values = texts(rule, field)
        return Gap(ref, f"rules[{position}].{field}", _first(values), wanted, shown)
    return Gap(ref, "rules", "", f"{request.verb} {request.resource}", shown)


def _first(values: list[str]) -> str:
    """What stands in a list, as it is printed: an empty group is the core group."""
    return next((value for value in values if value), "''" if values else "[]")


def _missing_part(rule: KubernetesObject, request: Request) -> tuple[str, str]:
    if not _has_group(rule, request):
        return "apiGroups", request.group
    if not _has_resource(rule, request):
        return "resources", request.resource
    if not _has_verb(rule, request):
        return "verbs", request.verb
    return "resourceNames", request.name


def _lost_subject(bindings: list[KubernetesObject], request: Request) -> Gap | None:
    """No binding names the account: find one for another namespace's account, or for nearly that name."""
    for binding in bindings:
        ref, shown = (
            ObjectRef.of(binding),
            seen_field(ObjectRef.of(binding), "subjects", binding.get("subjects")),
        )
        for position, subject in enumerate(mappings(binding, "subjects")):
            field, name = f"subjects[{position}]", text(subject, "name")
            if text(subject, "kind") != "ServiceAccount":
                continue
            if name == request.account:
                return Gap(ref, f"{field}.namespace", text(subject, "namespace"), request.namespace, shown)
            if nearest(request.account, [name], 0.8):
                return Gap(ref, f"{field}.name", name, request.account, shown)
    return None


def _is_subject(subject: KubernetesObject, request: Request) -> bool:
    name = text(subject, "name")
    if text(subject, "kind") == "Group":
        everyone = ("system:serviceaccounts", f"system:serviceaccounts:{request.namespace}", "system:authenticated")
        return name in everyone
    if text(subject, "kind") == "User":
        return name == f"system:serviceaccount:{request.namespace}:{request.account}"
    return (name, text(subject, "namespace") or request.place) == (request.account, request.namespace)

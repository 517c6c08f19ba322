"""Identities that a dependency refuses, and rights that a known identity lacks.

A refused password is a matter of the credential; a refusal that names the identity and the action is one of rights
(https://kubernetes.io/docs/reference/access-authn-authz/rbac/).
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.calls import configurations
from sre_bot.detectors.configuration import Setting
from sre_bot.detectors.fields import mappings, text, texts
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_field, seen_line, seen_setting
from sre_bot.detectors.troubles import Trouble, remarks, troubles
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_REFUSED = re.compile(
    r"password authentication failed|Access denied for user|WRONGPASS|NOAUTH|invalid username-password pair"
    r"|ACCESS_REFUSED"
    r"|SASL authentication (?:failed|error)|Login failed for user|InvalidAccessKeyId|SignatureDoesNotMatch"
    r"|role \"[^\"]+\" does not exist"
    r"|MongoServerError: Authentication failed|SCRAM\S* authentication|(?:redis|amqp|kafka|ldap"
    r"|smtp)\S*[^\n]{0,40}authentication fail",
    re.IGNORECASE,
)
"""Words of servers and drivers: nobody else says them."""
_ANY_REFUSAL = re.compile(
    r"authentication fail(?:ed|ure)|auth(?:entication)? error|invalid (?:user(?:name)?|login) (?:or|and|/) password"
    r"|bad (?:user(?:name)?"
    r"|password)|invalid password|invalid api key|invalid credentials|incorrect (?:user|password)|401 Unauthorized"
    r"|Bad credentials",
    re.IGNORECASE,
)
"""Words that an application also says of its own visitors: they count only as a failing container's."""
_RBAC = re.compile(
    r'User "system:serviceaccount:([\w.-]+):([\w.-]+)" cannot (\w+) resource "([\w./-]+)" in API group "([\w.-]*)"'
    r'(?: in the namespace "([\w.-]+)")?'
)
_RIGHTS = re.compile(
    r"permission denied for (?:table|relation|schema|database|sequence|function|view)|not authorized to perform"
    r"|AccessDenied\b"
    r"|must be owner of|command denied to user|insufficient privilege|NOPERM|not authorized on \S+ to execute"
    r"|TOPIC_AUTHORIZATION_FAILED"
    r"|PERMISSION_DENIED|403 Forbidden",
    re.IGNORECASE,
)
_REMEMBERED = timedelta(hours=3)
_USER = re.compile(r"(?:user|role)[ =:]*[\"'`]([\w.@-]+)[\"'`]", re.IGNORECASE)
_USER_KEY = re.compile(r"(?:^|[_.-])(?:user(?:name)?|login|role)$", re.IGNORECASE)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the logs of every workload; a refusal of some time ago stands as long as the roles still refuse."""
    for lines in index.once(remarks).values():
        for one in lines:
            match = _RBAC.search(one.line.text.replace("\\", ""))
            if match and (one.fatal or one.line.is_present(index.now) or _still_lacks(index, one, match)):
                yield _rbac(index, one, match)
    for ref, lines in index.once(troubles).items():
        workload = index.workload_by_ref.get(ref)
        for one in lines if workload else ():
            text_ = one.line.text
            if _RBAC.search(text_.replace("\\", "")):
                continue
            if _RIGHTS.search(text_) and not _REFUSED.search(text_):
                yield _rights(one)
            elif workload and (said := _REFUSED.search(text_) or (_ANY_REFUSAL.search(text_) if one.fatal else None)):
                yield from _credentials(index, workload, one, said[0])


def _credentials(index: ClusterIndex, workload: Workload, one: Trouble, said: str) -> Iterator[Finding]:
    """The client's own setting: the user where the server knows no such user, else the password."""
    if _is_server(workload, one):
        return
    user = _USER.search(one.line.text)
    settings = [
        setting
        for setting in index.once(configurations)[workload.ref].settings
        if setting.container in ("", one.container.name)
    ]
    blamed = _setting(settings, user[1] if user else "", unknown_user="does not exist" in one.line.text)
    observed = user[1] if user else said
    evidence: list[Evidence] = [seen_line(one.line)]
    if blamed is not None:
        evidence.append(seen_setting(blamed))
    yield Finding(
        kind=FaultKind.INVALID_CREDENTIALS,
        object=workload.ref,
        field=blamed.field if blamed else "",
        observed=observed,
        expected="",
        message=f"A dependency refuses the credentials of {workload.ref.name}: {one.line.text.strip()[:160]}",
        directness="logged",
        evidence=tuple(evidence),
        since=earliest(one.line.first),
        container=one.container.name,
        hurts=(blamed.holder,) if blamed and blamed.holder != workload.ref else (),
    )


def _is_server(workload: Workload, one: Trouble) -> bool:
    """Whether the line is the server's own account of a client that it refused."""
    return bool(re.search(r"FATAL:\s+password authentication failed", one.line.text)) and any(
        re.search(r"postgres|mysql|mariadb|mongo|redis", text(container, "image").rsplit("/", 1)[-1])
        for container in mappings(workload.spec, "containers")
    )


def _setting(settings: list[Setting], user: str, *, unknown_user: bool) -> Setting | None:
    secrets = [setting for setting in settings if setting.sensitive]
    users = [setting for setting in settings if _USER_KEY.search(setting.key) and (not user or setting.value == user)]
    urls = [setting for setting in settings if user and f"//{user}:" in setting.value]
    order = [*users, *secrets, *urls] if unknown_user else [*secrets, *urls, *users]
    return order[0] if order else None


def _still_lacks(index: ClusterIndex, one: Trouble, match: re.Match[str]) -> bool:
    """Whether the roles at hand still lack the right that was missed within the last hours."""
    recent = one.line.at is not None and index.now - one.line.at <= _REMEMBERED
    place = match[6] or match[1]
    return recent and _grant(index, match[1], match[2], match[3], match[4], place)[0] is not None


def _rbac(index: ClusterIndex, one: Trouble, match: re.Match[str]) -> Finding:
    """Find the role that lacks the right; else the binding that misses its role or its subject."""
    namespace, account, verb, resource = match[1], match[2], match[3], match[4]
    place = match[6] or namespace
    blamed, field, observed, expected, shown = _grant(index, namespace, account, verb, resource, place)
    ref = blamed or one.workload
    return Finding(
        kind=FaultKind.PERMISSION_DENIED,
        object=ref,
        field=field,
        observed=observed or f'cannot {verb} resource "{resource}"',
        expected=expected or f"{verb} {resource}",
        message=f"The service account {account} of {one.workload.name} may not {verb} {resource} in {place}.",
        directness="stated" if blamed else "logged",
        evidence=(seen_line(one.line), *shown),
        since=earliest(one.line.first),
        container=one.container.name,
        hurts=() if ref == one.workload else (one.workload,),
    )


Grant = tuple[ObjectRef | None, str, str, str, tuple[Evidence, ...]]


def _grant(index: ClusterIndex, namespace: str, account: str, verb: str, resource: str, place: str) -> Grant:
    bindings = [*index.of_kind("RoleBinding", place), *index.of_kind("ClusterRoleBinding")]
    lacking: list[Grant] = []
    for binding in bindings:
        ref = ObjectRef.of(binding)
        if not any(_is_subject(one, namespace, account, place) for one in mappings(binding, "subjects")):
            continue
        kind, name = text(binding, "roleRef", "kind"), text(binding, "roleRef", "name")
        role = index.get(kind, place, name)
        if role is None and index.of_kind(kind):
            known = [ObjectRef.of(one).name for one in index.of_kind(kind)]
            return (
                ref,
                "roleRef.name",
                name,
                nearest(name, known),
                (seen_field(ref, "roleRef", binding.get("roleRef")),),
            )
        if role is not None and _grants(role, verb, resource):
            return None, "", "", "", ()
        if role is not None:
            lacking.append(_lacking(role, verb, resource))
    about = [grant for grant in lacking if ".verbs" in grant[1]] or lacking
    return about[0] if about else _lost_subject(bindings, namespace, account)


def _lacking(role: KubernetesObject, verb: str, resource: str) -> Grant:
    ref = ObjectRef.of(role)
    for position, rule in enumerate(mappings(role, "rules")):
        if resource.split("/")[0] in [name.split("/")[0] for name in texts(rule, "resources")]:
            verbs = texts(rule, "verbs")
            return (
                ref,
                f"rules[{position}].verbs",
                verbs[0] if verbs else "[]",
                verb,
                (seen_field(ref, "rules", role.get("rules")),),
            )
    return ref, "rules", "", f"{verb} {resource}", (seen_field(ref, "rules", role.get("rules")),)


def _lost_subject(bindings: list[KubernetesObject], namespace: str, account: str) -> Grant:
    """No binding names the account: find one for another namespace's account, or for nearly that name."""
    for binding in bindings:
        for position, subject in enumerate(mappings(binding, "subjects")):
            ref = ObjectRef.of(binding)
            field = f"subjects[{position}]"
            if text(subject, "kind") != "ServiceAccount":
                continue
            if text(subject, "name") == account:
                return (
                    ref,
                    f"{field}.namespace",
                    text(subject, "namespace"),
                    namespace,
                    (seen_field(ref, "subjects", binding.get("subjects")),),
                )
            if nearest(account, [text(subject, "name")], 0.8):
                return (
                    ref,
                    f"{field}.name",
                    text(subject, "name"),
                    account,
                    (seen_field(ref, "subjects", binding.get("subjects")),),
                )
    return None, "", "", "", ()


def _is_subject(subject: dict[str, object], namespace: str, account: str, place: str) -> bool:
    if text(subject, "kind") == "Group":
        return text(subject, "name") in (
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            "system:authenticated",
        )
    return (text(subject, "name"), text(subject, "namespace") or place) == (account, namespace)


def _grants(role: KubernetesObject, verb: str, resource: str) -> bool:
    return any(
        {verb, "*"} & set(texts(rule, "verbs")) and {resource, "*"} & set(texts(rule, "resources"))
        for rule in mappings(role, "rules")
    )


def _rights(one: Trouble) -> Finding:
    said = _RIGHTS.search(one.line.text)
    return Finding(
        kind=FaultKind.PERMISSION_DENIED,
        object=one.workload,
        field="",
        observed=said[0] if said else "",
        expected="",
        message=f"{one.workload.name} lacks a right: {one.line.text.strip()[:160]}",
        directness="logged",
        evidence=(seen_line(one.line),),
        since=earliest(one.line.first),
        container=one.container.name,
    )

"""Identities that a dependency refuses, and rights that a known identity lacks.

A refused password is a matter of the credential; a refusal that names the identity and the action is one of rights
(https://kubernetes.io/docs/reference/access-authn-authz/rbac/). The words are ``refusals``', what RBAC withholds is
``access``'s.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sre_bot.detectors.access import request_of
from sre_bot.detectors.calls import configurations
from sre_bot.detectors.configuration import Setting, is_sensitive
from sre_bot.detectors.drivers import DRIVERS
from sre_bot.detectors.fields import mappings, steps, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.refusals import ANY_LACK, ANY_REFUSAL, LACKS, REFUSED
from sre_bot.detectors.sightings import seen_field, seen_line, seen_setting
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_USER = re.compile(r"(?:user(?:name)?|role|userName)[ =:]*[\"'`\[]([\w.@-]+)[\"'`\]]", re.IGNORECASE)
_USER_KEY = re.compile(r"(?:^|[_.-])(?:user(?:name)?|login|role)$", re.IGNORECASE)
_SERVERS = re.compile(r"postgres|mysql|mariadb|mongo|redis|valkey|rabbitmq|kafka|elastic|clickhouse")
_OWN_ACCOUNT = re.compile(
    r"FATAL:\s+(?:password authentication failed|no pg_hba|role )|\bAccess denied for user|Failed to authenticate"
    r"|PLAIN login refused|authentication of \[|ACCESS_REFUSED|SASL authentication",
    re.IGNORECASE,
)
"""How servers log a client that they refused."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A part of an identity that a container is given: where, from which object, under which names."""

    key: str
    field: str
    holder: ObjectRef
    value: str
    secret: bool
    evidence: tuple[Evidence, ...]

    @property
    def is_user(self) -> bool:
        """Whether it is the name, not the password."""
        return bool(_USER_KEY.search(self.key))


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Read the logs of every workload."""
    for ref, lines in index.once(troubles).items():
        workload = index.workload_by_ref.get(ref)
        for one in lines if workload else ():
            said = one.line.text
            if request_of(said):
                continue
            refused = REFUSED.search(said)
            lacks = None if refused else LACKS.search(said) or (ANY_LACK.search(said) if one.fatal else None)
            if lacks:
                yield _rights(one, lacks[0])
            elif workload and (refused := refused or (ANY_REFUSAL.search(said) if one.fatal else None)):
                yield from _credentials(index, workload, one, refused[0])


def _credentials(index: ClusterIndex, workload: Workload, one: Trouble, said: str) -> Iterator[Finding]:
    """The client's own setting: the user where the server knows no such user, else the password."""
    if _is_server(workload, one):
        return
    user = _USER.search(one.line.text)
    named = user[1] if user else ""
    blamed = _blamed(tuple(_given(index, workload, one.container.name)), one.line.text, named)
    yield Finding(
        kind=FaultKind.INVALID_CREDENTIALS,
        object=workload.ref,
        field=blamed.field if blamed else "",
        observed=named or said,
        expected="",
        message=f"A dependency refuses the credentials of {workload.ref.name}: {one.line.text.strip()[:160]}",
        directness="logged",
        evidence=(seen_line(one.line), *(blamed.evidence if blamed else ())),
        since=earliest(one.line.first),
        container=one.container.name,
        hurts=(blamed.holder,) if blamed and blamed.holder != workload.ref else (),
    )


def _is_server(workload: Workload, one: Trouble) -> bool:
    """Whether the line is the server's own account of a client that it refused."""
    return bool(_OWN_ACCOUNT.search(one.line.text)) and any(
        _SERVERS.search(text(container, "image").rsplit("/", 1)[-1])
        for container in mappings(workload.spec, "containers")
    )


def _given(index: ClusterIndex, workload: Workload, container: str) -> Iterator[Credential]:
    """What a container is given: by reference to a Secret, whether it can be read or not; else as a value."""
    configuration = index.once(configurations)[workload.ref]
    for one in configuration.references:
        if one.kind == "Secret" and one.container in ("", container):
            holder = ObjectRef(kind="Secret", namespace=workload.ref.namespace, name=one.name)
            entries = [s for s in configuration.settings if s.holder == holder and s.container in ("", container)]
            own = [s for s in entries if s.key == (one.variable or one.key)] if one.key else entries
            shown = seen_field(workload.ref, one.field, one.name)
            key = one.variable or one.key or one.name
            yield Credential(key, one.field, holder, "", True, (shown, *(_seen_key(s) for s in own[:3])))
    for one in configuration.settings:
        if one.holder.kind != "Secret" and one.container in ("", container):
            yield Credential(one.key, one.field, one.holder, one.value, is_sensitive(one.key), (seen_setting(one),))


def _seen_key(setting: Setting) -> Evidence:
    """The key of a Secret's entry; its value is never shown."""
    return Evidence.seen("object", setting.holder, setting.field, str(steps(setting.field)[-1]))


def _blamed(given: tuple[Credential, ...], line: str, user: str) -> Credential | None:
    """The one of the technology that the line speaks of, by its key or its Secret's name; passwords before names.

    Where the server does not know the user, the name before the password.
    """
    words = next((driver.words for driver in DRIVERS if driver.errors.search(line)), ())
    unknown = bool(re.search(r"does not exist|not find user|unknown user", line, re.IGNORECASE))
    fitting = [
        one
        for one in given
        if one.secret or (one.is_user and (not user or one.value == user)) or (user and f"//{user}:" in one.value)
    ]
    ranked = sorted(
        enumerate(fitting),
        key=lambda entry: (
            not any(word in f"{entry[1].key} {entry[1].holder.name}".lower() for word in words),
            entry[1].is_user != unknown,
            not entry[1].secret,
            entry[0],
        ),
    )
    return ranked[0][1] if ranked else None


def _rights(one: Trouble, said: str) -> Finding:
    return Finding(
        kind=FaultKind.PERMISSION_DENIED,
        object=one.workload,
        field="",
        observed=said,
        expected="",
        message=f"{one.workload.name} lacks a right: {one.line.text.strip()[:160]}",
        directness="logged",
        evidence=(seen_line(one.line),),
        since=earliest(one.line.first),
        container=one.container.name,
    )

"""Which application, repository and namespaces a ticket is about, within what the bot may touch."""

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from sre_bot.domain.cluster import Value
from sre_bot.domain.release import Application
from sre_bot.domain.ticket import Scope, Ticket

MARKS = ("app:", "namespace:")
"""How a label or component says outright what a ticket is about."""

USUAL_PORTS = {"http": 80, "https": 443}


class Allowed(Value):
    """The allow-lists of the settings. ``host`` is GitHub's, where the repositories are, with its port if unusual."""

    projects: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    host: str = "github.com"


class Candidate(Value):
    """One thing a ticket may be about, and the names by which people call it."""

    scope: Scope
    names: frozenset[str]


def candidates(allowed: Allowed, applications: Iterable[Application]) -> tuple[Candidate, ...]:
    """Every allowed application with its repository and namespaces, else the allowed namespaces by themselves.

    An application's scope is the namespace that it deploys to and those that no application deploys to, since what it
    depends on may run there.
    """
    open_to_us = [
        application
        for application in applications
        if application.name in allowed.applications and application.namespace in allowed.namespaces
    ]
    deployed_to = {application.namespace for application in open_to_us}
    shared = tuple(namespace for namespace in allowed.namespaces if namespace not in deployed_to)
    if open_to_us:
        return tuple(_of_application(application, allowed, shared) for application in open_to_us)
    return tuple(Candidate(scope=Scope(namespaces=(name,)), names=frozenset({name.lower()})) for name in shared)


def resolve(ticket: Ticket, choices: tuple[Candidate, ...]) -> Scope | str:
    """The scope of a ticket, or a sentence that says why there is none.

    A label or component that names exactly one candidate decides; else the words of the text do; else the only
    candidate there is. One that says ``app:`` or ``namespace:`` must name something that is open to the bot.
    """
    if not choices:
        return "no application or namespace is open to me"
    marks = [name.lower() for name in (*ticket.labels, *ticket.components)]
    if astray := [mark for mark in marks if mark.startswith(MARKS) and _name(mark) not in _known(choices)]:
        return f"it is labelled {astray[0]!r}, and I may touch nothing of that name; I may touch: {_listed(choices)}"
    for names in (set(map(_name, marks)), _words(f"{ticket.summary}\n{ticket.description}")):
        named = [choice for choice in choices if choice.names & names]
        if len(named) == 1:
            return named[0].scope
        if named:
            return f"it names several things I may touch ({_listed(named)}); label it with one of them"
    if len(choices) == 1:
        return choices[0].scope
    return f"it names nothing I may touch; label it with one of: {_listed(choices)}"


def repository_of(url: str) -> str:
    """``owner/name`` from a git URL over HTTP or SSH, empty where there is none."""
    match = re.search(r"[/:]([\w.-]+)/([\w.-]+?)(?:\.git)?/?$", url)
    return f"{match[1]}/{match[2]}" if match else ""


def host_of(api_url: str) -> str:
    """The host of a GitHub's repositories, by the URL of its API; with the port where that is not the usual one.

    The API of github.com and of each ``*.ghe.com`` has a host of its own.
    """
    host = _host(urlsplit(api_url))
    return host.removeprefix("api.") if host == "api.github.com" or host.endswith(".ghe.com") else host


def is_on(url: str, host: str) -> bool:
    """Whether a git URL, over HTTP or SSH, leads to a host. SSH has a port of its own, which says nothing."""
    try:
        parts = urlsplit(url if "://" in url else re.sub(r"^([^/:]+):(?!//)", r"ssh://\1/", url))
        where = _host(parts)
    except ValueError:  # no URL at all
        return False
    if parts.scheme in USUAL_PORTS:
        return where == host
    name = parts.hostname or ""
    return parts.scheme == "ssh" and ("github.com" if name == "ssh.github.com" else name) == host.partition(":")[0]


def _host(parts: SplitResult) -> str:
    port = "" if parts.port in (None, USUAL_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.hostname or ''}{port}"


def _of_application(application: Application, allowed: Allowed, shared: tuple[str, ...]) -> Candidate:
    repository = repository_of(application.repository_url)
    if repository not in allowed.repositories or not is_on(application.repository_url, allowed.host):
        repository = ""
    revision = application.target_revision
    scope = Scope(
        namespaces=(application.namespace, *shared),
        repository=repository,
        branch="" if revision in ("", "HEAD") else revision,
        application=application.name if repository else "",
        path=application.path,
    )
    names = {application.name, application.namespace, repository, repository.rpartition("/")[2]}
    return Candidate(scope=scope, names=frozenset(name.lower() for name in names if name))


def _name(mark: str) -> str:
    return mark.removeprefix("app:").removeprefix("namespace:")


def _known(choices: Iterable[Candidate]) -> set[str]:
    return {name.lower() for choice in choices for name in (*choice.names, *choice.scope.namespaces)}


def _words(text: str) -> set[str]:
    return {word.strip(".-/") for word in re.findall(r"[A-Za-z0-9][\w./-]*", text.lower())}


def _listed(choices: Iterable[Candidate]) -> str:
    return ", ".join(choice.scope.application or choice.scope.namespaces[0] for choice in choices)

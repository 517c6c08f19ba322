"""A ticket as the bot reads it. Everything a person wrote is untrusted text."""

from datetime import datetime

from sre_bot.domain.cluster import Value


class Comment(Value):
    """One comment on a ticket."""

    id: str
    author: str
    body: str
    created: datetime


class Ticket(Value):
    """One Jira issue. ``assignee`` is the account's name (Data Center) or id (Cloud), empty when unassigned."""

    key: str
    project: str
    summary: str
    description: str
    status: str
    priority: str
    assignee: str
    labels: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    created: datetime
    updated: datetime
    resolved: bool = False
    url: str = ""


class Scope(Value):
    """What the bot may touch for one ticket. ``repository`` and ``application`` are empty: look, but repair nothing."""

    namespaces: tuple[str, ...]
    repository: str = ""
    branch: str = ""
    application: str = ""
    path: str = ""

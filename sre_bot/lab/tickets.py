"""The lab's Jira as a store: people, issues, a workflow, comments, remote links. Knows nothing of HTTP."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sre_bot.lab.clock import Clock
from sre_bot.lab.recording import RecordedTicket

Category = str
"""Jira's key of a status category: ``new``, ``indeterminate`` or ``done``."""


@dataclass(frozen=True, slots=True)
class Account:
    """One person or bot. ``name`` identifies on Data Center, ``account_id`` on Cloud."""

    name: str
    display: str
    cloud: bool = False

    @property
    def account_id(self) -> str:
        """The opaque id that Cloud uses."""
        return f"712020:{hashlib.sha256(self.name.encode()).hexdigest()[:32]}"

    @property
    def email(self) -> str:
        """The address that Cloud logs in with."""
        return f"{self.name}@example.com"

    @property
    def login(self) -> str:
        """What goes into the user half of basic authentication."""
        return self.email if self.cloud else self.name

    @property
    def identifier(self) -> str:
        """What identifies the account in fields and JQL on this kind of site."""
        return self.account_id if self.cloud else self.name


@dataclass(frozen=True, slots=True)
class Status:
    """One status of the workflow."""

    id: str
    name: str
    category: Category


TO_DO = Status("10000", "To Do", "new")
IN_PROGRESS = Status("3", "In Progress", "indeterminate")
DONE = Status("10001", "Done", "done")
WONT_DO = Status("10002", "Won't Do", "done")
STATUSES = (TO_DO, IN_PROGRESS, DONE, WONT_DO)

_MOVES: dict[str, tuple[tuple[str, Status], ...]] = {
    TO_DO.name: (("Start Progress", IN_PROGRESS), ("Decline", WONT_DO)),
    IN_PROGRESS.name: (("Stop Progress", TO_DO), ("Finish", DONE), ("Decline", WONT_DO)),
    DONE.name: (("Reopen", TO_DO),),
    WONT_DO.name: (("Reopen", TO_DO),),
}


@dataclass(frozen=True, slots=True)
class Move:
    """A transition that is open to an issue now; its id differs from issue to issue."""

    id: str
    name: str
    to: Status


@dataclass(slots=True)
class IssueComment:
    """One comment, its body in wiki markup."""

    id: str
    author: Account
    body: str
    created: datetime


@dataclass(slots=True)
class Issue:
    """One issue as Jira keeps it."""

    id: str
    key: str
    summary: str
    description: str
    priority: str
    created: datetime
    updated: datetime
    reporter: Account
    assignee: Account | None = None
    status: Status = TO_DO
    labels: list[str] = field(default_factory=list[str])
    components: list[str] = field(default_factory=list[str])
    comments: list[IssueComment] = field(default_factory=list[IssueComment])
    links: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def project(self) -> str:
        """The key of its project."""
        return self.key.rpartition("-")[0]

    @property
    def resolution(self) -> str | None:
        """``Done`` or ``Won't Do`` in a done status, else None."""
        return self.status.name if self.status.category == "done" else None

    def moves(self) -> tuple[Move, ...]:
        """The transitions that are open now."""
        first = 11 + 10 * (int(self.id) % 7)
        order = [name for name, _ in dict.fromkeys(move for moves in _MOVES.values() for move in moves)]
        return tuple(Move(str(first + order.index(name)), name, to) for name, to in _MOVES[self.status.name])


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a webhook tells: the event's name, its type, and the changed fields (name, from, to)."""

    event: str
    type: str
    issue: Issue
    actor: Account
    changes: tuple[tuple[str, str | None, str | None], ...] = ()
    comment: IssueComment | None = None


@dataclass(slots=True)
class Tickets:
    """All issues of the site. ``tell`` is called after every change."""

    clock: Clock
    bot: Account
    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    issues: dict[str, Issue] = field(default_factory=dict[str, Issue])
    tell: Callable[[Happening], None] = lambda _: None
    _last_id: int = 10_040

    @classmethod
    def of(cls, ticket: RecordedTicket, clock: Clock, bot: str, *, cloud: bool = False) -> "Tickets":
        """A site that holds the incident's ticket, assigned to the bot."""
        tickets = cls(clock, Account(bot, "SRE Bot", cloud))
        people = (tickets.bot, Account("dreyes", "Dana Reyes", cloud), Account("mokafor", "Mika Okafor", cloud))
        tickets.accounts = {account.name: account for account in people}
        tickets.create(
            ticket.summary,
            key=ticket.key,
            description=ticket.description,
            priority=ticket.priority,
            labels=list(ticket.labels),
            assignee=tickets.bot,
            created=ticket.created,
        )
        return tickets

    def create(
        self,
        summary: str,
        *,
        key: str = "",
        project: str = "",
        description: str = "",
        priority: str = "Medium",
        labels: list[str] | None = None,
        assignee: Account | None = None,
        created: datetime | None = None,
    ) -> Issue:
        """File an issue; without a key it gets the project's next number."""
        self._last_id += 1
        key = key or self._next_key(project or next(iter(self.issues)).rpartition("-")[0])
        at = created or self.clock.now()
        reporter = self.accounts["dreyes"]
        issue = Issue(str(self._last_id), key, summary, description, priority, at, at, reporter, assignee)
        issue.labels = labels or []
        self.issues[key] = issue
        self.tell(Happening("jira:issue_created", "issue_created", issue, reporter))
        return issue

    def delete(self, key: str) -> None:
        """Remove an issue; raises ``KeyError``."""
        issue = self.issues.pop(key)
        self.tell(Happening("jira:issue_deleted", "issue_deleted", issue, issue.reporter))

    def account(self, identifier: str) -> Account | None:
        """The account with that name, id or address."""
        return next(
            (one for one in self.accounts.values() if identifier in (one.name, one.account_id, one.email)), None
        )

    def assign(self, issue: Issue, assignee: Account | None, actor: Account) -> None:
        """Set or clear the assignee."""
        before, issue.assignee = issue.assignee, assignee
        change = ("assignee", before and before.identifier, assignee and assignee.identifier)
        self._updated(issue, actor, "issue_assigned", change)

    def move(self, issue: Issue, move: Move, actor: Account) -> None:
        """Perform a transition."""
        change = ("status", issue.status.name, move.to.name)
        issue.status = move.to
        self._updated(issue, actor, "issue_generic", change)

    def set_labels(self, issue: Issue, labels: list[str], actor: Account) -> None:
        """Replace the labels."""
        change = ("labels", " ".join(issue.labels), " ".join(labels))
        issue.labels = labels
        self._updated(issue, actor, "issue_updated", change)

    def set_text(self, issue: Issue, name: str, text: str, actor: Account) -> None:
        """Replace the ``summary``, ``description`` or ``priority``."""
        change = (name, getattr(issue, name), text)
        setattr(issue, name, text)
        self._updated(issue, actor, "issue_updated", change)

    def comment(self, issue: Issue, body: str, author: Account) -> IssueComment:
        """Add a comment."""
        self._last_id += 1
        comment = IssueComment(str(self._last_id), author, body, self.clock.now())
        issue.comments.append(comment)
        issue.updated = comment.created
        self.tell(Happening("comment_created", "issue_commented", issue, author, comment=comment))
        return comment

    def link(self, issue: Issue, raw: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Add a remote link, or replace the one with the same ``globalId``; the link, and whether it is new."""
        same = [link for link in issue.links if raw.get("globalId") and link.get("globalId") == raw["globalId"]]
        if same:
            same[0].update(raw)
            return same[0], False
        self._last_id += 1
        link = {"id": self._last_id, **raw}
        issue.links.append(link)
        return link, True

    def _updated(self, issue: Issue, actor: Account, kind: str, change: tuple[str, str | None, str | None]) -> None:
        issue.updated = self.clock.now()
        self.tell(Happening("jira:issue_updated", kind, issue, actor, (change,)))

    def _next_key(self, project: str) -> str:
        numbers = [int(key.rpartition("-")[2]) for key in self.issues if key.rpartition("-")[0] == project]
        return f"{project}-{max(numbers, default=0) + 1}"

"""Jira, Cloud or Data Center, through the ``jira`` library.

The library is synchronous: each call runs in a thread. It would retry by itself, writes included, and sleep for
minutes; that is switched off. Only reads are tried twice, and only when the connection broke. Bodies go through v2 of
the API as wiki markup, which both kinds of Jira understand; Cloud's search is its own.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

import requests
from jira import JIRA
from jira.resilientsession import ResilientSession

from sre_bot.domain.errors import JiraError, Reason
from sre_bot.domain.ticket import Comment, Ticket
from sre_bot.tools import jira_answers as answers
from sre_bot.tools.jira_errors import jira_errors
from sre_bot.tools.jira_marker import carries, marked

T = TypeVar("T")
Json = dict[str, Any]
PER_PAGE = 100


class Jira:
    """One Jira site. Every method raises ``JiraError``; ``timeout`` is in seconds, for each request.

    Cloud logs in with an e-mail address and an API token, Data Center with user and password or, without a user, with a
    personal access token.
    """

    def __init__(self, url: str, user: str, token: str, *, cloud: bool, timeout: float = 20.0) -> None:
        self._url = url.rstrip("/")
        self._connect = partial(_Client, self._url, user, token, cloud=cloud, timeout=timeout)
        self._local = threading.local()
        self._account = ""

    async def account(self) -> str:
        """Our own name (Data Center) or account id (Cloud)."""
        if not self._account:
            self._account = await self._read("asking who we are", _Client.who)
        return self._account

    async def server_time(self) -> datetime:
        """Jira's clock."""
        return await self._read("asking for the time", _Client.date)

    async def ticket(self, key: str) -> Ticket:
        """One ticket."""
        return await self._read(f"reading {key}", lambda jira: answers.ticket(jira.issue_json(key), self._url))

    async def assigned(self, projects: tuple[str, ...]) -> tuple[Ticket, ...]:
        """The unresolved tickets that are assigned to us, oldest first; of all projects where none is named."""
        found = await self._read("searching tickets", lambda jira: jira.found(_query(projects), self._url))
        return tuple(ticket for ticket in found if not ticket.resolved)

    async def comments(self, key: str) -> tuple[Comment, ...]:
        """All comments of a ticket, oldest first."""
        return await self._read(f"reading the comments of {key}", lambda jira: jira.all_comments(key))

    async def find_comment(self, key: str, marker: str) -> str | None:
        """The id of our own comment that carries a marker; other people's comments never count."""
        account = await self.account()
        ours = (comment for comment in await self.comments(key) if comment.author == account)
        return next((comment.id for comment in ours if carries(comment.body, marker)), None)

    async def add_comment(self, key: str, body: str, marker: str) -> str:
        """Comment on a ticket with a hidden marker; the comment's id."""
        text = marked(body, marker, f"{self._url}/browse/{key}")
        return await self._write(f"commenting on {key}", lambda jira: str(jira.add_comment(key, text).id))

    async def move(self, key: str, status: str) -> bool:
        """Bring a ticket to a status, or through a transition of that name; False where it already is there.

        Names are compared without regard to case. Raises ``JiraError`` with reason conflict, naming what is possible.
        """
        current = (await self.ticket(key)).status
        if current.lower() == status.lower():
            return False
        moves = await self._read(f"reading the transitions of {key}", lambda jira: jira.moves(key))
        chosen = _choose(moves, status)
        if chosen is None:
            raise JiraError(_no_way(key, current, status, moves), reason=Reason.CONFLICT)
        await self._write(f"moving {key} to {status}", lambda jira: jira.transition_issue(key, chosen["id"]))
        return True

    async def assign(self, key: str, account: str) -> None:
        """Assign a ticket to an account, to nobody for an empty one."""
        await self._write(f"assigning {key}", lambda jira: jira.put_assignee(key, account))

    async def link(self, key: str, global_id: str, url: str, title: str) -> None:
        """Link a ticket to a page; the same ``global_id`` replaces its link instead of adding another."""
        raw = {"globalId": global_id, "object": {"url": url, "title": title}}
        await self._write(f"linking {key}", lambda jira: jira.post_link(key, raw))

    async def _read(self, doing: str, call: Callable[["_Client"], T]) -> T:
        try:
            return await asyncio.to_thread(self._call, doing, call)
        except JiraError as error:
            if not isinstance(error.__cause__, requests.exceptions.ConnectionError):
                raise
        return await asyncio.to_thread(self._call, doing, call)

    async def _write(self, doing: str, call: Callable[["_Client"], T]) -> T:
        return await asyncio.to_thread(self._call, doing, call)

    def _call(self, doing: str, call: Callable[["_Client"], T]) -> T:
        with jira_errors(doing):
            if not hasattr(self._local, "client"):
                self._local.client = self._connect()
            client: _Client = self._local.client
            return call(client)


class _Client(JIRA):
    """The library's client without its retries, and with the few calls that it lacks or makes too costly."""

    def __init__(self, url: str, user: str, token: str, *, cloud: bool, timeout: float) -> None:
        super().__init__(
            server=url,
            basic_auth=(user, token) if user else None,
            token_auth=None if user else token,
            max_retries=0,
            timeout=timeout,
            get_server_info=False,
            logging=False,
        )
        self.deploymentType = "Cloud" if cloud else "Server"

    def _http(self) -> ResilientSession:
        assert self._session is not None, "the client was closed"
        return self._session

    def who(self) -> str:
        """Our own account."""
        account = answers.account(self.myself())
        if not account:
            raise ValueError("the answer names no account")
        return account

    def date(self) -> datetime:
        """The ``Date`` of an answer."""
        answer = self._http().get(self._get_url("serverInfo"))
        return parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)

    def issue_json(self, key: str) -> Json:
        """One issue with the fields that we read."""
        return self._get_json(f"issue/{key}", params={"fields": ",".join(answers.FIELDS)})

    def found(self, query: str, url: str) -> list[Ticket]:
        """All issues that a query finds, page by page."""
        search = self.enhanced_search_issues if self._is_cloud else self.search_issues
        return [
            answers.ticket(issue.raw, url) for issue in search(query, maxResults=0, fields=[",".join(answers.FIELDS)])
        ]

    def all_comments(self, key: str) -> tuple[Comment, ...]:
        """All comments, page by page."""
        found: dict[str, Comment] = {}
        while True:
            page = self._get_json(f"issue/{key}/comment", params={"startAt": len(found), "maxResults": PER_PAGE})
            fresh = {comment.id: comment for comment in map(answers.comment, page["comments"])}
            found |= fresh
            if not fresh or len(found) >= int(page.get("total", 0)):
                return tuple(sorted(found.values(), key=lambda comment: comment.created))

    def moves(self, key: str) -> list[Json]:
        """The transitions that are open to an issue: id, name, to."""
        return [
            {"id": str(one["id"]), "name": str(one["name"]), "to": one["to"]["name"]} for one in self.transitions(key)
        ]

    def put_assignee(self, key: str, account: str) -> None:
        """Set the assignee without the library's search for the user, which needs a permission of its own."""
        field = "accountId" if self._is_cloud else "name"
        self._http().put(self._get_url(f"issue/{key}/assignee"), data=json.dumps({field: account or None}))

    def post_link(self, key: str, raw: Json) -> None:
        """Add a remote link without the library's look at the application links, which only an admin may."""
        self._http().post(self._get_url(f"issue/{key}/remotelink"), data=json.dumps(raw))


def _query(projects: tuple[str, ...]) -> str:
    named = ", ".join('"' + project.replace("\\", "\\\\").replace('"', '\\"') + '"' for project in projects)
    scope = f"project in ({named}) AND " if projects else ""
    return f"{scope}assignee = currentUser() AND statusCategory != Done ORDER BY created ASC"


def _choose(moves: list[Json], status: str) -> Json | None:
    """The transition to a status, else the one of that name."""
    wanted = status.lower()
    by_target = [move for move in moves if str(move["to"]).lower() == wanted]
    by_name = [move for move in moves if str(move["name"]).lower() == wanted]
    return next(iter([*by_target, *by_name]), None)


def _no_way(key: str, current: str, status: str, moves: list[Json]) -> str:
    possible = ", ".join(f"{move['name']!r} to {move['to']!r}" for move in moves) or "none"
    return f"{key} cannot be moved from {current!r} to {status!r}; open transitions: {possible}"

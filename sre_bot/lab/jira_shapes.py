"""The lab's Jira issues as the REST API prints them: v2 with wiki text, v3 with documents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sre_bot.lab.adf import to_adf
from sre_bot.lab.tickets import Account, Issue, IssueComment, Move, Status

Json = dict[str, Any]
_COLOURS = {"new": "blue-gray", "indeterminate": "yellow", "done": "green"}
_CATEGORIES = {"new": (2, "To Do"), "indeterminate": (4, "In Progress"), "done": (3, "Done")}
_PRIORITY_IDS = {"highest": "1", "high": "2", "medium": "3", "low": "4", "lowest": "5"}
FIELD_IDS = (
    "summary",
    "description",
    "status",
    "priority",
    "assignee",
    "reporter",
    "creator",
    "labels",
    "components",
    "created",
    "updated",
    "resolution",
    "resolutiondate",
    "issuetype",
    "project",
    "comment",
)


@dataclass(frozen=True, slots=True)
class Shapes:
    """Prints for one site and one version of the API."""

    url: str
    cloud: bool
    version: str = "2"

    def body(self, text: str) -> str | Json:
        """A body as this version carries it."""
        return to_adf(text) if self.version == "3" else text

    def account(self, account: Account | None) -> Json | None:
        """A user."""
        if account is None:
            return None
        shown = {"displayName": account.display, "active": True, "timeZone": "UTC", "emailAddress": account.email}
        if self.cloud:
            link = self._self(f"user?accountId={account.account_id}")
            return {"self": link, "accountId": account.account_id, "accountType": "atlassian", **shown}
        link = self._self(f"user?username={account.name}")
        return {"self": link, "name": account.name, "key": f"JIRAUSER{sum(account.name.encode())}", **shown}

    def status(self, status: Status) -> Json:
        """A status with its category."""
        number, name = _CATEGORIES[status.category]
        category = {
            "self": self._self(f"statuscategory/{number}"),
            "id": number,
            "key": status.category,
            "colorName": _COLOURS[status.category],
            "name": name,
        }
        shown = {"description": "", "iconUrl": f"{self.url}/images/icons/statuses/generic.png"}
        return {
            "self": self._self(f"status/{status.id}"),
            **shown,
            "name": status.name,
            "id": status.id,
            "statusCategory": category,
        }

    def comment(self, issue: Issue, comment: IssueComment) -> Json:
        """A comment."""
        return {
            "self": self._self(f"issue/{issue.id}/comment/{comment.id}"),
            "id": comment.id,
            "author": self.account(comment.author),
            "body": self.body(comment.body),
            "updateAuthor": self.account(comment.author),
            "created": jira_time(comment.created),
            "updated": jira_time(comment.created),
        }

    def comments(self, issue: Issue, start: int = 0, limit: int = 1_048_576) -> Json:
        """A page of an issue's comments, oldest first."""
        page = issue.comments[start : start + limit]
        shown = [self.comment(issue, comment) for comment in page]
        return {"startAt": start, "maxResults": limit, "total": len(issue.comments), "comments": shown}

    def transition(self, move: Move) -> Json:
        """A transition that is open."""
        return {
            "id": move.id,
            "name": move.name,
            "to": self.status(move.to),
            "hasScreen": False,
            "isGlobal": False,
            "isInitial": False,
            "isConditional": False,
        }

    def link(self, issue: Issue, link: Json) -> Json:
        """A remote link."""
        return {"self": self._self(f"issue/{issue.key}/remotelink/{link['id']}"), **link}

    def issue(self, issue: Issue, fields: tuple[str, ...] = ()) -> Json:
        """An issue with the wanted fields; all of them for none, ``*all`` or ``*navigable``."""
        everything = not fields or any(name.startswith("*") for name in fields)
        shown = self._fields(issue)
        return {
            "expand": "renderedFields,names,schema,operations,editmeta,changelog",
            "id": issue.id,
            "self": self._self(f"issue/{issue.id}"),
            "key": issue.key,
            "fields": {name: value for name, value in shown.items() if everything or name in fields},
        }

    def _fields(self, issue: Issue) -> Json:
        resolution = issue.resolution
        return {
            "summary": issue.summary,
            "description": self.body(issue.description) if issue.description else None,
            "status": self.status(issue.status),
            "priority": self._priority(issue.priority),
            "assignee": self.account(issue.assignee),
            "reporter": self.account(issue.reporter),
            "creator": self.account(issue.reporter),
            "labels": issue.labels,
            "components": [
                {"self": self._self(f"component/{10_100 + place}"), "id": str(10_100 + place), "name": name}
                for place, name in enumerate(issue.components)
            ],
            "created": jira_time(issue.created),
            "updated": jira_time(issue.updated),
            "resolution": {"id": "10000", "name": resolution, "description": ""} if resolution else None,
            "resolutiondate": jira_time(issue.updated) if resolution else None,
            "issuetype": {"id": "10004", "name": "Incident", "description": "", "subtask": False},
            "project": self.project(issue.project),
            "comment": self.comments(issue),
        }

    def project(self, key: str) -> Json:
        """A project."""
        link = self._self(f"project/{key}")
        return {"self": link, "id": str(10_000 + sum(key.encode())), "key": key, "name": key}

    def _priority(self, name: str) -> Json:
        number = _PRIORITY_IDS.get(name.lower(), "3")
        return {"self": self._self(f"priority/{number}"), "id": number, "name": name}

    def _self(self, rest: str) -> str:
        return f"{self.url}/rest/api/{self.version}/{rest}"


def fields_list() -> list[Json]:
    """``GET field``."""
    return [
        {
            "id": name,
            "name": name.capitalize(),
            "custom": False,
            "orderable": True,
            "navigable": True,
            "searchable": True,
            "clauseNames": [name],
            "schema": {"type": "string", "system": name},
        }
        for name in FIELD_IDS
    ]


def jira_time(moment: datetime) -> str:
    """A moment as Jira prints it: milliseconds and an offset without a colon."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"

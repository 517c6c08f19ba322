"""Jira's answers as our values. Data Center's and Cloud's differ in how they name people."""

import re
from datetime import UTC, datetime
from typing import Any

from sre_bot.domain.ticket import Comment, Ticket

Json = dict[str, Any]
FIELDS = (
    "summary",
    "description",
    "status",
    "priority",
    "assignee",
    "labels",
    "components",
    "created",
    "updated",
    "resolution",
    "project",
)
"""The fields of a ticket that we ask for."""

_BLOCKS = ("paragraph", "heading", "codeBlock", "blockquote", "listItem", "panel", "tableRow")
_OFFSET = re.compile(r"([+-]\d\d):?(\d\d)$")


def ticket(raw: Json, url: str) -> Ticket:
    """An issue. ``url`` is the site's."""
    fields, key = raw["fields"], str(raw["key"])
    status = fields["status"]
    category = str((status.get("statusCategory") or {}).get("key") or "")
    return Ticket(
        key=key,
        project=str((fields.get("project") or {}).get("key") or key.rpartition("-")[0]),
        summary=str(fields.get("summary") or ""),
        description=text(fields.get("description")),
        status=str(status["name"]),
        priority=str((fields.get("priority") or {}).get("name") or ""),
        assignee=account(fields.get("assignee")),
        labels=tuple(str(label) for label in fields.get("labels") or ()),
        components=tuple(str(component["name"]) for component in fields.get("components") or ()),
        created=moment(fields["created"]),
        updated=moment(fields["updated"]),
        resolved=fields.get("resolution") is not None or category == "done",
        url=f"{url}/browse/{key}",
    )


def comment(raw: Json) -> Comment:
    """A comment."""
    author = account(raw.get("author"))
    return Comment(id=str(raw["id"]), author=author, body=text(raw.get("body")), created=moment(raw["created"]))


def account(raw: Json | None) -> str:
    """What identifies a user: the account id on Cloud, the name on Data Center; empty for nobody."""
    return str((raw or {}).get("accountId") or (raw or {}).get("name") or "")


def text(raw: Any) -> str:
    """A body as text: wiki markup as it is, a document (v3) flattened."""
    return _flat(raw).strip() if isinstance(raw, dict) else str(raw or "")


def moment(raw: str) -> datetime:
    """A time as Jira prints it (``2026-03-17T10:08:00.000+0000``), aware, in UTC."""
    return datetime.fromisoformat(_OFFSET.sub(r"\1:\2", raw)).astimezone(UTC)


def _flat(node: Json) -> str:
    if node.get("type") == "hardBreak":
        return "\n"
    if node.get("type") == "text":
        links = [mark["attrs"]["href"] for mark in node.get("marks") or () if mark.get("type") == "link"]
        return f"[{node['text']}|{links[0]}]" if links else str(node["text"])
    inner = "".join(_flat(child) for child in node.get("content") or ())
    return f"{inner}\n" if node.get("type") in _BLOCKS else inner

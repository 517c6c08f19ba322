"""Jira's webhooks: who registered, and telling them in the background."""

import asyncio
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from sre_bot.lab.jira_shapes import Shapes
from sre_bot.lab.tickets import Happening

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Webhook:
    """One registration. ``events`` are Jira's names (``jira:issue_updated``)."""

    id: int
    name: str
    url: str
    events: tuple[str, ...]
    secret: str = ""


@dataclass(slots=True)
class Webhooks:
    """The registered webhooks of the site."""

    registered: dict[int, Webhook] = field(default_factory=dict[int, Webhook])
    _sending: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def register(self, name: str, url: str, events: tuple[str, ...], secret: str = "") -> Webhook:
        """Add one."""
        webhook = Webhook(max(self.registered, default=0) + 1, name, url, events, secret)
        self.registered[webhook.id] = webhook
        return webhook

    def tell(self, happening: Happening, shapes: Shapes, now: datetime) -> None:
        """Send a happening to everybody who asked for it, without waiting."""
        payload = _payload(happening, shapes, now)
        for webhook in self.registered.values():
            if happening.event in webhook.events:
                task = asyncio.get_running_loop().create_task(_send(webhook, payload))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)


async def _send(webhook: Webhook, payload: Json) -> None:
    body = json.dumps(payload).encode()
    headers = {"Content-Type": "application/json", "X-Atlassian-Webhook-Identifier": f"{webhook.id}-{id(payload)}"}
    if webhook.secret:
        digest = hmac.new(webhook.secret.encode(), body, hashlib.sha256).hexdigest()
        headers["X-Hub-Signature"] = f"sha256={digest}"
    async with httpx.AsyncClient(timeout=5.0) as client:
        try:
            await client.post(webhook.url, content=body, headers=headers)
        except httpx.HTTPError:
            return  # Jira, too, gives up on a listener that does not answer


def _payload(happening: Happening, shapes: Shapes, now: datetime) -> Json:
    payload: Json = {
        "timestamp": int(now.timestamp() * 1000),
        "webhookEvent": happening.event,
        "issue_event_type_name": happening.type,
        "user": shapes.account(happening.actor),
        "issue": shapes.issue(happening.issue),
    }
    if happening.changes:
        items = [
            {"field": name, "fieldtype": "jira", "from": old, "fromString": old, "to": new, "toString": new}
            for name, old, new in happening.changes
        ]
        payload["changelog"] = {"id": str(payload["timestamp"]), "items": items}
    if happening.comment:
        payload["comment"] = shapes.comment(happening.issue, happening.comment)
    return payload

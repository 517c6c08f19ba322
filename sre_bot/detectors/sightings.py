"""Evidence made from what detectors look at: a field as kubectl prints it, an event, a status, a log line."""

from datetime import datetime
from typing import Any

import yaml

from sre_bot.detectors.configuration import Setting
from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import dig, steps
from sre_bot.detectors.loglines import LogLine
from sre_bot.detectors.pods import Container
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence


def printed(key: str, value: Any) -> str:
    """A field as ``kubectl get -o yaml`` prints it."""
    return yaml.safe_dump({key: value}, default_flow_style=False, width=200, allow_unicode=True).strip()


def seen_field(ref: ObjectRef, field: str, value: Any, at: datetime | None = None) -> Evidence:
    """A field of an object with its value."""
    names = [part for part in steps(field) if isinstance(part, str)]
    return Evidence.seen("object", ref, field, printed(names[-1] if names else field, value), at)


def seen_in(thing: KubernetesObject, field: str) -> Evidence:
    """A field of an object, looked up by its path."""
    return seen_field(ObjectRef.of(thing), field, dig(thing, *steps(field)))


def seen_event(event: Event) -> Evidence:
    """An event, its reason as locator."""
    return Evidence.seen("event", event.subject, event.reason, event.message, event.at)


def seen_line(line: LogLine) -> Evidence:
    """A log line; the pod is the subject, container and line number the locator."""
    return Evidence.seen("log", line.subject, line.locator, line.text, line.at)


def seen_setting(setting: Setting) -> Evidence:
    """A configured value where it stands; passwords are never shown."""
    return Evidence.seen("object", setting.holder, setting.field, setting.shown)


def seen_end(container: Container) -> Evidence:
    """The newest terminated state of a container."""
    end = {
        key: value
        for key, value in container.last_end.items()
        if key in ("reason", "exitCode", "finishedAt", "message")
    }
    return seen_field(container.pod.ref, container.end_field, end, container.ended_at)


def seen_waiting(container: Container) -> Evidence:
    """The waiting state of a container."""
    waiting = dig(container.status, "state", "waiting")
    return seen_field(container.pod.ref, container.waiting_field, waiting)

"""Whether a claim stands in what it cites, checked on the recorded folder itself.

Nothing of the detectors or of the reasoning is used: each piece of evidence is looked up in the folder by its source
and subject, its words must stand there, and so must the claim's object and the value that it says it observed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, Finding
from sre_bot.domain.source import SourceHistory
from sre_bot.lab.recording import Recording

_WORD = re.compile(r"[A-Za-z0-9][\w./-]*\w|[A-Za-z0-9]")
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)")
_CONTAINER = re.compile(r"[a-z0-9-]+")
_NOTHING = re.compile(r"[\w.-]+: (?:\[\]|\{\}|null|'')")
"""An excerpt that says that a field is empty; its absence bears that out."""
_COMPOSED = ("commit", "metric", "deployment")
"""Sources whose excerpts are put together from several places; their words need not stand side by side."""


@dataclass(frozen=True)
class Folder:
    """The raw material of one incident: recorded objects, events, logs and metrics, and the repository's texts."""

    recording: Recording
    history: SourceHistory | None

    def raw(self, piece: Evidence) -> str:
        """What is recorded where a piece of evidence says it was seen; empty where there is nothing."""
        match piece.source:
            case "object":
                return "\n".join(self._objects.get(piece.subject, ()))
            case "event":
                return "\n".join(self._events.get((piece.subject, piece.locator), ()))
            case "log":
                return self._log(piece)
            case "manifest":
                return self.history.tree.files.get(piece.subject, "") if self.history else ""
            case "commit":
                return self._commits.get(piece.subject, "")
            case "metric" | "deployment":
                return "\n".join(file.read_text(errors="replace") for file in self._metrics())

    @cached_property
    def _objects(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for thing in self.recording.objects:
            found.setdefault(str(ObjectRef.of(thing)), []).append(flat(thing))
        return found

    @cached_property
    def _events(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for event in self.recording.events:
            found.setdefault((_about(event), str(event.get("reason", ""))), []).append(flat(event))
        return found

    @cached_property
    def _commits(self) -> dict[str, str]:
        commits = self.history.commits if self.history else ()
        return {one.sha: "\n".join([one.subject, one.body, *(c.patch for c in one.changes)]) for one in commits}

    def _log(self, piece: Evidence) -> str:
        _, namespace, pod = piece.subject.split("/", 2)
        container = _CONTAINER.match(piece.locator)
        return "\n".join(
            f"{log.namespace}/{log.pod}/{log.container}\n{log.text}"
            for log in self.recording.logs
            if (log.namespace, log.pod) == (namespace, pod) and container and log.container == container[0]
        )

    def _metrics(self) -> Iterator[Path]:
        return iter(sorted((self.recording.folder / "metrics").glob("*.json")))


def ungrounded(finding: Finding, folder: Folder) -> str:
    """Why a finding does not stand in the evidence that it cites, as a clause; empty when it does."""
    raw = {piece.id: folder.raw(piece) for piece in finding.evidence}
    if not raw:
        return "it cites no evidence"
    for piece in finding.evidence:
        if not raw[piece.id]:
            return f"{piece.id} cites {piece.source} {piece.subject} {piece.locator}, where nothing is recorded"
        if missing := _missing(piece, raw[piece.id]):
            return f"{piece.id} quotes {missing[0]!r}, which does not stand in {piece.source} {piece.subject}"
    everything = "\n".join(raw.values())
    for what, value in (("object", finding.object.name), ("observed value", finding.observed)):
        if value not in everything:
            return f"the {what} {value!r} stands in none of the evidence"
    return ""


def flat(thing: Any, name: str = "") -> str:
    """An object as lines ``field: value``, each value exactly as recorded."""
    match thing:
        case dict():
            return "\n".join([f"{name}:", *(flat(value, str(key)) for key, value in thing.items())])  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # any JSON
        case list():
            return "\n".join([f"{name}:", *(flat(value, name) for value in thing)])  # pyright: ignore[reportUnknownVariableType]  # any JSON
        case bool() | None:
            return f"{name}: {str(thing).lower().replace('none', 'null')}"
        case _:
            return f"{name}: {thing}"


def _about(event: KubernetesObject) -> str:
    about: dict[str, Any] = event.get("involvedObject") or event.get("regarding") or {}
    return f"{about.get('kind', '')}/{about.get('namespace', '')}/{about.get('name', '')}"


def _missing(piece: Evidence, text: str) -> list[str]:
    if piece.source in _COMPOSED or _NOTHING.fullmatch(piece.excerpt):
        return []
    return [word for word in _WORD.findall(_ESCAPE.sub(" ", piece.excerpt)) if word not in text]

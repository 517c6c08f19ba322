"""One incident as the bot sees it: ticket, scope, snapshot, source history. What is expected is not in it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.errors import BadRecording
from sre_bot.domain.release import Application
from sre_bot.domain.scope import Allowed, candidates, resolve
from sre_bot.domain.source import SourceHistory
from sre_bot.domain.ticket import Scope, Ticket
from sre_bot.lab.recorded_history import build_repository
from sre_bot.lab.recording import IncidentFile, Recording
from sre_bot.tools.git_command import Git
from sre_bot.tools.snapshot_folder import read_snapshot
from sre_bot.tools.workspace import read_history

GIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Case:
    """What a diagnosis starts from. ``history`` is None where there is no repository."""

    ticket: Ticket
    scope: Scope
    snapshot: ClusterSnapshot
    history: SourceHistory | None


async def read_case(folder: Path) -> Case:
    """Read a folder as ``diagnose --from`` does, in the scope that the ticket has. Raises ``BadInput``."""
    recording = Recording.load(folder)
    scope = scope_of(recording)
    snapshot = read_snapshot(folder, scope.namespaces)
    with tempfile.TemporaryDirectory(prefix="sre-bot-case-") as data:
        history = await _history(recording, scope, Path(data))
    return Case(ticket_of(recording.incident), scope, snapshot, history)


def ticket_of(incident: IncidentFile) -> Ticket:
    """The ticket as Jira would show it."""
    written = incident.ticket
    created = written.created or incident.now
    return Ticket(
        key=written.key,
        project=written.key.rpartition("-")[0],
        summary=written.summary,
        description=written.description,
        status="Open",
        priority=written.priority,
        assignee="sre-bot",
        labels=written.labels,
        created=created,
        updated=created,
    )


def scope_of(recording: Recording) -> Scope:
    """The scope that the bot gives the ticket with the lab's settings. Raises ``BadRecording`` where it has none."""
    incident, applications = recording.incident, ()
    repository = incident.repository.name if incident.repository else ""
    if incident.argocd:
        deployed = Application(
            name=incident.argocd.application,
            namespace=incident.argocd.namespace,
            repository_url=f"https://github.com/{repository}.git" if repository else "",
            path=incident.argocd.path,
            target_revision=incident.repository.branch if incident.repository else "",
        )
        applications = (deployed,)
    allowed = Allowed(
        repositories=(repository,) if repository else (),
        namespaces=recording.namespaces,
        applications=tuple(one.name for one in applications),
    )
    scope = resolve(ticket_of(incident), candidates(allowed, applications))
    if isinstance(scope, str):
        raise BadRecording(f"{recording.folder}: the bot would refuse the ticket: {scope}")
    return scope


async def _history(recording: Recording, scope: Scope, data: Path) -> SourceHistory | None:
    if not scope.repository or not recording.incident.repository:
        return None
    repository = build_repository(recording, data / "repository.git")
    branch = scope.branch or recording.incident.repository.branch
    git = Git(repository.path, GIT_SECONDS)
    return await read_history(git, scope.repository, branch, scope.path.strip("/"))

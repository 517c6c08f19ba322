"""One look at a cluster, live or recorded, and at a repository: what was read, what follows, what would help."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.errors import BadInput, BadManifest, NoSafeFix
from sre_bot.domain.fix import Fix, Validation
from sre_bot.domain.source import SourceHistory
from sre_bot.graph.obstacles import in_tree
from sre_bot.reasoning import Judgement, judge
from sre_bot.reasoning.verdict import CALM
from sre_bot.repair.deployed import deployed_folder
from sre_bot.repair.drafting import draft_fix
from sre_bot.settings import Settings
from sre_bot.tools.incident_folder import IncidentFolder
from sre_bot.tools.local_clone import LocalClone
from sre_bot.tools.snapshot_folder import read_snapshot


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be examined. ``recorded`` is a dump or folder instead of a live cluster.

    ``namespaces`` may be empty: the context's own, or all that a dump holds. ``path`` is the deployed folder of the
    repository at ``repo``, None to find it.
    """

    namespaces: tuple[str, ...] = ()
    recorded: Path | None = None
    repo: Path | None = None
    path: str | None = None
    kubeconfig: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would help against one cause: a fix that passed the checks, or why there is none."""

    fix: Fix | None = None
    validation: Validation | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that one look brought. ``remedies`` stand in the order of the diagnosis' hypotheses.

    ``obstacle`` is what keeps every change of the repository from being deployed, empty where nothing does.
    """

    source: str
    snapshot: ClusterSnapshot
    history: SourceHistory | None
    judgement: Judgement
    remedies: tuple[Remedy, ...]
    obstacle: str

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong now."""
        return self.judgement.diagnosis.verdict == "no_action"


async def examine(question: Question, settings: Settings, *, remedies: int) -> Examination:
    """Read, judge, and look for remedies of the first causes. Raises ``BadInput`` and ``KubernetesError``."""
    source, snapshot = await read_cluster(question, settings)
    history = await read_repository(question, snapshot)
    return await asyncio.to_thread(_judged, source, snapshot, history, settings, remedies)


def _judged(
    source: str, snapshot: ClusterSnapshot, history: SourceHistory | None, settings: Settings, remedies: int
) -> Examination:
    obstacle = in_tree(history) if history else "no repository was given (--repo)"
    judgement = judge(snapshot, history, fix_threshold=settings.fix_threshold, repairable=not obstacle)
    chosen = judgement.diagnosis.hypotheses[:remedies]
    return Examination(
        source=source,
        snapshot=snapshot,
        history=history,
        judgement=judgement,
        remedies=tuple(_remedy(one, history, obstacle, settings) for one in chosen),
        obstacle=obstacle,
    )


async def read_cluster(question: Question, settings: Settings) -> tuple[str, ClusterSnapshot]:
    """The snapshot and, in words, where it comes from."""
    if question.recorded is not None:
        return str(question.recorded), await asyncio.to_thread(read_snapshot, question.recorded, question.namespaces)
    from sre_bot.tools.kubernetes import Kubernetes  # a dump is read without a cluster's client, which takes its time
    from sre_bot.tools.prometheus import Prometheus, with_metrics

    timeout = settings.request_seconds
    cluster = Kubernetes(
        question.kubeconfig or settings.kubeconfig or None,
        question.context or settings.kube_context or None,
        timeout=timeout,
    )
    place = await cluster.place()
    namespaces = question.namespaces or (place.namespace,)
    missing = [name for name in namespaces if not await cluster.namespace_exists(name)]
    if missing:
        raise BadInput(f"there is no namespace {missing[0]!r} in {place.name}; `kubectl get namespaces` lists them")
    token = settings.prometheus_token.get_secret_value()
    server = Prometheus(settings.prometheus_url, token, timeout=timeout) if settings.prometheus_url else None
    return place.name, await with_metrics(await cluster.snapshot(namespaces), server)


async def read_repository(question: Question, snapshot: ClusterSnapshot) -> SourceHistory | None:
    """The repository's history with its deployed folder; None where there is no repository."""
    if question.repo is not None:
        clone = await asyncio.to_thread(LocalClone.at, question.repo)
        return await _with_folder(clone, question.path if question.path is not None else clone.inside, snapshot)
    incident = await asyncio.to_thread(_incident, question.recorded)
    if incident is None or incident.repository is None:
        return None
    async with _replayed(incident) as clone:
        path = question.path if question.path is not None else incident.path
        history = await _with_folder(clone, path, snapshot)
    return history.model_copy(update={"repository": incident.repository.name})


async def _with_folder(clone: LocalClone, path: str, snapshot: ClusterSnapshot) -> SourceHistory:
    history = await clone.history(path)
    if path.strip("./"):
        if not any(name.startswith(f"{history.path}/") for name in (*history.tree.files, *history.tree.skipped)):
            raise BadInput(f"the repository holds no folder {path!r} at {history.tree.sha[:9]}")
        return history
    found = await asyncio.to_thread(deployed_folder, history.tree.files, snapshot)
    return history.model_copy(update={"path": found})


def _incident(recorded: Path | None) -> IncidentFolder | None:
    return IncidentFolder.at(recorded) if recorded is not None and recorded.is_dir() else None


@asynccontextmanager
async def _replayed(incident: IncidentFolder) -> AsyncGenerator[LocalClone]:
    """The repository of an incident folder, made as the lab makes it, for as long as the context lives."""
    from sre_bot.lab.recorded_history import replay

    assert incident.repository is not None
    with tempfile.TemporaryDirectory(prefix="sre-bot-history-") as folder:
        place = Path(folder) / "repository.git"
        await asyncio.to_thread(replay, incident.folder, incident.repository.branch, incident.now, place)
        yield LocalClone.at(place)


def _remedy(hypothesis: Hypothesis, history: SourceHistory | None, obstacle: str, settings: Settings) -> Remedy:
    if hypothesis.kind in CALM or hypothesis.tentative:
        return Remedy()
    if history is None or obstacle:
        return Remedy(why_not=obstacle)
    try:
        fix, validation = draft_fix(hypothesis, history, rounds=settings.fix_rounds, forbidden=settings.forbidden_paths)
    except (NoSafeFix, BadManifest) as error:
        return Remedy(why_not=str(error))
    return Remedy(fix=fix, validation=validation)

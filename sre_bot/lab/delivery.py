"""The lab's Argo CD as a store: an application, its comparisons, operations and history. Knows nothing of HTTP."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.domain.errors import BadInput, BadRecording
from sre_bot.lab.cluster import Key
from sre_bot.lab.comparison import Comparison, ResourceState, compare
from sre_bot.lab.health import Health
from sre_bot.lab.manifest_source import Manifests, ManifestSource
from sre_bot.lab.manifests import check
from sre_bot.lab.physics import DeployedTree, Outcome, evaluate
from sre_bot.lab.reissue import Look
from sre_bot.lab.render import RenderFailed
from sre_bot.lab.rollout import Rollout
from sre_bot.lab.world import World

OPERATION_SECONDS = 2.0
SETTLING_SECONDS = 4.0
RECONCILE_SECONDS = 180.0
DEADLINE_SECONDS = 600.0
HISTORY = 10
Phase = Literal["Running", "Terminating", "Succeeded", "Failed", "Error"]


class OperationRefused(BadInput):
    """Argo CD does not start what it was asked for; ``code`` is the gRPC code."""

    def __init__(self, message: str, code: int = 9) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Deployed:
    """One entry of the history."""

    id: int
    revision: str
    started_at: datetime
    deployed_at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A sync or a rollback, and how far it is. ``manifests`` are what it applied."""

    revision: str
    by: str
    started_at: datetime
    prune: bool = False
    dry_run: bool = False
    phase: Phase = "Running"
    message: str = ""
    finished_at: datetime | None = None
    manifests: tuple[Key, ...] = ()

    @property
    def running(self) -> bool:
        """Whether it is still going on."""
        return self.finished_at is None


@dataclass(slots=True)
class Delivery:
    """The application's state.

    ``applied`` are the manifests of the last sync, ``outcome`` what it did, ``outcomes`` what all of them did.
    """

    world: World
    auto_sync: bool = False
    history: list[Deployed] = field(default_factory=list[Deployed])
    operation: Operation | None = None
    comparison: Comparison | None = None
    applied: Manifests = field(default_factory=dict[Key, KubernetesObject])
    outcome: Outcome | None = None
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    source: ManifestSource = field(init=False)
    _look: Look = field(init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _working: asyncio.Task[None] | None = None
    _settling: asyncio.Task[None] | None = None
    _rollout: Rollout | None = None
    _compared: tuple[tuple[int, str, int], tuple[ResourceState, ...]] = ((-1, "", 0), ())

    def __post_init__(self) -> None:
        self.source = ManifestSource(self.world)
        self._look = Look.of(self.world.recording)

    async def begin(self) -> None:
        """Take the branch's head for what was synced last, and its commits for the history. Raises ``BadRecording``."""
        if not self.source.exists:
            return
        head = await self.source.head()
        if not head:
            raise BadRecording(f"{self.world.recording.folder}: an application needs a repository with a commit")
        try:
            self.applied = await self.source.manifests(head)
        except RenderFailed:
            self.applied = {}
        for sha in await self.source.deploying_commits(head, HISTORY):
            written = (await self.world.hub.git.commit(sha)).committer.date
            self._remember(sha, written + timedelta(seconds=20), written + timedelta(seconds=40), "")
        await self.refresh()
        if self.auto_sync:
            self._spawn(self._reconcile())

    async def current(self, *, refresh: bool = False) -> Comparison:
        """The comparison, made anew when asked to or when it is three of the incident's minutes old."""
        known = self.comparison
        stale = known is None or (self.world.clock.now() - known.at).total_seconds() > RECONCILE_SECONDS
        if refresh or stale or known is None:
            return await self.refresh()
        return replace(known, resources=await self._resources(known.revision))

    async def refresh(self) -> Comparison:
        """Compare the cluster with the branch's head, now; with auto-sync, sync it if it differs."""
        head = await self.source.head()
        resources = await self._resources(head)
        self.comparison = Comparison(head, self.world.clock.now(), resources, await self.source.error(head))
        if self.auto_sync and self.comparison.status == "OutOfSync" and not self._tried(head):
            self._begin_operation(Operation(head, "", self.world.clock.now()))
        return self.comparison

    def health(self, comparison: Comparison) -> Health:
        """The application's health; Degraded besides while a harmful tree is deployed."""
        if self.outcome == "harmed" and self._settled():
            return Health("Degraded", "the deployed manifests broke what they manage")
        return comparison.health

    async def sync(self, revision: str, *, prune: bool, dry_run: bool, by: str) -> Operation:
        """Start a sync to a revision, the branch's head for an empty one. Raises ``OperationRefused``."""
        target = self.source.branch
        if self.auto_sync and not dry_run and revision not in ("", target):
            raise OperationRefused(f"Cannot sync to {revision}: auto-sync currently set to {target}")
        sha = await self.source.resolve(revision or target)
        if sha is None:
            raise OperationRefused(f"Unable to resolve '{revision}' to a commit SHA")
        return self._begin_operation(Operation(sha, by, self.world.clock.now(), prune, dry_run))

    async def rollback(self, history_id: int, *, prune: bool, dry_run: bool, by: str) -> Operation:
        """Start a sync to the revision of a history entry. Raises ``OperationRefused``."""
        if self.auto_sync:
            raise OperationRefused("rollback cannot be initiated when auto-sync is enabled")
        entry = next((one for one in self.history if one.id == history_id), None)
        if entry is None:
            name = self.source.application.application
            raise OperationRefused(f"application {name} does not have deployment with id {history_id}", code=3)
        return self._begin_operation(Operation(entry.revision, by, self.world.clock.now(), prune, dry_run))

    async def terminate(self) -> None:
        """Stop the running operation. Raises ``OperationRefused`` where none is running."""
        if self.operation is None or not self.operation.running or self._working is None:
            raise OperationRefused("Unable to terminate operation. No operation is in progress", code=3)
        self._working.cancel()
        self._finish(replace(self.operation, phase="Failed", message="Operation terminated"))

    async def rest(self) -> None:
        """Wait until no operation is running and the last one has turned out in the cluster."""
        while pending := {task for task in (self._working, self._settling) if task and not task.done()}:
            await asyncio.wait(pending)

    def _begin_operation(self, operation: Operation) -> Operation:
        if self.operation and self.operation.running:
            raise OperationRefused("another operation is already in progress")
        self.operation = operation
        self._working = self._spawn(self._perform(operation))
        return operation

    async def _perform(self, operation: Operation) -> None:
        await self.world.clock.sleep(OPERATION_SECONDS)
        try:
            done = await self._apply(operation, await self.source.tree(operation.revision))
        except RenderFailed as failed:
            done = replace(operation, phase="Error", message=f"ComparisonError: {failed}")
        except BadRecording as error:
            done = replace(operation, phase="Error", message=f"the lab cannot judge this revision: {error}")
        await self.refresh()
        self._finish(done)

    async def _apply(self, operation: Operation, tree: DeployedTree) -> Operation:
        """Do what the operation asks; the operation as it ended."""
        wanted = self.source.completed(tree)
        done = replace(operation, manifests=tuple(wanted))
        refusals = check(self.world.cluster, wanted, self.applied)
        if refusals:
            message = f"one or more objects failed to apply, reason: {','.join(refusals)}"
            return replace(done, phase="Failed", message=message)
        if not operation.dry_run:
            await self._deploy(operation, tree, wanted)
        return replace(done, phase="Succeeded", message="successfully synced (all tasks run)")

    async def _deploy(self, operation: Operation, tree: DeployedTree, wanted: Manifests) -> None:
        self.outcome = await evaluate(self.world.recording, tree)
        self.outcomes.append(self.outcome)
        if self._rollout:
            self._rollout.settle()
        rollout = Rollout(self.world.cluster, self._look, self.outcome)
        rollout.start(self.applied, wanted, prune=operation.prune)
        kept = {} if operation.prune else {k: m for k, m in self.applied.items() if k not in wanted}
        self.applied = {**kept, **wanted}
        self._remember(operation.revision, operation.started_at, self.world.clock.now(), operation.by)
        self._rollout = rollout
        self._settling = self._spawn(self._settle(rollout))
        await self.world.cluster.announce()

    async def _settle(self, rollout: Rollout) -> None:
        await self.world.clock.sleep(SETTLING_SECONDS)
        if self._rollout is not rollout:
            return
        self._rollout = None
        rollout.settle()
        await self.world.cluster.announce()
        if rollout.outcome == "failing":
            self._spawn(self._exceed_deadlines(rollout, self.history[-1].id))

    async def _exceed_deadlines(self, rollout: Rollout, deployment: int) -> None:
        await self.world.clock.sleep(DEADLINE_SECONDS)
        if self.history[-1].id == deployment:
            rollout.exceed_deadlines()
            await self.world.cluster.announce()

    def _finish(self, operation: Operation) -> None:
        self.operation = replace(operation, finished_at=self.world.clock.now())

    def _settled(self) -> bool:
        return self._rollout is None

    def _tried(self, revision: str) -> bool:
        return self.operation is not None and (self.operation.running or self.operation.revision == revision)

    def _remember(self, revision: str, started_at: datetime, deployed_at: datetime, by: str) -> None:
        number = self.history[-1].id + 1 if self.history else 0
        self.history.append(Deployed(number, revision, started_at, deployed_at, by))
        del self.history[:-HISTORY]

    async def _reconcile(self) -> None:
        while True:
            await self.world.clock.sleep(RECONCILE_SECONDS)
            await self.refresh()

    async def _resources(self, revision: str) -> tuple[ResourceState, ...]:
        """The state of each managed object, worked out again when the cluster or what was deployed has changed."""
        seen = (self.world.cluster.version, revision, self.history[-1].id if self.history else -1)
        if self._compared[0] != seen:
            wanted = self.applied if await self.source.error(revision) else await self.source.manifests(revision)
            self._compared = (seen, compare(self.world.cluster, self.applied, wanted))
        return self._compared[1]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

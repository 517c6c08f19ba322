"""Whether a deployment arrived and did what it should, judged by the answering servers' clocks."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_bot.detectors import detect
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.symptoms import symptoms
from sre_bot.domain.cluster import ClusterSnapshot, KubernetesObject, ObjectRef
from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.finding import FaultKind, Finding
from sre_bot.domain.release import Application
from sre_bot.domain.ticket import Scope
from sre_bot.reasoning import Correlation
from sre_bot.tools.argocd import ArgoCD
from sre_bot.tools.github import GitHub
from sre_bot.tools.kubernetes import Kubernetes

NOT_FAULTS = frozenset({FaultKind.HEALTHY, FaultKind.RECOVERED})
ROLLED_OUT = ("Deployment", "StatefulSet", "DaemonSet")
LONGEST_SILENCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Before:
    """What was wrong before the fix: the cause, what it hurt, and every finding that was known.

    ``stuck`` are bystanders whose rollout was incomplete already. ``silence`` is how long its symptoms could be silent
    while it lasted: what only logs tell is gone when they have been silent for longer.
    """

    cause: Finding
    hurt: frozenset[tuple[str, str]]
    known: frozenset[tuple[str, str, str]]
    silence: timedelta
    stuck: frozenset[ObjectRef]

    @classmethod
    def of(cls, correlation: Correlation, cause: Hypothesis, snapshot: ClusterSnapshot) -> "Before":
        """The state of the case at the end of its analysis."""
        explained = correlation.explained_by(cause.finding)
        concerned = {cause.object, *cause.finding.hurts, *(symptom.object for symptom in explained)}
        return cls(
            cause=cause.finding,
            hurt=frozenset(symptom.key for symptom in explained),
            known=frozenset(finding.key for finding in correlation.findings),
            stuck=frozenset(unfinished_rollouts(snapshot)) - concerned,
            silence=min(LONGEST_SILENCE, max(map(correlation.silence_of, explained), default=timedelta(0))),
        )

    def failure(self, snapshot: ClusterSnapshot) -> str:
        """What of it is still there, or what is new, as a clause; empty when neither."""
        faults = [one for one in detect(snapshot) if one.kind not in NOT_FAULTS]
        for fault in faults:
            if (fault.kind, fault.object) == (self.cause.kind, self.cause.object):
                return f"the original finding is still there: {fault.message}"
        for symptom in symptoms(ClusterIndex(snapshot)):
            if symptom.key in self.hurt:
                return f"what it explained still hurts: {symptom.object}: {symptom.text}"
        new = next((fault for fault in faults if fault.key not in self.known), None)
        return f"something new is wrong: {new.message}" if new else ""


@dataclass(frozen=True, slots=True)
class Soundness:
    """Waits for Argo CD and watches the cluster. Methods return why not, as a clause; empty means sound."""

    argocd: ArgoCD | None
    kubernetes: Kubernetes
    settle: timedelta
    deadline: timedelta
    poll: timedelta
    github: GitHub

    async def deployed(self, scope: Scope, revision: str) -> str:
        """Wait until the application runs the revision. Health is waited for until the deadline, not longer."""
        if self.argocd is None:
            return "Argo CD is not configured"
        end = await self.argocd.server_time() + self.deadline
        while True:
            application = await self.argocd.application(scope.application, refresh=True)
            if await self._runs(application, scope, revision):
                return ""
            if failure := _failed(application, revision):
                return failure
            if await self.argocd.server_time() > end:
                return (
                    f"after {self.deadline} it is {application.sync_status}, {application.health}: {_why(application)}"
                )
            await asyncio.sleep(self.poll.total_seconds())

    async def synced(self, name: str, revision: str) -> str:
        """Wait until the application's manifests are the revision's, whatever its health."""
        if self.argocd is None:
            return "Argo CD is not configured"
        end = await self.argocd.server_time() + self.deadline
        while True:
            application = await self.argocd.application(name, refresh=True)
            if application.synced_revision == revision and application.operation_phase == "Succeeded":
                return ""
            if failure := _failed(application, revision):
                return failure
            if await self.argocd.server_time() > end:
                return f"Argo CD has not synced it: {_why(application)}"
            await asyncio.sleep(self.poll.total_seconds())

    async def validated(self, scope: Scope, revision: str, before: Before) -> str:
        """Watch until the cluster was sound for the whole settling time, or report what still or newly fails.

        Only what happens from now on counts: old log lines and events speak of the time before the fix.
        """
        begun = await self.kubernetes.server_time()
        end = begun + self.deadline
        sound_since: datetime | None = None
        while True:
            snapshot = await self.kubernetes.snapshot(scope.namespaces, begun)
            failure = await self._look(snapshot, scope, revision, before)
            if failure:
                sound_since = None
            else:
                sound_since = sound_since or snapshot.taken_at
                if snapshot.taken_at - sound_since >= max(self.settle, before.silence):
                    return ""
            if snapshot.taken_at > end:
                return failure or "it did not stay sound for the settling time"
            await asyncio.sleep(self.poll.total_seconds())

    async def _look(self, snapshot: ClusterSnapshot, scope: Scope, revision: str, before: Before) -> str:
        if failure := await asyncio.to_thread(before.failure, snapshot):
            return failure
        if unfinished := [str(one) for one in unfinished_rollouts(snapshot) if one not in before.stuck]:
            return f"the rollout is not complete: {', '.join(unfinished)}"
        if self.argocd and not await self._runs(await self.argocd.application(scope.application), scope, revision):
            return "Argo CD no longer reports the revision as deployed and healthy"
        return ""

    async def _runs(self, application: Application, scope: Scope, revision: str) -> bool:
        """Whether the application runs the revision or a later commit that contains it, and is healthy."""
        newest = application.synced_revision
        if newest and newest != revision and application.deployed(newest):
            return await self.github.contains(scope.repository, newest, revision)
        return application.deployed(revision)


def unfinished_rollouts(snapshot: ClusterSnapshot) -> list[ObjectRef]:
    """Deployments, StatefulSets and DaemonSets whose newest generation is not fully rolled out.

    The rule is that of ``kubectl rollout status``: the controller has seen the newest generation, as many replicas are
    updated as are wanted, no old one is left, and the updated ones are available. What is paused or updated by hand
    (``OnDelete``, ``partition``) rolls out when people say so.
    """
    return [ObjectRef.of(thing) for thing in snapshot.objects if thing["kind"] in ROLLED_OUT and _unfinished(thing)]


def _unfinished(thing: KubernetesObject) -> bool:
    spec, status = thing.get("spec") or {}, thing.get("status") or {}
    strategy = spec.get("updateStrategy") or {}
    by_hand = strategy.get("type") == "OnDelete" or (strategy.get("rollingUpdate") or {}).get("partition")
    if spec.get("paused") or by_hand:
        return False
    if status.get("observedGeneration", 0) < thing["metadata"].get("generation", 0):
        return True
    if thing["kind"] == "DaemonSet":
        wanted, updated = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
        return updated < wanted or status.get("numberAvailable", 0) < wanted
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    return updated < wanted or status.get("replicas", 0) > updated or status.get("availableReplicas", 0) < updated


def _failed(application: Application, revision: str) -> str:
    if application.operation_phase in ("Failed", "Error") and application.operation_revision in ("", revision):
        return f"the sync failed: {_why(application)}"
    return ""


def _why(application: Application) -> str:
    said = (application.operation_message, application.health_message, *application.conditions)
    return "; ".join(text for text in said if text) or "Argo CD gives no reason"

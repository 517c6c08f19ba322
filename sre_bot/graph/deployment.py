"""Deployment: merge what was approved, deploy exactly that, prove that it helped, or take it back."""

from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.diagnosis import Diagnosis
from sre_bot.domain.errors import ArgoCDError, GitHubAPIError, Reason
from sre_bot.domain.fix import Fix
from sre_bot.domain.review import Decision
from sre_bot.domain.states import Outcome
from sre_bot.domain.ticket import Scope
from sre_bot.graph import messages
from sre_bot.graph.case_files import CaseFiles
from sre_bot.graph.duplicates import Duplicates
from sre_bot.graph.exclusion import Exclusion
from sre_bot.graph.merge_queue import MergeQueue
from sre_bot.graph.outward import Outward
from sre_bot.graph.review import ReviewReader
from sre_bot.graph.rollback import Rollback
from sre_bot.graph.soundness import Before, Soundness
from sre_bot.graph.state import Case, Json
from sre_bot.reasoning import Correlation
from sre_bot.tools.argocd import ArgoCD

UNDEPLOYABLE = ("ComparisonError", "InvalidSpecError")
"""Conditions of an application with which Argo CD can deploy nothing; they may pass, so they are tried again."""

LASTING = (Reason.NOT_FOUND, Reason.NOT_AUTHORISED, Reason.REFUSED)
"""What Argo CD answers and will answer again."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The nodes of the deployment and what they need."""

    reader: ReviewReader
    argocd: ArgoCD | None
    soundness: Soundness
    rollback: Rollback
    files: CaseFiles
    exclusion: Exclusion
    merge_queue: MergeQueue
    outward: Outward
    duplicates: Duplicates
    status_done: str

    def subgraph(self) -> CompiledStateGraph[Case, Any, Case, Case]:
        """The arrows; a lost approval leaves from ``triggering_deployment``."""
        return (
            StateGraph(Case)
            .add_node("triggering_deployment", self.triggering_deployment)
            .add_node("deployment_in_progress", self.deployment_in_progress)
            .add_node("validation_in_progress", self.validation_in_progress)
            .add_node("deployment_complete", self.deployment_complete)
            .add_node("deployment_failed", self.deployment_failed)
            .add_edge(START, "triggering_deployment")
            .add_conditional_edges("triggering_deployment", after_triggering_deployment)
            .add_conditional_edges("deployment_in_progress", after_deployment_in_progress)
            .add_conditional_edges("validation_in_progress", after_validation_in_progress)
            .add_edge("deployment_complete", END)
            .add_edge("deployment_failed", END)
            .compile(name="deployment")
        )

    async def triggering_deployment(self, state: Case, config: RunnableConfig) -> Json:
        """Read the approval once more and merge exactly the approved head. What is merged already stays merged."""
        scope = Scope.model_validate(state["scope"])
        await self._hold(state, config)
        decision = await self._standing(state)
        if decision is None:
            return await self._lost(state, config)
        if decision.state != "merged":
            if refusal := await self._refusal(scope):
                return {"exit": "", "failure": refusal}
            if objection := await self.merge_queue.objection(state):
                return await self._not_merged(state, config, objection)
        try:
            merge_sha = await self._merge(state, config)
        except GitHubAPIError as error:
            if error.reason is not Reason.CONFLICT:
                raise
            if await self._standing(state) is None:
                return await self._lost(state, config)
            return {"exit": "", "failure": f"the approved change cannot be merged: {error}"}
        return {"exit": "", "failure": "", "merge_sha": merge_sha, "context": {"merge_sha": merge_sha}}

    async def deployment_in_progress(self, state: Case, config: RunnableConfig) -> Json:
        """Ask Argo CD for the merge commit and wait until it is deployed."""
        await self._hold(state, config)
        try:
            await self.outward.sync(state, config, "fix", state["merge_sha"])
        except ArgoCDError as error:
            if error.reason not in LASTING:
                raise
            return {"failure": f"Argo CD refuses to deploy it: {error}"}
        failure = await self.soundness.deployed(Scope.model_validate(state["scope"]), state["merge_sha"])
        return {"failure": failure, "context": {"synced_sha": "" if failure else state["merge_sha"]}}

    async def validation_in_progress(self, state: Case, config: RunnableConfig) -> Json:
        """Look at the cluster anew: the finding gone, nothing new, and still so after the settling time."""
        await self._hold(state, config)
        diagnosis = await self.files.load(state["diagnosis"], Diagnosis)
        correlation = await self.files.load(state["correlation"], Correlation)
        scope = Scope.model_validate(state["scope"])
        snapshot = await self.files.load(state["snapshot"], ClusterSnapshot)
        before = Before.of(correlation, diagnosis.hypotheses[0], snapshot)
        failure = await self.soundness.validated(scope, state["merge_sha"], before)
        return {"failure": failure, "context": {"validation": failure or "sound"}}

    async def deployment_complete(self, state: Case, config: RunnableConfig) -> Json:
        """Tell the ticket and close it."""
        fix = await self.files.load(state["fix"], Fix)
        text = messages.resolved(fix, state["pull_request"]["number"], state["merge_sha"])
        await self.outward.tell_ticket(state, config, "resolved", text)
        if not await self.outward.move_ticket(state, config, self.status_done):
            await self.outward.hand_back(await self.outward.claim_of(config), state["ticket_id"], state.get("round", 0))
        await self._ended(state, config, Outcome.RESOLVED)
        return {"exit": "deployment_complete", "outcome": "resolved"}

    async def deployment_failed(self, state: Case, config: RunnableConfig) -> Json:
        """Take back what was merged, prove it, and tell the ticket. Raises ``RollbackNotVerified``."""
        await self._hold(state, config)
        done = await self.rollback.perform(state, config) if state.get("merge_sha") else "Nothing was merged."
        text = messages.deployment_failed(state["failure"], done)
        await self.outward.tell_ticket(state, config, "deployment_failed", text)
        await self.outward.hand_back(await self.outward.claim_of(config), state["ticket_id"], state.get("round", 0))
        await self._ended(state, config, Outcome.DEPLOYMENT_FAILED)
        return {"exit": "deployment_failed", "outcome": "deployment_failed", "context": {"failure": state["failure"]}}

    async def _hold(self, state: Case, config: RunnableConfig) -> None:
        """Hold what is deployed and what it is deployed from; whoever was set aside meanwhile stands in line again."""
        scope = state["scope"]
        await self.exclusion.hold(config, f"argocd:{scope['application']}", f"repository:{scope['repository']}")

    async def _ended(self, state: Case, config: RunnableConfig, outcome: Outcome) -> None:
        await self.duplicates.tell(await self.outward.claim_of(config), state["ticket_id"], outcome)
        await self.exclusion.free(config)

    async def _not_merged(self, state: Case, config: RunnableConfig, why: str) -> Json:
        number = state["pull_request"]["number"]
        await self.outward.comment_pull_request(state, config, number, "not_merged", messages.not_merged(why))
        return {"exit": "", "failure": f"the approved change was not merged: {why}"}

    async def _refusal(self, scope: Scope) -> str:
        """Why the application cannot be deployed. Raises ``ArgoCDError`` while Argo CD cannot read its manifests."""
        if self.argocd is None:
            return "Argo CD is not configured"
        try:
            application = await self.argocd.application(scope.application, refresh=True)
        except ArgoCDError as error:
            if error.reason in LASTING:
                return f"the application {scope.application!r} cannot be deployed: {error}"
            raise
        broken = [condition for condition in application.conditions if condition.startswith(UNDEPLOYABLE)]
        if broken:
            message = f"{scope.application!r} cannot be deployed as long as it says: {broken[0]}"
            raise ArgoCDError(message, reason=Reason.UNAVAILABLE)
        return ""

    async def _standing(self, state: Case) -> Decision | None:
        """The approval, as GitHub says now, of the head and base that it was given for; None when it no longer stands.

        A head that a person has merged stands too: that person could have approved it.
        """
        repository, pull_request = state["scope"]["repository"], state["pull_request"]
        answered = frozenset(state.get("answered", ()))
        decision = await self.reader.decision(repository, pull_request["number"], answered, pull_request["base_branch"])
        stands = decision.state in ("approved", "merged") and decision.head == state["decision"]["head"]
        return decision if stands else None

    async def _merge(self, state: Case, config: RunnableConfig) -> str:
        number = state["pull_request"]["number"]
        title = f"{state['ticket_id']}: merge pull request #{number}"
        return await self.outward.merge(state, config, number, state["decision"]["head"], title)

    async def _lost(self, state: Case, config: RunnableConfig) -> Json:
        await self.exclusion.free(config)
        return {"exit": "triggering_deployment", "failure": "", "round": state.get("round", 0) + 1}


def after_triggering_deployment(state: Case) -> Literal["deployment_in_progress", "deployment_failed", "__end__"]:
    """A lost approval leads back to the review, a refusal to ``deployment_failed``."""
    if state["exit"] == "triggering_deployment":
        return "__end__"
    return "deployment_failed" if state["failure"] else "deployment_in_progress"


def after_deployment_in_progress(state: Case) -> Literal["validation_in_progress", "deployment_failed"]:
    """Only what is deployed can be validated."""
    return "deployment_failed" if state["failure"] else "validation_in_progress"


def after_validation_in_progress(state: Case) -> Literal["deployment_complete", "deployment_failed"]:
    """Sound or not."""
    return "deployment_failed" if state["failure"] else "deployment_complete"

"""Analysis: collect, look at cluster and source side by side, correlate, name the cause, say how sure we are."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from sre_bot.agents.root_cause import RootCauseAgent
from sre_bot.detectors import detect
from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.diagnosis import Diagnosis, Hypothesis
from sre_bot.domain.errors import ErrorType, GitHubAPIError, KubernetesError, Reason
from sre_bot.domain.finding import Finding
from sre_bot.domain.source import SourceHistory
from sre_bot.domain.states import Outcome, TicketProcessingSubState
from sre_bot.domain.ticket import Scope, Ticket
from sre_bot.domain.workflow import WorkflowState
from sre_bot.graph import messages
from sre_bot.graph.case_files import CaseFiles
from sre_bot.graph.obstacles import obstacle
from sre_bot.graph.outward import Outward
from sre_bot.graph.state import Case, Json
from sre_bot.persistence.workflows import Workflows
from sre_bot.reasoning import Correlation, SourceReport, analyse_source, conclude, correlate
from sre_bot.tools.github import GitHub
from sre_bot.tools.kubernetes import Kubernetes
from sre_bot.tools.prometheus import Prometheus, with_metrics
from sre_bot.tools.workspace import Workspace

T = TypeVar("T")

PAST_ANALYSIS = (
    TicketProcessingSubState.REMEDIATION,
    TicketProcessingSubState.REVIEW,
    TicketProcessingSubState.DEPLOYMENT,
)


@dataclass(frozen=True, slots=True)
class SourceReader:
    """Reads a scope's repository as it is now."""

    github: GitHub
    workspace: Workspace

    async def history(self, scope: Scope) -> SourceHistory:
        """Fetch the branch that is deployed and read its tree and newest commits. Raises ``GitHubAPIError``."""
        branch = scope.branch or await self.github.default_branch(scope.repository)
        url = await self.github.clone_url(scope.repository)
        return await self.workspace.history(scope.repository, url, branch, scope.path)


@dataclass(frozen=True, slots=True)
class Analysis:
    """The nodes of the analysis and what they need."""

    kubernetes: Kubernetes
    prometheus: Prometheus | None
    source: SourceReader
    files: CaseFiles
    root_cause: RootCauseAgent
    workflows: Workflows
    outward: Outward
    fix_threshold: float

    def subgraph(self) -> CompiledStateGraph[Case, Any, Case, Case]:
        """The arrows; the two analyses run side by side and join in ``correlation``."""
        return (
            StateGraph(Case)
            .add_node("data_collection", self.data_collection)
            .add_node("k8s_event_analysis", self.k8s_event_analysis)
            .add_node("source_code_analysis", self.source_code_analysis)
            .add_node("correlation", self.correlation)
            .add_node("root_cause_generation", self.root_cause_generation)
            .add_node("confidence_calculation", self.confidence_calculation)
            .add_node("analysis_complete", self.analysis_complete)
            .add_edge(START, "data_collection")
            .add_edge("data_collection", "k8s_event_analysis")
            .add_edge("data_collection", "source_code_analysis")
            .add_edge(["k8s_event_analysis", "source_code_analysis"], "correlation")
            .add_edge("correlation", "root_cause_generation")
            .add_edge("root_cause_generation", "confidence_calculation")
            .add_edge("confidence_calculation", "analysis_complete")
            .add_edge("analysis_complete", END)
            .compile(name="analysis")
        )

    async def data_collection(self, state: Case) -> Json:
        """Read the cluster and the repository at the same time."""
        scope = Scope.model_validate(state["scope"])
        snapshot, (history, unread) = await asyncio.gather(self._snapshot(scope), self._history(scope))
        return {
            "snapshot": await self.files.save(snapshot),
            "history": await self.files.save(history) if history else "",
            "context": {"unseen": [*unread, *snapshot.unseen][:20]},
        }

    async def k8s_event_analysis(self, state: Case) -> Json:
        """Facts from objects, events and logs."""
        snapshot = await self.files.load(state["snapshot"], ClusterSnapshot)
        findings, failure = await _side_by_side("k8s_event_analysis", detect, snapshot)
        return {"findings": await self.files.save(findings or ()), "context": failure}

    async def source_code_analysis(self, state: Case) -> Json:
        """Facts from the repository: drift, recent changes, code that the logs point to."""
        snapshot = await self.files.load(state["snapshot"], ClusterSnapshot)
        history = await self.files.load_if(state["history"], SourceHistory)
        report, failure = await _side_by_side("source_code_analysis", analyse_source, snapshot, history)
        return {"source": await self.files.save(report or SourceReport()), "context": failure}

    async def correlation(self, state: Case) -> Json:
        """One timeline and one topology; symptoms explained by causes."""
        snapshot = await self.files.load(state["snapshot"], ClusterSnapshot)
        findings = await self.files.load_all(state["findings"], Finding)
        source = await self.files.load(state["source"], SourceReport)
        return {"correlation": await self.files.save(await asyncio.to_thread(correlate, snapshot, findings, source))}

    async def root_cause_generation(self, state: Case) -> Json:
        """The possible causes, each with evidence and suspects."""
        correlation = await self.files.load(state["correlation"], Correlation)
        history = await self.files.load_if(state["history"], SourceHistory)
        ticket = Ticket.model_validate(state["ticket"])
        hypotheses = await self.root_cause.propose(ticket, correlation, history)
        return {"hypotheses": await self.files.save(hypotheses)}

    async def confidence_calculation(self, state: Case) -> Json:
        """Weigh them and reach a verdict."""
        correlation = await self.files.load(state["correlation"], Correlation)
        hypotheses = await self.files.load_all(state["hypotheses"], Hypothesis)
        history = await self.files.load_if(state["history"], SourceHistory)
        why_not = blindness(state["context"]) or await asyncio.to_thread(
            obstacle, Scope.model_validate(state["scope"]), history, state["context"]["unseen"]
        )
        ticket = Ticket.model_validate(state["ticket"])
        diagnosis = conclude(
            correlation,
            hypotheses,
            fix_threshold=self.fix_threshold,
            repairable=not why_not,
            complaint=f"{ticket.summary}\n{ticket.description}",
        )
        if blindness(state["context"]):
            diagnosis = diagnosis.model_copy(update={"verdict": "needs_human"})
        return {
            "diagnosis": await self.files.save(diagnosis),
            "obstacle": why_not,
            "context": {"analysis_results": summary_of(diagnosis)},
        }

    async def analysis_complete(self, state: Case, config: RunnableConfig) -> Json:
        """Go on to a fix, or tell the ticket what was found and hand it back."""
        diagnosis = await self.files.load(state["diagnosis"], Diagnosis)
        twin = await self._twin(state, config)
        if twin is None and diagnosis.verdict == "fix":
            return {"exit": "analysis_complete", "attempts": 0, "problems": []}
        outcome, closing = ending(diagnosis, twin, state.get("obstacle", ""))
        await self.outward.tell_ticket(state, config, "analysis", messages.analysis(diagnosis, closing))
        await self.outward.hand_back(await self.outward.claim_of(config), state["ticket_id"], state.get("round", 0))
        return {"exit": "analysis_complete", "outcome": outcome}

    async def _snapshot(self, scope: Scope) -> ClusterSnapshot:
        for namespace in scope.namespaces[:1]:
            if not await self.kubernetes.namespace_exists(namespace):
                raise KubernetesError(f"there is no namespace {namespace!r}", reason=Reason.NOT_FOUND)
        return await with_metrics(await self.kubernetes.snapshot(scope.namespaces), self.prometheus)

    async def _history(self, scope: Scope) -> tuple[SourceHistory | None, tuple[str, ...]]:
        """The repository, or why it cannot be read: then the cluster alone is diagnosed. Raises what passes."""
        if not scope.repository:
            return None, ()
        try:
            return await self.source.history(scope), ()
        except GitHubAPIError as error:
            if error.error_type in (ErrorType.TRANSIENT, ErrorType.RATE_LIMITED):
                raise
            return None, (f"repository {scope.repository}: {error}{error.advice}",)

    async def _twin(self, state: Case, config: RunnableConfig) -> WorkflowState | None:
        """A live workflow with the same cause that is older, or further on than its analysis."""
        cause = state["context"]["analysis_results"].get("cause")
        if not cause:
            return None
        own = await self.workflows.get((await self.outward.claim_of(config)).workflow_id)
        same = (
            one
            for one in await self.workflows.with_cause(state["context"]["repository"], cause)
            if one.workflow_id != own.workflow_id
            and (
                one.sub_state in PAST_ANALYSIS or (one.created_at, one.workflow_id) < (own.created_at, own.workflow_id)
            )
        )
        twin = next(same, None)
        if twin:
            await self.workflows.link(own.workflow_id, twin.workflow_id, "duplicate_of")
        return twin


async def _side_by_side(name: str, look: Callable[..., T], *given: object) -> tuple[T | None, Json]:
    """One branch of the fork: what it found, or nothing and a note for the record. It never raises.

    The other branch has run at the same time, and what it found must not be lost by a defect in this one.
    """
    try:
        return await asyncio.to_thread(look, *given), {}
    except Exception as error:  # noqa: BLE001  # see above: whatever a pure function stumbles over becomes a note
        return None, {f"{name}_failed": f"{type(error).__name__}: {error}"[:500]}


def blindness(context: Json) -> str:
    """What part of the analysis failed, as a clause; empty when none did."""
    branches = ("k8s_event_analysis", "source_code_analysis")
    failed = [f"{name} failed ({context[f'{name}_failed']})" for name in branches if f"{name}_failed" in context]
    return " and ".join(failed)


def summary_of(diagnosis: Diagnosis) -> Json:
    """The part of a diagnosis that the record shows."""
    best = diagnosis.best
    if best is None:
        return {"verdict": diagnosis.verdict, "summary": diagnosis.summary}
    return {
        "verdict": diagnosis.verdict,
        "summary": diagnosis.summary,
        "kind": str(best.kind),
        "object": str(best.object),
        "field": best.finding.field,
        "cause": "" if best.tentative else f"{best.kind} {best.object} {best.finding.field}",
        "confidence": round(best.confidence, 3),
        "culprit": {"sha": best.culprit.sha, "subject": best.culprit.subject} if best.culprit else None,
        "evidence": [one.id for one in best.finding.evidence],
    }


def ending(
    diagnosis: Diagnosis, twin: WorkflowState | None, why_not: str
) -> tuple[Literal["duplicate", "no_action_needed", "needs_human"], str]:
    """The outcome without a fix, and the sentence that closes the comment. ``why_not`` keeps us from repairing."""
    if twin:
        return Outcome.DUPLICATE.value, (
            f"Ticket {twin.ticket_id} has the same cause and is already being worked on; follow it there."
        )
    if diagnosis.verdict == "no_action":
        return Outcome.NO_ACTION_NEEDED.value, "I change nothing. Assign the ticket to me again if it comes back."
    because = f": {why_not}" if why_not else ""
    return Outcome.NEEDS_HUMAN.value, (
        f"I do not propose a change by myself{because}. A person should take over from here."
    )

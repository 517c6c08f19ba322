"""Where the world has moved on from what the record knows, after a restoration above all. It reads and never writes."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from sre_bot.domain.review import PullRequest
from sre_bot.domain.workflow import WorkflowState
from sre_bot.graph.outside import pull_request_of
from sre_bot.graph.remediation import branch_of
from sre_bot.graph.traces import Trace, lost_workflow, traces_in
from sre_bot.graph.witness import Effect, Witness


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference, as a sentence. ``workflow_id`` is empty for a ticket of which the record knows no workflow."""

    ticket_id: str
    workflow_id: str
    kind: str
    said: str


async def drift_of(
    witness: Witness, state: WorkflowState, effects: Sequence[Effect], repositories: tuple[str, ...]
) -> tuple[Drift, ...]:
    """What the world knows of one workflow that the record does not, and what has changed meanwhile.

    Its pull request is looked for in its repository, in all of ``repositories`` where the record knows of none yet.
    """
    found = [one async for one in _on_the_ticket(witness, state, effects)]
    known = str(state.context.get("repository") or "")
    for repository in (known,) if known else repositories:
        found += [one async for one in _at_github(witness, state, effects, repository)]
    found += [one async for one in _in_the_deployment(witness, state)]
    return tuple(Drift(state.ticket_id, state.workflow_id, kind, said) for kind, said in found)


async def assigned_to(witness: Witness, projects: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of the unresolved tickets that are ours."""
    jira = witness.jira
    if jira is None:
        return ()
    tickets = await witness.ask(lambda: jira.assigned(projects))
    return tuple(ticket.key for ticket in tickets or ())


async def lost_on(witness: Witness, ticket: str, known: frozenset[str]) -> tuple[Drift, ...]:
    """A workflow that was at work on a ticket and that the record does not know."""
    lost = lost_workflow(await _traces(witness, ticket), known)
    said = f"workflow {lost} was at work on it; it is opened again under its own id when the ticket is taken up"
    return (Drift(ticket, "", "lost_workflow", said),) if lost else ()


async def _on_the_ticket(
    witness: Witness, state: WorkflowState, effects: Sequence[Effect]
) -> AsyncGenerator[tuple[str, str]]:
    jira = witness.jira
    if jira is None:
        return
    done = {(one["name"].partition(":")[2], one["round"]) for one in effects if one["status"] == "done"}
    for trace in await _traces(witness, state.ticket_id):
        if trace.workflow_id == state.workflow_id and (trace.name, trace.round) not in done:
            yield "unrecorded_effect", f"ticket_comment:{trace.name} (round {trace.round}) is on the ticket already"
    ticket: Any = await witness.ask(lambda: jira.ticket(state.ticket_id))
    account = await witness.ask(jira.account)
    if ticket and ticket.resolved and state.outcome is None:
        yield "ticket", f"the ticket is {ticket.status} already"
    if ticket and account and ticket.assignee != account and state.outcome is None:
        yield "ticket", f"the ticket is assigned to {ticket.assignee or 'nobody'}"


async def _at_github(
    witness: Witness, state: WorkflowState, effects: Sequence[Effect], repository: str
) -> AsyncGenerator[tuple[str, str]]:
    github = witness.github
    if github is None:
        return
    branch = branch_of(state.ticket_id, state.workflow_id)
    found: PullRequest | None = await witness.ask(lambda: github.find_pull_request(repository, branch))
    if found is None:
        return
    known = pull_request_of(effects)
    if known is None:
        yield "unrecorded_effect", f"pull request #{found.number} is {found.state} already ({found.url})"
    elif found.head != known["head"]:
        yield "pull_request", f"pull request #{found.number} stands at {found.head}, the record knows {known['head']}"
    recorded = any(one["name"] == "merge" and one["status"] == "done" for one in effects)
    if found.merged and not recorded:
        yield "unrecorded_effect", f"pull request #{found.number} is merged as {found.merge_sha}"
    elif found.state == "closed" and not recorded and state.outcome is None:
        yield "pull_request", f"pull request #{found.number} was closed"


async def _in_the_deployment(witness: Witness, state: WorkflowState) -> AsyncGenerator[tuple[str, str]]:
    argocd, name, merged = witness.argocd, state.context.get("application"), state.context.get("merge_sha")
    if argocd is None or not name or state.outcome is not None:
        return
    application: Any = await witness.ask(lambda: argocd.application(str(name)))
    if application and merged and application.synced_revision != merged:
        yield "deployment", f"{name} is deployed at {application.synced_revision}, the record expects {merged}"


async def _traces(witness: Witness, ticket: str) -> tuple[Trace, ...]:
    jira = witness.jira
    if jira is None:
        return ()
    account = await witness.ask(jira.account)
    comments = await witness.ask(lambda: jira.comments(ticket)) if account else None
    return traces_in(comments or (), account)

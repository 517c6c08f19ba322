"""Starting and resuming runs of the law's graph, and counting what they left in the database."""

from datetime import timedelta
from typing import Any

from langchain_core.runnables import RunnableConfig

from sre_bot.domain.errors import ErrorSeverity, ErrorType, WorkflowError
from sre_bot.persistence.database import Database
from sre_bot.persistence.workflows import Claim, Workflows

TTL = timedelta(minutes=5)


async def claimed(workflows: Workflows, ticket: str = "OPS-1", owner: str = "worker-1") -> Claim:
    """A new workflow and the right to run it."""
    state = await workflows.open(ticket, {"severity": "high"})
    return await workflows.claim(state.workflow_id, owner, TTL)


def under(claim: Claim) -> RunnableConfig:
    """The configuration of a run under a claim."""
    return {"configurable": {"thread_id": claim.workflow_id, "fence": claim.fence}, "recursion_limit": 100}


def by_server(thread_id: str, run_id: str) -> RunnableConfig:
    """The configuration of a run as LangGraph Server makes it."""
    return {"configurable": {"thread_id": thread_id, "run_id": run_id}, "recursion_limit": 100}


def failure(claim: Claim, message: str = "Jira did not answer", kind: ErrorType = ErrorType.TRANSIENT) -> WorkflowError:
    """An error of the workflow of a claim."""
    return WorkflowError(kind, ErrorSeverity.MEDIUM, message, claim.workflow_id)


async def steps(workflows: Workflows, workflow_id: str) -> list[tuple[str, str, str]]:
    """The log as (from, to, trigger)."""
    log = await workflows.transitions(workflow_id)
    return [(step.from_state, step.to_state, step.trigger_event) for step in log]


async def rows(database: Database, statement: bytes, *parameters: Any) -> list[dict[str, Any]]:
    """The rows of a query."""
    async with database.transaction() as connection:
        cursor = await connection.execute(statement, parameters)
        return await cursor.fetchall()


async def census(database: Database, workflow_id: str) -> dict[str, int]:
    """How many checkpoints, log rows and heads a workflow has, and its version."""
    found = await rows(
        database,
        b"""select (select count(*) from checkpoints where thread_id = w.workflow_id::text) as checkpoints,
            (select count(*) from state_transitions as t where t.workflow_id = w.workflow_id) as transitions,
            (select count(*) from workflow_heads as h where h.workflow_id = w.workflow_id) as heads,
            w.version
        from workflow_states as w where w.workflow_id = %s""",
        workflow_id,
    )
    return found[0]


async def expire_lease(database: Database, workflow_id: str) -> None:
    """What time does to the lease of a worker that sleeps."""
    async with database.transaction() as connection:
        await connection.execute(
            "update leases set expires_at = clock_timestamp() - interval '1 second' where workflow_id = %s",
            (workflow_id,),
        )

"""What LangGraph is told about a run of ours."""

from langchain_core.runnables import RunnableConfig

from sre_bot.persistence.workflows import Claim


def config_of(claim: Claim) -> RunnableConfig:
    """The configuration of a run under a claim; the saver checks the fence on every write."""
    return {
        "configurable": {"thread_id": claim.workflow_id, "fence": claim.fence, "owner": claim.owner},
        "recursion_limit": 1_000,
    }

"""What the bot has left on tickets: each comment's mark names the workflow, the effect and the round. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from sre_bot.domain.ticket import Comment
from sre_bot.tools.jira_marker import markers_in

LAST_WORDS = ("resolved", "rejected", "fix_rejected", "deployment_failed", "analysis", "handover_")
"""How the comments begin with which a workflow takes its leave of a ticket."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One comment of ours on a ticket."""

    workflow_id: str
    name: str
    round: int
    comment: str

    @property
    def is_farewell(self) -> bool:
        """Whether the workflow had ended, or was about to."""
        return self.name.startswith(LAST_WORDS)


def traces_in(comments: Iterable[Comment], account: str) -> tuple[Trace, ...]:
    """The traces in our own comments, oldest first; anybody else's could be copied."""
    ours = [comment for comment in comments if comment.author == account]
    marks = ((comment, mark) for comment in ours for mark in markers_in(comment.body))
    return tuple(trace for comment, mark in marks if (trace := _trace(mark, comment.id)))


def lost_workflow(traces: Iterable[Trace], known: frozenset[str]) -> str | None:
    """The newest workflow of the traces that is not ``known`` and had not ended; None where there is none."""
    lost = [trace for trace in traces if trace.workflow_id not in known]
    ended = {trace.workflow_id for trace in lost if trace.is_farewell}
    living = [trace.workflow_id for trace in lost if trace.workflow_id not in ended]
    return living[-1] if living else None


def _trace(mark: str, comment: str) -> Trace | None:
    parts = mark.split(":")
    if len(parts) != 4 or parts[0] != "sre-bot" or not parts[3].isdigit():
        return None
    return Trace(workflow_id=parts[1], name=parts[2], round=int(parts[3]), comment=comment)

"""What a workflow has left outside, read from its effects: an old state to which it goes back must know it. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from sre_bot.domain.errors import RewindRefused
from sre_bot.domain.states import DetailedState
from sre_bot.graph.state import Json

Effect = dict[str, Any]

LOOKS_AT_THE_PULL_REQUEST = (DetailedState.REMEDIATION_COMPLETE, DetailedState.APPROVED)
"""States behind which the pull request is reviewed or merged as it is; behind the others it is made anew first."""


def carried(point: DetailedState, there: Json, context: Json, effects: Sequence[Effect]) -> Json:
    """The channels that a state of before must have otherwise, because the world has moved on since.

    ``there`` are the channels at the restore point, ``context`` is today's. Raises ``RewindRefused`` when a merge
    followed that point, or when the pull request there is not the one that people see now.
    """
    _check_nothing_is_merged(there, context, effects)
    opened = pull_request_of(effects)
    if opened is None:
        return {}
    if point in LOOKS_AT_THE_PULL_REQUEST:
        _check_is_the_same(there, opened)
    shown = {name: context[name] for name in ("pr_number", "pr_url", "pr_head") if name in context}
    return {"pull_request": opened, "context": {**there.get("context", {}), **shown}}


def pull_request_of(effects: Sequence[Effect]) -> Json | None:
    """The pull request that a workflow has opened, as the case keeps it, at its newest commit; None before that."""
    commits = [effect for effect in effects if effect["name"] == "commit:fix" and effect["status"] == "done"]
    for effect in effects:
        if effect["name"] == "pull_request:fix" and effect["status"] == "done" and commits:
            newest = max(commits, key=lambda commit: (commit["settled_at"], commit["round"]))
            return {
                "number": effect["result"]["number"],
                "url": effect["result"]["url"],
                "head": newest["result"]["sha"],
                "branch": effect["request"]["branch"],
                "base_branch": effect["request"]["base"],
                "paths": sorted(set(_paths(commits))),
            }
    return None


def _paths(commits: Sequence[Effect]) -> Iterator[str]:
    for commit in commits:
        yield from (edit["path"] for edit in commit["request"]["edits"])


def _check_nothing_is_merged(there: Json, context: Json, effects: Sequence[Effect]) -> None:
    merged = any(effect["name"] == "merge" and effect["status"] != "intended" for effect in effects)
    by_a_person = context.get("merged_by_a_person") != there.get("context", {}).get("merged_by_a_person")
    if merged or by_a_person:
        raise RewindRefused(
            "the fix was merged after that point, or may have been, and a rewind undoes nothing outside; let the "
            "deployment end (a failed one is reverted), or cancel the workflow"
        )


def _check_is_the_same(there: Json, opened: Json) -> None:
    known = there.get("pull_request", {}).get("head")
    if known != opened["head"]:
        raise RewindRefused(
            f"pull request #{opened['number']} stands at {opened['head'][:12]} and not at {str(known)[:12]} any more; "
            "go back to a newer restore point, or to one before the remediation, from where it is made anew"
        )

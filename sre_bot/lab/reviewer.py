"""A scripted person: reviews the bot's pull request, once per head, in the order of the script."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from sre_bot.lab.client import Json, LabControl, ReviewAction

PAUSE = 0.2
"""Seconds between two looks at the pull requests."""


@dataclass(frozen=True, slots=True)
class Act:
    """What the reviewer does with one head."""

    action: ReviewAction
    body: str = ""


async def review(lab: LabControl, script: Sequence[Act]) -> AsyncIterator[tuple[Act, Json]]:
    """Act on each new head of an open pull request; yields each act with the pull request it was for."""
    seen: set[str] = set()
    for act in script:
        pull = await _new_head(lab, seen)
        seen.add(str(pull["head"]))
        await lab.review(int(pull["number"]), act.action, act.body)
        yield act, pull


async def _new_head(lab: LabControl, seen: set[str]) -> Json:
    while True:
        pulls = (await lab.state())["pull_requests"]
        for pull in pulls:
            if pull["state"] == "open" and pull["head"] not in seen:
                return pull
        await asyncio.sleep(PAUSE)

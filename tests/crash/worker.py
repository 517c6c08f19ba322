"""A worker of ring 1: one process that takes what is due through the product's own runner, until nothing is."""

import asyncio
import json
import os
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, cast

from psycopg import OperationalError

from sre_bot.domain.errors import SreBotError, WorkflowExists
from sre_bot.graph.outward import Outward
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.operator import OperatorRequests
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim, Workflows
from sre_bot.worker.runner import Runner
from tests.crash import naive
from tests.crash.outside import Caller
from tests.crash.routes import CrashGraph, perform

Json = dict[str, Any]


@dataclass(frozen=True)
class HandOver(Outward):
    """The hand-over of an escalated workflow, told to ring 1's outside."""

    caller: Caller

    async def tell(self, claim: Claim, ticket: str, round: int, name: str, body: str) -> None:
        await perform(self.effects, self.caller, claim, "comment hand-over", round)

    async def hand_back(self, claim: Claim, ticket: str, round: int) -> None:
        await perform(self.effects, self.caller, claim, "unassign", round)


def main(job: Json) -> None:
    """Do one job in a fresh event loop, and say on standard output how it went."""
    said = asyncio.run(_JOBS[job["do"]](job))
    os.write(1, json.dumps({"worker": job["worker"], "said": said}).encode() + b"\n")


async def _work(job: Json) -> list[str]:
    """Run whatever is due until nothing is."""
    seen = os.open(job["seen"], os.O_WRONLY | os.O_APPEND)
    try:
        async with Database.open(job["url"], max_size=4) as database:

            def entered(name: str) -> None:
                os.write(seen, f"{job['worker']} {name}\n".encode())

            return await _run_all(job, database, entered)
    except OperationalError as error:
        return [f"out of reach: {error}"]


async def _run_all(job: Json, database: Database, seen: Any) -> list[str]:
    lease = timedelta(seconds=job["lease"])
    workflows, effects, locks = Workflows(database), Effects(database), ResourceLocks(database)
    caller = Caller(job["outside"], job["worker"])
    graph = CrashGraph(effects, locks, caller, seen).compile(AuditedSaver(database))
    parts: dict[str, Any] = {
        "graph": graph,
        "workflows": workflows,
        "locks": locks,
        "requests": OperatorRequests(database),
        "outward": _hand_over(effects, workflows, caller),
        "lease": lease,
    }
    runner = Runner(**{field.name: parts[field.name] for field in fields(Runner)})
    said: list[str] = []
    while claims := await workflows.claim_due(job["worker"], lease, 1):
        try:
            said.append(await runner.run(claims[0]))
        except SreBotError as error:
            said.append(f"{type(error).__name__}: {error}")
    return said


def _hand_over(effects: Effects, workflows: Workflows, caller: Caller) -> Outward:
    nobody = cast(Any, None)
    return HandOver(effects, workflows, jira=nobody, github=nobody, argocd=None, caller=caller)


async def _open(job: Json) -> list[str]:
    """Accept a ticket."""
    async with Database.open(job["url"], max_size=1) as database:
        try:
            return [(await Workflows(database).open(job["ticket"], {})).workflow_id]
        except WorkflowExists as error:
            return [error.workflow_id]


async def _wake(job: Json) -> list[str]:
    """Tell a parked workflow that there is news."""
    async with Database.open(job["url"], max_size=1) as database:
        await Workflows(database).wake(job["workflow"])
    return []


_JOBS = {"work": _work, "open": _open, "wake": _wake, "work naively": naive.work}

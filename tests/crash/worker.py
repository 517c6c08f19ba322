"""A worker of ring 1: one process that takes what is due through the product's own runner, until nothing is."""

import asyncio
import importlib
import json
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, cast

from langgraph.graph.state import CompiledStateGraph
from psycopg import OperationalError

from sre_bot.domain.errors import SreBotError, WorkflowExists
from sre_bot.graph.outward import Outward
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.operator import OperatorRequests
from sre_bot.persistence.quarantine import Quarantines
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim, Workflows
from sre_bot.worker.isolation import Isolation
from sre_bot.worker.runner import Runner
from tests.crash import naive
from tests.crash.outside import Caller
from tests.crash.routes import CrashGraph, perform

Json = dict[str, Any]
_IMPORTED_LATE = ("langchain_core.tracers.context", "langchain_core.tracers.stdout")
"""What LangGraph imports in the middle of its first run."""


@dataclass(frozen=True)
class HandOver(Outward):
    """The hand-over of an escalated workflow, told to ring 1's outside."""

    caller: Caller

    async def tell(self, claim: Claim, ticket: str, round: int, name: str, body: str) -> None:
        await perform(self.effects, self.caller, claim, "comment hand-over", round)

    async def hand_back(self, claim: Claim, ticket: str, round: int) -> None:
        await perform(self.effects, self.caller, claim, "unassign", round)


@dataclass(frozen=True)
class Worker:
    """What can be made before anybody is forked: the graph, which is compiled once, and all that LangGraph imports."""

    nodes: CrashGraph
    graph: CompiledStateGraph[Any, Any, Any, Any]

    def do(self, job: Json) -> None:
        """Do one job in a fresh event loop, and say on standard output how it went."""
        said = asyncio.run(self._done(job))
        os.write(1, json.dumps({"worker": job["worker"], "said": said}).encode() + b"\n")

    async def _done(self, job: Json) -> list[str]:
        return await (_work(job, self) if job["do"] == "work" else _OTHER_JOBS[job["do"]](job))


def prepare() -> Callable[[Json], None]:
    """What a worker does with its job."""
    for module in _IMPORTED_LATE:
        importlib.import_module(module)
    nodes = CrashGraph()
    return Worker(nodes, nodes.compile(None)).do


async def _work(job: Json, worker: Worker) -> list[str]:
    """Run whatever is due until nothing is."""
    try:
        async with _database(job, 4) as database:
            return await _run_all(job, worker, database)
    except OperationalError as error:
        return [f"out of reach: {error}"]


def _database(job: Json, connections: int) -> AbstractAsyncContextManager[Database]:
    idle_limit = timedelta(seconds=job["lease"] / 3)
    return Database.open(job["url"], max_size=connections, idle_limit=idle_limit)


async def _run_all(job: Json, worker: Worker, database: Database) -> list[str]:
    lease = timedelta(seconds=job["lease"])
    workflows, effects, locks = Workflows(database), Effects(database), ResourceLocks(database)
    caller = Caller(job["outside"], job["worker"])
    worker.nodes.equip(effects, locks, caller)
    graph = worker.graph.copy({"checkpointer": AuditedSaver(database)})
    outward = _hand_over(effects, workflows, caller)
    parts: dict[str, Any] = {
        "graph": graph,
        "workflows": workflows,
        "locks": locks,
        "requests": OperatorRequests(database),
        "outward": outward,
        "isolation": Isolation(Quarantines(database), workflows, outward, max_attempts=5),
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
    async with _database(job, 1) as database:
        try:
            return [(await Workflows(database).open(job["ticket"], {})).workflow_id]
        except WorkflowExists as error:
            return [error.workflow_id]


async def _wake(job: Json) -> list[str]:
    """Tell a parked workflow that there is news."""
    async with _database(job, 1) as database:
        await Workflows(database).wake(job["workflow"])
    return []


_OTHER_JOBS = {"open": _open, "wake": _wake, "work naively": naive.work}

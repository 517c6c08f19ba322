"""A slot: one database, the outside of its workflow, and one scenario at a time; several share a lane's Postgres."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.workflows import Workflows
from tests.crash.boundaries import CONTEXTS, Context
from tests.crash.children import Child, Gate, Nursery
from tests.crash.oracle import Finding, Oracle
from tests.crash.outside import Recorder
from tests.crash.postgres import Server
from tests.crash.shelf import Shelf, Stand

Json = dict[str, Any]
PATIENCE = 60.0

MOST_WORKERS = 14
"""So many workers may a scenario take; whoever needs more does not come to an end."""

_LEASES_END = (
    b"update leases set expires_at = clock_timestamp() where workflow_id = %s and expires_at > clock_timestamp()"
)
_GAP = (
    b"select extract(epoch from due_at - updated_at)::float8 as gap from workflow_states "
    b"where workflow_id = %s and due_at > clock_timestamp()"
)
_TIMERS_RUN_OUT = (
    b"update workflow_states set due_at = clock_timestamp() where workflow_id = %s and due_at > clock_timestamp()"
)


@dataclass(slots=True)
class Slot:
    """What one scenario needs for itself."""

    server: Server
    nursery: Nursery
    name: str
    database: Database
    shelf: Shelf
    recorder: Recorder
    outside_port: int

    @classmethod
    @asynccontextmanager
    async def open(cls, server: Server, nursery: Nursery, name: str) -> AsyncGenerator[Self]:
        """A slot with a database of its own on a server that is there."""
        await server.copy_database(name)
        recorder = Recorder()
        outside = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
        port = outside.sockets[0].getsockname()[1]
        async with Database.open(server.url(database=name), max_size=2) as database:
            yield cls(server, nursery, name, database, await Shelf.of(database), recorder, port)
        outside.close()

    async def begin(self, stand: Stand) -> None:
        """Forget the last scenario and stand where the next one begins."""
        await self.shelf.put_back(stand)
        self.recorder.forget()
        self.recorder.performed.update(stand.performed)
        self.recorder.log.extend(stand.log)

    async def bear(self, job: Json, child: Child) -> None:
        """Start a worker of this slot's workflow."""
        self.recorder.workers[child.number] = child
        order = {**job, "outside": self.outside_port}
        await self.nursery.bear(order, lambda port: self.server.url(port, self.name), child)

    async def rows(self, statement: bytes, *parameters: Any) -> list[Row]:
        """The rows of a statement, whatever happens to the server meanwhile."""

        async def work(connection: Connection) -> list[Row]:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall() if cursor.description else []

        return await self.database.attempt(work)


@dataclass(slots=True)
class Run:
    """One workflow on its way, by as many workers as it takes."""

    slot: Slot
    context: Context
    lease: float
    workflow: str = ""
    workers: list[Child] = field(default_factory=list[Child])
    gaps: list[float] = field(default_factory=list[float])
    """Seconds that the workflow was told to wait, had we not moved the time."""

    @property
    def ticket(self) -> str:
        """The ticket, whose key begins with its route."""
        return f"{self.context.route}/{self.context.name}"

    async def to_the_end(self, stand: Stand, gate: Gate) -> None:
        """Let workers work until the workflow has ended, or one too many was needed."""
        await self.slot.begin(stand)
        self.slot.recorder.befalls(self.context.effect, self.context.mishap)
        self.workflow = stand.workflow
        if not self.workflow and self.context.job != "open":
            self.workflow = (await Workflows(self.slot.database).open(self.ticket, {})).workflow_id
        while len(self.workers) < MOST_WORKERS and not await self._ended():
            child = await self.next_worker(gate)
            await asyncio.wait_for(child.ended.wait(), PATIENCE)

    async def next_worker(self, gate: Gate | None = None) -> Child:
        """A worker for what is to be done now: the dead one's lease has ended, a timer has run out."""
        job = await self._job()
        child = Child(self.slot.nursery.next_number(), gate)
        self.workers.append(child)
        await self.slot.bear(job, child)
        return child

    async def judged(self, recovery: float) -> Finding:
        """What the oracle says."""
        await self._time_passes()
        made = self.slot.recorder.made(self.workflow)
        refused = self.context.mishap == "refused"
        return await Oracle(self.slot.database).judge(self.workflow, made, recovery, refused=refused)

    async def _job(self) -> Json:
        base = {"lease": self.lease, "ticket": self.ticket}
        if not self.workflow:
            return {**base, "do": "open"}
        await self._time_passes()
        state = await Workflows(self.slot.database).get(self.workflow)
        if state.detailed_state == "awaiting_review" and state.due_at is None:
            if self.context.job == "wake":
                return {**base, "do": "wake", "workflow": self.workflow}
            await Workflows(self.slot.database).wake(self.workflow)
        return {**base, "do": "work"}

    async def attempts(self) -> list[int]:
        """The number of each failed attempt, in order, as the record has it."""
        return [row["attempt"] for row in await Workflows(self.slot.database).errors(self.workflow)]

    async def _time_passes(self) -> None:
        self.gaps += [row["gap"] for row in await self.slot.rows(_GAP, self.workflow)]
        for statement in (_LEASES_END, _TIMERS_RUN_OUT):
            await self.slot.rows(statement, self.workflow)

    async def _ended(self) -> bool:
        if not self.workflow:
            found = await Workflows(self.slot.database).of_ticket(self.ticket)
            self.workflow = found[0].workflow_id if found else ""
            return False
        state = await Workflows(self.slot.database).get(self.workflow)
        waits = state.detailed_state == "awaiting_review" and state.due_at is None
        return state.outcome is not None or (waits and self.context.route == "waits")


def context_of(order: Json) -> Context:
    """The context that an order names."""
    return next(one for one in CONTEXTS if one.name == order["context"])

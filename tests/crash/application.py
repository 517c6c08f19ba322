"""Ring 2: the whole bot on a recorded incident, struck at the same boundaries; recovery is its own sweep."""

import asyncio
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sre_bot.lab.client import LabProcess
from sre_bot.lab.reviewer import Act, review
from sre_bot.persistence.database import Database
from sre_bot.persistence.migrations import migrate
from sre_bot.persistence.replay import verify
from sre_bot.persistence.scratch import scratch_database
from sre_bot.persistence.workflows import Workflows
from tests.crash.calls import CallLine
from tests.crash.children import Child, Nursery
from tests.crash.oracle import Finding
from tests.crash.plans import Plan
from tests.crash.postgres import Server
from tests.crash.serving import PACE
from tests.crash.strikes import Meeting

Json = dict[str, Any]
INCIDENTS = Path(__file__).parents[2] / "evals" / "incidents"
CALLED = ("JIRA_URL", "ARGOCD_URL")
"""Not GitHub: the bot clones only from the host that it knows; there, the commits around a call are struck."""
PATIENCE = 120.0
MOST_BOTS = 8


@dataclass(slots=True)
class Application:
    """One lab, one database, and as many bots after each other as it takes."""

    server: Server
    nursery: Nursery
    lab: LabProcess
    url: str
    database: Database
    data: Path
    meeting: Meeting
    children: list[Child] = field(default_factory=list[Child])
    lines: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def to_the_end(self, plan: Plan | None) -> bool:
        """Serve, with a new bot for each that died, until the ticket's workflow has ended; whether it has."""
        reviewing = asyncio.create_task(self._reviewed())
        deadline = time.monotonic() + PATIENCE
        try:
            child = await self._bot(plan)
            while time.monotonic() < deadline and len(self.children) < MOST_BOTS and not await self._ended():
                if child.ended.is_set():
                    child = await self._bot(plan)
                await asyncio.sleep(0.05)
            await self._let_go_or_die(child)
        finally:
            reviewing.cancel()
            await asyncio.gather(reviewing, return_exceptions=True)
        return await self._ended()

    async def judged(self, *, ended: bool) -> Finding:
        """The oracle, asked of the record and of the lab."""
        (state,) = await Workflows(self.database).recent()
        wrong = list(await verify(self.database, state.workflow_id))
        if not ended or state.outcome != "resolved":
            wrong.append(f"O1 it stands at {state.detailed_state}, outcome {state.outcome}")
        effects = await self._rows(b"select name, round, status from effects order by 1, 2")
        unknown = sum(effect["status"] == "unknown" for effect in effects)
        wrong += [f"O2 effect {one['name']} is {one['status']}" for one in effects if one["status"] != "done"]
        wrong += [f"O5 {row['resource']} is still locked" for row in await self._rows(b"select * from resource_locks")]
        tickets = await self._rows(b"select count(*) as n from workflow_states")
        wrong += [f"O6 {tickets[0]['n']} workflows for one ticket"] if tickets[0]["n"] != 1 else []
        made = objects(await self.lab.control.state())
        return Finding(sum(made.values()) - len(made), len(_EXPECTED - set(made)), unknown, tuple(wrong))

    async def _let_go_or_die(self, child: Child) -> None:
        """Give the last bot a moment for its last writes, then end it."""
        for _ in range(40):
            if not await self._rows(b"select 1 from leases where owner <> '' and expires_at > clock_timestamp()"):
                break
            await asyncio.sleep(0.05)
        await child.signal(signal.SIGKILL)
        await child.ended.wait()

    async def _bot(self, plan: Plan | None) -> Child:
        child = Child(self.nursery.next_number(), plan.gate(lambda one: self._strike(plan, one)) if plan else None)
        self.children.append(child)
        environment = dict(self.lab.environment)
        for name in CALLED:
            if name in environment:
                environment[name] = await self._called_through(child, environment[name])
        job = {"environment": environment, "data": str(self.data)}
        await self.nursery.bear(job, lambda port: _at_port(self.url, port), child)
        return child

    async def _strike(self, plan: Plan, child: Child) -> bool:
        fault = plan.next_fault()
        if fault == "kill":
            await child.signal(signal.SIGKILL)
        elif fault == "restart":
            await self.meeting.arrive()
        return False

    async def _called_through(self, child: Child, url: str) -> str:
        """The address of a line to a service of the lab, for one bot."""
        parts = urlsplit(url)
        target = (str(parts.hostname), int(parts.port or 80))

        def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(CallLine(child).serve(reader, writer, target))
            self.lines.add(task)
            task.add_done_callback(self.lines.discard)

        listening = await asyncio.start_server(connect, "127.0.0.1", 0)
        return urlunsplit(parts._replace(netloc=f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"))

    async def _reviewed(self) -> None:
        async for _ in review(self.lab.control, (Act("approve"),)):
            pass

    async def _ended(self) -> bool:
        return bool(await self._rows(b"select 1 from workflow_states where outcome is not null"))

    async def _rows(self, statement: bytes) -> list[Json]:
        async def work(connection: Any) -> list[Json]:
            return await (await connection.execute(statement)).fetchall()

        return await self.database.attempt(work)


@dataclass(frozen=True, slots=True)
class Stage:
    """What the scenarios of a lane share: its Postgres and where its bots come from."""

    server: Server
    nursery: Nursery

    async def census(self, order: Json) -> Json:
        """Run an incident without a fault; the points that the bot passes."""
        async with self._staged(order["incident"], Meeting(self.server, 1)) as application:
            ended = await application.to_the_end(None)
            passed = [point for child in application.children for point in child.passed]
            return {"passed": passed, **asdict(await application.judged(ended=ended))}

    async def run(self, scenario: Json) -> Json:
        """One scenario: a fault at a boundary, recovery, the oracle."""
        return await self._run(scenario, Meeting(self.server, 1))

    async def run_together(self, order: Json) -> Json:
        """Scenarios that share one restart of the server; nothing else may run in the lane meanwhile."""
        meeting = Meeting(self.server, len(order["scenarios"]))
        together = [self._run(scenario, meeting) for scenario in order["scenarios"]]
        return {"answers": await asyncio.gather(*together)}

    async def _run(self, scenario: Json, meeting: Meeting) -> Json:
        started = time.monotonic()
        plan = Plan(scenario["boundary"], scenario["point"], scenario["fault"], random.Random(scenario["seed"]))
        async with self._staged(scenario["incident"], meeting) as application:
            try:
                ended = await application.to_the_end(plan)
            finally:
                if plan.is_awaited:
                    meeting.leave()
            finding = asdict(await application.judged(ended=ended))
        told = {"struck": bool(plan.strikes), "kills": plan.kills, "recovery": plan.recovery}
        return {**scenario, **finding, **told, "seconds": time.monotonic() - started}

    @asynccontextmanager
    async def _staged(self, incident: str, meeting: Meeting) -> AsyncGenerator[Application]:
        async with AsyncExitStack() as stack:
            data = stack.enter_context(tempfile.TemporaryDirectory(prefix="sre-bot-crash-"))
            url = await stack.enter_async_context(scratch_database(self.server.url()))
            await migrate(url)
            lab = await stack.enter_async_context(await LabProcess.start(INCIDENTS / incident, speed=PACE.speed))
            database = await stack.enter_async_context(Database.open(url, max_size=2))
            yield Application(self.server, self.nursery, lab, url, database, Path(data), meeting)


def objects(world: Json) -> Counter[str]:
    """What the bot has made in the lab, and how often."""
    comments = [body for ticket in world["tickets"] for body in ticket["comments"]]
    made = Counter(f"comment {body}" for body in comments)
    made.update("pull request" for _ in world["pull_requests"])
    made.update("merge" for pull in world["pull_requests"] if pull["merged"])
    return made


_EXPECTED = {"pull request", "merge"}


def _at_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}"))

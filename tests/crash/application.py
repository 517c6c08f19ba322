"""Ring 2: the whole bot on recorded incidents, struck at the same boundaries; recovery is its own sweep."""

import asyncio
import random
import signal
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sre_bot.lab.client import LabProcess
from sre_bot.lab.reviewer import Act, review
from sre_bot.persistence.database import Database
from sre_bot.persistence.migrations import migrate
from sre_bot.persistence.scratch import scratch_database
from tests.crash.calls import CallLine
from tests.crash.children import Child, Nursery
from tests.crash.endings import Judge, amounts, late, rows
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
WATCHED = 1.0
"""Seconds that a bot which was frozen is watched for after it has come to itself."""

_LEASED = b"select 1 from leases where owner <> '' and expires_at > clock_timestamp()"
_BEATS = b"select 1 from worker_heartbeats where owner like %s and beat_at > clock_timestamp() - interval '1 second'"


@dataclass(slots=True)
class Application:
    """One lab, one database, and as many bots after each other as it takes."""

    server: Server
    nursery: Nursery
    lab: LabProcess
    incident: str
    url: str
    database: Database
    data: Path
    meeting: Meeting
    children: list[Child] = field(default_factory=list[Child])
    lines: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    pausing: set[asyncio.Task[bool]] = field(default_factory=set[asyncio.Task[bool]])

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
            if plan and plan.fault == "pause" and plan.strikes:
                await self._watch_the_woken(plan)
            await self._let_go_or_die()
        finally:
            reviewing.cancel()
            await asyncio.gather(reviewing, return_exceptions=True)
        return await self._ended()

    async def judged(self, expected: Json | None) -> Finding:
        """The oracle, asked of the record and of the lab, and asked again after another recovery."""
        judge, world = Judge(self.database), await self.lab.control.state()
        finding = await judge.judge(self.incident, world, expected)
        before = await judge.fingerprint(world)
        said = await self._recover_again()
        wrong = [] if said == ["recovered 0"] else [f"O8 another recovery said {said}"]
        if await judge.fingerprint(await self.lab.control.state()) != before:
            wrong.append("O8 another recovery changed something")
        return replace(finding, disagreements=(*finding.disagreements, *wrong))

    async def made(self) -> Json:
        """How much the bot has made in the lab."""
        return amounts(await self.lab.control.state())

    async def _recover_again(self) -> list[str]:
        """Let one more bot recover what there is and leave; what it says."""
        child = Child(self.nursery.next_number())
        job = {"do": "recover", "environment": self.lab.environment, "data": str(self.data)}
        await self.nursery.bear(job, lambda port: _at_port(self.url, port), child)
        await asyncio.wait_for(child.ended.wait(), PATIENCE)
        for _ in range(100):  # its last words may come after its end
            if child.said:
                break
            await asyncio.sleep(0.05)
        return child.said

    async def _let_go_or_die(self) -> None:
        """Give the last bot a moment for its last writes, then end all that live."""
        for _ in range(40):
            if not await rows(self.database, _LEASED):
                break
            await asyncio.sleep(0.05)
        for child in self.children:
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
        elif fault == "pause":
            pausing = asyncio.create_task(self._paused(plan, child))
            self.pausing.add(pausing)
            return plan.point == "received" or await pausing
        return False

    async def _paused(self, plan: Plan, child: Child) -> bool:
        """Freeze a bot, let another do all there is to do, and thaw it; its line holds."""
        await child.signal(signal.SIGSTOP)
        while await rows(self.database, _LEASED):  # the lease of a sleeper ends by itself
            await asyncio.sleep(0.05)
        relief = await self._bot(plan)
        while not relief.ended.is_set() and not await self._ended():
            await asyncio.sleep(0.05)
        await child.signal(signal.SIGCONT)
        return True

    async def _watch_the_woken(self, plan: Plan) -> None:
        """Let a bot that was frozen come to itself, and do whatever it still would."""
        await asyncio.gather(*self.pausing)
        (woken,) = [child for child in self.children if child.number in plan.struck]
        beats = f"%:{await woken.pid}"
        for _ in range(200):
            if woken.ended.is_set() or await rows(self.database, _BEATS, beats):
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(WATCHED)  # that nothing more comes can only be seen by waiting

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
        return bool(await rows(self.database, b"select 1 from workflow_states where outcome is not null"))


@dataclass(frozen=True, slots=True)
class Stage:
    """What the scenarios of a lane share: its Postgres and where its bots come from."""

    server: Server
    nursery: Nursery

    async def census(self, order: Json) -> Json:
        """Run an incident without a fault; the points that the bot passes."""
        async with self._staged(order["incident"], Meeting(self.server, 1)) as application:
            await application.to_the_end(None)
            passed = [point for child in application.children for point in child.passed]
            finding, made = await application.judged(None), await application.made()
            return {"incident": order["incident"], "passed": passed, "made": made, **asdict(finding)}

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
                await application.to_the_end(plan)
            finally:
                if plan.is_awaited:
                    meeting.leave()
            told = {"struck": bool(plan.strikes), "kills": plan.kills, "recovery": plan.recovery}
            resumed = plan.resumed
            finding = await application.judged(scenario["expected"])
        wrong = (*finding.disagreements, *late(resumed, told["recovery"]))
        finding = asdict(replace(finding, disagreements=wrong))
        return {**scenario, **finding, **told, "resumed": resumed, "seconds": time.monotonic() - started}

    @asynccontextmanager
    async def _staged(self, incident: str, meeting: Meeting) -> AsyncGenerator[Application]:
        async with AsyncExitStack() as stack:
            data = stack.enter_context(tempfile.TemporaryDirectory(prefix="sre-bot-crash-"))
            url = await stack.enter_async_context(scratch_database(self.server.url()))
            await migrate(url)
            lab = await stack.enter_async_context(await LabProcess.start(INCIDENTS / incident, speed=PACE.speed))
            database = await stack.enter_async_context(Database.open(url, max_size=2))
            yield Application(self.server, self.nursery, lab, incident, url, database, Path(data), meeting)


def _at_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}"))

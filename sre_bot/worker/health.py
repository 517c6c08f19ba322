"""Whether the bot is ready for work, and every reason why it is not."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

from psycopg import OperationalError

from sre_bot.domain.errors import SreBotError
from sre_bot.persistence.heartbeats import Heartbeats, Worker
from sre_bot.persistence.hot.rounds import RoundBook, Rounds
from sre_bot.persistence.migrations import pending
from sre_bot.persistence.operator import OperatorRequests
from sre_bot.persistence.quarantine import Quarantines

PATIENCE = 5.0
"""Seconds that the database gets to answer."""

GRACE = timedelta(seconds=30)
"""How long after its lease a dead runner's workflow may wait to be taken up."""

Level = Literal["ok", "noted", "bad"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that was looked at: ``bad`` keeps the bot from its work, ``noted`` asks for a person's eye."""

    name: str
    level: Level
    said: str


@dataclass(frozen=True, slots=True)
class Health:
    """All reasons; ready when none is bad."""

    reasons: tuple[Reason, ...]

    @property
    def ready(self) -> bool:
        """Whether nothing keeps the bot from its work."""
        return all(reason.level != "bad" for reason in self.reasons)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"ready": self.ready, "reasons": [asdict(reason) for reason in self.reasons]}


@dataclass(frozen=True, slots=True)
class Examination:
    """Looks at the record, and at no other service: what those did last is written there."""

    heartbeats: Heartbeats
    requests: OperatorRequests
    quarantines: Quarantines
    rounds: RoundBook

    async def health(self, owner: str = "") -> Health:
        """How the bot is doing, or the one worker ``owner`` of it. Answers whatever is wrong."""
        looks: Sequence[Callable[[str], Awaitable[Reason]]] = (
            self._migrations,
            self._heartbeat,
            self._recovery,
            self._paused,
            self._services,
            self._quarantined,
            self._redis,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                await self.heartbeats.database.now()
                reasons = [await look(owner) for look in looks]
        except (TimeoutError, OperationalError) as error:
            return Health((Reason("database", "bad", f"out of reach: {str(error) or 'no answer'}"),))
        return Health((Reason("database", "ok", "answers"), *reasons))

    async def _migrations(self, _: str) -> Reason:
        try:
            waiting = await pending(self.heartbeats.database.url)
        except SreBotError as error:
            return Reason("migrations", "bad", str(error))
        if waiting:
            return Reason("migrations", "bad", f"pending: {', '.join(waiting)}; `sre-bot migrate` applies them")
        return Reason("migrations", "ok", "up to date")

    async def _heartbeat(self, owner: str) -> Reason:
        workers = [worker for worker in await self.heartbeats.workers() if owner in ("", worker.owner)]
        alive = [worker.owner for worker in workers if worker.alive]
        silent = ", ".join(_silence(worker) for worker in workers if not worker.alive)
        if not alive:
            return Reason("heartbeat", "bad", silent or "no worker runs; `sre-bot serve` starts one")
        if silent:
            return Reason("heartbeat", "noted", f"alive: {', '.join(alive)}; {silent}")
        return Reason("heartbeat", "ok", f"alive: {', '.join(alive)}")

    async def _recovery(self, _: str) -> Reason:
        found = await self.heartbeats.abandoned(GRACE)
        if found:
            tickets = ", ".join(row["ticket_id"] for row in found)
            return Reason("recovery", "bad", f"nobody took up what a dead runner left: {tickets}; `sre-bot recover`")
        return Reason("recovery", "ok", "nothing is left behind")

    async def _paused(self, _: str) -> Reason:
        pauses = await self.requests.pauses()
        said = ", ".join(f"{pause['repository'] or 'everything'} by {pause['asked_by']}" for pause in pauses)
        if any(pause["repository"] is None for pause in pauses):
            return Reason("paused", "bad", said)
        return Reason("paused", "noted" if pauses else "ok", said or "nothing is")

    async def _services(self, owner: str) -> Reason:
        workers = [worker for worker in await self.heartbeats.workers() if worker.alive and owner in ("", worker.owner)]
        troubles = [said for worker in workers for said in worker.troubles.values()]
        troubles += [f"{row['message']} ({row['ticket_id']})" for row in await self.heartbeats.waiting_for_services()]
        said = "; ".join(dict.fromkeys(troubles))
        return Reason("services", "bad" if troubles else "ok", said or "answered when last asked")

    async def _quarantined(self, _: str) -> Reason:
        found = await self.quarantines.in_force()
        if not found:
            return Reason("quarantined", "ok", "0 workflows")
        which = ", ".join(quarantine.workflow_id for quarantine in found)
        return Reason("quarantined", "noted", f"{len(found)} workflows wait for a person: {which}")

    async def _redis(self, _: str) -> Reason:
        """Never bad: nothing needs it."""
        found = await self.rounds.latest()
        in_trouble = any(one.trouble for one in found)
        said = "; ".join(_kept_in_step(one) for one in found)
        return Reason("redis", "noted" if in_trouble else "ok", said or "not in use")


def _kept_in_step(rounds: Rounds) -> str:
    if rounds.trouble and rounds.trouble_since:
        away = (rounds.now - rounds.trouble_since).total_seconds()
        return f"away for {away:.0f} s and nothing needs it: {rounds.trouble}"
    if rounds.ended_at is None:
        return "being compared for the first time"
    repaired = ", ".join(f"{count} {kind}" for kind, count in sorted(rounds.repaired.items()) if count)
    ago = (rounds.now - rounds.ended_at).total_seconds()
    return f"compared {ago:.0f} s ago; put right so far: {repaired or 'nothing'}"


def _silence(worker: Worker) -> str:
    return f"{worker.owner} has been silent for {(worker.now - worker.beat_at).total_seconds():.0f} s"

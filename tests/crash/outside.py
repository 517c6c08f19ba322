"""The outside world of ring 1: a service that performs, can be searched, logs every request, and fails on demand."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sre_bot.domain.errors import Reason, ServiceError

Json = dict[str, Any]
Mishap = Literal["", "unavailable", "storm", "busy", "refused", "cut", "performed in silence", "truncated", "slow"]
STATUS: dict[Mishap, int] = {"unavailable": 503, "storm": 503, "busy": 429, "refused": 400}
LENGTH: dict[Mishap, int] = {"storm": 3, "refused": 1_000}
"""How many calls a mishap befalls, if not one."""

RETRY_AFTER = 90.0
"""Seconds that a busy service asks for."""

NEVER_UNIQUE = ("comment", "page")
"""Of these a target makes as many as it is asked for."""


class Worker(Protocol):
    """What the recorder asks of a worker: whether to go on at a point, and when its lease was renewed."""

    renewed: asyncio.Event
    ended: asyncio.Event

    async def reached(self, name: str, point: str) -> bool:
        """False: the line is cut there."""
        ...


@dataclass(slots=True)
class SlowCall:
    """A call that takes its time: until its worker has renewed its lease or has ended, or somebody looks for it.

    By the time that another worker has the workflow, a lease has run out, and a target has done what it was asked for
    or never will. What takes longer than that, nothing but a target that knows its own objects could do once.
    """

    looked_for: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Recorder:
    """Serves workers by number; each is asked before and after its call is carried out."""

    workers: dict[str, Worker] = field(default_factory=dict[str, Worker])
    log: list[Json] = field(default_factory=list[Json])
    performed: dict[str, Json] = field(default_factory=dict[str, Json])
    mishap: tuple[str, Mishap] = ("", "")
    befallen: int = 0
    slow: dict[str, SlowCall] = field(default_factory=dict[str, SlowCall])
    struck: str = ""
    """The effect whose next call is answered with a 503, whatever else may befall it."""

    unique: bool = False
    """Whether targets that know their own objects are asked to: a second branch of one name is not a second branch."""

    def made(self, workflow_id: str) -> Counter[str]:
        """How often each effect of a workflow was carried out, by name and round."""
        return Counter(one["key"] for one in self.log if one["workflow"] == workflow_id and one["performed"])

    def forget(self) -> None:
        """Begin a new scenario."""
        self.workers.clear()
        self.log.clear()
        self.performed.clear()
        self.slow.clear()
        self.mishap, self.befallen, self.struck, self.unique = ("", ""), 0, "", False

    def befalls(self, effect: str, mishap: Mishap) -> None:
        """Let the next calls of an effect go wrong."""
        self.mishap, self.befallen = (effect, mishap), 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, a line of JSON with a line of JSON, or cut the line."""
        try:
            if line := await reader.readline():
                answer = await self._answer(json.loads(line))
                if answer is not None:
                    said = json.dumps(answer).encode() + b"\n"
                    writer.write(said[: len(said) // 2] if answer.get("torn") else said)
                    await writer.drain()
        finally:
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _answer(self, asked: Json) -> Json | None:
        key = f"{asked['workflow']} {asked['effect']} {asked['round']}"
        if asked["method"] == "look":
            if slow := self.slow.get(key):
                slow.looked_for.set()
                await slow.done.wait()
            return {"status": 200, "found": self.performed.get(key)}
        worker = self.workers[asked["worker"]]
        name = f"effect {asked['effect']}: call"
        entry = {**asked, "key": key, "performed": False}
        self.log.append(entry)
        if not await worker.reached(name, "received"):
            return None
        mishap = self._mishap(asked["effect"])
        if mishap in STATUS:
            return {"status": STATUS[mishap], "retry_after": RETRY_AFTER if mishap == "busy" else None}
        if mishap == "cut":
            return None
        if mishap == "slow":
            slow = self.slow[key] = SlowCall()
            await _first(worker.renewed, worker.ended, slow.looked_for)
            mishap = ""
        there = self.unique and key in self.performed and not asked["effect"].startswith(NEVER_UNIQUE)
        if not there:
            entry["performed"] = True
            self.performed[key] = {"number": len(self.log)}
        if slow := self.slow.get(key):
            slow.done.set()
        if not await worker.reached(name, "performed") or mishap == "performed in silence":
            return None
        return {"status": 200, "result": self.performed[key], "torn": mishap == "truncated"}

    def _mishap(self, effect: str) -> Mishap:
        if effect == self.struck:
            self.struck = ""
            return "unavailable"
        wanted, mishap = self.mishap
        if wanted != effect:
            return ""
        self.befallen += 1
        return mishap if self.befallen <= LENGTH.get(mishap, 1) else ""


async def _first(*events: asyncio.Event) -> None:
    tasks = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


@dataclass(frozen=True, slots=True)
class Caller:
    """The worker's client. Raises ``ServiceError`` as a tool does."""

    port: int
    worker: str

    async def act(self, asked: Json) -> Json:
        """Have something carried out."""
        return (await self._ask("act", asked))["result"]

    async def look(self, asked: Json) -> Json | None:
        """What was carried out under that key, if anything."""
        return (await self._ask("look", asked))["found"]

    async def _ask(self, method: str, asked: Json) -> Json:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(json.dumps({**asked, "method": method, "worker": self.worker}).encode() + b"\n")
            line = await reader.readline()
        except OSError as error:
            raise ServiceError(str(error), reason=Reason.UNAVAILABLE) from error
        finally:
            writer.close()
        if not line:
            raise ServiceError("the line was cut", reason=Reason.UNAVAILABLE)
        if not line.endswith(b"\n"):
            raise ServiceError("the answer was torn", reason=Reason.BAD_ANSWER)
        answer: Json = json.loads(line)
        if answer["status"] != 200:
            raise ServiceError.from_status(answer["status"], "refused", answer["retry_after"])
        return answer

"""Saving together what several runs want saved at the same moment: one statement, one commit.

A run that saves alone waits for nobody. What arrives meanwhile leaves together as soon as a lane is free, so that runs
that are many share the way to the server, the call and the disk. What would keep the others waiting does not travel
with them: a call that is large, a workflow that somebody else has locked, and what the database cannot carry out.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self, TypeVar

import orjson
from psycopg import AsyncConnection, Error

from sre_bot.persistence.exchange import exchange
from sre_bot.persistence.statements import sql

LANES = 2
"""Statements that are on their way at the same time."""

LONGEST = 16
"""Calls in one statement."""

LARGE = 64 * 1024
"""Bytes from which on a call goes alone."""

Connection = AsyncConnection[dict[str, Any]]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Call:
    """A checkpoint on its way: the arguments of ``save_checkpoint`` as a JSON object, and its large values."""

    arguments: bytes
    large: bytes

    @property
    def is_large(self) -> bool:
        """Whether it would keep others waiting."""
        return len(self.arguments) + len(self.large) >= LARGE


@dataclass(frozen=True, slots=True)
class Saved:
    """The answer: ``version`` is None where nothing was saved, ``known`` where an earlier try had saved it."""

    known: bool
    version: int | None
    deadline: datetime | None

    @classmethod
    def of(cls, answer: Sequence[Any]) -> Self | None:
        """The answer as the database writes it; None where a workflow was passed over."""
        known, version, deadline = answer
        return None if known is None else cls(known, version, datetime.fromisoformat(deadline) if deadline else None)


Answers = list[Saved | None]


class Lend(Protocol):
    """Lends a connection for one statement, which is sent again when the connection was lost."""

    async def __call__(self, work: Callable[[Connection], Awaitable[Result]], /) -> Result:
        """What ``work`` makes of the connection."""
        ...


async def carry(connection: Connection, calls: Sequence[Call], *, patient: bool = True) -> Answers:
    """Carry out some calls in one statement. Whoever is not patient passes over a workflow that is locked: None."""
    batch = b"[" + b",".join(call.arguments for call in calls) + b"]"
    values = (batch.decode(), b"".join(call.large for call in calls), "true" if patient else "false")
    said = await exchange(connection, sql("checkpoints.save"), values)
    return [Saved.of(answer) for answer in orjson.loads(said)]


@dataclass(frozen=True, slots=True)
class _Waiting:
    call: Call
    answer: asyncio.Future[Saved | None]


class Convoys:
    """The calls of all runs of a process, on their way to one database."""

    def __init__(self, lend: Lend) -> None:
        self._lend = lend
        self._under_way = 0
        self._waiting = deque[_Waiting]()
        self._convoys = set[asyncio.Task[None]]()

    async def save(self, call: Call) -> Saved:
        """Carry out one call. Raises what the database raises."""
        saved = None if call.is_large else await self._in_lane(call)
        if saved is None:
            (saved,) = await self._send([call], patient=True)
        assert saved is not None
        return saved

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        await asyncio.gather(*self._convoys, return_exceptions=True)

    async def _in_lane(self, call: Call) -> Saved | None:
        """The answer to a call that may travel with others; None when it has to go alone."""
        if self._waiting or self._under_way >= LANES:
            waiting = _Waiting(call, asyncio.get_running_loop().create_future())
            self._waiting.append(waiting)
            return await waiting.answer
        self._under_way += 1
        try:
            return (await self._send([call], patient=False))[0]
        finally:
            self._under_way -= 1
            self._set_off()

    def _set_off(self) -> None:
        if self._waiting and self._under_way < LANES:
            self._under_way += 1
            convoy = asyncio.create_task(self._convoy())
            self._convoys.add(convoy)
            convoy.add_done_callback(self._convoys.discard)

    async def _convoy(self) -> None:
        """Carry what waits, until nothing does."""
        try:
            while together := self._next():
                await self._travel(together)
        finally:
            self._under_way -= 1
            self._set_off()

    def _next(self) -> list[_Waiting]:
        """Those that travel next, without those whose run was cancelled meanwhile."""
        together: list[_Waiting] = []
        while self._waiting and len(together) < LONGEST:
            one = self._waiting.popleft()
            if not one.answer.done():
                together.append(one)
        return together

    async def _travel(self, together: Sequence[_Waiting]) -> None:
        answers: Answers = [None for _ in together]
        try:
            answers = await self._answers(together)
        finally:
            for one, answer in zip(together, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)

    async def _answers(self, together: Sequence[_Waiting]) -> Answers:
        """The answers to some calls; where the statement fails, each has to go alone."""
        try:
            return await self._send([one.call for one in together], patient=False)
        except Error:
            return [None for _ in together]

    async def _send(self, calls: Sequence[Call], *, patient: bool) -> Answers:
        return await self._lend(lambda connection: carry(connection, calls, patient=patient))

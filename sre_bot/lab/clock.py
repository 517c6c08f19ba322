"""The incident's clock, which the lab's servers show in their ``Date`` headers."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime


@dataclass(slots=True)
class Clock:
    """Starts at the incident's ``now``, runs ``speed`` times as fast as ours, and can be put forward."""

    start: datetime
    speed: float = 1.0
    _ahead: timedelta = timedelta()
    _zero: float = field(default_factory=time.monotonic)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> datetime:
        """The incident's time, aware, in UTC."""
        return self.start + self._ahead + timedelta(seconds=(time.monotonic() - self._zero) * self.speed)

    def stamp(self) -> str:
        """The time as Kubernetes, Argo CD and GitHub print it: RFC 3339 in whole seconds with ``Z``."""
        return stamp(self.now())

    def http_date(self) -> str:
        """The time as a ``Date`` header (RFC 9110, IMF-fixdate)."""
        return format_datetime(self.now(), usegmt=True)

    def advance(self, seconds: float) -> None:
        """Put the clock forward by incident seconds; sleepers whose time has come wake up."""
        self._ahead += timedelta(seconds=seconds)
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait until that many of the incident's seconds have passed."""
        due = self.now() + timedelta(seconds=seconds)
        while (left := (due - self.now()).total_seconds()) > 0:
            try:
                await asyncio.wait_for(self._moved.wait(), left / self.speed)
            except TimeoutError:
                continue


def stamp(moment: datetime) -> str:
    """An aware moment as Kubernetes prints it: in UTC, whole seconds, with ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""The incident's clock, which the lab's servers show in their ``Date`` headers."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """Starts at the incident's ``now`` and runs ``speed`` times as fast as ours."""

    start: datetime
    speed: float = 1.0
    _zero: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """The incident's time, aware, in UTC."""
        return self.start + timedelta(seconds=(time.monotonic() - self._zero) * self.speed)

    def stamp(self) -> str:
        """The time as Kubernetes, Argo CD and GitHub print it: RFC 3339 in whole seconds with ``Z``."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def http_date(self) -> str:
        """The time as a ``Date`` header (RFC 9110, IMF-fixdate)."""
        return format_datetime(self.now(), usegmt=True)

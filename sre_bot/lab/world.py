"""Everything the lab's servers share: one incident, its clock, and the state of the five systems."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sre_bot.lab.clock import Clock
from sre_bot.lab.cluster import Cluster
from sre_bot.lab.recording import Recording
from sre_bot.lab.wire import Fault, RequestLog, Service

if TYPE_CHECKING:
    from sre_bot.lab.delivery import Delivery
    from sre_bot.lab.hub import Hub
    from sre_bot.lab.tickets import Tickets

BOT_ACCOUNT = "sre-bot"
READY_FILE = "lab.json"
"""Stands in the lab's data directory once it serves, and holds what ``client.LabAddress`` reads."""

REQUESTS_FILE = "requests.jsonl"
"""Every request, one JSON object a line."""


@dataclass(slots=True)
class World:
    """One incident as a set of living systems.

    ``data`` is the lab's private directory; ``urls`` is filled as soon as the ports are known, before any request;
    ``token`` is the one secret that all services accept, ``control_token`` the one that plays the people. ``forbidden``
    names Kubernetes resources that the bot may not read, as pairs of group and plural ("" and "nodes"). ``tickets``,
    ``hub`` and ``delivery`` are set by ``server.build_world`` before anything is served.
    """

    recording: Recording
    clock: Clock
    cluster: Cluster
    log: RequestLog
    data: Path
    cloud: bool = False
    faults: list[Fault] = field(default_factory=list[Fault])
    urls: dict[Service, str] = field(default_factory=dict[Service, str])
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    control_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    bot_account: str = BOT_ACCOUNT
    forbidden: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    tickets: "Tickets" = field(init=False)
    hub: "Hub" = field(init=False)
    delivery: "Delivery" = field(init=False)

    @classmethod
    def of(cls, recording: Recording, data: Path, *, speed: float = 1.0, cloud: bool = False) -> "World":
        """The world at the moment of the recording. ``data`` must exist and be private (mode 0700)."""
        clock, data = Clock(recording.now, speed), data.absolute()
        return cls(
            recording=recording,
            clock=clock,
            cluster=Cluster.of(recording, clock),
            log=RequestLog(data / REQUESTS_FILE),
            data=data,
            cloud=cloud,
        )

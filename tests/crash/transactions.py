"""Telling from the statements on the wire which transaction of the record a worker is in.

A transaction gets its name from the first of its statements that writes something which only that kind writes. No
product code knows of these names.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sre_bot.domain.states import DetailedState, Position

Parameters = Sequence[bytes | None]

_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
_EFFECT_STEPS = {"'started'": "start", "'intended'": "not performed", "'done'": "result", "'unknown'": "unknown"}
_STATES = frozenset(map(str, DetailedState))
_CHANNELS = {"__interrupt__": "interrupt", "__resume__": "resume", "__error__": "error"}


@dataclass(slots=True)
class Names:
    """The effects that one worker was seen to intend: their steps are told apart by key only."""

    effects: dict[str, str] = field(default_factory=dict[str, str])
    acting: str = ""
    """The effect whose call is on its way."""

    def of(self, statement: str, parameters: Parameters) -> str | None:
        """The name of the transaction that this statement gives away, if it does."""
        head = " ".join(_COMMENT.sub("", statement).split())[:200]
        for sign, name in _SIGNS:
            if sign.match(head.lower()):
                return name(self, head, [_text(value) for value in parameters])
        return None

    def saved_writes(self, _: str, parameters: list[str]) -> str:
        """What a node wrote before its step was complete, in one statement."""
        channel = parameters[8].strip("{}").partition(",")[0].strip('"')
        return _written(parameters[1], channel)

    def transition(self, _: str, parameters: list[str]) -> str:
        """``enter X``, ``end OUTCOME`` or ``retry due``."""
        return _step(parameters[4], parameters[6])

    def call(self, _: str, parameters: list[str]) -> str:
        """The first of the checkpoints that are saved by one statement."""
        call = json.loads(parameters[0])[0]
        return _checkpoint(call["namespace"], call["content"], call["about"])

    def checkpoint(self, _: str, parameters: list[str]) -> str:
        """A checkpoint that is saved as the stock saver does."""
        return _checkpoint(parameters[1], json.loads(parameters[4]), json.loads(parameters[5]))

    def writes(self, _: str, parameters: list[str]) -> str:
        """What a node wrote before its step was complete."""
        return _written(parameters[1], parameters[6])

    def intent(self, _: str, parameters: list[str]) -> str:
        """The first step of an effect."""
        self.effects[parameters[0]] = parameters[2]
        return f"effect {parameters[2]}: intent"

    def effect_step(self, head: str, parameters: list[str]) -> str:
        """A later step of an effect."""
        effect = next(self.effects[value] for value in parameters if value in self.effects)
        step = next(name for status, name in _EFFECT_STEPS.items() if f"set status = {status}" in head)
        self.acting = effect if step == "start" else ""
        return f"effect {effect}: {step}"

    def failure(self, _: str, parameters: list[str]) -> str:
        """A failure by its class."""
        return f"failure {parameters[2]}"


def _always(name: str | None) -> Callable[[Names, str, list[str]], str | None]:
    """The name of a kind of transaction that needs no look at its parameters."""

    def named(_names: Names, _head: str, _parameters: list[str]) -> str | None:
        return name

    return named


_BEGINNINGS = (
    (r"select save_checkpoints\(", Names.call),
    (r"select .* from save_writes\(", Names.saved_writes),
    ("insert into state_transitions", Names.transition),
    ("insert into checkpoints", Names.checkpoint),
    ("insert into checkpoint_writes", Names.writes),
    ("insert into effects", Names.intent),
    ("update effects set status = 'unknown', settled_at = clock_timestamp() where workflow_id", _always(None)),
    ("update effects", Names.effect_step),
    ("insert into workflow_errors", Names.failure),
    ("insert into leases", _always("claim")),
    ("update leases set expires_at", _always("renew")),
    ("update leases set owner = null", _always("release")),
    (r"insert into resource_locks \(resource, workflow_id\)", _always("lock")),
    ("delete from resource_locks where workflow_id", _always("unlock")),
    ("insert into workflow_wakes", _always("wake")),
    ("insert into workflow_states", _always("open")),
    ("insert into audit_by_hand", _always("audit by hand")),
)

_SIGNS = tuple((re.compile(beginning), name) for beginning, name in _BEGINNINGS)


def _checkpoint(namespace: str, checkpoint: dict[str, Any], about: dict[str, Any]) -> str:
    """What a checkpoint stands for follows from what it says of itself: the nodes that run next, or the end."""
    graph = namespace.partition(":")[0] or "root"
    if about["source"] == "input":
        return f"input of {graph}"
    following = sorted(filter(None, map(_scheduled, checkpoint.get("updated_channels") or [])))
    if following:
        return f"enter {following[0]}" if following[0] in _STATES else f"way into {following[0]}"
    return f"end {checkpoint['channel_values'].get('outcome')}" if graph == "root" else f"last of {graph}"


def _step(target: str, trigger: str) -> str:
    """``enter X``, ``end OUTCOME`` or ``retry due``."""
    if trigger == "retry_due":
        return "retry due"
    entered = Position.parse(target).detailed
    return f"enter {entered}" if entered else f"end {trigger}"


def _scheduled(channel: str) -> str:
    """The node that an updated channel lets run next, if it is such a channel."""
    return channel.rpartition(":")[2] if channel.startswith(("branch:to:", "join:")) else ""


def _written(namespace: str, channel: str) -> str:
    graph = namespace.partition(":")[0] or "root"
    return f"{_CHANNELS.get(channel, 'writes')} in {graph}"


def _text(value: bytes | None) -> str:
    """A parameter as text; binary jsonb has a version byte before it."""
    return "" if value is None else value.removeprefix(b"\x01").decode(errors="replace")

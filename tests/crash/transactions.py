"""Telling from the statements on the wire which transaction of the record a worker is in.

A transaction gets its name from the first of its statements that writes something which only that kind writes. No
product code knows of these names.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sre_bot.domain.states import Position

Parameters = Sequence[bytes | None]

_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
_EFFECT_STEPS = {"'started'": "start", "'intended'": "not performed", "'done'": "result", "'unknown'": "unknown"}
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
        for beginning, name in _BEGINNINGS:
            if head.lower().startswith(beginning):
                return name(self, head, [_text(value) for value in parameters])
        return None

    def transition(self, _: str, parameters: list[str]) -> str:
        """``enter X``, ``end OUTCOME`` or ``retry due``."""
        target, trigger = Position.parse(parameters[4]), parameters[6]
        if trigger == "retry_due":
            return "retry due"
        return f"enter {target.detailed}" if target.detailed else f"end {trigger}"

    def checkpoint(self, _: str, parameters: list[str]) -> str:
        """A checkpoint that takes no step of the law: an input, a way into a sub-state, the last of a sub-state."""
        graph = parameters[1].partition(":")[0] or "root"
        source = json.loads(parameters[5])["source"]
        if source == "input":
            return f"input of {graph}"
        updated: list[str] = json.loads(parameters[4]).get("updated_channels") or []
        entered = [name.removeprefix("branch:to:") for name in updated if name.startswith("branch:to:")]
        return f"way into {entered[0]}" if entered else f"last of {graph}"

    def writes(self, _: str, parameters: list[str]) -> str:
        """What a node wrote before its step was complete."""
        graph = parameters[1].partition(":")[0] or "root"
        return f"{_CHANNELS.get(parameters[6], 'writes')} in {graph}"

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
    ("insert into resource_locks (resource, workflow_id)", _always("lock")),
    ("delete from resource_locks where workflow_id", _always("unlock")),
    ("insert into workflow_wakes", _always("wake")),
    ("insert into workflow_states", _always("open")),
    ("insert into audit_by_hand", _always("audit by hand")),
)


def _text(value: bytes | None) -> str:
    """A parameter as text; binary jsonb has a version byte before it."""
    return "" if value is None else value.removeprefix(b"\x01").decode(errors="replace")

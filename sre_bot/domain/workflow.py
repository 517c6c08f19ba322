"""One workflow and its log, as values: what the record holds and what the public API returns."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sre_bot.domain.states import DetailedState, MainState, Outcome, Position, TicketProcessingSubState

Json = dict[str, Any]
Driver = Literal["graph", "external"]
Runner = Literal["worker", "server"]


@dataclass(frozen=True, slots=True)
class StateTransition:
    """One row of the log. ``from_state`` and ``to_state`` are written ``main:sub:detailed``."""

    from_state: str
    to_state: str
    timestamp: datetime
    trigger_event: str
    agent_id: str
    metadata: Json = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """The projection of one workflow: one row of ``workflow_states``. All times are aware and in UTC."""

    workflow_id: str
    ticket_id: str
    main_state: MainState
    sub_state: TicketProcessingSubState | None
    detailed_state: DetailedState | None
    context: Json
    created_at: datetime
    updated_at: datetime
    retry_count: int = 0
    max_retries: int = 3
    timeout_at: datetime | None = None
    escalated: bool = False
    version: int = 1
    active_states: tuple[DetailedState, ...] = ()
    outcome: Outcome | None = None
    driver: Driver = "graph"
    runner: Runner = "worker"
    due_at: datetime | None = None
    graph_version: str = ""
    entered_at: datetime | None = None

    @property
    def position(self) -> Position:
        """Where it stands."""
        return Position(self.main_state, self.sub_state, self.detailed_state)

    def is_expired(self, now: datetime) -> bool:
        """Whether the current sub-state's deadline has passed at ``now`` (the database's clock)."""
        return self.timeout_at is not None and now > self.timeout_at

    def can_retry(self) -> bool:
        """Whether the current state may be tried once more; never once a person has taken over, or after the end."""
        return self.retry_count < self.max_retries and not self.escalated and self.outcome is None

    def to_dict(self) -> Json:
        """Plain JSON values: enums by value, times in ISO 8601."""
        return {
            "workflow_id": self.workflow_id,
            "ticket_id": self.ticket_id,
            "main_state": self.main_state.value,
            "sub_state": self.sub_state.value if self.sub_state else None,
            "detailed_state": self.detailed_state.value if self.detailed_state else None,
            "context": self.context,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "retry_count": self.retry_count,
            "max_retries": self.max_retries,
            "timeout_at": self.timeout_at.isoformat() if self.timeout_at else None,
            "escalated": self.escalated,
            "version": self.version,
            "active_states": [state.value for state in self.active_states],
            "outcome": self.outcome.value if self.outcome else None,
            "driver": self.driver,
            "runner": self.runner,
            "due_at": self.due_at.isoformat() if self.due_at else None,
            "graph_version": self.graph_version,
            "entered_at": self.entered_at.isoformat() if self.entered_at else None,
        }

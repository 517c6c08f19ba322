"""The projected part of a workflow's row: what the log alone must be able to rebuild."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from sre_bot.domain.deadlines import deadline
from sre_bot.domain.merge_patch import Json, difference, without_nulls
from sre_bot.domain.states import DetailedState, MainState, Outcome, Position, TicketProcessingSubState
from sre_bot.persistence.database import Row

COLUMNS = (
    "main_state",
    "sub_state",
    "detailed_state",
    "active_states",
    "resume_states",
    "context",
    "retry_count",
    "max_retries",
    "timeout_at",
    "escalated",
    "outcome",
)


@dataclass(frozen=True, slots=True)
class Projection:
    """Where a workflow stands.

    ``active`` holds the states that run now (two between a fork and its join); ``resume`` holds, in error handling,
    those that a retry returns to, the failed one first.
    """

    position: Position
    active: tuple[DetailedState, ...]
    resume: tuple[DetailedState, ...]
    context: Json
    retry_count: int
    max_retries: int
    timeout_at: datetime | None
    escalated: bool
    outcome: Outcome | None

    @classmethod
    def of_row(cls, row: Row) -> Self:
        """The projection that a row of ``workflow_states`` holds."""
        return cls(
            position=position_of(row),
            active=_states(row["active_states"]),
            resume=_states(row["resume_states"]),
            context=row["context"],
            retry_count=row["retry_count"],
            max_retries=row["max_retries"],
            timeout_at=row["timeout_at"],
            escalated=row["escalated"],
            outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        )

    def columns(self) -> Row:
        """The values to write, by column."""
        return {
            "main_state": self.position.main.value,
            "sub_state": self.position.sub.value if self.position.sub else None,
            "detailed_state": self.position.detailed.value if self.position.detailed else None,
            "active_states": [state.value for state in self.active],
            "resume_states": [state.value for state in self.resume],
            "context": self.context,
            "retry_count": self.retry_count,
            "max_retries": self.max_retries,
            "timeout_at": self.timeout_at,
            "escalated": self.escalated,
            "outcome": self.outcome.value if self.outcome else None,
        }

    def as_json(self) -> Json:
        """The same as plain JSON without nulls: what the patches in the log are made of."""
        return without_nulls(_plain(self.columns()))

    def patch_to(self, after: "Projection") -> Json:
        """The smallest patch from this projection, as JSON, to the one after it."""
        before, now = self.columns(), after.columns()
        changed = [name for name in COLUMNS if before[name] != now[name] or name == "context"]
        return difference(
            without_nulls(_plain({name: before[name] for name in changed})),
            without_nulls(_plain({name: now[name] for name in changed})),
        )

    def at(self, position: Position, active: Iterable[DetailedState], now: datetime, **changes: Any) -> "Projection":
        """The projection after a step to ``position``, with the deadline that follows; ``changes`` are other fields."""
        moved = replace(
            self,
            position=position,
            active=tuple(sorted(active)),
            timeout_at=deadline(self.position, position, self.timeout_at, now),
        )
        return replace(moved, **changes)

    def with_context(self, updates: Json) -> "Projection":
        """The projection with the members of ``updates`` put into the context; a null removes a member."""
        if not updates:
            return self
        return replace(self, context=without_nulls({**self.context, **updates}))


def _plain(columns: Row) -> Row:
    """Columns with a moment as text."""
    moment: datetime | None = columns.get("timeout_at")
    return {**columns, "timeout_at": moment.astimezone(UTC).isoformat()} if moment else columns


def position_of(row: Row) -> Position:
    """The position that a row of ``workflow_states`` names."""
    return Position(
        MainState(row["main_state"]),
        TicketProcessingSubState(row["sub_state"]) if row["sub_state"] else None,
        DetailedState(row["detailed_state"]) if row["detailed_state"] else None,
    )


def _states(values: Iterable[str]) -> tuple[DetailedState, ...]:
    return tuple(DetailedState(value) for value in values)

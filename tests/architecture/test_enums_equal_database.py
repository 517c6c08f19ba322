"""The enums of the domain and the checks of the database say the same."""

import re
from enum import StrEnum
from typing import get_args

import psycopg
import pytest

from sre_bot.domain.errors import ErrorSeverity, ErrorType
from sre_bot.domain.states import DetailedState, MainState, Outcome, TicketProcessingSubState
from sre_bot.domain.workflow import Driver, Runner
from sre_bot.persistence.ignored import IgnoredKind
from sre_bot.persistence.operator import RequestKind

PAIRS: dict[str, type[StrEnum] | tuple[str, ...]] = {
    "workflow_states_main_state_known": MainState,
    "workflow_states_sub_state_known": TicketProcessingSubState,
    "workflow_states_detailed_state_known": DetailedState,
    "workflow_states_outcome_known": Outcome,
    "workflow_states_driver_known": get_args(Driver),
    "workflow_states_runner_known": get_args(Runner),
    "workflow_errors_type_known": ErrorType,
    "workflow_errors_severity_known": ErrorSeverity,
    "operator_requests_kind_known": get_args(RequestKind),
    "ignored_events_kind_known": get_args(IgnoredKind),
}


@pytest.mark.parametrize("constraint", PAIRS)
def test_a_check_of_the_database_lists_the_members_of_its_enum(constraint: str, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", (constraint,)
        ).fetchone()

    assert row is not None
    assert set(re.findall(r"'(\w+)'::", row[0])) == {str(member) for member in PAIRS[constraint]}


def test_every_check_on_a_known_list_is_compared(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(r"select conname from pg_constraint where conname like '%\_known'").fetchall()

    assert {name for (name,) in found} - {"effects_status_known"} == PAIRS.keys()

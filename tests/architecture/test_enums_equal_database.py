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
    "workflow_errors_type_known": ErrorType,
    "workflow_errors_severity_known": ErrorSeverity,
    "operator_requests_kind_known": get_args(RequestKind),
    "ignored_events_kind_known": get_args(IgnoredKind),
}
COLUMNS: dict[str, type[StrEnum] | tuple[str, ...]] = {
    "main_state": MainState,
    "sub_state": TicketProcessingSubState,
    "detailed_state": DetailedState,
    "outcome": Outcome,
    "driver": get_args(Driver),
    "runner": get_args(Runner),
}


@pytest.mark.parametrize("constraint", PAIRS)
def test_a_check_of_the_database_lists_the_members_of_its_enum(constraint: str, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", (constraint,)
        ).fetchone()

    assert row is not None
    assert set(re.findall(r"'(\w+)'::", row[0])) == {str(member) for member in PAIRS[constraint]}


def test_the_check_of_workflows_lists_the_members_of_each_enum(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("select prosrc from pg_proc where proname = 'is_known_workflow'").fetchone()

    assert row is not None
    lists: dict[str, str] = dict(re.findall(r"(\w+) in \(([^)]*)\)", row[0]))
    assert {column: set(re.findall(r"'(\w+)'", members)) for column, members in lists.items()} == {
        column: {str(member) for member in members} for column, members in COLUMNS.items()
    }


@pytest.mark.parametrize("column", COLUMNS)
def test_a_workflow_holds_no_value_that_its_enum_does_not_know(column: str, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert _is_known(connection, {})
        assert not _is_known(connection, {column: "unheard_of"})


def _is_known(connection: psycopg.Connection, changes: dict[str, str]) -> bool:
    row = {
        **dict.fromkeys(COLUMNS, None),
        **{"main_state": "system_idle", "driver": "graph", "runner": "worker", "version": 1},
        **changes,
    }
    statement = (
        "select is_known_workflow(%(main_state)s, %(sub_state)s, %(detailed_state)s, %(outcome)s, %(driver)s,"
        " %(runner)s, %(version)s) is not false"
    )
    found = connection.execute(statement, row).fetchone()
    return found is not None and found[0]


def test_every_check_on_a_known_list_is_compared(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(r"select conname from pg_constraint where conname like '%\_known'").fetchall()

    assert {name for (name,) in found} - {"effects_status_known"} == PAIRS.keys()

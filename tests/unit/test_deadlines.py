"""How long a workflow may stay where it is."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_bot.domain.deadlines import SUB_STATE_LIMITS, deadline
from sre_bot.domain.states import IDLE, LAW, DetailedState, MainState, Position, TicketProcessingSubState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EARLIER = NOW - timedelta(seconds=10)
D = DetailedState


def after(source: DetailedState, target: DetailedState) -> datetime | None:
    return deadline(Position.working(source), Position.working(target), EARLIER, NOW)


@pytest.mark.parametrize(
    ("source", "target", "limit"),
    [
        (D.TICKET_DETECTED, D.VALIDATING_TICKET, timedelta(seconds=30)),
        (D.TICKET_ACCEPTED, D.DATA_COLLECTION, timedelta(minutes=90)),
        (D.ANALYSIS_COMPLETE, D.FIX_GENERATION, timedelta(minutes=35)),
        (D.CHANGES_REQUESTED, D.FIX_GENERATION, timedelta(minutes=35)),
        (D.REMEDIATION_COMPLETE, D.AWAITING_REVIEW, timedelta(hours=24)),
        (D.TRIGGERING_DEPLOYMENT, D.AWAITING_REVIEW, timedelta(hours=24)),
        (D.REVIEW_IN_PROGRESS, D.APPROVED, timedelta(hours=4)),
        (D.APPROVED, D.TRIGGERING_DEPLOYMENT, timedelta(minutes=25)),
        (D.VALIDATION_IN_PROGRESS, D.DEPLOYMENT_COMPLETE, timedelta(minutes=2)),
    ],
)
def test_entering_a_sub_state_or_a_state_of_its_own_limit_sets_the_deadline(
    source: DetailedState, target: DetailedState, limit: timedelta
) -> None:
    assert after(source, target) == NOW + limit


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (D.DATA_COLLECTION, D.K8S_EVENT_ANALYSIS),
        (D.CODE_VALIDATION, D.FIX_GENERATION),
        (D.REVIEW_IN_PROGRESS, D.AWAITING_REVIEW),
    ],
)
def test_inside_a_sub_state_the_deadline_stays(source: DetailedState, target: DetailedState) -> None:
    assert after(source, target) == EARLIER


def test_errors_neither_shorten_nor_renew_it() -> None:
    working = Position.working(D.APPROVED)
    failing = working.failing(D.ERROR_DETECTION)

    assert deadline(working, failing, EARLIER, NOW) == EARLIER
    assert deadline(working.failing(D.RETRY), working, EARLIER, NOW) == EARLIER


def test_at_rest_there_is_none_and_at_work_there_always_is_one() -> None:
    assert set(SUB_STATE_LIMITS) == set(TicketProcessingSubState)
    for edge in LAW:
        found = deadline(edge.source, edge.target, None if edge.source == IDLE else EARLIER, NOW)
        assert (found is None) == (edge.target == IDLE)
        assert edge.target.main is not MainState.ERROR_HANDLING or found == EARLIER

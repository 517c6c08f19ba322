from math import isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_bot.evals.calibration import bold_errors, brier, brier_skill, ece, ece_interval, reliability
from sre_bot.evals.fitting import adjusted, fit

forecasts = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)
CALIBRATED = [(0.8, place % 5 != 0) for place in range(200)] + [(0.4, place % 5 < 2) for place in range(200)]


def test_a_perfect_forecaster_has_no_error_and_full_skill() -> None:
    perfect = [(1.0, True), (0.0, False), (1.0, True)]
    assert (brier(perfect), brier_skill(perfect), ece(perfect)) == (0.0, 1.0, 0.0)


def test_stating_the_base_rate_has_no_skill() -> None:
    stated = [(0.75, True), (0.75, True), (0.75, True), (0.75, False)]
    assert brier_skill(stated) == pytest.approx(0.0)
    assert ece(stated) == pytest.approx(0.0)


def test_without_forecasts_there_is_nothing_to_say() -> None:
    assert (brier([]), brier_skill([]), ece([]), ece_interval([]), bold_errors([])) == (None,) * 5


def test_skill_has_no_meaning_where_everything_is_right() -> None:
    assert brier_skill([(0.9, True), (0.8, True)]) is None


def test_the_error_is_the_weighted_gap_of_the_bins() -> None:
    stated = [(0.95, True), (0.95, False), (0.15, False), (0.15, False)]
    assert ece(stated) == pytest.approx((2 * 0.45 + 2 * 0.15) / 4)


@given(forecasts)
def test_every_forecast_is_in_one_bin_and_the_error_within_one(stated: list[tuple[float, bool]]) -> None:
    bins = reliability(stated)
    error = ece(stated)
    assert sum(one.count for one in bins) == len(stated)
    assert all(one.low - 1e-9 <= one.confidence <= one.high + 1e-9 for one in bins)
    assert error is not None and 0 <= error <= 1


@settings(max_examples=10)
@given(forecasts)
def test_the_interval_is_the_same_each_time_and_in_order(stated: list[tuple[float, bool]]) -> None:
    found = ece_interval(stated[:20])
    assert found is not None and found == ece_interval(stated[:20])
    assert found[0] <= found[1]


def test_one_bold_error_in_ten_is_chance_and_five_are_not() -> None:
    def chance(errors: int) -> float:
        bold = bold_errors([(0.92, place >= errors) for place in range(10)])
        assert bold is not None and (bold.stated, bold.errors) == (10, errors)
        return bold.chance

    assert chance(1) > 0.05 > chance(5)
    assert isclose(chance(0), 1.0)


def test_a_true_confidence_is_left_nearly_as_it_is() -> None:
    found = fit(CALIBRATED, [])
    assert found is not None
    assert (found.slope, found.shift) == (pytest.approx(1.0, abs=0.05), pytest.approx(0.0, abs=0.05))
    assert found.kept_before is None


def test_an_overconfident_forecaster_is_drawn_in_on_the_other_split_too() -> None:
    def overconfident(count: int) -> list[tuple[float, bool]]:
        return [(0.97, place % 5 != 0) for place in range(count)] + [(0.03, place % 5 == 0) for place in range(count)]

    found = fit(overconfident(100), overconfident(20))
    assert found is not None and found.slope < 0.6
    assert found.brier_after < found.brier_before
    assert found.kept_before is not None and found.kept_after is not None and found.kept_after < found.kept_before
    assert adjusted(0.97, found.slope, found.shift) == pytest.approx(0.8, abs=0.03)


def test_a_split_without_an_error_gets_finite_constants() -> None:
    found = fit([(0.9, True)] * 30, [])
    assert found is not None and abs(found.slope) < 10 and abs(found.shift) < 10

"""Pauses between retries."""

from datetime import timedelta

from sre_bot.domain.backoff import LONGEST, backoff


def test_the_pause_starts_at_two_seconds_and_doubles_up_to_a_limit() -> None:
    assert [backoff(n).total_seconds() for n in range(9)] == [2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert backoff(10_000) == LONGEST


def test_jitter_spreads_by_a_fifth_of_a_second() -> None:
    assert backoff(0, jitter=0.5) == timedelta(seconds=2.1)
    assert backoff(0, jitter=1.0) == timedelta(seconds=2.2)


def test_what_the_server_asked_for_is_a_lower_bound_even_beyond_the_limit() -> None:
    assert backoff(0, 1.0) == timedelta(seconds=2)
    assert backoff(0, 30.0) == timedelta(seconds=30)
    assert backoff(0, 900.0) == timedelta(seconds=900)

"""Versions of channels sort in the order of the steps, also after those of the stock saver."""

from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.postgres.base import BasePostgresSaver

from sre_bot.persistence.versions import next_version

STOCK = BasePostgresSaver.get_next_version


@given(st.integers(0, 200))
def test_a_version_is_greater_than_the_one_before(steps: int) -> None:
    version = next_version(None)
    for _ in range(steps):
        version, before = next_version(version), version
        assert version > before


@given(st.integers(1, 1_000_000))
def test_a_version_goes_on_where_the_stock_saver_stopped(steps: int) -> None:
    theirs = STOCK(None, f"{steps - 1:032}.0.5", None)  # pyright: ignore[reportArgumentType]

    first, second = next_version(theirs), next_version(next_version(theirs))

    assert theirs < first < second


def test_two_writers_of_one_step_make_different_versions() -> None:
    assert len({next_version(None) for _ in range(100)}) == 100

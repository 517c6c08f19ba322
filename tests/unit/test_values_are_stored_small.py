"""Large values of a checkpoint are compressed, and read back as they were; older ones too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_bot.domain.errors import UndecodableState
from sre_bot.persistence.compression import WORTH_IT, CompactSerializer
from sre_bot.persistence.serialisation import StrictSerializer

SERIALIZER = CompactSerializer()
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(PLAIN, st.integers(1, 300))
def test_a_value_is_read_back_as_it_was(value: object, times: int) -> None:
    values = [value] * times

    assert SERIALIZER.loads_typed(SERIALIZER.dumps_typed(values)) == values


def test_what_repeats_itself_takes_a_fraction() -> None:
    kind, content = SERIALIZER.dumps_typed(["Back-off restarting failed container"] * 500)

    assert kind == "zlib:msgpack"
    assert len(content) < 500


def test_a_small_value_stays_as_it_is() -> None:
    assert SERIALIZER.dumps_typed({"a": 1}) == StrictSerializer().dumps_typed({"a": 1})


def test_a_value_from_before_is_read() -> None:
    value = ["x" * WORTH_IT]

    assert SERIALIZER.loads_typed(StrictSerializer().dumps_typed(value)) == value


def test_a_damaged_value_is_named() -> None:
    with pytest.raises(UndecodableState, match="zlib:msgpack"):
        SERIALIZER.loads_typed(("zlib:msgpack", b"no such thing"))

"""Merge patches: the examples of RFC 7396, and that a difference applied again gives what it was taken from."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_bot.domain.merge_patch import difference, merged, without_nulls

leaves = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
values = st.recursive(
    leaves, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=4)
)
objects = st.dictionaries(st.sampled_from("abcde"), values, max_size=5).map(without_nulls)

EXAMPLES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"a": "foo"}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), EXAMPLES)
def test_a_patch_does_what_the_rfc_says(target: dict[str, Any], patch: dict[str, Any], result: dict[str, Any]) -> None:
    assert merged(target, patch) == result


@given(objects, objects)
def test_a_difference_applied_gives_the_other_object(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert repr(_sorted(merged(before, difference(before, after)))) == repr(_sorted(after))


@given(objects)
def test_equal_objects_do_not_differ(thing: dict[str, Any]) -> None:
    assert difference(thing, thing) == {}


def test_true_is_not_one() -> None:
    assert difference({"a": 1, "b": [True]}, {"a": True, "b": [1]}) == {"a": True, "b": [1]}


def test_nulls_are_absent_members_but_stay_in_lists() -> None:
    assert without_nulls({"a": None, "b": {"c": None, "d": [None]}}) == {"b": {"d": [None]}}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value

"""Commits are taken back on trees that have moved on, and refused where that is not clear."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_bot.repair.patches import PatchDoesNotApply, hunks_of, single_changes, undone, undone_exactly
from sre_bot.repair.versions import versions
from tests.repair_cases import change_of, history_of

BEFORE = "".join(f"line {number}\n" for number in range(1, 21))
AFTER = BEFORE.replace("line 5\n", "line five\nand a half\n").replace("line 15\n", "")


def patch(before: str | None, after: str | None) -> str:
    return change_of("a.txt", before, after).patch


_TEXTS = st.lists(st.sampled_from(["a", "b", "", "  c", "d\r"]), max_size=12).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(before=_TEXTS, after=_TEXTS)
def test_the_direct_result_of_a_patch_is_undone_exactly(before: str, after: str):
    if before != after:
        assert undone_exactly(after, patch(before, after)) == before


def test_a_patch_is_undone_where_its_lines_have_moved():
    moved = "a new first line\n" * 7 + AFTER
    assert undone(moved, hunks_of(patch(BEFORE, AFTER))) == "a new first line\n" * 7 + BEFORE


def test_later_changes_nearby_are_kept():
    later = AFTER.replace("line 3\n", "line three\n").replace("line 17\n", "line seventeen\n")
    expected = BEFORE.replace("line 3\n", "line three\n").replace("line 17\n", "line seventeen\n")
    assert undone(later, hunks_of(patch(BEFORE, AFTER))) == expected


def test_a_line_that_was_changed_again_is_a_conflict():
    with pytest.raises(PatchDoesNotApply, match="changed again"):
        undone(AFTER.replace("line five", "line V"), hunks_of(patch(BEFORE, AFTER)))


def test_two_places_that_look_alike_are_a_conflict():
    before, after = "x\ny\nz\nend\n", "x\nY\nz\nend\n"
    with pytest.raises(PatchDoesNotApply, match="2 places"):
        undone("top\n" + "x\nY\nz\nend\n" * 2, hunks_of(patch(before, after)))


def test_each_run_of_changed_lines_can_be_undone_alone():
    first, second = single_changes(patch(BEFORE, AFTER))
    assert first.brought == ("line five\n", "and a half\n")
    assert second.brought == ()
    assert undone(AFTER, (second,)) == AFTER.replace("line 14\n", "line 14\nline 15\n")


def test_a_file_without_a_final_line_break_gets_it_back():
    assert undone("a\nb", hunks_of(patch("a\nb\n", "a\nb"))) == "a\nb\n"


def test_a_patch_that_is_cut_off_is_refused():
    cut = patch(BEFORE, AFTER).rsplit("\n", 4)[0]
    with pytest.raises(PatchDoesNotApply, match="ends inside"):
        hunks_of(cut)


def test_earlier_versions_are_rebuilt_through_additions_and_renames():
    history = history_of(("one", {"a.txt": "1\n"}), ("two", {"a.txt": "1\n2\n"}), ("three", {"a.txt": "1\n2\n3\n"}))
    found = [(version.commit.subject, version.before) for version in versions(history, "a.txt")]
    assert found == [("three", "1\n2\n"), ("two", "1\n"), ("one", None)]


def test_a_history_that_does_not_fit_the_tree_ends_the_search():
    history = history_of(("one", {"a.txt": "1\n"}), ("two", {"a.txt": "1\n2\n"}))
    other = history.model_copy(update={"tree": history.tree.model_copy(update={"files": {"a.txt": "other\n"}})})
    assert list(versions(other, "a.txt")) == []

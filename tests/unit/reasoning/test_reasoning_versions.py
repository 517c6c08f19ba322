from hypothesis import given
from hypothesis import strategies as st

from sre_bot.reasoning.manifests import differences, line_of
from sre_bot.reasoning.versions import undo, versions
from tests.histories import history

LINES = st.lists(st.sampled_from(["a", "b", "c: 1", "d: 2", "", "  - x"]), max_size=12).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


@given(st.lists(LINES.filter(bool), min_size=1, max_size=5))
def test_every_version_of_a_file_is_rebuilt_from_the_head_backwards(texts: list[str]) -> None:
    source = history(
        {"a.txt": texts[0]}, *((f"change {n}", 100.0 - n, {"a.txt": text}) for n, text in enumerate(texts[1:]))
    )
    rebuilt = [version.after for version in versions(source)]
    expected = [text for n, text in enumerate(texts) if n == 0 or text != texts[n - 1]]
    assert rebuilt == list(reversed(expected))


def test_a_patch_that_does_not_fit_is_not_forced() -> None:
    assert undo("x\ny\n", "@@ -1 +1 @@\n-a\n+b\n") is None


def test_a_file_that_was_deleted_is_rebuilt_from_its_patch() -> None:
    source = history({"a.txt": "one\ntwo\n"}, ("gone", 5.0, {"a.txt": ""}))
    newest = next(versions(source))
    assert (newest.before, newest.after) == ("one\ntwo\n", None)


def test_named_entries_of_a_list_are_compared_by_name_and_not_by_place() -> None:
    before = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    after = {"env": [{"name": "NEW", "value": "0"}, {"name": "A", "value": "1"}, {"name": "B", "value": "3"}]}
    assert [(one.field, one.before, one.after) for one in differences(before, after)] == [
        ("env[2].value", "2", "3"),
        ("env[0].name", None, "NEW"),
        ("env[0].value", None, "0"),
    ]


def test_the_line_of_a_field_is_found_in_the_right_document() -> None:
    text = "a: 1\n---\nspec:\n  ports:\n  - port: 80\n    targetPort: 5050\n"
    assert line_of(text, 1, "spec.ports[0].targetPort") == 6
    assert line_of(text, 1, "spec.ports[0].nothing") == 5

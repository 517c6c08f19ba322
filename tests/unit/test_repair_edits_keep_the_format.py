"""Edits touch the lines that must change and no others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_bot.domain.errors import BadManifest, NoSafeFix
from sre_bot.repair import yamltext
from sre_bot.repair.edits import rewritten
from sre_bot.repair.fields import parse_field, value_at, with_value, without_value
from tests.repair_cases import changed_lines, text

SERVICE = text("""
    # who calls whom is in the README
    apiVersion: v1
    kind: Service
    metadata: {name: checkout, labels: {tier: "1"}}
    spec:
      ports:
        # plain HTTP
        - port: 80        # outside
          targetPort: "http"   # inside
          name: web
      selector:
        app: checkout  # and nothing else

    ---
    kind: ConfigMap
    metadata:
      name: settings
    data:
      application.yml: |
        server:
          port: 8080   # keep

          host: db

        # the end
      greeting: 'it''s me'
      empty:
""")


def edit(source: str, document: int, field: str, value: object, path: str = "a.yaml") -> str:
    wanted = with_value(yamltext.load(path, source)[document], parse_field(field), value)
    return rewritten(path, source, document, wanted)


def removal(source: str, document: int, field: str, path: str = "a.yaml") -> str:
    wanted = without_value(yamltext.load(path, source)[document], parse_field(field))
    return rewritten(path, source, document, wanted)


def test_a_number_replaces_a_quoted_name_and_the_comment_stays():
    after = edit(SERVICE, 0, "spec.ports[0].targetPort", 5050)
    assert changed_lines(SERVICE, after) == [
        '-      targetPort: "http"   # inside',
        "+      targetPort: 5050   # inside",
    ]


def test_a_new_text_keeps_the_quotes_of_the_old_one():
    after = edit(SERVICE, 0, "spec.ports[web].targetPort", "grpc")
    assert changed_lines(SERVICE, after)[1] == '+      targetPort: "grpc"   # inside'


def test_a_text_that_looks_like_a_number_is_quoted():
    after = edit(SERVICE, 0, "spec.selector.version", "1")
    assert changed_lines(SERVICE, after) == ["+    version: '1'"]


def test_a_missing_parent_is_made():
    after = edit(SERVICE, 0, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", 60)
    assert changed_lines(SERVICE, after) == [
        "+  sessionAffinityConfig:",
        "+    clientIP:",
        "+      timeoutSeconds: 60",
    ]


def test_a_list_item_is_appended_in_the_lists_own_indentation():
    after = edit(SERVICE, 0, "spec.ports[admin]", {"name": "admin", "port": 81})
    assert changed_lines(SERVICE, after) == ["+    - name: admin", "+      port: 81"]


def test_a_flow_mapping_stays_on_its_line():
    after = edit(SERVICE, 0, "metadata.labels.team", "core")
    assert changed_lines(SERVICE, after)[1] == '+metadata: {name: checkout, labels: {tier: "1", team: core}}'


def test_what_becomes_empty_goes_with_its_last_value():
    assert changed_lines(SERVICE, removal(SERVICE, 0, "spec.selector.app")) == [
        "-  selector:",
        "-    app: checkout  # and nothing else",
    ]
    assert "metadata: {name: checkout}" in removal(SERVICE, 0, "metadata.labels.tier")


def test_the_first_key_of_a_list_item_can_be_taken_out():
    after = removal(SERVICE, 0, "spec.ports[0].port")
    assert value_at(yamltext.load("a.yaml", after)[0], ("spec", "ports")) == [{"targetPort": "http", "name": "web"}]
    assert "    - targetPort" in after


def test_one_line_of_a_text_in_a_config_map_is_edited():
    inner = yamltext.load("a.yaml", SERVICE)[1]["data"]["application.yml"]
    after = edit(SERVICE, 1, 'data["application.yml"]', inner.replace("host: db", "host: db.prod"))
    assert changed_lines(SERVICE, after) == ["-      host: db", "+      host: db.prod"]


def test_an_empty_value_is_filled_with_a_space_before_it():
    assert changed_lines(SERVICE, edit(SERVICE, 1, "data.empty", "no more")) == ["-  empty:", "+  empty: no more"]


@pytest.mark.parametrize("field", ["spec.ports[0].targetPort", "spec.selector.app", "metadata.labels.tier"])
def test_windows_line_endings_are_kept(field: str):
    source = SERVICE.replace("\n", "\r\n")
    after = edit(source, 0, field, "other")
    assert len(changed_lines(source, after)) == 2
    assert after.count("\n") == after.count("\r\n") == source.count("\r\n")


def test_inserted_lines_end_as_the_files_own_do():
    after = edit(SERVICE.replace("\n", "\r\n"), 1, "data.notes", "one\ntwo\n")
    assert "\r\n  notes: |\r\n    one\r\n    two\r\n" in after


def test_a_file_without_a_final_line_break_stays_without_one():
    source = "kind: A\nspec:\n  a: 1"
    assert edit(source, 0, "spec.b", 2) == "kind: A\nspec:\n  a: 1\n  b: 2"
    assert removal(edit(source, 0, "spec.b", 2), 0, "spec.b") == source


def test_json_with_tabs_is_edited_in_place():
    ports = '\t\t"ports": [\n\t\t\t{"port": 80, "targetPort": "http"}\n\t\t]\n'
    source = '{\n\t"kind": "Service",\n\t"spec": {\n' + ports + "\t}\n}\n"
    assert edit(source, 0, "spec.ports[0].targetPort", 5050, "a.json") == source.replace('"http"', "5050")
    after = edit(source, 0, "spec.selector", {"app": "x"}, "a.json")
    assert changed_lines(source, after) == ["-\t\t]", "+\t\t],", '+\t\t"selector": {"app": "x"}']


def test_an_anchor_that_others_use_is_not_edited():
    source = "kind: A\nlimits: &limits\n  memory: 1Gi\nother: *limits\n"
    with pytest.raises(NoSafeFix, match=r"a\.yaml"):
        edit(source, 0, "limits.memory", "2Gi")


def test_a_value_from_a_merge_key_is_overridden_where_it_is_used():
    source = "base: &base\n  image: a:1\n  tag: x\nkind: A\nspec:\n  <<: *base\n  name: b\n"
    after = edit(source, 0, "spec.image", "a:2")
    assert changed_lines(source, after) == ["+  image: a:2"]


def test_a_malformed_file_is_named_with_its_line():
    with pytest.raises(BadManifest, match=r"deploy/a\.yaml, line 4"):
        rewritten("deploy/a.yaml", "kind: A\nspec:\n  - a\n b: c\n", 0, {"kind": "B"})


def test_times_and_dates_are_texts_as_in_kubernetes():
    source = "data:\n  at: 16:45\n  day: 2026-01-05\n  mode: 0644\n"
    assert yamltext.load("a.yaml", source)[0]["data"] == {"at": "16:45", "day": "2026-01-05", "mode": 420}
    assert edit(source, 0, "data.at", "17:00") == source.replace("16:45", "17:00")


_LEAVES = st.one_of(
    st.integers(-999, 99_999),
    st.booleans(),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12),
)
_KEYS = st.text("abcdefgh-._/", min_size=1, max_size=6)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    before=st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=4), after=st.dictionaries(_KEYS, _VALUES, min_size=1)
)
def test_any_value_can_be_reached_from_any_other_or_is_refused(before: dict[str, object], after: dict[str, object]):
    source = "\n".join(yamltext.block(before)) + "\n---\nkind: Other\n"
    assert yamltext.load("a.yaml", source)[0] == before
    try:
        result = rewritten("a.yaml", source, 0, after)
    except NoSafeFix:
        return
    assert yamltext.load("a.yaml", result) == [after, {"kind": "Other"}]

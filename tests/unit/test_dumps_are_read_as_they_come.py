"""Objects and logs in the text of a dump, whatever its shape."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_bot.tools.dump_clock import clock_of
from sre_bot.tools.dump_logs import sections, without_sections
from sre_bot.tools.dump_objects import contents_of
from sre_bot.tools.plain_data import printable

POD: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop"}}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
DUMP = f"""{json.dumps({"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": POD["metadata"]}]})}
==== START logs for container app of pod shop/web-1 ====
first line
{{"kind": "Pod"}}
==== END logs for container app of pod shop/web-1 ====
==== START logs for container proxy of pod shop/web-1 ====
cut off before its end
{json.dumps(SERVICE)}
"""


def names(text: str) -> list[str]:
    return [f"{thing['kind']}/{thing['metadata']['name']}" for thing in contents_of(text).objects]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [POD, SERVICE]}),
        json.dumps([POD, SERVICE]),
        f"{json.dumps(POD)}\n{json.dumps(SERVICE)}",
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-1}\n--- # next\n"
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n...\n",
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: PodList\n  items: [{metadata: {name: web-1}}]\n"
        "- {apiVersion: v1, kind: Service, metadata: {name: web}}\n",
    ],
)
def test_every_way_to_write_objects_down_is_read(text: str) -> None:
    assert names(text) == ["Pod/web-1", "Service/web"]


def test_the_items_of_a_typed_list_get_its_kind_and_version() -> None:
    found = contents_of('{"kind": "DeploymentList", "apiVersion": "apps/v1", "items": [{"metadata": {"name": "web"}}]}')
    assert [(thing["kind"], thing["apiVersion"]) for thing in found.objects] == [("Deployment", "apps/v1")]


def test_an_empty_list_still_says_that_its_kind_was_asked_for() -> None:
    assert contents_of('{"kind": "SecretList", "apiVersion": "v1", "items": []}').lists == {"Secret"}


def test_times_and_signs_stay_the_text_that_the_cluster_printed() -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, creationTimestamp: 2026-02-03T09:41:00Z}\nspec: {operator: =}"
    )
    (thing,) = contents_of(text).objects
    assert (thing["metadata"]["creationTimestamp"], thing["spec"]["operator"]) == ("2026-02-03T09:41:00Z", "=")


def test_a_broken_document_is_named_with_its_kind_and_hides_no_other() -> None:
    contents = contents_of(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: [\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-1}\n"
    )
    assert [thing["kind"] for thing in contents.objects] == ["Pod"]
    (problem,) = contents.problems
    assert problem.startswith("Secret in it not read: line ")


@pytest.mark.parametrize("nest", ["[", "- ", "? ", '{"a":', "a: ["])
def test_what_is_nested_without_end_is_refused_and_stops_nothing(nest: str) -> None:
    contents = contents_of(nest * 20_000)
    assert (contents.objects, contents.problems) == ([], ["nested too deep"])


def test_a_document_that_unfolds_to_billions_is_refused() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    contents = contents_of(f"kind: ConfigMap\na0: &a0 lol\n{levels}\n")
    assert contents.problems == ["unfolds to too much"]


def test_a_text_of_five_megabytes_is_cut_and_counted() -> None:
    thing = {**POD, "metadata": {**POD["metadata"], "annotations": {"note": "x" * 5_000_000}}}
    contents = contents_of(json.dumps(thing))
    assert contents.cut == 1
    assert len(contents.objects[0]["metadata"]["annotations"]["note"]) == 1024 * 1024


@pytest.mark.parametrize(
    "thing",
    [
        {"apiVersion": "v1", "kind": "Pod"},
        {"apiVersion": "v1", "kind": "Pod", "metadata": []},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 7}},
        {**POD, "metadata": {"name": "a", "annotations": ["x"]}},
        {**POD, "status": "well"},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": [{}]},
    ],
)
def test_a_thing_of_the_wrong_shape_is_no_object(thing: object) -> None:
    contents = contents_of(json.dumps(thing))
    assert contents.objects == []
    assert len(contents.problems) == 1


@given(st.binary(max_size=400))
def test_no_bytes_at_all_are_too_strange(data: bytes) -> None:
    contents_of(printable(data))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_an_object_with_anything_in_it_is_read(anything: object) -> None:
    thing = {**POD, "spec": {"anything": anything}}
    assert len(contents_of(json.dumps(thing)).objects) == 1


def test_the_whole_of_cluster_info_dump_in_one_text_is_objects_and_logs() -> None:
    assert names(without_sections(DUMP))[0] == "Pod/web-1"
    told = {wish.container: text for wish, text in sections(DUMP)}
    assert told["app"] == 'first line\n{"kind": "Pod"}\n'
    assert told["proxy"].startswith("cut off before its end")


def test_a_dump_is_as_old_as_the_newest_moment_in_it() -> None:
    node = {
        "kind": "Node",
        "metadata": {"name": "n", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"conditions": [{"type": "Ready", "lastHeartbeatTime": "2026-02-03T09:40:00Z"}, "nonsense"]},
    }
    lease = {"kind": "Lease", "metadata": {"name": "n"}, "spec": {"renewTime": "2026-02-03T09:41:30.123456Z"}}
    broken = {"kind": "Event", "metadata": {"name": "e"}, "lastTimestamp": "0001-01-01T00:00:00+09:00", "series": []}
    assert clock_of([node, lease, broken]).isoformat() == "2026-02-03T09:41:30.123456+00:00"

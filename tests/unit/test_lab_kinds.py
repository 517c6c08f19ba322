"""What the lab's Kubernetes API serves, and how it names and dates it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sre_bot.lab.cells import json_path
from sre_bot.lab.durations import age, human
from sre_bot.lab.kinds import Resource, plural_of, resources_of


def thing(api_version: str, kind: str, namespace: str | None = "shop") -> dict[str, Any]:
    metadata = {"name": "x", **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def served(*things: dict[str, Any], group: str) -> list[tuple[str, str, bool]]:
    return [(item.version, item.plural, item.namespaced) for item in resources_of(list(things)) if item.group == group]


@pytest.mark.parametrize(
    ("kind", "plural"),
    [
        ("VirtualService", "virtualservices"),
        ("AuthorizationPolicy", "authorizationpolicies"),
        ("Gateway", "gateways"),
        ("IngressClass", "ingressclasses"),
        ("Mesh", "meshes"),
        ("PodMetrics", "pods"),
    ],
)
def test_plurals_are_those_a_code_generator_gives(kind: str, plural: str) -> None:
    assert plural_of(kind) == plural


def test_a_custom_kind_is_served_where_its_objects_stand_newest_version_first() -> None:
    things = [thing("mesh.io/v1beta1", "Route"), thing("mesh.io/v1", "Route"), thing("mesh.io/v1", "Root", None)]

    assert served(*things, group="mesh.io") == [
        ("v1", "routes", True),
        ("v1beta1", "routes", True),
        ("v1", "roots", False),
    ]


def test_a_built_in_kind_is_served_in_the_version_in_which_it_was_recorded() -> None:
    old = thing("autoscaling/v1", "HorizontalPodAutoscaler")

    assert served(old, group="autoscaling") == [("v1", "horizontalpodautoscalers", True)]
    assert served(group="autoscaling") == [("v2", "horizontalpodautoscalers", True)]


def test_a_definition_decides_the_plural_of_its_kind() -> None:
    names = {"plural": "oxen", "kind": "Ox", "shortNames": ["ox"]}
    spec = {"group": "farm.io", "names": names, "scope": "Cluster", "versions": [{"name": "v1", "served": True}]}
    definition = {**thing("apiextensions.k8s.io/v1", "CustomResourceDefinition", None), "spec": spec}

    assert served(definition, thing("farm.io/v2", "Ox", None), group="farm.io") == [
        ("v2", "oxen", False),
        ("v1", "oxen", False),
    ]


def test_two_kinds_of_one_name_in_two_groups_are_two_resources() -> None:
    found = resources_of([thing("v1", "Service"), thing("serving.knative.dev/v1", "Service")])

    assert [item.group_version for item in found if item.plural == "services"] == ["v1", "serving.knative.dev/v1"]


def test_both_faces_of_events_are_always_served() -> None:
    events: list[Resource] = [item for item in resources_of([]) if item.kind == "Event"]

    assert [item.group_version for item in events] == ["v1", "events.k8s.io/v1"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (312, "5m12s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_660, "3h31m"),
        (28_800, "8h"),
        (172_800, "2d"),
        (187_200, "2d4h"),
        (691_200, "8d"),
        (63_072_000, "2y"),
        (63_158_400, "2y1d"),
        (252_288_000, "8y"),
    ],
)
def test_durations_are_rounded_as_the_api_server_rounds_them(seconds: int, text: str) -> None:
    assert human(seconds) == text


def test_an_age_without_a_time_is_unknown() -> None:
    now = datetime(2026, 2, 3, 9, 41, tzinfo=UTC)

    assert age(None, now) == "<unknown>"
    assert age("2026-02-03T09:36:00Z", now) == "5m"


def test_columns_of_definitions_find_their_values() -> None:
    conditions = [{"type": "Synced", "status": "False"}, {"type": "Ready", "status": "True"}]
    thing = {
        "metadata": {"labels": {"a.b/c": "x"}},
        "spec": {"hosts": ["one", "two"]},
        "status": {"conditions": conditions},
    }

    assert json_path(thing, '.status.conditions[?(@.type=="Ready")].status') == "True"
    assert json_path(thing, ".spec.hosts[1]") == "two"
    assert json_path(thing, ".spec.hosts[7]") is None
    assert json_path(thing, r".metadata.labels.a\.b/c") == "x"
    assert json_path(thing, ".spec.absent.deeper") is None

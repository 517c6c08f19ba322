"""Repositories are untrusted: whatever they hold, repair answers with a fix or with one of its own errors."""

from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre_bot.domain.errors import BadManifest, NoSafeFix
from sre_bot.domain.source import SourceHistory
from sre_bot.repair import propose_fix, regression_tests, validate
from tests.repair_cases import history_of
from tests.repair_scenarios import FAULTS, Scenario

SCENARIOS = [fault.scenario() for fault in FAULTS]
VALUES: list[Any] = [None, [], {}, "", "x", 0, -1, True, 1.5, [None], ["x"], {"name": None}, {"x": [1]}, [{"name": {}}]]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to everything in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(*path, key) for key, _ in items] + [deep for key, item in items for deep in places(item, (*path, key))]


def mangled(text: str, data: st.DataObject) -> str:
    """A file with something odd somewhere in one of its documents."""
    documents = list(yaml.safe_load_all(text))
    document = data.draw(st.sampled_from(documents))
    path = data.draw(st.sampled_from(places(document)))
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = data.draw(st.sampled_from(VALUES))
    return yaml.safe_dump_all(documents, sort_keys=False)


def mangled_history(scenario: Scenario, data: st.DataObject) -> SourceHistory:
    """The scenario's repository with one odd value in one manifest at the head."""
    files = scenario.history.tree.files
    path = data.draw(st.sampled_from([path for path in sorted(files) if path.endswith(".yaml")]))
    text = mangled(files[path], data)
    newest = history_of(("Before", files), ("Odd", {**files, path: text})).commits[0]
    tree = scenario.history.tree.model_copy(update={"files": {**files, path: text}})
    return scenario.history.model_copy(update={"tree": tree, "commits": (newest, *scenario.history.commits)})


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), scenario=st.sampled_from(SCENARIOS))
def test_an_odd_value_anywhere_is_survived(data: st.DataObject, scenario: Scenario):
    history = mangled_history(scenario, data)
    try:
        fix = propose_fix(scenario.hypothesis, history)
    except (NoSafeFix, BadManifest):
        return
    validation = validate(fix, scenario.hypothesis, history)
    assert validation.verdict in ("valid", "invalid")
    for test in regression_tests(fix, scenario.hypothesis, history, "OPS-7"):
        compile(test.text, test.path, "exec")

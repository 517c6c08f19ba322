"""Each kind of fault is repaired by the smallest change: the tree becomes what it would be without the culprit."""

import ast

import pytest

from sre_bot.domain.finding import FaultKind
from sre_bot.repair import propose_fix, regression_test, validate
from tests.repair_scenarios import Scenario, scenarios

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{inner}'] * 9)}]\n" for inner, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""A small file that would be very large if its anchors were written out."""


@pytest.mark.parametrize("scenario", scenarios(), ids=str)
def test_the_tree_is_as_if_the_culprit_had_never_been(scenario: Scenario):
    fix = propose_fix(scenario.hypothesis, scenario.history)
    assert fix.applied_to(scenario.history.tree.files) == scenario.healed


@pytest.mark.parametrize("scenario", scenarios(), ids=str)
def test_the_fix_is_valid(scenario: Scenario):
    fix = propose_fix(scenario.hypothesis, scenario.history)
    assert validate(fix, scenario.hypothesis, scenario.history).problems == ()


@pytest.mark.parametrize("scenario", scenarios(), ids=str)
def test_the_pull_request_has_what_a_reviewer_needs(scenario: Scenario):
    fix = propose_fix(scenario.hypothesis, scenario.history)
    assert fix.title
    assert fix.explanation.startswith("It is broken. Commit")
    assert fix.risk.startswith(("Low", "Medium"))
    assert bool(fix.reverts) == (scenario.hypothesis.kind is FaultKind.CODE_REGRESSION)


@pytest.mark.parametrize("scenario", scenarios(), ids=str)
def test_the_regression_test_stands_alone(scenario: Scenario):
    fix = propose_fix(scenario.hypothesis, scenario.history)
    test = regression_test(fix, scenario.hypothesis, scenario.history, "OPS-7")
    compile(test.text, test.path, "exec")
    assert test.path.startswith("tests/regression/test_ops_7_")
    assert test.command == ("python3", test.path)
    assert "sre_bot" not in test.text


def test_untrusted_text_cannot_get_into_the_regression_tests_code():
    scenario = scenarios()[0]
    hostile = 'x"""\nimport os\nos.system("id")\n"""\\x00\0 {evil}'
    finding = scenario.hypothesis.finding.model_copy(update={"message": hostile})
    cause = scenario.hypothesis.model_copy(update={"finding": finding})
    fix = propose_fix(cause, scenario.history)
    tree = ast.parse(regression_test(fix, cause, scenario.history, "OPS-7").text)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert "os.system" in (ast.get_docstring(tree) or "")
    assert imported == {"sys", "yaml"}


@pytest.mark.parametrize(
    "bomb",
    [
        LAUGHS,
        "kind: &k\n  - *k\n",
        "[" * 20_000,
    ],
    ids=["laughs", "itself", "deep"],
)
def test_a_yaml_bomb_in_another_file_is_passed_over(bomb: str):
    scenario = scenarios()[0]
    files = {**scenario.history.tree.files, "deploy/aaa.yaml": bomb}
    history = scenario.history.model_copy(update={"tree": scenario.history.tree.model_copy(update={"files": files})})
    fix = propose_fix(scenario.hypothesis, history)
    assert fix.applied_to(files) == {**scenario.healed, "deploy/aaa.yaml": bomb}
    assert validate(fix, scenario.hypothesis, history).problems == ()

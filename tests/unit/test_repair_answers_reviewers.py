"""What a reviewer asks for is done where it is clear and still repairs the fault; otherwise a person takes over."""

import pytest

from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.finding import FaultKind as Kind
from sre_bot.domain.fix import Fix
from sre_bot.domain.review import Decision, LineComment
from sre_bot.repair import propose_fix, regression_test, validate
from tests.repair_cases import changed_lines, commit_named, history_of, hypothesis
from tests.repair_scenarios import FAULTS, Scenario, code_regression
from tests.shop_tree import GOOD, changed


def scenario_of(kind: Kind) -> Scenario:
    return next(fault for fault in FAULTS if fault.kind is kind).scenario()


def asked(text: str = "", *comments: LineComment) -> Decision:
    return Decision(state="changes_requested", head="h" * 40, reviewer="mara", request=text, comments=comments)


def answer(scenario: Scenario, request: Decision, problems: tuple[str, ...] = ()) -> tuple[Fix, list[str]]:
    first = propose_fix(scenario.hypothesis, scenario.history)
    fix = propose_fix(scenario.hypothesis, scenario.history, request=request, previous=first, problems=problems)
    edit = fix.edits[0]
    return fix, changed_lines(edit.before or "", edit.after or "")


@pytest.mark.parametrize(
    "said",
    [
        "Please use `384Mi`",
        "Please use 384Mi.",
        "384Mi please",
        "Set memory to 384Mi",
        "can you set the limit to 384Mi, please?",
        "512Mi is too much for that node. Make it 384Mi",
        "lower the memory limit to `384Mi`",
        "Let's go with 384Mi instead of 512Mi",
        "Looks right to me, thank you.\n\nBut 384Mi is enough.",
        "How about 384Mi?",
    ],
)
def test_a_named_quantity_is_set(said: str):
    fix, lines = answer(scenario_of(Kind.OOM_KILLED), asked(said))
    assert lines == ["-              memory: 300Mi", "+              memory: 384Mi"]
    assert fix.title == "Set limits.memory of Deployment/checkout to 384Mi"
    assert "mara" in fix.explanation
    assert fix.strategy == "review"


@pytest.mark.parametrize("said", ["Please use the port's name instead of its number.", "use the port name instead"])
def test_a_port_is_given_by_its_name(said: str):
    scenario = scenario_of(Kind.SERVICE_PORT_MISMATCH)
    first = propose_fix(scenario.hypothesis, scenario.history)
    numbered = propose_fix(
        scenario.hypothesis, scenario.history, request=asked("use 5050 instead of http"), previous=first
    )
    assert "+      targetPort: 5050" in numbered.diff
    named = propose_fix(scenario.hypothesis, scenario.history, request=asked(said), previous=numbered)
    assert named.applied_to(scenario.history.tree.files) == scenario.healed


def test_a_port_is_given_by_its_number():
    fix, _ = answer(scenario_of(Kind.SERVICE_PORT_MISMATCH), asked("I'd prefer the number rather than the name"))
    assert "+      targetPort: 5050" in fix.diff


def test_a_suggestion_is_applied_to_its_lines():
    scenario = scenario_of(Kind.OOM_KILLED)
    first = propose_fix(scenario.hypothesis, scenario.history).edits[0].after or ""
    at = first.splitlines().index("              memory: 512Mi") + 1
    body = "No round numbers.\n```suggestion\n            limits:\n              memory: 400Mi\n```\n"
    comment = LineComment(path="deploy/checkout.yaml", line=at, start_line=at - 1, body=body)
    fix, lines = answer(scenario, asked("See below.", comment))
    assert lines == ["-              memory: 300Mi", "+              memory: 400Mi"]
    assert fix.title.endswith(", as suggested in review")


def test_the_answer_is_valid_and_its_test_asks_for_the_condition_not_the_value():
    scenario = scenario_of(Kind.OOM_KILLED)
    fix, _ = answer(scenario, asked("Please use 384Mi"))
    assert validate(fix, scenario.hypothesis, scenario.history).problems == ()
    assert "384Mi" not in regression_test(fix, scenario.hypothesis, scenario.history, "OPS-7").text.split('"""', 2)[2]


def test_a_revert_of_the_commit_is_made_when_asked_for():
    broken = changed(changed(GOOD, "deploy/checkout.yaml", "512Mi", "300Mi"), "deploy/checkout.yaml", "256Mi", "200Mi")
    history = history_of(("Start", GOOD), ("Trim", broken))
    cause = hypothesis(
        Kind.OOM_KILLED,
        "Deployment/shop/checkout",
        "spec.template.spec.containers[0].resources.limits.memory",
        observed="300Mi",
        culprit=commit_named(history, "Trim"),
    )
    first = propose_fix(cause, history)
    assert first.applied_to(broken) == changed(broken, "deploy/checkout.yaml", "300Mi", "512Mi")
    fix = propose_fix(cause, history, request=asked("Please revert the whole commit instead."), previous=first)
    assert fix.reverts == commit_named(history, "Trim").sha
    assert fix.applied_to(broken) == GOOD


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Please use 300Mi", "killed at 300Mi"),
        ("Please use 128Mi", "killed at 300Mi"),
    ],
)
def test_a_value_that_leaves_the_fault_is_refused_with_the_reason(said: str, why: str):
    with pytest.raises(NoSafeFix, match=why):
        answer(scenario_of(Kind.OOM_KILLED), asked(said))


def test_a_port_that_no_container_has_is_refused():
    with pytest.raises(NoSafeFix, match="sends to 9999"):
        answer(scenario_of(Kind.SERVICE_PORT_MISMATCH), asked("Use 9999 instead of http"))


@pytest.mark.parametrize(
    "said",
    [
        "Why did this happen?",
        "Please use better names in general.",
        "Use a bit more memory",
        "Either 384Mi or 400Mi would be fine, I am not sure; use `384Mi` or make it `400Mi`.",
        "Please move this to the platform repository",
        "",
    ],
)
def test_what_is_not_clear_goes_to_a_person_with_the_request(said: str):
    with pytest.raises(NoSafeFix, match="mara asked: “") as raised:
        answer(scenario_of(Kind.OOM_KILLED), asked(said))
    assert said[:20] in str(raised.value)


def test_a_suggestion_for_another_file_is_refused():
    comment = LineComment(path="deploy/pricing.yaml", line=1, body="```suggestion\nkind: X\n```")
    with pytest.raises(NoSafeFix, match=r"deploy/pricing\.yaml, which the fix does not edit"):
        answer(scenario_of(Kind.OOM_KILLED), asked("", comment))


def test_a_suggestion_outside_the_file_is_refused():
    comment = LineComment(path="deploy/checkout.yaml", line=900, body="```suggestion\nx: 1\n```")
    with pytest.raises(NoSafeFix, match="line 900"):
        answer(scenario_of(Kind.OOM_KILLED), asked("", comment))


def test_a_name_that_nobody_knows_is_refused_where_the_fault_is_about_a_name():
    with pytest.raises(NoSafeFix, match="named 'settings-2'"):
        answer(scenario_of(Kind.MISSING_CONFIG_MAP), asked("Use `settings-2`"))


def test_a_request_that_was_found_invalid_is_not_tried_again():
    scenario = scenario_of(Kind.OOM_KILLED)
    request = asked("Please use 384Mi")
    fix, _ = answer(scenario, request)
    with pytest.raises(NoSafeFix, match="the quota is full"):
        propose_fix(
            scenario.hypothesis, scenario.history, request=request, previous=fix, problems=("the quota is full",)
        )


def test_a_code_fix_cannot_be_talked_into_a_value():
    with pytest.raises(NoSafeFix, match="not clear"):
        answer(code_regression(), asked("use `-1` as the last limit"))


def test_a_reviewer_cannot_inject_a_file_outside_the_fix():
    scenario = scenario_of(Kind.OOM_KILLED)
    comment = LineComment(path="../../etc/passwd", line=1, body="```suggestion\nroot\n```")
    with pytest.raises(NoSafeFix):
        answer(scenario, asked("", comment))


def test_an_answer_fits_the_branch_that_moved_on_meanwhile():
    scenario = scenario_of(Kind.OOM_KILLED)
    first = propose_fix(scenario.hypothesis, scenario.history)
    files = scenario.history.tree.files
    moved = changed(files, "deploy/checkout.yaml", "metadata:\n", "metadata:\n  labels: {team: till}\n")
    tree = scenario.history.tree.model_copy(update={"files": moved})
    history = scenario.history.model_copy(update={"tree": tree})
    fix = propose_fix(scenario.hypothesis, history, request=asked("Please use 384Mi"), previous=first)
    assert fix.applied_to(moved) == changed(moved, "deploy/checkout.yaml", "300Mi", "384Mi")


def test_an_answer_to_lines_that_others_changed_meanwhile_goes_to_a_person():
    scenario = scenario_of(Kind.OOM_KILLED)
    first = propose_fix(scenario.hypothesis, scenario.history)
    moved = changed(scenario.history.tree.files, "deploy/checkout.yaml", "300Mi", "310Mi")
    tree = scenario.history.tree.model_copy(update={"files": moved})
    history = scenario.history.model_copy(update={"tree": tree})
    with pytest.raises(NoSafeFix, match="while the fix was under review"):
        propose_fix(scenario.hypothesis, history, request=asked("Please use 384Mi"), previous=first)

"""No fix reaches a person that breaks something else, leaves its bounds, or leaves the fault."""

import pytest

from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.finding import FaultKind as Kind
from sre_bot.domain.fix import FileEdit, Fix
from sre_bot.domain.source import SourceHistory
from sre_bot.repair import propose_fix, validate
from tests.repair_cases import history_of, hypothesis
from tests.repair_scenarios import FAULTS
from tests.shop_tree import GOOD, changed

SCENARIO = next(fault for fault in FAULTS if fault.kind is Kind.OOM_KILLED).scenario()
TREE = SCENARIO.history.tree.files
FILE = "deploy/checkout.yaml"


def fix_of(*steps: tuple[str, str, str], reverts: str = "") -> Fix:
    """A fix that makes text replacements; each step is a path, the old text and the new one."""
    after = TREE
    for path, old, new in steps:
        after = changed(after, path, old, new)
    edits = [FileEdit(path=path, before=TREE[path], after=after[path]) for path in TREE if TREE[path] != after[path]]
    return made(*edits, reverts=reverts)


def made(*edits: FileEdit, reverts: str = "") -> Fix:
    return Fix(title="t", strategy="model", edits=edits, explanation="e", risk="r", reverts=reverts)


def problems(fix: Fix, cause: Hypothesis = SCENARIO.hypothesis, history: SourceHistory = SCENARIO.history) -> str:
    return "\n".join(validate(fix, cause, history).problems)


PROBE = "          readinessProbe:\n            httpGet:\n              path: /ready\n              port: http\n"
RAISED = (FILE, "memory: 300Mi", "memory: 512Mi")


def test_a_good_fix_passes_every_check():
    validation = validate(fix_of(RAISED), SCENARIO.hypothesis, SCENARIO.history)
    assert validation.verdict == "valid"
    assert len(validation.checks) == 7


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ((FILE, "  replicas: 2", "  replicas: 0"), "scaled to 0"),
        ((FILE, PROBE, ""), "readinessProbe would be dropped"),
        ((FILE, "            limits:\n              memory: 300Mi\n", ""), "would be dropped"),
        ((FILE, "memory: 256Mi", "memory: 1Gi"), "more than its limit"),
        (
            (FILE, "          image: reg", "          securityContext: {privileged: true}\n          image: reg"),
            "weakened",
        ),
        (("deploy/service.yaml", "app: checkout", "app: pricing"), "Service/checkout is changed too"),
        ((FILE, "replicas: 2", "replicas: two"), "spec.replicas"),
        ((FILE, "      containers:", "      containers: ["), "would no longer parse"),
    ],
)
def test_a_harmful_edit_is_named(step: tuple[str, str, str], said: str):
    assert said in problems(fix_of(step))


def test_an_unknown_field_is_refused_where_there_was_none():
    assert "replica" in problems(fix_of(RAISED, (FILE, "  replicas: 2", "  replicas: 2\n  replica: 3")))


def test_a_removed_workload_is_refused_even_in_a_revert():
    gone = made(FileEdit(path="deploy/pricing.yaml", before=TREE["deploy/pricing.yaml"], after=None), reverts="a" * 40)
    assert "Deployment/pricing: it would be deleted" in problems(gone)


def test_a_secret_is_never_edited():
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: shop}\nstringData: {token: a}\n"
    history = history_of(("Start", {**TREE, "deploy/keys.yaml": secret}))
    edit = FileEdit(path="deploy/keys.yaml", before=secret, after=secret.replace("token: a", "token: b"))
    assert "secrets are not edited" in problems(made(edit), history=history)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../outside.yaml", "leads out"),
        ("/etc/passwd", "leads out"),
        (".github/workflows/ci.yaml", "may not be edited"),
        ("CODEOWNERS", "may not be edited"),
        ("docs/CODEOWNERS", "may not be edited"),
        ("deploy/tls.key", "may not be edited"),
        ("deploy/secrets.yaml", "may not be edited"),
        ("other/service.yaml", "is not deployed from deploy"),
        ("infra/a/b.tf", "may not be edited"),
    ],
)
def test_a_path_out_of_bounds_is_refused(path: str, said: str):
    fix = made(FileEdit(path=path, before=None, after="kind: A\n"))
    assert said in "\n".join(validate(fix, SCENARIO.hypothesis, SCENARIO.history, forbidden=("infra/**",)).problems)


def test_a_fix_for_another_version_of_the_file_does_not_apply():
    fix = made(FileEdit(path=FILE, before="something else\n", after="kind: A\n"))
    assert problems(fix) == f"{FILE} is not the file that the fix was made for"


def test_a_fix_that_changes_nothing_is_no_fix():
    assert problems(made()) == "the fix changes nothing"


def test_a_fix_that_leaves_the_fault_is_refused():
    said = problems(fix_of((FILE, "path: /ready", "path: /healthy")))
    assert "killed at 300Mi" in said


def test_a_rewrite_of_half_the_file_is_refused():
    body = TREE["deploy/settings.yaml"] + "".join(f"  KEY_{number}: x\n" for number in range(80))
    fix = made(FileEdit(path="deploy/settings.yaml", before=TREE["deploy/settings.yaml"], after=body))
    assert "more than a repair needs" in problems(fix)


def test_python_that_does_not_compile_is_refused():
    fix = made(FileEdit(path="src/a.py", before=None, after="def f(:\n"))
    assert "src/a.py would no longer parse" in problems(fix)


def test_custom_resources_without_a_schema_are_passed_over():
    rollout = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: till}\nspec: {replicas: 1, anything: 1}\n"
    )
    tree = {**GOOD, "deploy/till.yaml": rollout}
    history = history_of(("Start", tree), ("Zero", changed(tree, "deploy/till.yaml", "replicas: 1", "replicas: 0")))
    cause = hypothesis(Kind.ZERO_REPLICAS, "Rollout/shop/till", "spec.replicas", observed="0")
    validation = validate(propose_fix(cause, history), cause, history)
    assert validation.problems == ()
    assert any("no schema is known for Rollout" in check for check in validation.checks)

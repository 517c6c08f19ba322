"""Overlays are repaired where the wrong value stands; what only a rendering could tell is left to people."""

import pytest

from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.finding import FaultKind as Kind
from sre_bot.repair import propose_fix, regression_test, validate
from tests.repair_cases import changed_lines, commit_named, history_of, hypothesis, text
from tests.shop_tree import CHECKOUT, SERVICE, SETTINGS, changed

PATCH = text("""
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: checkout
    spec:
      template:
        spec:
          containers:
            - name: api
              resources:
                limits:
                  memory: 1Gi
""")
OVERLAY = text("""
    namePrefix: prod-
    namespace: shop
    resources:
      - ../../base
    patches:
      - path: memory.yaml
    images:
      - name: registry.example/checkout
        newTag: 1.4.0
    configMapGenerator:
      - name: flags
        literals:
          - PRICES_HOST=pricing
          - CUTOFF=16:45
""")
BASE = "resources:\n  - checkout.yaml\n  - service.yaml\n  - settings.yaml\n"
TREE = {
    "base/kustomization.yaml": BASE,
    "base/checkout.yaml": CHECKOUT.replace("  namespace: shop\n", ""),
    "base/service.yaml": SERVICE.replace("  namespace: shop\n", ""),
    "base/settings.yaml": SETTINGS.replace("  namespace: shop\n", ""),
    "overlays/prod/kustomization.yaml": OVERLAY,
    "overlays/prod/memory.yaml": PATCH,
    "overlays/test/kustomization.yaml": "resources:\n  - ../../base\n",
}
API = "spec.template.spec.containers[0]"


def repaired(kind: Kind, thing: str, field: str, path: str, old: str, new: str, observed: str, expected: str = ""):
    """The fix for a fault that the newest commit brought into one file, and the broken tree."""
    broken = changed(TREE, path, old, new)
    history = history_of(("Start", TREE), ("Tune", broken), path="overlays/prod")
    cause = hypothesis(
        kind, thing, field, observed=observed, expected=expected, container="api", culprit=commit_named(history, "Tune")
    )
    fix = propose_fix(cause, history)
    assert validate(fix, cause, history).problems == ()
    assert regression_test(fix, cause, history, "OPS-7").text
    return fix.applied_to(broken)


def test_a_value_in_a_patch_is_repaired_in_the_patch():
    field = f"{API}.resources.limits.memory"
    after = repaired(
        Kind.OOM_KILLED, "Deployment/shop/prod-checkout", field, "overlays/prod/memory.yaml", "1Gi", "300Mi", "300Mi"
    )
    assert after == TREE


def test_a_value_in_the_base_is_repaired_in_the_base():
    after = repaired(
        Kind.READINESS_PROBE_PATH,
        "Deployment/shop/prod-checkout",
        f"{API}.readinessProbe.httpGet.path",
        "base/checkout.yaml",
        "/ready",
        "/readyz",
        "/readyz",
    )
    assert after == TREE


def test_a_service_of_the_base_is_found_under_its_own_name():
    after = repaired(
        Kind.SERVICE_PORT_MISMATCH,
        "Service/shop/prod-checkout",
        "spec.ports[0].targetPort",
        "base/service.yaml",
        "targetPort: http",
        "targetPort: web",
        "web",
    )
    assert after == TREE


def test_an_image_tag_is_restored_in_the_kustomization():
    after = repaired(
        Kind.IMAGE_NOT_FOUND,
        "Deployment/shop/prod-checkout",
        f"{API}.image",
        "overlays/prod/kustomization.yaml",
        "newTag: 1.4.0",
        "newTag: 1.4.1-rc2",
        "registry.example/checkout:1.4.1-rc2",
    )
    assert after == TREE


def test_a_literal_of_a_generator_is_restored_in_the_kustomization():
    after = repaired(
        Kind.DEPENDENCY_WRONG_ADDRESS,
        "ConfigMap/shop/prod-flags-7f8g9h2k4m",
        "data.PRICES_HOST",
        "overlays/prod/kustomization.yaml",
        "PRICES_HOST=pricing",
        "PRICES_HOST=prices",
        "prices",
        "pricing",
    )
    assert after == TREE


def test_a_generated_object_without_a_history_is_left_to_a_person():
    history = history_of(("Start", TREE), path="overlays/prod")
    cause = hypothesis(
        Kind.DEPENDENCY_WRONG_ADDRESS,
        "ConfigMap/shop/prod-flags-7f8g9h2k4m",
        "data.PRICES_HOST",
        observed="pricing",
        expected="prices",
    )
    with pytest.raises(NoSafeFix, match="no manifest of ConfigMap/shop/prod-flags"):
        propose_fix(cause, history)


def test_files_of_other_overlays_are_out_of_bounds():
    history = history_of(("Start", TREE), path="overlays/prod")
    cause = hypothesis(
        Kind.OOM_KILLED, "Deployment/shop/prod-checkout", f"{API}.resources.limits.memory", container="api"
    )
    fix = propose_fix(cause, history)
    edit = fix.edits[0].model_copy(
        update={
            "path": "overlays/test/kustomization.yaml",
            "before": TREE["overlays/test/kustomization.yaml"],
            "after": "resources: []\n",
        }
    )
    found = validate(fix.model_copy(update={"edits": (edit,)}), cause, history).problems
    assert "overlays/test/kustomization.yaml is not deployed from overlays/prod" in found


def test_the_limit_of_a_patch_is_the_one_that_counts():
    history = history_of(("Start", TREE), path="overlays/prod")
    cause = hypothesis(
        Kind.OOM_KILLED,
        "Deployment/shop/prod-checkout",
        f"{API}.resources.limits.memory",
        observed="1Gi",
        container="api",
    )
    edit = propose_fix(cause, history).edits[0]
    assert edit.path == "overlays/prod/memory.yaml"
    assert changed_lines(edit.before or "", edit.after or "")[1].strip("+ ") == "memory: 2Gi"

"""Where no commit shows a good value, it is derived from the rest of the tree, or the bot keeps its hands off."""

import json

import pytest

from sre_bot.domain.errors import BadManifest, NoSafeFix
from sre_bot.domain.finding import FaultKind as Kind
from sre_bot.domain.source import SourceHistory
from sre_bot.repair import propose_fix, validate
from tests.repair_cases import changed_lines, commit_named, history_of, hypothesis
from tests.shop_tree import GOOD, changed

CHECKOUT = "Deployment/shop/checkout"
API = "spec.template.spec.containers[0]"


def only(tree: dict[str, str]) -> SourceHistory:
    """A repository that has always been like this."""
    return history_of(("Start", tree))


@pytest.mark.parametrize(("wrong", "right"), [("web", "http"), ("8081", "5050")])
def test_a_target_port_is_pointed_at_the_only_port_in_the_form_that_was_used(wrong: str, right: str):
    cause = hypothesis(Kind.SERVICE_PORT_MISMATCH, "Service/shop/checkout", "spec.ports[0].targetPort", observed=wrong)
    broken = changed(GOOD, "deploy/service.yaml", "targetPort: http", f"targetPort: {wrong}")
    assert f"+      targetPort: {right}\n" in propose_fix(cause, only(broken)).diff


def test_of_several_ports_the_one_that_is_meant_is_taken_or_none():
    http = "            - name: http\n              containerPort: 5050\n"
    tree = changed(
        GOOD, "deploy/checkout.yaml", http, http + "            - name: grpc\n              containerPort: 9090\n"
    )
    broken = changed(tree, "deploy/service.yaml", "targetPort: http", "targetPort: 1234")
    unclear = hypothesis(
        Kind.SERVICE_PORT_MISMATCH, "Service/shop/checkout", "spec.ports[0].targetPort", observed="1234"
    )
    with pytest.raises(NoSafeFix):
        propose_fix(unclear, only(broken))
    clear = hypothesis(
        Kind.SERVICE_PORT_MISMATCH,
        "Service/shop/checkout",
        "spec.ports[0].targetPort",
        observed="1234",
        expected="grpc",
    )
    assert "+      targetPort: 9090\n" in propose_fix(clear, only(broken)).diff


def test_a_selector_gets_the_labels_of_the_workload_of_its_name():
    broken = changed(GOOD, "deploy/service.yaml", "app: checkout", "app: check-out")
    cause = hypothesis(
        Kind.SERVICE_SELECTOR_MISMATCH, "Service/shop/checkout", "spec.selector", observed="app: check-out"
    )
    fix = propose_fix(cause, only(broken))
    assert fix.applied_to(broken) == GOOD
    assert fix.strategy == "pod_labels"


def test_a_limit_without_an_earlier_value_is_doubled():
    cause = hypothesis(
        Kind.OOM_KILLED, CHECKOUT, f"{API}.resources.limits.memory", observed="512Mi", expected="1Gi", container="api"
    )
    fix = propose_fix(cause, only(GOOD))
    assert changed_lines(GOOD["deploy/checkout.yaml"], fix.edits[0].after or "")[1].strip("+ ") == "memory: 1024Mi"
    assert fix.risk.startswith("Medium")


def test_a_limit_is_not_doubled_without_bounds():
    tree = changed(GOOD, "deploy/checkout.yaml", "512Mi", "6Gi")
    cause = hypothesis(Kind.OOM_KILLED, CHECKOUT, f"{API}.resources.limits.memory", observed="6Gi", container="api")
    with pytest.raises(NoSafeFix):
        propose_fix(cause, only(tree))


def test_only_the_wrong_host_in_a_longer_text_is_replaced():
    cause = hypothesis(
        Kind.DEPENDENCY_WRONG_ADDRESS,
        "ConfigMap/shop/settings",
        'data["application.properties"]',
        observed="db.shop.svc",
        expected="db.data.svc",
    )
    fix = propose_fix(cause, only(GOOD))
    assert changed_lines(GOOD["deploy/settings.yaml"], fix.edits[0].after or "") == [
        "-    db.host=db.shop.svc",
        "+    db.host=db.data.svc",
    ]


def test_a_host_that_stands_in_several_lines_is_told_apart_by_the_evidence():
    tree = changed(GOOD, "deploy/settings.yaml", "cache.size=100", "replica.host=db.shop.svc")

    def cause(seen: str):
        return hypothesis(
            Kind.DEPENDENCY_WRONG_ADDRESS,
            "ConfigMap/shop/settings",
            'data["application.properties"]',
            observed="db.shop.svc",
            expected="db.data.svc",
            seen=seen,
        )

    with pytest.raises(NoSafeFix, match="2 times"):
        propose_fix(cause(""), only(tree))
    assert "+    db.host=db.data.svc" in propose_fix(cause("db.host: db.host=db.shop.svc"), only(tree)).diff


def test_an_address_that_names_no_service_of_the_tree_is_not_proposed():
    broken = changed(GOOD, "deploy/checkout.yaml", "http://pricing:", "http://prices:")
    cause = hypothesis(
        Kind.DEPENDENCY_WRONG_ADDRESS,
        CHECKOUT,
        f"{API}.env[0].value",
        observed="prices",
        expected="checkout.elsewhere",
        container="api",
    )
    with pytest.raises(NoSafeFix, match="no Service checkout in elsewhere"):
        propose_fix(cause, only(broken))


def test_a_reference_is_pointed_at_the_name_that_exists():
    broken = changed(GOOD, "deploy/checkout.yaml", "{name: settings,", "{name: setings,")
    cause = hypothesis(
        Kind.MISSING_CONFIG_MAP,
        CHECKOUT,
        f"{API}.env[1].valueFrom.configMapKeyRef.name",
        observed="setings",
        expected="settings",
        container="api",
    )
    assert propose_fix(cause, only(broken)).applied_to(broken) == GOOD


def test_a_renamed_key_is_read_by_its_new_name():
    broken = changed(GOOD, "deploy/settings.yaml", "CUTOFF:", "CUTOFF_TIME:")
    cause = hypothesis(
        Kind.MISSING_KEY,
        CHECKOUT,
        f"{API}.env[1].valueFrom.configMapKeyRef.key",
        observed="CUTOFF",
        expected="CUTOFF_TIME",
        container="api",
    )
    diff = propose_fix(cause, only(broken)).diff
    assert "+                configMapKeyRef: {name: settings, key: CUTOFF_TIME}" in diff


def test_a_deleted_config_map_comes_back_when_that_alone_proves_it():
    without = {path: text for path, text in GOOD.items() if path != "deploy/settings.yaml"}
    history = history_of(("Start", GOOD), ("Drop old files", without))
    cause = hypothesis(
        Kind.MISSING_CONFIG_MAP,
        CHECKOUT,
        f"{API}.env[1].valueFrom.configMapKeyRef.name",
        observed="settings",
        container="api",
        culprit=commit_named(history, "Drop old files"),
    )
    fix = propose_fix(cause, history)
    assert fix.applied_to(without) == GOOD
    assert validate(fix, cause, history).problems == ()


def test_a_variables_value_is_never_made_up():
    cause = hypothesis(
        Kind.MISSING_ENV,
        CHECKOUT,
        f"{API}.env",
        observed="API_TOKEN",
        expected="API_TOKEN",
        container="api",
        message="checkout needs the variable API_TOKEN.",
    )
    with pytest.raises(NoSafeFix, match="sets API_TOKEN; no value is made up"):
        propose_fix(cause, only(GOOD))


def test_a_request_that_fits_no_node_is_lowered_but_never_raised():
    history = history_of(("Small", changed(GOOD, "deploy/checkout.yaml", "cpu: 100m", "cpu: 64")), ("Smaller", GOOD))
    cause = hypothesis(
        Kind.INSUFFICIENT_CPU, CHECKOUT, f"{API}.resources.requests.cpu", observed="100m", container="api"
    )
    with pytest.raises(NoSafeFix):
        propose_fix(cause, history)


@pytest.mark.parametrize("kind", [Kind.NODE_NOT_READY, Kind.UPSTREAM_OUTAGE, Kind.DISK_FULL, Kind.CERTIFICATE_EXPIRED])
def test_what_is_not_in_the_repository_needs_a_person(kind: Kind):
    with pytest.raises(NoSafeFix, match=f"no safe fix for {kind}"):
        propose_fix(hypothesis(kind, CHECKOUT, ""), only(GOOD))


def test_a_conflicting_revert_is_left_to_a_person():
    versions = [{**GOOD, "src/fares.py": f"def fare():\n    return {value}\n"} for value in (1, 2, 3)]
    history = history_of(("Start", versions[0]), ("Two", versions[1]), ("Three", versions[2]))
    cause = hypothesis(Kind.CODE_REGRESSION, CHECKOUT, "", observed="ValueError", culprit=commit_named(history, "Two"))
    with pytest.raises(NoSafeFix, match="changed again since"):
        propose_fix(cause, history)


def test_the_next_candidate_follows_one_that_was_found_invalid():
    history = history_of(
        ("Half", changed(GOOD, "deploy/checkout.yaml", "512Mi", "2Gi")),
        ("Whole", changed(GOOD, "deploy/checkout.yaml", "512Mi", "1Gi")),
        ("Now", changed(GOOD, "deploy/checkout.yaml", "512Mi", "300Mi")),
    )
    cause = hypothesis(Kind.OOM_KILLED, CHECKOUT, f"{API}.resources.limits.memory", observed="300Mi", container="api")
    first = propose_fix(cause, history)
    second = propose_fix(cause, history, previous=first, problems=("the node is too small",))
    third = propose_fix(cause, history, previous=second, problems=("still",))
    assert [one.title.split()[-1] for one in (first, second, third)] == ["1Gi", "2Gi", "600Mi"]
    with pytest.raises(NoSafeFix, match="give up"):
        propose_fix(cause, history, previous=third, problems=("give up",))


def test_malformed_yaml_elsewhere_does_not_stop_a_fix():
    broken = {**changed(GOOD, "deploy/service.yaml", "targetPort: http", "targetPort: web"), "deploy/zz.yaml": "a: [\n"}
    cause = hypothesis(Kind.SERVICE_PORT_MISMATCH, "Service/shop/checkout", "spec.ports[0].targetPort", observed="web")
    assert "targetPort: http" in propose_fix(cause, only(broken)).diff


def test_malformed_yaml_in_the_file_to_be_edited_is_named_with_its_line():
    broken = changed(GOOD, "deploy/service.yaml", "      targetPort: http", "     targetPort: [http")
    cause = hypothesis(Kind.SERVICE_PORT_MISMATCH, "Service/shop/checkout", "spec.ports[0].targetPort", observed="web")
    with pytest.raises(BadManifest, match=r"deploy/service\.yaml, line \d+"):
        propose_fix(cause, only(broken))


def test_a_chart_template_is_not_edited():
    tree = changed(GOOD, "deploy/service.yaml", "targetPort: http", "targetPort: {{ .Values.port }}\n{{- end }}")
    cause = hypothesis(Kind.SERVICE_PORT_MISMATCH, "Service/shop/checkout", "spec.ports[0].targetPort", observed="web")
    with pytest.raises(NoSafeFix, match="template"):
        propose_fix(cause, only(tree))


def test_an_object_that_two_files_declare_is_not_guessed_at():
    tree = {**GOOD, "deploy/copy.yaml": GOOD["deploy/service.yaml"]}
    cause = hypothesis(Kind.SERVICE_PORT_MISMATCH, "Service/shop/checkout", "spec.ports[0].targetPort", observed="web")
    with pytest.raises(NoSafeFix, match="more than once"):
        propose_fix(cause, only(tree))


def test_an_object_that_no_file_declares_is_said_to_be_missing():
    cause = hypothesis(Kind.SERVICE_PORT_MISMATCH, "Service/shop/basket", "spec.ports[0].targetPort", observed="web")
    with pytest.raises(NoSafeFix, match="no manifest of Service/shop/basket"):
        propose_fix(cause, only(GOOD))


def test_a_repository_that_already_is_right_wants_a_deployment_not_a_commit():
    cause = hypothesis(
        Kind.READINESS_PROBE_PATH,
        CHECKOUT,
        f"{API}.readinessProbe.httpGet.path",
        observed="/live",
        expected="/ready",
        container="api",
    )
    broken = changed(GOOD, "deploy/checkout.yaml", "/ready", "/old")
    with pytest.raises(NoSafeFix, match="`/ready` in the repository and `/live` in the cluster"):
        propose_fix(cause, history_of(("Start", broken), ("Mend", GOOD)))


def test_a_quantity_in_another_unit_is_no_drift():
    tree = changed(GOOD, "deploy/checkout.yaml", "memory: 512Mi", "memory: 0.25Gi")
    cause = hypothesis(Kind.OOM_KILLED, CHECKOUT, f"{API}.resources.limits.memory", observed="256Mi", container="api")
    assert "+              memory: 0.5Gi" in propose_fix(cause, only(tree)).diff


def test_a_pod_that_a_workload_made_is_repaired_in_the_workload():
    broken = changed(GOOD, "deploy/checkout.yaml", "512Mi", "300Mi")
    cause = hypothesis(
        Kind.OOM_KILLED,
        "Pod/shop/checkout-5d9c-x7k2p",
        "spec.containers[1].resources.limits.memory",
        observed="300Mi",
        container="api",
    )
    assert propose_fix(cause, history_of(("Start", GOOD), ("Trim", broken))).applied_to(broken) == GOOD


def test_a_json_manifest_is_repaired_in_place():
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"selector": {"app": "checkout"}, "ports": [{"port": 80, "targetPort": "web"}]},
    }
    tree = {
        **{path: text for path, text in GOOD.items() if path != "deploy/service.yaml"},
        "deploy/service.json": json.dumps(service, indent="\t"),
    }
    cause = hypothesis(Kind.SERVICE_PORT_MISMATCH, "Service/shop/checkout", "spec.ports[0].targetPort", observed="web")
    edit = propose_fix(cause, only(tree)).edits[0]
    assert changed_lines(edit.before or "", edit.after or "") == [
        '-\t\t\t\t"targetPort": "web"',
        '+\t\t\t\t"targetPort": "http"',
    ]


def test_a_renamed_demand_on_nodes_gets_its_old_name_back_instead_of_being_dropped():
    containers = "      containers:\n"
    good = changed(GOOD, "deploy/checkout.yaml", containers, f"      nodeSelector:\n        class: fast\n{containers}")
    broken = changed(good, "deploy/checkout.yaml", "        class: fast\n", "        pool: quick\n")
    cause = hypothesis(Kind.NODE_SELECTOR_MISMATCH, CHECKOUT, "spec.template.spec.nodeSelector.pool", observed="quick")
    assert propose_fix(cause, history_of(("Start", good), ("Rename", broken))).applied_to(broken) == good

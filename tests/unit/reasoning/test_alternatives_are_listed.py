"""What else it could be is listed under the causes, weakly, and never decides anything."""

import pytest

from sre_bot.domain.cluster import ClusterSnapshot, ContainerLog
from sre_bot.domain.diagnosis import Diagnosis, Hypothesis
from sre_bot.domain.finding import FaultKind
from sre_bot.domain.source import SourceHistory
from sre_bot.reasoning import judge
from sre_bot.reasoning.alternatives import MOST
from sre_bot.reasoning.field_faults import faults_of
from sre_bot.reasoning.source import FieldChange
from tests.clusters import NOW, app, container, env, log, looping, ref, running, service, snapshot, waiting
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest

WEB = container(ports=[{"containerPort": 8080}])
QUIET = "{day}T11:{minute:02d}:00Z ERROR price of trip {minute} is out of range"


def complaining(objects: list[dict[str, object]], said: str = QUIET, lines: int = 20) -> ContainerLog:
    told = [said.format(day="2026-03-10", minute=40 + n % 20) for n in range(lines)]
    return log(objects[-1], *told)


def possible(diagnosis: Diagnosis) -> list[tuple[FaultKind, str]]:
    return [(one.kind, str(one.object)) for one in diagnosis.hypotheses if one.tentative]


def stuck_port() -> tuple[ClusterSnapshot, SourceHistory]:
    broken, client = service("api", {"port": 80, "targetPort": 5050}), app("web", container(env=env(API="http://api")))
    refused = log(client[-1], "2026-03-10T11:59:00Z ERROR dial tcp 10.96.0.9:80: connect: connection refused")
    return snapshot(app("api", WEB), broken, client, logs=[refused]), history({"deploy/api.yaml": manifest(broken)})


def test_a_port_that_leads_nowhere_may_also_be_the_callers_wrong_port() -> None:
    diagnosis = diagnose(*stuck_port())
    assert best_of(diagnosis).kind == FaultKind.SERVICE_PORT_MISMATCH
    assert (FaultKind.DEPENDENCY_WRONG_PORT, "Deployment/shop/api") in possible(diagnosis)


def test_alternatives_rank_below_the_causes_and_leave_something_to_what_nobody_thought_of() -> None:
    diagnosis = diagnose(*stuck_port())
    stated = [one.confidence for one in diagnosis.hypotheses]
    assert stated == sorted(stated, reverse=True)
    assert sum(stated) < 1
    assert len(diagnosis.hypotheses) <= MOST


def test_each_alternative_says_what_speaks_against_it() -> None:
    assert all(one.against for one in diagnose(*stuck_port()).hypotheses if one.tentative)


@pytest.mark.parametrize(
    ("message", "listed"),
    [
        ("pull access denied, repository does not exist or may require authorization", True),
        ("manifest for registry.example/app:9 not found: manifest unknown", False),
    ],
)
def test_a_refused_pull_is_possible_only_where_the_registry_speaks_of_rights(message: str, *, listed: bool) -> None:
    objects = app("api", WEB, status=[waiting("ImagePullBackOff", f"Back-off pulling image: {message}")])
    named = {one.kind for one in diagnose(snapshot(objects)).hypotheses}
    assert FaultKind.IMAGE_NOT_FOUND in named
    assert (FaultKind.IMAGE_PULL_DENIED in named) is listed


def rerouted() -> tuple[ClusterSnapshot, SourceHistory]:
    """A healthy-looking workload that complains since a commit changed where it gets its prices."""
    before = app("trips", container(env=env(PRICES_URL="http://prices:8080")))
    after = app("trips", container(env=env(PRICES_URL="http://prices.acceptance:8080")))
    prices = [*app("prices", WEB), service("prices", {"port": 8080, "targetPort": 8080})]
    source = history(
        {"deploy/trips.yaml": manifest(before[0]), "deploy/prices.yaml": manifest(prices[0])},
        ("time limits", 180, {"deploy/trips.yaml": manifest(after[0])}),
    )
    return snapshot(after, prices, logs=[complaining(after)]), source


def test_where_all_looks_well_the_change_of_a_workload_that_complains_is_a_lead() -> None:
    diagnosis = diagnose(*rerouted())
    assert possible(diagnosis)[0] == (FaultKind.DEPENDENCY_WRONG_ADDRESS, "Deployment/shop/trips")


def test_leads_turn_no_healthy_cluster_into_a_sick_one() -> None:
    diagnosis = diagnose(*rerouted())
    assert (diagnosis.verdict, best_of(diagnosis).kind) == ("no_action", FaultKind.HEALTHY)
    assert all(one.confidence < best_of(diagnosis).confidence for one in diagnosis.hypotheses if one.tentative)


def test_well_is_said_with_less_confidence_where_a_workload_complains_loudly() -> None:
    cluster, source = rerouted()
    quiet = diagnose(cluster.model_copy(update={"logs": ()}), source)
    calm = diagnose(cluster.model_copy(update={"logs": (log(app("trips")[-1], "INFO ready"),)}), source)
    loud = diagnose(cluster, source)
    assert max(loud.confidence, quiet.confidence) < calm.confidence


def test_a_symptom_with_nothing_but_leads_is_left_to_a_person() -> None:
    """Whatever the threshold: nobody acts on a lead."""
    sick = app("api", container(readinessProbe={"httpGet": {"path": "/", "port": 8080}}), status=[running(ready=False)])
    source = history({"deploy/api.yaml": manifest(sick[0])})
    diagnosis = diagnose(snapshot(sick, logs=[complaining(sick)]), source, threshold=0.0)
    assert diagnosis.causes == ()
    assert (diagnosis.verdict, best_of(diagnosis).tentative) == ("needs_human", True)
    assert "lead" in diagnosis.summary


def test_a_ticket_that_names_an_object_brings_its_lead_forward() -> None:
    before = [app(name, container(env=env(STORE_URL="http://old:80")))[0] for name in ("alpha", "omega")]
    after = [app(name, container(env=env(STORE_URL="http://new:80"))) for name in ("alpha", "omega")]
    source = history(
        {"deploy/all.yaml": manifest(*before)},
        ("new store", 60, {"deploy/all.yaml": manifest(after[0][0], after[1][0])}),
    )
    cluster = snapshot(*after)

    def first(complaint: str) -> str:
        judged = judge(cluster, source, fix_threshold=0.6, repairable=True, complaint=complaint)
        return possible(judged.diagnosis)[0][1]

    assert first("Omega answers nonsense") == "Deployment/shop/omega"
    assert first("alpha answers nonsense") == "Deployment/shop/alpha"


def test_a_crash_that_tells_nothing_leaves_possible_what_such_an_end_permits() -> None:
    sick = app("api", WEB, status=[looping(127)])
    told = [one.kind for one in diagnose(snapshot(sick)).hypotheses]
    assert FaultKind.INVALID_COMMAND in told


def changed(kind: str, field: str, before: str | None, after: str | None, name: str = "") -> FieldChange:
    return FieldChange(
        sha="a" * 40,
        subject="a change",
        at=NOW,
        path="deploy/api.yaml",
        object=ref(kind, "api"),
        field=field,
        before=before,
        after=after,
        name=name,
    )


CONTAINER = "spec.template.spec.containers[0]"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (changed("Deployment", f"{CONTAINER}.env[0].value", "http://a:80", "http://b:80"), "dependency_wrong_address"),
        (changed("Deployment", f"{CONTAINER}.env[0].value", "http://a:80", "http://a:81"), "dependency_wrong_port"),
        (changed("Deployment", f"{CONTAINER}.env[0].value", "5", None, "LIMIT"), "missing_env"),
        (changed("Deployment", f"{CONTAINER}.image", "a:1", "a:2"), "code_regression"),
        (changed("Deployment", f"{CONTAINER}.resources.limits.cpu", "1", "100m"), "cpu_saturation"),
        (changed("Deployment", f"{CONTAINER}.resources.limits.memory", "1Gi", "64Mi"), "oom_killed"),
        (changed("Deployment", f"{CONTAINER}.livenessProbe.httpGet.port", "80", "81"), "liveness_probe_port"),
        (changed("Deployment", f"{CONTAINER}.readinessProbe.httpGet.path", "/", "/up"), "readiness_probe_path"),
        (changed("Deployment", f"{CONTAINER}.livenessProbe.periodSeconds", "10", "1"), "liveness_probe_timing"),
        (changed("Deployment", "spec.template.spec.dnsPolicy", None, "Default"), "dns_misconfigured"),
        (changed("Service", 'spec.selector["app"]', "api", "apl"), "service_selector_mismatch"),
        (changed("Service", "spec.ports[0].targetPort", "80", "81"), "service_port_mismatch"),
        (changed("Ingress", "spec.ingressClassName", "nginx", "public"), "ingress_class_missing"),
        (changed("NetworkPolicy", "", None, "declared"), "network_policy_blocks"),
        (changed("ConfigMap", "", "declared", None), "missing_config_map"),
        (changed("ConfigMap", "data.file", "a: 1\nurl: tcp://a\n", "a: 1\nurl: tcp://b\n"), "dependency_wrong_address"),
        (changed("Role", "rules[0].verbs[1]", "list", None), "permission_denied"),
    ],
)  # fmt: skip
def test_a_field_points_to_the_fault_that_it_would_bring(change: FieldChange, kind: str) -> None:
    assert faults_of(change)[0].kind == kind


def test_a_raised_limit_is_less_suspicious_than_a_lowered_one() -> None:
    field = f"{CONTAINER}.resources.limits.memory"
    raised, lowered = (faults_of(changed("Deployment", field, *pair))[0] for pair in (("1Gi", "2Gi"), ("2Gi", "1Gi")))
    assert raised.weight < lowered.weight


def test_a_lead_cites_the_commit_and_never_a_secrets_value() -> None:
    def secret(value: str) -> dict[str, object]:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "db", "namespace": "shop"},
            "stringData": {"password": value},
        }

    before, after = "hunter-two-old", "hunter-three-new"
    objects = app("api", container(envFrom=[{"secretRef": {"name": "db"}}]))
    source = history(
        {"deploy/db.yaml": manifest(secret(before))}, ("rotate", 60, {"deploy/db.yaml": manifest(secret(after))})
    )
    diagnosis = diagnose(snapshot(objects, [secret(after)], logs=[complaining(objects)]), source)
    leads: list[Hypothesis] = [one for one in diagnosis.hypotheses if one.tentative]
    assert any(one.kind == FaultKind.INVALID_CREDENTIALS for one in leads)
    assert before not in diagnosis.model_dump_json()
    assert after not in diagnosis.model_dump_json()

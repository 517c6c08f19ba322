import base64
import random

from sre_bot.detectors import detect
from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.diagnosis import Diagnosis
from sre_bot.domain.finding import FaultKind
from sre_bot.reasoning import Correlation, SourceReport, analyse_source, correlate
from tests.clusters import (
    ago,
    app,
    config_map,
    container,
    deployment,
    ended,
    env,
    event,
    key_ref,
    log,
    looping,
    node,
    pod,
    replica_set,
    running,
    service,
    snapshot,
    thing,
    waiting,
)
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest

WEB = container(ports=[{"containerPort": 8080}])
BROKEN = service("api", {"port": 80, "targetPort": 5050})
CLIENT = app("web", container(env=env(API_URL="http://api")), status=[looping(1)])
REFUSED = log(CLIENT[-1], "2026-03-10T11:59:00Z ERROR dial tcp 10.96.0.9:80: connect: connection refused")
REPOSITORY = history({"deploy/api.yaml": manifest(BROKEN)})


def kinds(diagnosis: Diagnosis) -> list[FaultKind]:
    return [hypothesis.kind for hypothesis in diagnosis.causes]


def test_a_healthy_cluster_needs_nothing() -> None:
    diagnosis = diagnose(snapshot(app("api", WEB), service("api"), node()), REPOSITORY)
    assert (diagnosis.verdict, kinds(diagnosis)) == ("no_action", [FaultKind.HEALTHY])


def test_a_container_that_crashed_and_runs_well_again_has_recovered() -> None:
    status = running(restarts=2, up=50, ended=ended(1, minutes=50))
    diagnosis = diagnose(snapshot(app("api", WEB, status=[status]), service("api"), app("web", WEB)), REPOSITORY)
    assert (diagnosis.verdict, best_of(diagnosis).kind, str(best_of(diagnosis).object)) == (
        "no_action",
        FaultKind.RECOVERED,
        "Deployment/shop/api",
    )


def test_a_start_that_took_a_probe_or_two_is_no_recovery() -> None:
    objects = app("api", WEB)
    told = event(objects[-1], "Unhealthy", "Readiness probe failed: connection refused", minutes=8_999)
    assert kinds(diagnose(snapshot(objects, events=[told]))) == [FaultKind.HEALTHY]


def test_a_crash_of_last_week_is_history() -> None:
    status = running(restarts=1, up=9_000, ended=ended(1, minutes=9_000))
    assert kinds(diagnose(snapshot(app("api", WEB, status=[status])))) == [FaultKind.HEALTHY]


def test_an_empty_cluster_is_left_to_a_person() -> None:
    assert diagnose(snapshot()).verdict == "needs_human"


def test_symptoms_that_nothing_explains_are_left_to_a_person() -> None:
    sick = app(
        "api",
        container(readinessProbe={"httpGet": {"path": "/", "port": 8080}}, ports=[{"containerPort": 8080}]),
        status=[running(ready=False)],
    )
    diagnosis = diagnose(snapshot(sick), REPOSITORY)
    assert (diagnosis.verdict, diagnosis.hypotheses) == ("needs_human", ())
    assert "api" in diagnosis.summary


def test_a_crash_looping_client_of_a_broken_service_is_an_effect_and_no_cause() -> None:
    diagnosis = diagnose(snapshot(app("api", WEB), BROKEN, CLIENT, logs=[REFUSED]), REPOSITORY)
    assert (diagnosis.verdict, kinds(diagnosis)) == ("fix", [FaultKind.SERVICE_PORT_MISMATCH])
    assert any("web" in text for text in best_of(diagnosis).explains)


def test_a_client_that_fails_by_its_own_code_because_its_dependency_is_broken_is_an_effect() -> None:
    trace = [
        "Traceback (most recent call last):",
        '  File "/app/src/web.py", line 3, in page',
        "    x = data['rows']",
        "TypeError: 'NoneType' object",
    ]
    diagnosis = diagnose(
        snapshot(app("api", WEB), BROKEN, CLIENT, logs=[REFUSED, log(CLIENT[-1], *trace, previous=True)]), REPOSITORY
    )
    assert kinds(diagnosis)[0] == FaultKind.SERVICE_PORT_MISMATCH
    assert FaultKind.CODE_REGRESSION not in kinds(diagnosis)


def test_a_stuck_rollout_is_explained_by_the_narrower_fault_of_the_same_workload() -> None:
    late = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    reads = deployment(
        "api", container(env=[key_ref("LEVEL", "ConfigMap", "conf", "level")]), status={"conditions": late}
    )
    owner = replica_set(reads)
    stuck = pod(owner, waiting("CreateContainerConfigError", 'configmap "conf" not found'), age=20)
    assert kinds(diagnose(snapshot(reads, owner, stuck))) == [FaultKind.MISSING_CONFIG_MAP]


def test_two_faults_at_once_are_two_hypotheses() -> None:
    oom = app("batch", container(resources={"limits": {"memory": "64Mi"}}), status=[looping(137, "OOMKilled")])
    diagnosis = diagnose(snapshot(app("api", WEB), BROKEN, CLIENT, oom, logs=[REFUSED]), REPOSITORY)
    assert set(kinds(diagnosis)) == {FaultKind.SERVICE_PORT_MISMATCH, FaultKind.OOM_KILLED}


def test_without_a_repository_a_person_takes_over() -> None:
    assert diagnose(snapshot(app("api", WEB), BROKEN)).verdict == "needs_human"


def test_a_repository_that_we_may_not_touch_is_not_fixed() -> None:
    assert diagnose(snapshot(app("api", WEB), BROKEN), REPOSITORY, repairable=False).verdict == "needs_human"


def test_a_cause_that_stands_in_no_file_is_left_to_a_person() -> None:
    elsewhere = history({"deploy/other.yaml": manifest(service("other"))})
    assert diagnose(snapshot(app("api", WEB), BROKEN), elsewhere).verdict == "needs_human"


def test_a_confidence_below_the_threshold_is_left_to_a_person() -> None:
    assert diagnose(snapshot(app("api", WEB), BROKEN), REPOSITORY, threshold=0.99).verdict == "needs_human"


def test_a_node_that_is_down_is_left_to_a_person_and_explains_its_pods() -> None:
    down = node(
        ready={
            "type": "Ready",
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
        }
    )
    made = deployment("api", WEB)
    owner = replica_set(made)
    diagnosis = diagnose(
        snapshot(down, made, owner, pod(owner, running(ready=False))), history({"deploy/api.yaml": manifest(made)})
    )
    assert (diagnosis.verdict, best_of(diagnosis).kind) == ("needs_human", FaultKind.KUBELET_DOWN)
    assert any("api" in text for text in best_of(diagnosis).explains)


def test_a_value_changed_by_hand_is_drift_and_no_commit_is_guilty() -> None:
    declared = service("api", {"port": 80, "targetPort": 8080})
    diagnosis = diagnose(snapshot(app("api", WEB), BROKEN), history({"deploy/api.yaml": manifest(declared)}))
    best = best_of(diagnosis)
    assert (best.kind, best.finding.observed, best.finding.expected, best.suspects) == (
        FaultKind.CONFIG_DRIFT,
        "5050",
        "8080",
        (),
    )


def test_defaults_that_the_cluster_adds_are_no_drift() -> None:
    declared = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "api"},
        "spec": {"ports": [{"port": 80, "targetPort": 5050}]},
    }
    diagnosis = diagnose(snapshot(app("api", WEB), BROKEN), history({"deploy/api.yaml": manifest(declared)}))
    assert kinds(diagnosis) == [FaultKind.SERVICE_PORT_MISMATCH]


def test_the_summary_says_cause_place_commit_and_confidence() -> None:
    right = service("api", {"port": 80, "targetPort": 8080})
    source = history(
        {"deploy/api.yaml": manifest(right)}, ("Tidy the service", 90, {"deploy/api.yaml": manifest(BROKEN)})
    )
    summary = diagnose(snapshot(app("api", WEB), BROKEN, CLIENT, logs=[REFUSED]), source).summary
    commit = source.commits[0]
    assert "Service api sends traffic to port 5050" in summary
    assert commit.sha[:9] in summary and commit.subject in summary and "%" in summary and "2026-03-10" in summary


def full_case() -> ClusterSnapshot:
    oom = app("batch", container(resources={"limits": {"memory": "64Mi"}}), status=[looping(137, "OOMKilled")])
    noise = [
        event(oom[-1], "BackOff", "Back-off restarting failed container"),
        event(CLIENT[-1], "BackOff", "Back-off restarting"),
    ]
    return snapshot(
        app("api", WEB),
        BROKEN,
        CLIENT,
        oom,
        config_map("conf", a="b"),
        node(),
        events=noise,
        logs=[REFUSED, log(oom[-1], "x error")],
    )


def test_the_answer_does_not_depend_on_the_order_of_anything() -> None:
    cluster, expected = full_case(), diagnose(full_case(), REPOSITORY)
    for seed in range(5):
        chance = random.Random(seed)
        shuffled = cluster.model_copy(
            update={
                "objects": tuple(chance.sample(cluster.objects, len(cluster.objects))),
                "events": tuple(chance.sample(cluster.events, len(cluster.events))),
                "logs": tuple(chance.sample(cluster.logs, len(cluster.logs))),
            }
        )
        assert diagnose(shuffled, REPOSITORY) == expected


def test_the_answer_does_not_depend_on_any_name() -> None:
    text = full_case().model_dump_json()
    for old, new in (("api", "quux"), ("web", "blarg"), ("batch", "wibble"), ("shop", "zoo"), ("conf", "krm")):
        text = text.replace(f'"{old}', f'"{new}').replace(f"/{old}", f"/{new}").replace(f"-{old}-", f"-{new}-")
    assert kinds(diagnose(ClusterSnapshot.model_validate_json(text))) == kinds(diagnose(full_case()))


def test_every_result_survives_being_written_down() -> None:
    cluster = full_case()
    report = analyse_source(cluster, REPOSITORY)
    correlation = correlate(cluster, detect(cluster), report)
    assert SourceReport.model_validate(report.model_dump(mode="json")) == report
    assert Correlation.model_validate(correlation.model_dump(mode="json")) == correlation
    diagnosis = diagnose(cluster, REPOSITORY)
    assert Diagnosis.model_validate(diagnosis.model_dump(mode="json")) == diagnosis


def test_what_a_finding_observed_stands_literally_in_its_evidence() -> None:
    cluster = full_case()
    for finding in detect(cluster):
        assert any(finding.observed in piece.excerpt for piece in finding.evidence), finding
        assert any(str(finding.object) == piece.subject for piece in finding.evidence), finding


def test_a_pods_own_timestamps_give_the_onset() -> None:
    owner = replica_set(deployment("api", WEB), age=25)
    crashed = pod(owner, looping(137, "OOMKilled", restarts=8), age=25)
    best = best_of(diagnose(snapshot(deployment("api", WEB), owner, crashed)))
    assert best.finding.since is not None and best.finding.since.strftime("%Y-%m-%dT%H:%M:%SZ") == ago(25)


def test_no_password_of_cluster_or_repository_appears_in_a_diagnosis() -> None:
    encoded = base64.b64encode(b"postgres://app:s3cr3t@order-db:5432/orders").decode()
    right = base64.b64encode(b"postgres://app:s3cr3t@orders-db:5432/orders").decode()
    login = thing("Secret", "login", data={"DATABASE_URL": encoded})
    client = app("orders", container(envFrom=[{"secretRef": {"name": "login"}}]), status=[looping(1)])
    source = history(
        {"deploy/login.yaml": manifest({**login, "data": {"DATABASE_URL": right}})},
        ("Shorter names", 30, {"deploy/login.yaml": manifest(login)}),
    )
    database = [app("orders-db", WEB), service("orders-db", {"port": 5432, "targetPort": 8080})]
    cluster = snapshot(client, login, database, logs=[log(client[-1], "getaddrinfo ENOTFOUND order-db")])
    diagnosis = diagnose(cluster, source)
    best = best_of(diagnosis)
    assert (best.kind, best.culprit and best.culprit.subject) == (FaultKind.DEPENDENCY_WRONG_ADDRESS, "Shorter names")
    for secret in ("s3cr3t", encoded, right):
        assert secret not in diagnosis.model_dump_json()
        assert secret not in analyse_source(cluster, source).model_dump_json()


def test_a_password_in_a_plain_address_is_masked() -> None:
    address = env(DATABASE_URL="postgres://app:s3cr3t@order-db:5432/orders")
    client = app("orders", container(env=address), status=[looping(1)])
    database = [app("orders-db", WEB), service("orders-db", {"port": 5432, "targetPort": 8080})]
    diagnosis = diagnose(snapshot(client, database, logs=[log(client[-1], "getaddrinfo ENOTFOUND order-db")]))
    assert "order-db" in diagnosis.model_dump_json() and "s3cr3t" not in diagnosis.model_dump_json()

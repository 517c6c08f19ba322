"""Changes by hand, changes that use up a shared limit, rollouts under way or taken back, and loud neighbours."""

from typing import Any

from sre_bot.domain.diagnosis import Diagnosis
from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    ago,
    app,
    config_map,
    container,
    deployment,
    env,
    log,
    node,
    pod,
    replica_set,
    service,
    snapshot,
    thing,
)
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest
from tests.measured import gauge, step

STAMPS = [f"2026-03-10T11:5{n}:00Z" for n in range(8)]


def first(diagnosis: Diagnosis) -> tuple[FaultKind, str]:
    return best_of(diagnosis).kind, str(best_of(diagnosis).object)


def test_a_selector_that_somebody_narrowed_by_hand_is_drift_for_a_person() -> None:
    declared = service("prices", selector={"app": "prices"})
    live = service("prices", selector={"app": "prices", "track": "canary"})
    cluster = snapshot(app("prices", container(ports=[{"containerPort": 8080}])), live)
    diagnosis = diagnose(cluster, history({"deploy/all.yaml": manifest(declared)}))
    assert first(diagnosis) == (FaultKind.CONFIG_DRIFT, "Service/shop/prices")
    assert diagnosis.verdict == "needs_human"
    mended = diagnose(cluster, history({"deploy/all.yaml": manifest(live)}))
    assert first(mended)[0] == FaultKind.SERVICE_SELECTOR_MISMATCH


def redeem(line: str) -> Diagnosis:
    """A workload with an address that the repository has otherwise, and what it logs."""
    live = app("redeem", container(env=env(PARTNER_URL="http://gw.staging.example:8080")))
    declared = deployment("redeem", container(env=env(PARTNER_URL="http://gw.partners.example:8080")))
    cluster = snapshot(live, logs=[log(live[-1], *[f"{stamp} {line}" for stamp in STAMPS])])
    return diagnose(cluster, history({"deploy/all.yaml": manifest(declared)}))


def test_drift_counts_where_the_warnings_speak_of_the_live_value() -> None:
    told = redeem("ERROR voucher unknown at http://gw.staging.example:8080/v1/redeem: 404")
    assert first(told) == (FaultKind.CONFIG_DRIFT, "Deployment/shop/redeem")
    assert redeem("WARN deprecated header seen").verdict == "no_action"


def orders(pool: str, minutes: float) -> Any:
    """A client of the database with that pool, changed so many minutes ago from 15."""
    before, after = (
        deployment("orders", container(env=env(DB_HOST="postgres", DB_POOL_SIZE=size))) for size in ("15", pool)
    )
    database = deployment("postgres", container(image="postgres:16", ports=[{"containerPort": 5432}]))
    client, server = pod(after), pod(database, ip="10.1.0.5")
    said = "FATAL: sorry, too many clients already"
    logs = [log(server, *[f"{stamp} {said}" for stamp in STAMPS])]
    cluster = snapshot(after, client, database, server, service("postgres", {"port": 5432}), logs=logs)
    tree = {"deploy/orders.yaml": manifest(before), "deploy/db.yaml": manifest(database)}
    return diagnose(cluster, history(tree, ("Another pool", minutes, {"deploy/orders.yaml": manifest(after)})))


def test_a_client_that_raised_its_pool_is_the_culprit_of_a_server_without_connections() -> None:
    best = best_of(orders("60", 15))
    assert (best.kind, str(best.object)) == (FaultKind.CONNECTION_EXHAUSTION, "Deployment/shop/postgres")
    assert best.culprit is not None and best.culprit.score >= 0.7


def test_a_client_that_lowered_its_pool_is_no_such_culprit() -> None:
    culprit = best_of(orders("5", 15)).culprit
    assert culprit is None or culprit.score < 0.7


def rollout(age: float, **probe: int) -> Diagnosis:
    """Three old pods and a new one of that age that is not ready."""
    own = container(startupProbe={"periodSeconds": 10, **probe}) if probe else container()
    status = {"conditions": [{"type": "Available", "status": "True"}]}
    made = deployment("tickets", own, replicas=4, status=status)
    old, new = replica_set(made), replica_set(made, revision=2, age=age)
    ready = [pod(old, name=f"tickets-rev1-{n}") for n in range(3)]
    state = {"name": "app", "ready": False, "restartCount": 0, "state": {"running": {"startedAt": ago(age)}}}
    fresh = pod(new, state, name="tickets-rev2-0", age=age)
    other = deployment("tickets", container(image="registry.example/app:0.9"), replicas=4)
    source = history(
        {"deploy/all.yaml": manifest(other)}, ("tickets 1.0", age + 1, {"deploy/all.yaml": manifest(made)})
    )
    return diagnose(snapshot(made, old, new, ready, fresh, app("web")), source)


def test_a_pod_that_just_starts_beside_enough_ready_ones_hurts_nobody() -> None:
    assert rollout(1).verdict == "no_action"
    assert rollout(4, failureThreshold=60).verdict == "no_action"
    assert first(rollout(30)) == (FaultKind.CODE_REGRESSION, "Deployment/shop/tickets")


def test_a_revision_that_gave_way_to_an_older_one_is_a_trouble_that_is_over() -> None:
    made = deployment("search")
    bad, good = replica_set(made, revision=2, age=180, replicas=0), replica_set(made, revision=3, age=9_000)
    calm = diagnose(snapshot(made, bad, good, pod(good, age=120), app("web")))
    assert first(calm) == (FaultKind.RECOVERED, "Deployment/shop/search")
    ordinary = replica_set(made, revision=2, age=9_500, replicas=0)
    assert first(diagnose(snapshot(made, ordinary, good, pod(good, age=120))))[0] == FaultKind.HEALTHY


def crowd(farm_after: float, node_after: float) -> list[FaultKind]:
    """A slow workload on a node beside another namespace's, with the CPU that both that namespace and the node use."""
    slow, farm = deployment("routes"), deployment("worker", namespace="farm")
    metrics = (
        gauge("container_cpu_usage_seconds", step(0.5, farm_after), namespace="farm"),
        gauge("node_cpu_utilisation", step(0.3, node_after), node="node-1"),
        gauge("http_request_latency_p95", step(0.2, 3), pod="routes-x1"),
    )
    cluster = snapshot(slow, farm, node(), pod(slow), pod(farm), config_map("settings"))
    diagnosis = diagnose(cluster.model_copy(update={"metrics": metrics}))
    return [one.kind for one in diagnosis.causes if one.object.namespace in ("farm", "shop")]


def test_a_neighbour_that_fills_the_node_is_the_cause_and_not_the_network() -> None:
    assert crowd(3.5, 0.98) == [FaultKind.CPU_SATURATION]
    assert FaultKind.CPU_SATURATION not in crowd(3.5, 0.4)
    assert FaultKind.CPU_SATURATION not in crowd(0.5, 0.98)


def throttled(share: float, latency: float) -> list[FaultKind]:
    """A workload whose pods have been throttled as long as they live."""
    made = deployment("tagger", container(resources={"limits": {"cpu": "200m"}}))
    metrics = (
        gauge("container_cpu_cfs_throttled_periods_ratio", lambda _: share, pod="tagger-x1"),
        gauge("http_request_latency_p95", step(0.2, latency), service="tagger"),
    )
    cluster = snapshot(made, node(), pod(made)).model_copy(update={"metrics": metrics})
    return [one.kind for one in diagnose(cluster).causes]


def test_new_pods_that_are_throttled_all_along_while_answers_got_slower_lack_cpu() -> None:
    assert throttled(0.95, 7) == [FaultKind.CPU_SATURATION]
    assert throttled(0.0, 7) == [FaultKind.NETWORK_DELAY]
    assert throttled(0.95, 0.2) == [FaultKind.HEALTHY]


def test_a_route_leads_to_the_service_of_the_same_stem() -> None:
    def gateway(target: str) -> Diagnosis:
        text = f"location /api/invoices/ {{ proxy_pass http://{target}:8080/v1/; }}"
        asked = app("orders")
        servers = [asked, app("invoicing"), service("orders"), service("invoicing")]
        lines = [f"{stamp} WARN No static resource v1/invoices/7879." for stamp in STAMPS]
        return diagnose(snapshot(servers, config_map("routes", conf=text), logs=[log(asked[-1], *lines)]))

    assert first(gateway("orders")) == (FaultKind.GATEWAY_MISROUTE, "ConfigMap/shop/routes")
    assert gateway("invoicing").verdict == "no_action"


def test_a_full_claim_that_no_manifest_sizes_is_for_a_person_whoever_filled_it() -> None:
    def collector(days: str) -> Any:
        return deployment("collector", container(env=env(DB_HOST="db", RAW_RETENTION_DAYS=days)))

    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}
    server = deployment("db", container(image="postgres:16", ports=[{"containerPort": 5432}]), volumes=[volume])
    claim = thing("PersistentVolumeClaim", "data-db-0", status={"phase": "Bound"})
    running, client = pod(server, ip="10.1.0.5"), collector("365")
    logs = [log(running, *[f"{stamp} FATAL: could not write: No space left on device" for stamp in STAMPS])]
    cluster = snapshot(server, running, claim, service("db", {"port": 5432}), client, pod(client), logs=logs)
    changed = ("Keep a year", 5_000, {"deploy/all.yaml": manifest(client)})
    diagnosis = diagnose(cluster, history({"deploy/all.yaml": manifest(collector("30"))}, changed))
    best = best_of(diagnosis)
    assert (best.kind, diagnosis.verdict) == (FaultKind.DISK_FULL, "needs_human")
    assert best.culprit is not None and best.culprit.subject == "Keep a year"

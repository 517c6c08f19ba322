"""Selectors that reach nobody, the wrong pods or too many of them; and those that are meant."""

import pytest

from tests.ailing_clusters import Part, answers, cluster, complaining, crashing, quiet, variables
from tests.clusters import Object, app, container, pod, service, workload
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest

SELECTOR = "service_selector_mismatch"
HTTP: Object = {"ports": [{"name": "http", "containerPort": 8080}]}
LABELS: Object = {"app.kubernetes.io/name": "api", "app.kubernetes.io/instance": "api", "tier": "back"}

SELECTORS = {
    "a misspelt value": {"app.kubernetes.io/name": "apii"},
    "another case": {"app.kubernetes.io/name": "Api"},
    "the old key": {"app": "api"},
    "one pair too many": {**LABELS, "version": "v2"},
    "another instance": {**LABELS, "app.kubernetes.io/instance": "shop-api"},
    "another tier": {**LABELS, "tier": "front"},
    "the chart's component": {"app.kubernetes.io/component": "api"},
}


@pytest.mark.parametrize("selector", SELECTORS.values(), ids=SELECTORS)
def test_a_selector_that_reaches_nobody_is_the_services(selector: Object) -> None:
    client = complaining("web", "connect ECONNREFUSED 10.96.0.9:80", spec=variables(API_URL="http://api"))
    seen = cluster(client, quiet("api", HTTP, labels=LABELS), service("api", selector=selector))
    assert answers(seen) == (SELECTOR, "Service/shop/api")


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_a_headless_service_that_reaches_nobody_is_wrong_too(kind: str) -> None:
    made = workload(
        kind, "db", container(ports=[{"containerPort": 5432}]), labels={"app": "db"}, template={"serviceName": "db"}
    )
    head = service("db", {"port": 5432}, selector={"app": "database"}, clusterIP="None")
    said = "getaddrinfo ENOTFOUND db"
    seen = cluster(
        crashing("web", said, spec=variables(DB_HOST="db", DB_PORT="5432")),
        made,
        pod(made, name="db-0", ip="10.1.0.7"),
        head,
    )
    assert answers(seen) == (SELECTOR, "Service/shop/db")


def test_labels_that_a_rollout_changed_leave_the_service_behind() -> None:
    before, after = (
        app("api", container(**HTTP), labels={"app": "api"}),
        app("api", container(**HTTP), labels={"app": "api-v2"}),
    )
    source = history(
        {"deploy/api.yaml": manifest(before[0], service("api"))},
        ("api: new labels", 40, {"deploy/api.yaml": manifest(after[0], service("api"))}),
        ("web: colours", 20, {"deploy/web.yaml": manifest(app("web")[0])}),
    )
    best = best_of(diagnose(cluster(after, service("api"), quiet("web", variables(API_URL="http://api"))), source))
    assert (str(best.kind), str(best.object)) == (SELECTOR, "Service/shop/api")
    assert best.culprit and best.culprit.subject == "api: new labels"


def _twins() -> list[Part]:
    return [
        quiet("orders-api", HTTP, labels={"app": "orders-api"}),
        quiet("orders-worker", HTTP, labels={"app": "orders-worker"}),
    ]


def test_a_service_that_took_its_neighbours_pods_is_wrong_although_they_serve_the_port() -> None:
    own = service("orders-worker", {"port": 80, "targetPort": "http"})
    seen = cluster(
        *_twins(), own, service("orders-api", {"port": 80, "targetPort": "http"}, selector={"app": "orders-worker"})
    )
    assert answers(seen) == (SELECTOR, "Service/shop/orders-api")


def test_a_selector_too_wide_reaches_pods_that_do_not_serve() -> None:
    labels = {"app": "orders", "component": "api"}, {"app": "orders", "component": "worker"}
    api = quiet("orders-api", HTTP, labels=labels[0])
    worker = quiet("orders-worker", {"ports": [{"name": "metrics", "containerPort": 9100}]}, labels=labels[1])
    client = complaining("web", "connect ECONNREFUSED 10.96.0.9:80", spec=variables(ORDERS_URL="http://orders"))
    seen = cluster(api, worker, client, service("orders", {"port": 80, "targetPort": 8080}, selector={"app": "orders"}))
    assert answers(seen) == (SELECTOR, "Service/shop/orders")


INTENDED = {
    "blue and green": (
        {"app": "web", "version": "blue"},
        {"app": "web", "version": "green"},
        {"app": "web", "version": "green"},
    ),
    "a canary beside": ({"app": "web", "track": "stable"}, {"app": "web", "track": "canary"}, {"app": "web"}),
    "a metrics service": ({"app": "web", "scrape": "yes"}, {"app": "worker", "scrape": "yes"}, {"scrape": "yes"}),
}


@pytest.mark.parametrize(("one", "other", "selector"), INTENDED.values(), ids=INTENDED)
def test_a_selector_that_is_meant_is_no_fault(one: Object, other: Object, selector: Object) -> None:
    seen = cluster(
        quiet("web", HTTP, labels=one),
        quiet("web-next", HTTP, labels=other),
        service("web", {"port": 80, "targetPort": "http"}, selector=selector),
    )
    assert answers(seen)[0] == "healthy"


def test_pods_that_an_operator_labels_one_by_one_are_selected_by_those_labels() -> None:
    made = workload(
        "StatefulSet", "db", container(ports=[{"containerPort": 5432}]), labels={"cluster": "db"}, replicas=2
    )
    roles = [{"cluster": "db", "role": role} for role in ("primary", "replica")]
    pods = [
        pod(made, name=f"db-{place}", ip=f"10.1.0.{70 + place}", metadata={"labels": one})
        for place, one in enumerate(roles)
    ]
    fronts = [service(f"db-{one['role']}", {"port": 5432}, selector=one) for one in roles]
    seen = cluster(made, pods, fronts, quiet("web", variables(DB_HOST="db-primary", DB_PORT="5432")))
    assert answers(seen)[0] == "healthy"


def test_a_service_that_was_turned_to_the_replicas_is_wrong_where_writes_are_refused() -> None:
    made = workload(
        "StatefulSet",
        "db",
        container(image="postgres:16", ports=[{"containerPort": 5432}]),
        labels={"cluster": "db"},
        replicas=2,
    )
    roles = [{"cluster": "db", "role": role} for role in ("primary", "replica")]
    pods = [
        pod(made, name=f"db-{place}", ip=f"10.1.0.{70 + place}", metadata={"labels": one})
        for place, one in enumerate(roles)
    ]
    front = service("db", {"port": 5432}, selector=roles[1])
    said = "ERROR: cannot execute INSERT in a read-only transaction (SQLSTATE 25006)"
    seen = cluster(made, pods, front, complaining("web", said, spec=variables(DB_HOST="db", DB_PORT="5432")))
    assert answers(seen) == (SELECTOR, "Service/shop/db")

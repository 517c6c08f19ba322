"""Live objects that differ from their declaration: drift where it hurts, and nothing where it does not."""

from typing import Any

import pytest

from tests.ailing_clusters import Part, cluster, complaining, crashing, quiet, server, variables
from tests.clusters import Object, ago, app, config_map, container, env, log, service, thing
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest

DRIFT = "config_drift"


def _declared(**values: str) -> list[Object]:
    return app("orders", container(env=env(**values)))


DRIFTS: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "a host": ({"DB_HOST": "orders-db"}, {"DB_HOST": "orders-bd"}, "getaddrinfo ENOTFOUND orders-bd"),
    "a url": (
        {"DB_URL": "postgres://orders-db:5432/x"},
        {"DB_URL": "postgres://orders-bd:5432/x"},
        "getaddrinfo ENOTFOUND orders-bd",
    ),
    "a port": (
        {"DB_ADDR": "orders-db:5432"},
        {"DB_ADDR": "orders-db:5433"},
        "dial tcp 10.96.0.9:5433: connect: connection refused",
    ),
    "a value": ({"POOL_SIZE": "10"}, {"POOL_SIZE": "ten"}, "ValueError: invalid literal for int() with base 10: 'ten'"),
}


@pytest.mark.parametrize(("written", "live", "said"), DRIFTS.values(), ids=DRIFTS)
def test_a_live_value_that_is_not_the_declared_one_is_drift(
    written: dict[str, str], live: dict[str, str], said: str
) -> None:
    seen = cluster(crashing("orders", said, spec={"env": env(**live)}), server("orders-db", 5432))
    source = history(
        {"deploy/orders.yaml": manifest(_declared(**written)[0])}, ("web: colours", 30, {"README.md": "colours"})
    )
    best = best_of(diagnose(seen, source))
    assert (str(best.kind), str(best.object)) == (DRIFT, "Deployment/shop/orders")


LIVE: dict[str, tuple[Object, Object, str]] = {
    "a selector": (service("api"), service("api", selector={"app": "api", "version": "v2"}), "Service/shop/api"),
    "a target port": (
        service("api", {"port": 80, "targetPort": 8080}),
        service("api", {"port": 80, "targetPort": 8081}),
        "Service/shop/api",
    ),
    "a protocol": (
        service("api", {"port": 80, "targetPort": 8080}),
        service("api", {"port": 80, "targetPort": 8080, "protocol": "UDP"}),
        "Service/shop/api",
    ),
}


@pytest.mark.parametrize(("written", "live", "named"), LIVE.values(), ids=LIVE)
def test_a_service_changed_by_hand_is_drift(written: Object, live: Object, named: str) -> None:
    spec: Object = {"ports": [{"containerPort": 8080}]}
    declared = app("api", container(**spec))[0]
    source = history({"deploy/api.yaml": manifest(declared, written)}, ("web: colours", 30, {"README.md": "colours"}))
    best = best_of(diagnose(cluster(quiet("api", spec), live, quiet("web", variables(API_URL="http://api"))), source))
    assert (str(best.kind), str(best.object)) == (DRIFT, named)


HARMLESS: dict[str, tuple[Object, Object]] = {
    "a replica more": (app("api", replicas=2)[0], app("api", replicas=3)[0]),
    "a default": (app("api")[0], {**app("api")[0], "spec": {**app("api")[0]["spec"], "revisionHistoryLimit": 10}}),
}


@pytest.mark.parametrize(("written", "live"), HARMLESS.values(), ids=HARMLESS)
def test_a_difference_that_hurts_nobody_is_no_fault(written: Object, live: Object) -> None:
    source = history({"deploy/api.yaml": manifest(written)}, ("web: colours", 30, {"README.md": "colours"}))
    objects = app("api")
    seen = cluster(Part([live, *objects[1:]], [log(objects[-1], f"{ago(3)} INFO fine")]))
    assert str(best_of(diagnose(seen, source)).kind) == "healthy"


def _file(host: str) -> Object:
    return config_map("conf", **{"a.yaml": f"db:\n  host: {host}\n  port: 5432\n"})


def _policy(app_: str) -> Object:
    peer = {"from": [{"podSelector": {"matchLabels": {"app": app_}}}]}
    spec = {"podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Ingress"], "ingress": [peer]}
    return thing("NetworkPolicy", "guard", api="networking.k8s.io/v1", spec=spec)


def _role(*verbs: str) -> Object:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": list(verbs)}
    return thing("Role", "web", api="rbac.authorization.k8s.io/v1", rules=[rule])


BINDING = thing(
    "RoleBinding",
    "web",
    api="rbac.authorization.k8s.io/v1",
    subjects=[{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}],
    roleRef={"kind": "Role", "name": "web", "apiGroup": "rbac.authorization.k8s.io"},
)
CALLS = variables(API_URL="http://api:80")
MOUNT: Object = {"volumes": [{"name": "conf", "configMap": {"name": "conf"}}]}
FORBIDDEN = (
    'pods is forbidden: User "system:serviceaccount:shop:web" cannot list resource "pods" in API group "" '
    'in the namespace "shop"'
)
OTHERS: dict[str, tuple[Object, Object, list[Any], str]] = {
    "a file": (
        _file("db"),
        _file("dbs"),
        [crashing("web", "getaddrinfo ENOTFOUND dbs", **MOUNT), server("db", 5432)],
        "ConfigMap/shop/conf",
    ),
    "a policy": (
        _policy("web"),
        _policy("wep"),
        [complaining("web", "dial tcp 10.96.0.9:80: i/o timeout", spec=CALLS), server("api", 8080, offered=80)],
        "NetworkPolicy/shop/guard",
    ),
    "a role": (
        _role("get", "list"),
        _role("get"),
        [complaining("web", FORBIDDEN, serviceAccountName="web"), BINDING],
        "Role/shop/web",
    ),
}


@pytest.mark.parametrize(("written", "live", "parts", "named"), OTHERS.values(), ids=OTHERS)
def test_any_object_changed_by_hand_is_drift(written: Object, live: Object, parts: list[Any], named: str) -> None:
    source = history({"deploy/all.yaml": manifest(written)}, ("web: colours", 30, {"README.md": "colours"}))
    best = best_of(diagnose(cluster(*parts, live), source))
    assert (str(best.kind), str(best.object)) == (DRIFT, named)

from typing import Any

import pytest

from tests.clusters import (
    Object,
    ago,
    app,
    container,
    deployment,
    env,
    event,
    log,
    node,
    service,
    thing,
    workload,
)
from tests.variants import answer, named, pods_of

API = "Deployment/shop/api"


CLIENT = app("web", container(env=env(API_URL="http://api")))


def ingress(to: str) -> Object:
    backend = {"service": {"name": to, "port": {"number": 80}}}
    rules = [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    return thing("Ingress", "front", api="networking.k8s.io/v1", spec={"rules": rules})


def empty(kind: str = "Deployment", **template: Any) -> list[Object]:
    return [workload(kind, "api", replicas=0, template=template), service("api")]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet"])
@pytest.mark.parametrize("who", ["client", "ingress", "route", "autoscaler", "neighbour's log", "other namespace"])
def test_whoever_needs_the_pods_none_are_too_few(kind: str, who: str) -> None:
    route = {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [{"name": "api", "port": 80}]}]}
    far = app("web", container(env=env(API_URL="http://api.shop.svc.cluster.local")), namespace="front")
    silent = app("web")
    others: dict[str, list[Object]] = {
        "client": CLIENT,
        "ingress": [ingress("api"), *app("web")],
        "route": [thing("HTTPRoute", "front", api="gateway.networking.k8s.io/v1", spec=route), *app("web")],
        "autoscaler": [
            scaler(
                kind,
                "ScalingActive",
                "False",
                "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero",
            ),
            *app("web"),
        ],
        "neighbour's log": silent,
        "other namespace": far,
    }
    lines = [
        f"2026-03-10T11:5{n}:00Z ERROR Get http://api/: dial tcp 10.96.0.9:80: connect: connection refused"
        for n in range(9)
    ]
    logs = [log(silent[-1], *lines)] if who == "neighbour's log" else []
    said = answer(empty(kind), others[who], node(), logs=logs)
    assert (said.kind, said.object, said.verdict) == ("zero_replicas", f"{kind}/shop/api", "fix")


def test_the_commit_that_scaled_it_to_nothing_is_guilty() -> None:
    said = answer(empty(), CLIENT, node(), before=[deployment("api", replicas=3), service("api"), CLIENT[0]])
    assert (said.kind, said.object, said.culprit, said.verdict) == ("zero_replicas", API, "change something", "fix")


def test_a_scaled_down_workload_that_nobody_calls_is_no_fault() -> None:
    assert named(deployment("old", replicas=0), app("web"), node())[0] == "healthy"


def test_the_idle_half_of_a_blue_green_pair_is_no_fault() -> None:
    blue = deployment("api-blue", labels={"app": "api", "slot": "blue"}, replicas=0)
    green = app("api-green", labels={"app": "api", "slot": "green"})
    routed = service("api", selector={"app": "api", "slot": "green"})
    assert (
        named(blue, green, routed, service("api-blue", selector={"app": "api", "slot": "blue"}), CLIENT, node())[0]
        == "healthy"
    )


def scaler(kind: str, condition: str, status: str, reason: str, message: str, target: str = "api") -> Object:
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": target},
        "minReplicas": 1,
        "maxReplicas": 5,
    }
    shown = {"type": condition, "status": status, "reason": reason, "message": message, "lastTransitionTime": ago(30)}
    return thing("HorizontalPodAutoscaler", "api", api="autoscaling/v2", spec=spec, status={"conditions": [shown]})


NEVER = "the HPA was unable to compute the replica count: "


CPU = "failed to get cpu utilization: "


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("FailedGetResourceMetric", f"{NEVER}{CPU}missing request for cpu in container app of Pod api-1"),
        ("FailedGetResourceMetric", f"{NEVER}{CPU}missing request for cpu"),
        (
            "FailedGetContainerResourceMetric",
            f"{NEVER}failed to get cpu utilization: container side not present in metrics",
        ),
        (
            "FailedGetResourceMetric",
            (
                f"{NEVER}{CPU}unable to get metrics for resource cpu: unable to fetch metrics from resource "
                f"metrics API: "
                f"the server could not find the requested resource (get pods.metrics.k8s.io)"
            ),
        ),
        (
            "FailedGetExternalMetric",
            f"{NEVER}unable to get external metric shop/depth/nil: no metrics returned from external metrics API",
        ),
        (
            "FailedGetPodsMetric",
            f"{NEVER}unable to get metric requests_per_second: no metrics returned from custom metrics API",
        ),
        ("InvalidSelector", "the HPA target's scale is missing a selector"),
        ("AmbiguousSelector", "pods by selector app=api are controlled by multiple HPAs: [shop/api shop/api-2]"),
    ],
)
def test_whatever_keeps_an_autoscaler_from_computing_it_cannot_scale(kind: str, reason: str, message: str) -> None:
    kind_, object_ = named(pods_of(kind), scaler(kind, "ScalingActive", "False", reason, message), node())
    assert (kind_, object_.rsplit("/", 1)[-1]) == ("hpa_cannot_scale", "api")


def test_an_autoscaler_without_its_target_cannot_scale() -> None:
    message = 'the HPA controller was unable to get the target\'s current scale: deployments.apps "apis" not found'
    lost = scaler("Deployment", "AbleToScale", "False", "FailedGetScale", message, target="apis")
    assert named(pods_of("Deployment"), lost, node()) == ("hpa_cannot_scale", "HorizontalPodAutoscaler/shop/api")


def test_an_autoscaler_whose_conditions_are_lost_is_told_by_its_events() -> None:
    silent = {**scaler("Deployment", "", "", "", ""), "status": {}}
    told = event(silent, "FailedGetResourceMetric", f"{CPU}missing request for cpu in container app of Pod api-1")
    assert named(pods_of("Deployment"), silent, node(), events=[told])[0] == "hpa_cannot_scale"


@pytest.mark.parametrize(
    ("condition", "status", "reason", "message"),
    [
        (
            "ScalingLimited",
            "True",
            "TooFewReplicas",
            "the desired replica count is less than the minimum replica count",
        ),
        ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"),
        (
            "ScalingActive",
            "False",
            "FailedGetResourceMetric",
            f"{NEVER}{CPU}did not receive metrics for targeted pods (pods might be unready)",
        ),
    ],
)
def test_an_autoscaler_in_its_ordinary_states_is_no_fault(
    condition: str, status: str, reason: str, message: str
) -> None:
    fresh = scaler("Deployment", condition, status, reason, message)
    fresh["status"]["conditions"][0]["lastTransitionTime"] = ago(1)
    assert named(pods_of("Deployment"), fresh, node())[0] == "healthy"

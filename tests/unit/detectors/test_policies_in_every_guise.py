"""NetworkPolicies that forbid needed traffic, by every field of theirs, and those that admit it."""

from typing import Any

import pytest

from tests.ailing_clusters import Part, answers, cluster, complaining, crashing, server, variables
from tests.clusters import Object, thing

BLOCKS = "network_policy_blocks"
API = {"podSelector": {"matchLabels": {"app": "api"}}}
WEB = {"podSelector": {"matchLabels": {"app": "web"}}}


def policy(name: str = "guard", namespace: str = "shop", **spec: Any) -> Object:
    return thing("NetworkPolicy", name, api="networking.k8s.io/v1", namespace=namespace, spec={**API, **spec})


def admits(*peers: Object, **rest: Any) -> Object:
    return policy(policyTypes=["Ingress"], ingress=[{"from": list(peers), **rest}])


BLOCKING: dict[str, Object] = {
    "everything denied": policy(podSelector={}, policyTypes=["Ingress"]),
    "an empty list": policy(policyTypes=["Ingress"], ingress=[]),
    "type not written": policy(ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "other"}}}]}]),
    "another app": admits({"podSelector": {"matchLabels": {"app": "wep"}}}),
    "another port": admits(WEB, ports=[{"port": 9090, "protocol": "TCP"}]),
    "the service's port": admits(WEB, ports=[{"port": 80}]),
    "another protocol": admits(WEB, ports=[{"port": 8080, "protocol": "UDP"}]),
    "a port's name that is none": admits(WEB, ports=[{"port": "web"}]),
    "a range that ends before": admits(WEB, ports=[{"port": 8000, "endPort": 8079}]),
    "a namespace without that label": admits({"namespaceSelector": {"matchLabels": {"team": "shop"}}}),
    "another namespace": admits({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "front"}}}),
    "both in one entry": admits(
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "front"}}, **WEB}
    ),
    "addresses elsewhere": admits({"ipBlock": {"cidr": "192.168.0.0/16"}}),
    "addresses but this": admits({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}),
    "an expression": admits(
        {"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}}
    ),
    "a label that must not be": admits(
        {"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}
    ),
    "the client's way out": policy(
        podSelector=WEB["podSelector"], policyTypes=["Egress"], egress=[{"ports": [{"port": 53, "protocol": "UDP"}]}]
    ),
    "the client's way out, denied": policy(podSelector=WEB["podSelector"], policyTypes=["Egress"]),
    "the client's way out, another port": policy(
        podSelector=WEB["podSelector"], policyTypes=["Egress"], egress=[{"to": [API], "ports": [{"port": 80}]}]
    ),
}


@pytest.mark.parametrize("guard", BLOCKING.values(), ids=BLOCKING)
@pytest.mark.parametrize(
    "said",
    [
        "dial tcp 10.96.0.9:80: i/o timeout",
        "Connection to api:80 timed out",
        "HTTPConnectionPool(host='api', port=80): Max retries exceeded (Caused by ConnectTimeoutError())",
    ],
)
def test_a_policy_that_forbids_a_call_that_times_out_is_named(guard: Object, said: str) -> None:
    client = complaining("web", said, spec=variables(API_URL="http://api:80"))
    assert answers(cluster(client, _api(), guard)) == (BLOCKS, "NetworkPolicy/shop/guard")


def _api(namespace: str = "shop") -> Part:
    return server(
        "api", 8080, offered=80, namespace=namespace, spec={"ports": [{"name": "http", "containerPort": 8080}]}
    )


def test_a_policy_in_the_servers_namespace_that_forgets_the_clients_is_named() -> None:
    guard = policy(namespace="data", policyTypes=["Ingress"], ingress=[{"from": [WEB]}])
    client = crashing(
        "web", "dial tcp: i/o timeout connecting to api.data:80", spec=variables(API_URL="http://api.data:80")
    )
    assert answers(cluster(client, _api("data"), guard)) == (BLOCKS, "NetworkPolicy/data/guard")


def test_the_entrance_that_a_policy_forgets_times_out() -> None:
    said = (
        'upstream timed out (110: Operation timed out) while connecting to upstream, upstream: "http://10.1.0.9:8080/"'
    )
    front = complaining("ingress-nginx-controller", said, namespace="ingress-nginx")
    front.objects[-1]["status"]["podIP"] = "10.1.9.9"
    guard = policy(policyTypes=["Ingress"], ingress=[{"from": [{"podSelector": {}}]}])
    assert answers(cluster(front, _api(), guard)) == (BLOCKS, "NetworkPolicy/shop/guard")


@pytest.mark.parametrize(
    "said",
    [
        "dial tcp: lookup api on 10.96.0.10:53: read udp 10.1.0.5:41992->10.96.0.10:53: i/o timeout",
        "getaddrinfo EAI_AGAIN api",
    ],
)
def test_a_way_out_without_name_resolution_is_the_policys(said: str) -> None:
    guard = policy(
        podSelector=WEB["podSelector"], policyTypes=["Egress"], egress=[{"to": [API], "ports": [{"port": 8080}]}]
    )
    client = complaining("web", said, spec=variables(API_URL="http://api:80"))
    assert answers(cluster(client, _api(), guard)) == (BLOCKS, "NetworkPolicy/shop/guard")


def test_an_outside_host_that_no_way_out_leads_to_is_the_policys() -> None:
    guard = policy(
        podSelector=WEB["podSelector"],
        policyTypes=["Egress"],
        egress=[{"to": [{"podSelector": {}}]}, {"ports": [{"port": 53, "protocol": "UDP"}]}],
    )
    client = complaining(
        "web", "dial tcp 203.0.113.9:443: i/o timeout", spec=variables(PAY_URL="https://203.0.113.9:443")
    )
    assert answers(cluster(client, guard)) == (BLOCKS, "NetworkPolicy/shop/guard")


def test_a_probe_is_no_peer_and_a_ready_server_no_proof() -> None:
    guard = policy(podSelector={}, policyTypes=["Ingress", "Egress"])
    client = complaining("web", "connect ETIMEDOUT 10.96.0.9:80", spec=variables(API_URL="http://api:80"))
    assert answers(cluster(client, _api(), guard)) == (BLOCKS, "NetworkPolicy/shop/guard")


ADMITTING: dict[str, Object] = {
    "by its label": admits(WEB),
    "by the container's port": admits(WEB, ports=[{"port": 8080}]),
    "by the port's name": admits(WEB, ports=[{"port": "http"}]),
    "by a range": admits(WEB, ports=[{"port": 8000, "endPort": 8999}]),
    "any peer": policy(policyTypes=["Ingress"], ingress=[{}]),
    "the namespace": admits({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}),
    "any namespace": admits({"namespaceSelector": {}}),
    "addresses": admits({"ipBlock": {"cidr": "10.1.0.0/16"}}),
    "only its own way out": policy(policyTypes=["Egress"]),
}


@pytest.mark.parametrize("guard", ADMITTING.values(), ids=ADMITTING)
def test_a_policy_that_admits_the_call_is_not_to_blame(guard: Object) -> None:
    client = complaining("web", "dial tcp 10.96.0.9:80: i/o timeout", spec=variables(API_URL="http://api:80"))
    assert answers(cluster(client, _api(), guard))[0] != BLOCKS


def test_of_two_policies_one_that_admits_is_enough() -> None:
    client = complaining("web", "dial tcp 10.96.0.9:80: i/o timeout", spec=variables(API_URL="http://api:80"))
    deny = policy("deny", podSelector={}, policyTypes=["Ingress"])
    assert answers(cluster(client, _api(), deny, admits(WEB)))[0] != BLOCKS

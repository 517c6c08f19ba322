from typing import Any

from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    Object,
    app,
    container,
    deployment,
    env,
    found,
    log,
    looping,
    node,
    only,
    service,
    snapshot,
    thing,
)

API = container(ports=[{"containerPort": 8080}])
TIMEOUT = "2026-03-10T11:59:00Z ERROR dial tcp api:80: i/o timeout"


def policy(name: str, select: Object | None = None, **spec: Any):
    return thing("NetworkPolicy", name, spec={"podSelector": {"matchLabels": select or {}}, **spec})


def cluster(*policies: Object, line: str = TIMEOUT, crash: bool = False):
    client = app("web", container(env=env(API_URL="http://api")), status=[looping(1)] if crash else None)
    return snapshot(app("api", API), service("api"), client, *policies, logs=[log(client[-1], line)])


def test_a_policy_that_admits_others_only_blocks_the_client() -> None:
    admits = policy("guard", {"app": "api"}, ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "gateway"}}}]}])
    finding = only(cluster(admits), FaultKind.NETWORK_POLICY_BLOCKS)
    assert (str(finding.object), finding.field) == ("NetworkPolicy/shop/guard", "spec.ingress")
    assert (finding.observed, finding.expected) == ("app: gateway", "app: web")


def test_a_policy_with_the_wrong_port_blocks() -> None:
    admits = policy("guard", {"app": "api"}, ingress=[{"ports": [{"port": 9090}]}])
    assert found(cluster(admits)) == [(FaultKind.NETWORK_POLICY_BLOCKS, "NetworkPolicy/shop/guard")]


def test_a_policy_that_denies_everything_blocks() -> None:
    assert found(cluster(policy("deny", policyTypes=["Ingress"]))) == [
        (FaultKind.NETWORK_POLICY_BLOCKS, "NetworkPolicy/shop/deny")
    ]


def test_egress_rules_that_forget_the_server_block() -> None:
    out = policy(
        "out",
        {"app": "web"},
        policyTypes=["Egress"],
        egress=[
            {"to": [{"podSelector": {"matchLabels": {"app": "cache"}}}]},
            {"ports": [{"port": 53, "protocol": "UDP"}]},
        ],
    )
    assert found(cluster(out)) == [(FaultKind.NETWORK_POLICY_BLOCKS, "NetworkPolicy/shop/out")]


def test_egress_rules_that_forget_name_resolution_block_all_names() -> None:
    out = policy("out", {"app": "web"}, policyTypes=["Egress"], egress=[{"ports": [{"port": 8080}]}])
    finding = only(cluster(out, line="2026-03-10T11:59:00Z getaddrinfo EAI_AGAIN api"), FaultKind.NETWORK_POLICY_BLOCKS)
    assert finding.expected == "53"


def test_a_policy_that_admits_the_client_does_not_block() -> None:
    admits = policy(
        "guard",
        {"app": "api"},
        ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 8080}]}],
    )
    assert FaultKind.NETWORK_POLICY_BLOCKS not in [
        kind for kind, _ in found(cluster(admits, policy("deny", policyTypes=["Ingress"])))
    ]


def test_a_policy_that_forbids_what_nobody_misses_is_no_fault() -> None:
    assert found(cluster(policy("deny", policyTypes=["Ingress"]), line="all is well")) == []


def test_a_policy_of_another_namespace_guards_other_pods() -> None:
    other = thing("NetworkPolicy", "deny", namespace="finance", spec={"podSelector": {}, "policyTypes": ["Ingress"]})
    assert found(cluster(other)) == []


LOST = "2026-03-10T11:59:00Z ERROR getaddrinfo ENOTFOUND api"


def test_a_pod_that_asks_the_nodes_resolver_does_not_find_services() -> None:
    client = app("web", dnsPolicy="Default")
    finding = only(
        snapshot(app("api", API), service("api"), client, logs=[log(client[-1], LOST)]), FaultKind.DNS_MISCONFIGURED
    )
    assert (finding.field, finding.observed, finding.expected) == (
        "spec.template.spec.dnsPolicy",
        "Default",
        "ClusterFirst",
    )


def test_a_pod_on_the_host_network_needs_its_own_policy() -> None:
    client = app("web", dnsPolicy="ClusterFirst", hostNetwork=True)
    finding = only(
        snapshot(app("api", API), service("api"), client, logs=[log(client[-1], LOST)]), FaultKind.DNS_MISCONFIGURED
    )
    assert finding.expected == "ClusterFirstWithHostNet"


def test_name_servers_of_ones_own_are_named() -> None:
    client = app("web", dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.53"]})
    assert found(snapshot(app("api", API), service("api"), client, logs=[log(client[-1], LOST)])) == [
        (FaultKind.DNS_MISCONFIGURED, "Deployment/shop/web")
    ]


def test_a_wrong_name_is_no_matter_of_the_resolver() -> None:
    client = app("web", container(env=env(API_HOST="apj")), dnsPolicy="Default")
    line = LOST.replace("ENOTFOUND api", "ENOTFOUND apj")
    assert FaultKind.DNS_MISCONFIGURED not in [
        kind for kind, _ in found(snapshot(app("api", API), service("api"), client, logs=[log(client[-1], line)]))
    ]


def test_a_dns_service_without_pods_is_named_where_right_names_do_not_resolve() -> None:
    dns = [
        deployment("resolver", replicas=0, namespace="kube-system"),
        service("resolver", {"port": 53, "protocol": "UDP"}, namespace="kube-system"),
    ]
    client = app("web")
    cluster_ = snapshot(app("api", API), service("api"), client, dns, node(), logs=[log(client[-1], LOST)])
    assert (FaultKind.DNS_MISCONFIGURED, "Deployment/kube-system/resolver") in found(cluster_)


def ingress(service_name: str = "api", path: str = "/", port: int = 80, cls: str = "nginx", **spec: Any):
    backend = {"service": {"name": service_name, "port": {"number": port}}}
    return thing(
        "Ingress",
        "front",
        api="networking.k8s.io/v1",
        spec={
            "ingressClassName": cls,
            "rules": [{"host": "shop.example.com", "http": {"paths": [{"path": path, "backend": backend}]}}],
            **spec,
        },
    )


NGINX = thing("IngressClass", "nginx", namespace="")


def test_an_ingress_to_a_service_that_does_not_exist() -> None:
    finding = only(snapshot(app("api", API), service("api"), ingress("apis"), NGINX), FaultKind.INGRESS_BACKEND_MISSING)
    assert (finding.field, finding.observed, finding.expected) == (
        "spec.rules[0].http.paths[0].backend.service.name",
        "apis",
        "api",
    )


def test_an_ingress_to_a_port_that_the_service_does_not_offer() -> None:
    finding = only(
        snapshot(app("api", API), service("api"), ingress(port=8080), NGINX), FaultKind.INGRESS_BACKEND_MISSING
    )
    assert (finding.observed, finding.expected) == ("8080", "80")


def test_an_ingress_class_that_does_not_exist() -> None:
    finding = only(
        snapshot(app("api", API), service("api"), ingress(cls="ngnix"), NGINX), FaultKind.INGRESS_CLASS_MISSING
    )
    assert (finding.observed, finding.expected) == ("ngnix", "nginx")


def test_a_certificate_that_does_not_exist() -> None:
    tls = ingress(tls=[{"hosts": ["shop.example.com"], "secretName": "shop-tsl"}])
    finding = only(
        snapshot(app("api", API), service("api"), tls, NGINX, thing("Secret", "shop-tls")), FaultKind.TLS_SECRET_MISSING
    )
    assert (finding.observed, finding.expected) == ("shop-tsl", "shop-tls")


def test_a_certificate_in_a_namespace_whose_secrets_were_not_read_is_not_judged() -> None:
    tls = ingress(tls=[{"secretName": "shop-tls"}])
    assert found(snapshot(app("api", API), service("api"), tls, NGINX)) == []
    assert (
        found(
            snapshot(app("api", API), service("api"), tls, NGINX, thing("Secret", "x"), unseen=("secrets: forbidden",))
        )
        == []
    )


def test_a_path_that_leads_to_another_service_than_the_one_of_its_name() -> None:
    routes = ingress("orders", path="/payments")
    cluster_ = snapshot(app("orders", API), app("payments", API), service("orders"), service("payments"), routes, NGINX)
    finding = only(cluster_, FaultKind.GATEWAY_MISROUTE)
    assert (finding.observed, finding.expected) == ("orders", "payments")


def test_a_right_ingress_is_no_fault() -> None:
    assert found(snapshot(app("api", API), service("api"), ingress(), NGINX)) == []


def test_a_route_that_its_gateway_does_not_accept() -> None:
    route = thing(
        "HTTPRoute",
        "front",
        api="gateway.networking.k8s.io/v1",
        spec={"rules": [{"backendRefs": [{"name": "api", "port": 80}]}]},
        status={
            "parents": [
                {"conditions": [{"type": "Accepted", "status": "False", "reason": "NoMatchingParent", "message": "no"}]}
            ]
        },
    )
    assert found(snapshot(app("api", API), service("api"), route)) == [
        (FaultKind.GATEWAY_MISROUTE, "HTTPRoute/shop/front")
    ]


def test_a_proxys_own_configuration_that_names_nothing_is_a_misroute() -> None:
    conf = "upstream backend {\n  server apj:80;\n}\nserver {\n  location / { proxy_pass http://backend; }\n}\n"
    proxy = app("edge", status=[looping(1)], volumes=[{"name": "c", "configMap": {"name": "edge-conf"}}])
    cluster_ = snapshot(
        app("api", API),
        service("api"),
        proxy,
        thing("ConfigMap", "edge-conf", data={"default.conf": conf}),
        logs=[log(proxy[-1], 'nginx: [emerg] host not found in upstream "apj:80" in /etc/nginx/conf.d/default.conf:2')],
    )
    finding = only(cluster_, FaultKind.GATEWAY_MISROUTE)
    assert (str(finding.object), finding.field, finding.observed, finding.expected) == (
        "ConfigMap/shop/edge-conf",
        'data["default.conf"]',
        "apj",
        "api",
    )

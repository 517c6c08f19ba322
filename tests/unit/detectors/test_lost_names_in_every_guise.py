"""Name resolution that fails for right names: by a pod's own settings, or by the cluster's DNS."""

from typing import Any

import pytest

from tests.ailing_clusters import Part, answers, cluster, complaining, crashing, server, variables
from tests.clusters import Object, app, config_map, container, looping, service, thing, workload

DNS = "dns_misconfigured"
API = server("api", 8080, offered=80)


def resolver(*statuses: Object, **rest: Any) -> Part:
    spec = container("coredns", ports=[{"name": "dns", "containerPort": 53, "protocol": "UDP"}])
    objects = app(
        "coredns", spec, namespace="kube-system", status=list(statuses) or None, labels={"k8s-app": "kube-dns"}
    )
    front = service(
        "kube-dns",
        {"name": "dns", "port": 53, "protocol": "UDP"},
        selector={"k8s-app": "kube-dns"},
        namespace="kube-system",
        ip="10.96.0.10",
    )
    return Part([*objects, front])


LOOKUPS = {
    "go": "dial tcp: lookup api on 8.8.8.8:53: no such host",
    "node": "getaddrinfo ENOTFOUND api",
    "jvm": "java.net.UnknownHostException: api: Name or service not known",
    "python": "socket.gaierror: [Errno -2] Name or service not known",
    "again": "getaddrinfo EAI_AGAIN api",
    "dotnet": "System.Net.Http.HttpRequestException: Name or service not known (api:80)",
}
OWN: dict[str, Object] = {
    "the node's resolver": {"dnsPolicy": "Default"},
    "none of the cluster's": {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["8.8.8.8"]}},
    "an added server": {"dnsConfig": {"nameservers": ["10.0.0.53"]}},
    "on the host's network": {"hostNetwork": True},
    "on the host's network by name": {"hostNetwork": True, "dnsPolicy": "ClusterFirst"},
    "no search path": {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.96.0.10"], "searches": ["corp.example"]}},
}


@pytest.mark.parametrize("said", LOOKUPS.values(), ids=LOOKUPS)
@pytest.mark.parametrize("spec", OWN.values(), ids=OWN)
def test_a_pod_whose_own_settings_lose_right_names_is_named(spec: Object, said: str) -> None:
    client = crashing("web", said, spec=variables(API_URL="http://api:80"), **spec)
    assert answers(cluster(client, API, resolver())) == (DNS, "Deployment/shop/web")


def test_many_dots_before_the_search_path_lose_names_of_other_namespaces() -> None:
    config: Object = {"dnsConfig": {"options": [{"name": "ndots", "value": "1"}]}}
    client = crashing("web", "getaddrinfo ENOTFOUND api.data", spec=variables(API_URL="http://api.data:80"), **config)
    assert answers(cluster(client, server("api", 8080, offered=80, namespace="data"), resolver())) == (
        DNS,
        "Deployment/shop/web",
    )


def test_an_alias_that_shadows_a_service_is_named() -> None:
    aliases: Object = {"hostAliases": [{"ip": "10.20.30.40", "hostnames": ["api"]}]}
    client = complaining(
        "web", "dial tcp 10.20.30.40:80: i/o timeout", spec=variables(API_URL="http://api:80"), **aliases
    )
    assert answers(cluster(client, API, resolver())) == (DNS, "Deployment/shop/web")


CORES: dict[str, tuple[Part, list[Object]]] = {
    "in a loop": (resolver(looping(1, name="coredns")), []),
    "scaled to nothing": (
        Part(
            [
                workload(
                    "Deployment",
                    "coredns",
                    container("coredns"),
                    namespace="kube-system",
                    labels={"k8s-app": "kube-dns"},
                    replicas=0,
                ),
                service(
                    "kube-dns",
                    {"name": "dns", "port": 53, "protocol": "UDP"},
                    selector={"k8s-app": "kube-dns"},
                    namespace="kube-system",
                    ip="10.96.0.10",
                ),
            ]
        ),
        [],
    ),
}


@pytest.mark.parametrize(("core", "more"), CORES.values(), ids=CORES)
def test_the_clusters_dns_that_does_not_run_is_named(core: Part, more: list[Object]) -> None:
    parts = [
        complaining(name, "getaddrinfo EAI_AGAIN api", spec=variables(API_URL="http://api:80"))
        for name in ("web", "app")
    ]
    assert answers(cluster(*parts, API, core, more)) == (DNS, "Deployment/kube-system/coredns")


COREFILES = {
    "another domain": ".:53 {\n  kubernetes cluster.example in-addr.arpa ip6.arpa\n  forward . /etc/resolv.conf\n}\n",
    "no kubernetes at all": ".:53 {\n  errors\n  forward . 8.8.8.8\n  cache 30\n}\n",
    "a rewrite": ".:53 {\n  rewrite name api.shop.svc.cluster.local apis.shop.svc.cluster.local\n  kubernetes "
    "cluster.local\n}\n",
    "a template": ".:53 {\n  template IN A shop.svc.cluster.local {\n    rcode NXDOMAIN\n  }\n  kubernetes "
    "cluster.local\n}\n",
    "some namespaces only": ".:53 {\n  kubernetes cluster.local {\n    namespaces kube-system default\n  }\n}\n",
}


@pytest.mark.parametrize("corefile", COREFILES.values(), ids=COREFILES)
def test_a_corefile_that_loses_right_names_is_named(corefile: str) -> None:
    parts = [
        complaining(name, "getaddrinfo ENOTFOUND api", spec=variables(API_URL="http://api:80"))
        for name in ("web", "app")
    ]
    core = resolver()
    core.objects[0]["spec"]["template"]["spec"]["volumes"] = [{"name": "c", "configMap": {"name": "coredns"}}]
    seen = cluster(*parts, API, core, config_map("coredns", namespace="kube-system", Corefile=corefile))
    assert answers(seen) in ((DNS, "ConfigMap/kube-system/coredns"), (DNS, "Deployment/kube-system/coredns"))


def test_wrong_names_that_a_healthy_dns_does_not_know_are_not_its_fault() -> None:
    client = complaining("web", "getaddrinfo ENOTFOUND apis", spec=variables(API_URL="http://apis:80"))
    good = ".:53 {\n  kubernetes cluster.local in-addr.arpa ip6.arpa\n  forward . /etc/resolv.conf\n}\n"
    seen = cluster(client, API, resolver(), config_map("coredns", namespace="kube-system", Corefile=good))
    assert answers(seen) == ("dependency_wrong_address", "Deployment/shop/web")


def test_a_policy_in_front_of_the_name_server_is_the_policys_fault() -> None:
    rule = {
        "from": [{"namespaceSelector": {"matchLabels": {"team": "platform"}}}],
        "ports": [{"port": 53, "protocol": "UDP"}],
    }
    guard = thing(
        "NetworkPolicy",
        "guard",
        api="networking.k8s.io/v1",
        namespace="kube-system",
        spec={"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}, "policyTypes": ["Ingress"], "ingress": [rule]},
    )
    client = complaining("web", "getaddrinfo EAI_AGAIN api", spec=variables(API_URL="http://api:80"))
    assert answers(cluster(client, API, resolver(), guard)) == (
        "network_policy_blocks",
        "NetworkPolicy/kube-system/guard",
    )


KUBE_DNS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
UDP = [{"port": 53, "protocol": "UDP"}]
WAYS_OUT: dict[str, tuple[list[Object], bool]] = {
    "by tcp only": ([{"ports": [{"port": 53}]}], True),
    "another port": ([{"ports": [{"port": 5353, "protocol": "UDP"}]}], True),
    "to another namespace": ([{"to": [{"namespaceSelector": {"matchLabels": {"name": "dns"}}}], "ports": UDP}], True),
    "to its own namespace": ([{"to": [{"podSelector": {}}], "ports": UDP}], True),
    "to other pods": (
        [{"to": [{**KUBE_DNS, "podSelector": {"matchLabels": {"k8s-app": "coredns"}}}], "ports": UDP}],
        True,
    ),
    "to anybody": ([{"ports": UDP}], False),
    "to the cluster's": ([{"to": [KUBE_DNS], "ports": UDP}], False),
    "by the port's name": ([{"to": [KUBE_DNS], "ports": [{"port": "dns", "protocol": "UDP"}]}], False),
    "to the node's": ([{"to": [{"ipBlock": {"cidr": "169.254.20.10/32"}}], "ports": UDP}], False),
    "everywhere": ([{}], False),
}


@pytest.mark.parametrize(("rules", "blocks"), WAYS_OUT.values(), ids=WAYS_OUT)
def test_a_way_out_must_lead_to_a_name_server_by_udp(rules: list[Object], blocks: bool) -> None:
    opened = [*rules, {"to": [{"podSelector": {"matchLabels": {"app": "api"}}}]}]
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": opened}
    guard = thing("NetworkPolicy", "guard", api="networking.k8s.io/v1", spec=spec)
    client = complaining("web", "getaddrinfo EAI_AGAIN api", spec=variables(API_URL="http://api:80"))
    named = answers(cluster(client, API, resolver(), guard))
    assert (named == ("network_policy_blocks", "NetworkPolicy/shop/guard")) == blocks

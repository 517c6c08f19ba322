"""What holds for all entrances, policies, name servers and certificates that satisfy their rules: they are no fault."""

import base64
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ailing_clusters import Part, cluster, complaining, quiet, server, variables
from tests.clusters import NOW, Object, app, config_map, container, found, service, thing

SOME = settings(max_examples=20, deadline=None, derandomize=True)
NET, GATEWAY = "networking.k8s.io/v1", "gateway.networking.k8s.io/v1"
names = st.from_regex(r"[a-z][a-z0-9]{2,8}", fullmatch=True)
some_names = st.lists(names, min_size=1, max_size=4, unique=True)
TIMEOUT = "dial tcp 10.96.0.9:80: i/o timeout"
CLIENT = complaining("web", TIMEOUT, spec=variables(API_URL="http://api:80"), labels={"app": "web", "tier": "front"})
API = server("api", 8080, offered=80)


def kinds(*parts: Any) -> set[str]:
    return {str(kind) for kind, _ in found(cluster(*parts))}


def _class(name: str) -> Object:
    return thing("IngressClass", name, api=NET, namespace="", spec={"controller": "example.io/controller"})


def _ingress(chosen: str, backend: str, port: int) -> Object:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": backend, "port": {"number": port}}}}
    return thing("Ingress", "front", api=NET, spec={"ingressClassName": chosen, "rules": [{"http": {"paths": [path]}}]})


@SOME
@given(some_names, st.data())
def test_an_ingress_is_a_fault_exactly_if_its_class_or_backend_is_not_there(
    known: list[str], data: st.DataObject
) -> None:
    chosen, backend = data.draw(st.sampled_from([*known, "nobodys"])), data.draw(st.sampled_from(["api", "apis"]))
    expected = {"ingress_class_missing"} if chosen == "nobodys" else set[str]()
    expected |= {"ingress_backend_missing"} if backend == "apis" else set()
    assert kinds(API, [_class(name) for name in known], _ingress(chosen, backend, 80)) == expected


@SOME
@given(some_names, st.data())
def test_a_route_is_a_fault_exactly_if_its_parent_is_not_there(known: list[str], data: st.DataObject) -> None:
    parent = data.draw(st.sampled_from([*known, "nobodys"]))
    gateways = [thing("Gateway", name, api=GATEWAY, spec={"listeners": [{"name": "http"}]}) for name in known]
    rules = [{"backendRefs": [{"name": "api", "port": 80}]}]
    route = thing("HTTPRoute", "front", api=GATEWAY, spec={"parentRefs": [{"name": parent}], "rules": rules})
    assert kinds(API, gateways, route) == ({"gateway_misroute"} if parent == "nobodys" else set())


@SOME
@given(
    st.sets(st.sampled_from(["app", "tier"])),
    st.sampled_from([[], [{"port": 8080}], [{"port": 8000, "endPort": 8100}], [{"protocol": "TCP"}]]),
)
def test_a_policy_that_admits_by_some_of_the_clients_labels_never_blocks(chosen: set[str], open_: list[Object]) -> None:
    wanted = {key: {"app": "web", "tier": "front"}[key] for key in chosen}
    rule = {"from": [{"podSelector": {"matchLabels": wanted}}], **({"ports": open_} if open_ else {})}
    spec = {"podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Ingress"], "ingress": [rule]}
    guard = thing("NetworkPolicy", "guard", api=NET, spec=spec)
    assert "network_policy_blocks" not in kinds(CLIENT, API, guard)
    rule["from"] = [{"podSelector": {"matchLabels": {**wanted, "app": "somebody-else"}}}]
    assert "network_policy_blocks" in kinds(CLIENT, API, guard)


@SOME
@given(st.integers(0, 255), st.integers(0, 255), st.integers(8, 30))
def test_an_address_block_blocks_exactly_those_outside_it(third: int, fourth: int, length: int) -> None:
    client = Part([*CLIENT.objects], CLIENT.logs)
    client.objects[-1] = {
        **client.objects[-1],
        "status": {**client.objects[-1]["status"], "podIP": f"10.9.{third}.{fourth}"},
    }
    for cidr, blocks in ((f"10.9.{third}.{fourth}/{length}", False), ("172.16.0.0/12", True)):
        rule = {"from": [{"ipBlock": {"cidr": cidr}}]}
        spec = {"podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Ingress"], "ingress": [rule]}
        guard = thing("NetworkPolicy", "guard", api=NET, spec=spec)
        assert ("network_policy_blocks" in kinds(client, API, guard)) == blocks


PLUGINS = ("errors", "health", "ready", "cache 30", "loop", "reload", "loadbalance", "forward . /etc/resolv.conf")


@SOME
@given(st.permutations(["kubernetes cluster.local in-addr.arpa ip6.arpa", *PLUGINS]))
def test_a_corefile_that_answers_for_services_is_no_fault_in_any_order(lines: list[str]) -> None:
    core = app(
        "coredns", container("coredns", ports=[{"containerPort": 53, "protocol": "UDP"}]), namespace="kube-system"
    )
    port = {"name": "dns", "port": 53, "protocol": "UDP"}
    front = service("kube-dns", port, selector={"app": "coredns"}, namespace="kube-system", ip="10.96.0.10")
    corefile = ".:53 {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"
    lost = [
        complaining(name, "getaddrinfo ENOTFOUND api", spec=variables(API_URL="http://api:80")) for name in ("a", "b")
    ]
    files = config_map("coredns", namespace="kube-system", Corefile=corefile)
    assert "dns_misconfigured" not in kinds(*lost, API, core, front, files)
    files["data"]["Corefile"] = corefile.replace("cluster.local", "cluster.example")
    assert "dns_misconfigured" in kinds(*lost, API, core, front, files)


@SOME
@given(st.integers(-400, 400).filter(bool))
def test_a_certificate_is_a_fault_exactly_once_its_time_is_over(days: int) -> None:
    end = (NOW + timedelta(days=days)).strftime("%y%m%d%H%M%SZ").encode()
    der = bytes.fromhex("301e170d") + b"250101000000Z" + bytes.fromhex("170d") + end
    pem = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
    held = thing("Secret", "front-tls", data={"tls.crt": base64.b64encode(pem.encode()).decode()})
    assert kinds(quiet("api"), held) == (set() if days > 0 else {"certificate_expired"})


@SOME
@given(st.sampled_from(["http", "grpc", "https"]), st.booleans())
def test_an_announced_protocol_is_a_fault_only_if_it_differs_and_somebody_trips_over_it(
    spoken: str, trips: bool
) -> None:
    said = "call to api failed: upstream reset: protocol error" if trips else "all is well"
    client = complaining("web", said, level="WARN", spec=variables(API_URL="http://api:80"))
    behind = quiet("api", {"ports": [{"name": "grpc", "containerPort": 8080}]})
    front = service("api", {"port": 80, "targetPort": 8080, "appProtocol": spoken})
    assert ("service_protocol_mismatch" in kinds(client, behind, front)) == (trips and spoken != "grpc")

"""Gateways, meshes and proxies that lead astray: parents, backends, hosts, subsets and lines of their own files."""

from typing import Any

import pytest

from tests.ailing_clusters import answers, cluster, complaining, quiet, server
from tests.clusters import Object, ago, config_map, log, thing

TLS, MISROUTE, GATEWAY = "tls_secret_missing", "gateway_misroute", "gateway.networking.k8s.io/v1"


def secret(name: str, kind: str = "kubernetes.io/tls") -> Object:
    return {**thing("Secret", name, data={"tls.crt": "", "tls.key": ""}), "type": kind}


def test_a_gateway_whose_certificate_is_not_there_is_named() -> None:
    refs = [{"name": "shop-tls", "kind": "Secret"}]
    gateway = thing(
        "Gateway",
        "front",
        api=GATEWAY,
        spec={"listeners": [{"name": "https", "tls": {"certificateRefs": refs}}]},
        status={
            "listeners": [
                {
                    "name": "https",
                    "conditions": [
                        {
                            "type": "ResolvedRefs",
                            "status": "False",
                            "reason": "InvalidCertificateRef",
                            "message": 'Secret "shop-tls" not found',
                        }
                    ],
                }
            ]
        },
    )
    assert answers(cluster(server("api"), gateway, secret("other"))) == (TLS, "Gateway/shop/front")


def route(*backends: Object, name: str = "api", status: Object | None = None, **spec: Any) -> Object:
    rules = [{"backendRefs": list(backends) or [{"name": "api", "port": 8080}]}]
    return thing(
        "HTTPRoute",
        name,
        api=GATEWAY,
        spec={"parentRefs": [{"name": "front"}], "rules": rules, **spec},
        status=status or {},
    )


def refused(kind: str, reason: str) -> Object:
    return {"parents": [{"conditions": [{"type": kind, "status": "False", "reason": reason, "message": "see there"}]}]}


FRONT = thing("Gateway", "front", api=GATEWAY, spec={"listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]})
ROUTES: dict[str, list[Object]] = {
    "a backend that is not there": [FRONT, route({"name": "apis", "port": 8080})],
    "a port that is not there": [FRONT, route({"name": "api", "port": 80})],
    "a gateway that is not there": [FRONT, route(parentRefs=[{"name": "frnt"}])],
    "a listener that is not there": [FRONT, route(parentRefs=[{"name": "front", "sectionName": "https"}])],
    "not accepted": [FRONT, route(status=refused("Accepted", "NoMatchingParent"))],
    "not allowed": [FRONT, route(status=refused("Accepted", "NotAllowedByListeners"))],
    "no grant": [
        FRONT,
        route({"name": "api", "port": 8080, "namespace": "other"}, status=refused("ResolvedRefs", "RefNotPermitted")),
    ],
    "all weight on nobody": [
        FRONT,
        route({"name": "api", "port": 8080, "weight": 0}, {"name": "apis", "port": 8080, "weight": 1}),
    ],
}


@pytest.mark.parametrize("objects", ROUTES.values(), ids=ROUTES)
def test_a_route_that_leads_nowhere_is_named(objects: list[Object]) -> None:
    other = server("api", namespace="other")
    assert answers(cluster(server("api"), other, objects)) == (MISROUTE, "HTTPRoute/shop/api")


MESH: dict[str, tuple[Object, str]] = {
    "a host that is nobody's": (
        thing(
            "VirtualService",
            "api",
            api="networking.istio.io/v1",
            spec={"hosts": ["api"], "http": [{"route": [{"destination": {"host": "apis"}}]}]},
        ),
        "VirtualService/shop/api",
    ),
    "a subset that nobody defines": (
        thing(
            "VirtualService",
            "api",
            api="networking.istio.io/v1",
            spec={"hosts": ["api"], "http": [{"route": [{"destination": {"host": "api", "subset": "v2"}}]}]},
        ),
        "VirtualService/shop/api",
    ),
    "a subset without pods": (
        thing(
            "DestinationRule",
            "api",
            api="networking.istio.io/v1",
            spec={"host": "api", "subsets": [{"name": "v1", "labels": {"version": "one"}}]},
        ),
        "DestinationRule/shop/api",
    ),
    "a port that is not offered": (
        thing(
            "VirtualService",
            "api",
            api="networking.istio.io/v1",
            spec={
                "hosts": ["api"],
                "http": [{"route": [{"destination": {"host": "api.shop.svc.cluster.local", "port": {"number": 81}}}]}],
            },
        ),
        "VirtualService/shop/api",
    ),
    "traefik": (
        thing(
            "IngressRoute",
            "api",
            api="traefik.io/v1alpha1",
            spec={"routes": [{"match": "Host(`x`)", "services": [{"name": "apis", "port": 8080}]}]},
        ),
        "IngressRoute/shop/api",
    ),
    "traefik, port": (
        thing(
            "IngressRoute",
            "api",
            api="traefik.io/v1alpha1",
            spec={"routes": [{"match": "Host(`x`)", "services": [{"name": "api", "port": 80}]}]},
        ),
        "IngressRoute/shop/api",
    ),
    "traefik, middleware": (
        thing(
            "IngressRoute",
            "api",
            api="traefik.io/v1alpha1",
            spec={
                "routes": [
                    {
                        "match": "Host(`x`)",
                        "middlewares": [{"name": "strip"}],
                        "services": [{"name": "api", "port": 8080}],
                    }
                ]
            },
        ),
        "IngressRoute/shop/api",
    ),
}


@pytest.mark.parametrize(("rule", "named"), MESH.values(), ids=MESH)
def test_a_mesh_that_routes_to_nobody_is_named(rule: Object, named: str) -> None:
    strip = thing("Middleware", "strip-prefix", api="traefik.io/v1alpha1", spec={})
    seen = cluster(
        server("api", labels={"app": "api", "version": "v1"}), rule, strip if "middlewares" in str(rule) else []
    )
    assert answers(seen) == (MISROUTE, named)


def test_good_mesh_rules_are_no_fault() -> None:
    rules = [
        thing(
            "VirtualService",
            "api",
            api="networking.istio.io/v1",
            spec={
                "hosts": ["api"],
                "http": [{"route": [{"destination": {"host": "api", "subset": "v1", "port": {"number": 8080}}}]}],
            },
        ),
        thing(
            "DestinationRule",
            "api",
            api="networking.istio.io/v1",
            spec={"host": "api", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]},
        ),
        thing(
            "IngressRoute",
            "api",
            api="traefik.io/v1alpha1",
            spec={"routes": [{"match": "Host(`x`)", "services": [{"name": "api", "port": 8080}]}]},
        ),
    ]
    assert answers(cluster(server("api", labels={"app": "api", "version": "v1"}), rules))[0] == "healthy"


PROXIES = {
    "nginx upstream": (
        "nginx.conf",
        "upstream api {\n  server apis:8080;\n}\nserver {\n  location / { proxy_pass http://api; }\n}\n",
    ),
    "nginx proxy_pass": (
        "default.conf",
        "server {\n  listen 80;\n  location / {\n    proxy_pass http://apis:8080;\n  }\n}\n",
    ),
    "haproxy": ("haproxy.cfg", "backend api\n  balance roundrobin\n  server one apis:8080 check\n"),
    "caddy": ("Caddyfile", ":80 {\n  reverse_proxy apis:8080\n}\n"),
    "envoy": (
        "envoy.yaml",
        "endpoint:\n  address:\n    socket_address:\n      address: apis\n      port_value: 8080\n",
    ),
    "apache": ("proxy.conf", "ProxyPass / http://apis:8080/\nProxyPassReverse / http://apis:8080/\n"),
    "spring cloud gateway": (
        "application.yaml",
        "routes:\n- id: api\n  uri: http://apis:8080\n  predicates:\n  - Path=/api/**\n",
    ),
    "traefik file": (
        "dynamic.yaml",
        "http:\n  services:\n    api:\n      loadBalancer:\n        servers:\n        - url: http://apis:8080\n",
    ),
    "kong": ("kong.yml", "services:\n- name: api\n  url: http://apis:8080\n  routes:\n  - paths: [/api]\n"),
}


@pytest.mark.parametrize(("file", "content"), PROXIES.values(), ids=PROXIES)
def test_a_proxy_whose_own_file_names_nobody_routes_astray(file: str, content: str) -> None:
    mounts: Object = {"volumes": [{"name": "conf", "configMap": {"name": "edge-conf"}}]}
    edge = complaining("edge", "upstream apis could not be resolved (3: Host not found)", **mounts)
    seen = cluster(edge, config_map("edge-conf", **{file: content}), server("api"))
    assert answers(seen)[1] == "ConfigMap/shop/edge-conf" and answers(seen)[0] in (MISROUTE, "dependency_wrong_address")


def _lines(path: str) -> list[str]:
    return [f'{ago(minute)} 10.1.0.4 "GET {path}/17 HTTP/1.1" 404 19' for minute in (9, 7, 5, 3, 1)]


def test_a_location_that_leads_to_another_server_is_told_by_its_answers() -> None:
    conf = (
        "server {\n  location /orders/ {\n    proxy_pass http://carts:8080;\n  }\n  location /carts/ {\n    "
        "proxy_pass http://carts:8080;\n  }\n}\n"
    )
    carts = server("carts")
    carts.logs.append(log(carts.objects[2], *_lines("/orders")))
    mounts: Object = {"volumes": [{"name": "conf", "configMap": {"name": "edge-conf"}}]}
    seen = cluster(quiet("edge", **mounts), config_map("edge-conf", **{"nginx.conf": conf}), carts, server("orders"))
    assert answers(seen) == (MISROUTE, "ConfigMap/shop/edge-conf")

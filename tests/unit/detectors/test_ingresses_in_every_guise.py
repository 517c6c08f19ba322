"""Ingresses whose class, backend or certificate is not there, and those that somebody serves all the same."""

from typing import Any

import pytest

from tests.ailing_clusters import Part, answers, cluster, quiet, server
from tests.clusters import Object, ago, app, container, event, log, service, thing
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest

CLASS, BACKEND, TLS = "ingress_class_missing", "ingress_backend_missing", "tls_secret_missing"
NET = "networking.k8s.io/v1"
SERVED = {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}


def ingress(
    name: str = "api",
    backend: Object | None = None,
    *,
    path: str = "/",
    status: Object | None = None,
    metadata: Object | None = None,
    **spec: Any,
) -> Object:
    to = backend or {"name": "api", "port": {"number": 8080}}
    rule = {"host": "x.example", "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": {"service": to}}]}}
    return thing("Ingress", name, api=NET, metadata=metadata or {}, spec={"rules": [rule], **spec}, status=status or {})


def ingress_class(name: str = "nginx", controller: str = "k8s.io/ingress-nginx", *, default: bool = False) -> Object:
    notes = {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}} if default else {}
    return thing("IngressClass", name, api=NET, namespace="", metadata=notes, spec={"controller": controller})


def nginx(*args: str) -> list[Object]:
    spec = container(
        image="registry.k8s.io/ingress-nginx/controller:v1.11.2", args=["/nginx-ingress-controller", *args]
    )
    return app("ingress-nginx-controller", spec, namespace="ingress-nginx")


CLASSES: dict[str, Object] = {
    "a class that does not exist": ingress(ingressClassName="nginx-public"),
    "and an address of before": ingress(ingressClassName="nginx-public", status=SERVED),
    "an annotation that nobody serves": ingress(metadata={"annotations": {"kubernetes.io/ingress.class": "ngnix"}}),
    "no class and no default": ingress(),
    "no class any more, and an address of before": ingress(status=SERVED),
    "an empty class": ingress(ingressClassName=""),
}


@pytest.mark.parametrize("entrance", CLASSES.values(), ids=CLASSES)
def test_an_ingress_of_a_class_that_nobody_serves_is_named(entrance: Object) -> None:
    assert answers(cluster(server("api"), entrance, ingress_class(), nginx())) == (CLASS, "Ingress/shop/api")


UNDERSTOOD: dict[str, list[object]] = {
    "a class that exists": [ingress(ingressClassName="nginx"), ingress_class()],
    "a default": [ingress(), ingress_class(default=True)],
    "an annotation of the controller": [
        ingress(metadata={"annotations": {"kubernetes.io/ingress.class": "nginx"}}),
        ingress_class(),
    ],
    "a controller's own annotation": [
        ingress(metadata={"annotations": {"kubernetes.io/ingress.class": "internal"}}),
        ingress_class(),
        nginx("--ingress-class=internal"),
    ],
    "a cloud's annotation": [
        ingress(metadata={"annotations": {"kubernetes.io/ingress.class": "gce"}}, status=SERVED),
        ingress_class(),
    ],
    "a controller that takes all": [
        ingress(status=SERVED),
        ingress_class(),
        nginx("--watch-ingress-without-class=true"),
    ],
    "traefik takes those without": [ingress(status=SERVED), ingress_class("traefik", "traefik.io/ingress-controller")],
    "no classes known": [ingress(ingressClassName="cloud")],
}


@pytest.mark.parametrize("objects", UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_an_ingress_that_somebody_serves_is_no_fault(objects: list[Object]) -> None:
    assert answers(cluster(server("api"), objects))[0] == "healthy"


BACKENDS: dict[str, Object] = {
    "another name": ingress(backend={"name": "apis", "port": {"number": 8080}}, ingressClassName="nginx"),
    "another number": ingress(backend={"name": "api", "port": {"number": 80}}, ingressClassName="nginx"),
    "a name that the port has not": ingress(
        backend={"name": "api", "port": {"name": "http"}}, ingressClassName="nginx"
    ),
    "a default backend": thing(
        "Ingress",
        "api",
        api=NET,
        spec={"ingressClassName": "nginx", "defaultBackend": {"service": {"name": "apis", "port": {"number": 80}}}},
    ),
}


@pytest.mark.parametrize("entrance", BACKENDS.values(), ids=BACKENDS)
def test_an_ingress_to_a_service_or_port_that_is_not_there_is_named(entrance: Object) -> None:
    assert answers(cluster(server("api"), entrance, ingress_class())) == (BACKEND, "Ingress/shop/api")


def test_a_service_that_was_renamed_makes_its_commit_guilty() -> None:
    old, new = (
        service("returns", {"port": 80}, selector={"app": "api"}),
        service("api", {"port": 80}, selector={"app": "api"}),
    )
    entrance = ingress(backend={"name": "returns", "port": {"number": 80}}, ingressClassName="nginx")
    source = history(
        {"deploy/api.yaml": manifest(app("api")[0], old), "deploy/in.yaml": manifest(entrance)},
        ("services bear the names of their programs", 30, {"deploy/api.yaml": manifest(app("api")[0], new)}),
        ("api: one more label", 20, {"deploy/other.yaml": manifest(app("web")[0])}),
    )
    diagnosis = diagnose(cluster(quiet("api"), new, entrance, ingress_class()), source)
    best = best_of(diagnosis)
    assert (str(best.kind), str(best.object), diagnosis.verdict) == (BACKEND, "Ingress/shop/api", "fix")
    assert best.culprit and best.culprit.subject == "services bear the names of their programs"


def secret(name: str, kind: str = "kubernetes.io/tls") -> Object:
    return {**thing("Secret", name, data={"tls.crt": "", "tls.key": ""}), "type": kind}


CERTIFICATES = {
    "a misspelt name": [
        secret("shop-tls"),
        ingress(ingressClassName="nginx", tls=[{"hosts": ["x"], "secretName": "shop-tsl"}]),
    ],
    "the second of two": [
        secret("a-tls"),
        ingress(ingressClassName="nginx", tls=[{"secretName": "a-tls"}, {"secretName": "b-tls"}]),
    ],
    "in another namespace": [
        {**secret("shop-tls"), "metadata": {"name": "shop-tls", "namespace": "certs"}},
        secret("other"),
        ingress(ingressClassName="nginx", tls=[{"secretName": "shop-tls"}]),
    ],
}


@pytest.mark.parametrize("objects", CERTIFICATES.values(), ids=CERTIFICATES)
def test_an_ingress_whose_certificate_is_not_there_is_named(objects: list[Object]) -> None:
    assert answers(cluster(server("api"), objects, ingress_class())) == (TLS, "Ingress/shop/api")


def test_the_controllers_own_words_tell_of_a_certificate_where_secrets_cannot_be_read() -> None:
    entrance = ingress(ingressClassName="nginx", tls=[{"secretName": "shop-tls"}])
    said = (
        'W0310 11:59:00.1 7 controller.go:1469] Error getting SSL certificate "shop/shop-tls": local SSL '
        "certificate shop/shop-tls was not found. Using default certificate"
    )
    made = nginx()
    told = Part(made, [log(made[-1], *(f"{ago(minute)} {said}" for minute in (5, 3, 1)))])
    seen = cluster(server("api"), entrance, ingress_class(), told, unseen=("secrets: forbidden",))
    assert answers(seen) == (TLS, "Ingress/shop/api")


def test_an_event_of_the_ingress_alone_is_no_fault() -> None:
    entrance = ingress(ingressClassName="nginx")
    seen = cluster(
        server("api"), entrance, ingress_class(), events=[event(entrance, "Sync", "Scheduled for sync", warning=False)]
    )
    assert answers(seen)[0] == "healthy"

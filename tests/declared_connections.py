"""Declarations that make or break a connection, as a repository holds them before and after a commit."""

from dataclasses import dataclass
from typing import Any

from tests.ailing_clusters import Part, cluster, crashing, quiet, server, variables
from tests.clusters import Object, app, config_map, container, key_ref, pod, service, thing, workload
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest

HTTP = [{"name": "http", "containerPort": 8080}]
REFUSED = "dial tcp 10.96.0.9:80: connect: connection refused"
SILENT = "dial tcp 10.96.0.9:80: i/o timeout"


@dataclass(frozen=True)
class Story:
    """What a commit made of some declarations, what else there is, and what is to be found."""

    before: list[Object]
    after: list[Object]
    live: list[Any]
    kind: str
    named: str


def mounted(file: str, content: str) -> Object:
    return config_map("conf", **{file: content})


def client(said: str, spec: Object | None = None, **rest: Any) -> Part:
    return crashing("web", said, spec=spec, **rest)


CONF: Object = {"volumes": [{"name": "conf", "configMap": {"name": "conf"}}]}
LOGIN: Object = {"env": [{"name": "DB_USER", "value": "app"}, key_ref("DB_PASSWORD", "Secret", "login", "password")]}
OTHER: Object = {"env": [{"name": "DB_USER", "value": "app"}, key_ref("DB_PASSWORD", "Secret", "logins", "password")]}
PASSWORD = 'pq: password authentication failed for user "app"'
FORBIDDEN = (
    'pods is forbidden: User "system:serviceaccount:shop:web" cannot list resource "pods" in API group "" '
    'in the namespace "shop"'
)
RBAC, NET = "rbac.authorization.k8s.io/v1", "networking.k8s.io/v1"


def secret(name: str, value: str) -> Object:
    return thing("Secret", name, data={"password": value})


def role(*verbs: str) -> Object:
    return thing("Role", "web", api=RBAC, rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": list(verbs)}])


def binding(account: str) -> Object:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": "shop"}
    return thing(
        "RoleBinding",
        "web",
        api=RBAC,
        subjects=[subject],
        roleRef={"kind": "Role", "name": "web", "apiGroup": "rbac.authorization.k8s.io"},
    )


def database(*args: str) -> Object:
    made = container(image="postgres:16", ports=[{"containerPort": 5432}], args=list(args))
    return workload("StatefulSet", "db", made, labels={"app": "db"})


def running_database(made: Object) -> list[Object]:
    return [made, pod(made, name="db-0", ip="10.1.0.77"), service("db", {"port": 5432})]


def guard(label: str) -> Object:
    peer = {"podSelector": {"matchLabels": {"app": label}}}
    return thing(
        "NetworkPolicy",
        "guard",
        api=NET,
        spec={
            "podSelector": {"matchLabels": {"app": "api"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [peer]}],
        },
    )


def space(team: str) -> Object:
    return thing("Namespace", "shop", namespace="", metadata={"labels": {"team": team}})


def guard_of_team(team: str) -> Object:
    peer = {"namespaceSelector": {"matchLabels": {"team": team}}}
    made = guard("web")
    return {**made, "spec": {**made["spec"], "ingress": [{"from": [peer]}]}}


def entrance(name: str, *, backend: str = "api", port: str = "", **spec: Any) -> Object:
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": backend, "port": {"name": port} if port else {"number": 80}}},
    }
    return thing(
        "Ingress", "front", api=NET, spec={"ingressClassName": name, "rules": [{"http": {"paths": [path]}}], **spec}
    )


NGINX = thing("IngressClass", "nginx", api=NET, namespace="", spec={"controller": "k8s.io/ingress-nginx"})
CALLS = variables(API_URL="http://api:80")
API = server("api", 8080, offered=80)
BEHIND = quiet("api", {"ports": HTTP})
FRONT = service("api", {"port": 80, "targetPort": "http"})


def api(*ports: Object, **rest: Any) -> list[Object]:
    return app("api", container(ports=list(ports)), **rest)


def issued(secret_name: str) -> Object:
    spec = {"secretName": secret_name, "dnsNames": ["shop.example"]}
    return thing("Certificate", "front", api="cert-manager.io/v1", spec=spec)


SUBSET = thing(
    "DestinationRule",
    "api",
    api="networking.istio.io/v1",
    spec={"host": "api", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]},
)


GUILTY = "tidy up"


def told_of(story: Story) -> tuple[str, str, str]:
    """Kind, object and guilty subject of the first hypothesis, the story's commit being one of several."""
    known = app("audit")[0]
    source = history(
        {"deploy/all.yaml": manifest(*story.before, known), "deploy/audit.yaml": manifest(known)},
        ("audit: one more replica", 300, {"deploy/audit.yaml": manifest(app("audit", replicas=2)[0])}),
        (GUILTY, 60, {"deploy/all.yaml": manifest(*story.after, known)}),
        (
            "audit 1.1",
            45,
            {"deploy/audit.yaml": manifest(app("audit", container(image="registry.example/app:1.1"))[0])},
        ),
        ("words", 15, {"README.md": "words"}),
    )
    best = best_of(diagnose(cluster(*story.live, quiet("audit")), source))
    return (str(best.kind), str(best.object), best.culprit.subject if best.culprit else "")

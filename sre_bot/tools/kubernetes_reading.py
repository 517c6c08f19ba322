"""What a snapshot reads of a cluster, worked out from what the cluster serves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sre_bot.domain.errors import KubernetesError
from sre_bot.tools.kubernetes_api import KubernetesApi, Parameters, together

_METRICS = "metrics.k8s.io"
_NAMESPACED = (
    ("", "services"),
    ("", "endpoints"),
    ("", "configmaps"),
    ("", "secrets"),
    ("", "serviceaccounts"),
    ("", "persistentvolumeclaims"),
    ("", "resourcequotas"),
    ("", "limitranges"),
    ("", "replicationcontrollers"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("apps", "daemonsets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
    ("autoscaling", "horizontalpodautoscalers"),
    ("policy", "poddisruptionbudgets"),
    ("networking.k8s.io", "networkpolicies"),
    ("networking.k8s.io", "ingresses"),
    ("discovery.k8s.io", "endpointslices"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    (_METRICS, "pods"),
)
_CLUSTER_SCOPED = (
    ("", "nodes"),
    ("", "persistentvolumes"),
    ("storage.k8s.io", "storageclasses"),
    ("networking.k8s.io", "ingressclasses"),
    ("scheduling.k8s.io", "priorityclasses"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
)
_CUSTOM_GROUPS = (
    "argoproj.io",
    "cert-manager.io",
    "gateway.networking.k8s.io",
    "keda.sh",
    "networking.istio.io",
    "security.istio.io",
    "traefik.containo.us",
    "traefik.io",
)
"""Groups of custom resources that route, secure, scale or deploy what people run; read where they are served."""
_SYSTEM = "kube-system"
_SYSTEM_PARTS = (
    ("", "pods", "k8s-app in (kube-dns,kube-proxy)"),
    ("", "pods", "tier=control-plane"),
    ("", "services", "k8s-app=kube-dns"),
    ("", "endpoints", "k8s-app=kube-dns"),
    ("discovery.k8s.io", "endpointslices", "kubernetes.io/service-name=kube-dns"),
    ("apps", "deployments", "k8s-app=kube-dns"),
    ("apps", "daemonsets", "k8s-app=kube-proxy"),
)
_HELM_RELEASES = "type!=helm.sh/release.v1"


@dataclass(frozen=True, slots=True)
class Served:
    """One resource of the cluster's discovery, in its preferred version."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    def path(self, namespace: str = "") -> str:
        """The path of its list, of one namespace or of the whole cluster."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if namespace else f"{root}/{self.plural}"


Offer = dict[tuple[str, str], Served]
"""What the cluster serves, by group and plural."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One list to read. ``label`` names it for people; ``optional`` ones may fail in any way."""

    path: str
    label: str
    parameters: tuple[tuple[str, str], ...] = ()
    optional: bool = False

    @property
    def query(self) -> Parameters:
        """The parameters of the request."""
        return dict(self.parameters)


async def discover(api: KubernetesApi) -> Offer:
    """Ask the cluster what it serves. Raises ``KubernetesError``."""
    groups = (await api.get("/apis")).json().get("groups") or ()
    wanted = {part[0] for part in (*_NAMESPACED, *_CLUSTER_SCOPED)} | set(_CUSTOM_GROUPS)
    versions = [(group["name"], version) for group in groups for version in _versions(group)]
    asked = [("", "v1"), *(version for version in versions if version[0] in wanted)]
    found = await together(_group(api, group, version) for group, version in asked)
    offer: Offer = {}
    for served in (one for several in found for one in several):
        offer.setdefault((served.group, served.plural), served)
    return offer


async def _group(api: KubernetesApi, group: str, version: str) -> list[Served]:
    try:
        entries = await _resources(api, f"/apis/{group}/{version}" if group else f"/api/{version}")
    except KubernetesError as error:
        if group in (*_CUSTOM_GROUPS, _METRICS) and error.status in (404, 503):
            return []  # its definition is just going, or the aggregated API behind it is down
        raise
    return [Served(group, version, entry["name"], entry["kind"], bool(entry["namespaced"])) for entry in entries]


async def _resources(api: KubernetesApi, path: str) -> list[dict[str, Any]]:
    entries = (await api.get(path)).json().get("resources") or ()
    return [entry for entry in entries if "/" not in entry["name"] and "list" in entry.get("verbs", ())]


def _versions(group: dict[str, Any]) -> list[str]:
    """The group's versions, the preferred one first."""
    preferred = str((group.get("preferredVersion") or {}).get("version"))
    versions: list[str] = [entry["version"] for entry in group["versions"]]
    return sorted(versions, key=lambda version: version != preferred)


def readings(offer: Offer, namespaces: tuple[str, ...]) -> list[Reading]:
    """Everything that a snapshot of these namespaces reads besides pods and events."""
    plan = [reading for namespace in namespaces for reading in _of_namespace(offer, namespace)]
    plan += [Reading(served.path(), served.plural) for key in _CLUSTER_SCOPED if (served := offer.get(key))]
    plan += [
        Reading(served.path(), served.plural, optional=True)
        for served in offer.values()
        if served.group in _CUSTOM_GROUPS and not served.namespaced
    ]
    return [*plan, *_of_system(offer)]


def _of_namespace(offer: Offer, namespace: str) -> Iterator[Reading]:
    for key in _NAMESPACED:
        if served := offer.get(key):
            parameters = (("fieldSelector", _HELM_RELEASES),) if key == ("", "secrets") else ()
            metrics = served.group == _METRICS
            label = f"{'metrics of ' if metrics else ''}{served.plural} in {namespace}"
            yield Reading(served.path(namespace), label, parameters, optional=metrics)
    for served in offer.values():
        if served.group in _CUSTOM_GROUPS and served.namespaced:
            yield Reading(served.path(namespace), f"{served.plural}.{served.group} in {namespace}", optional=True)


def _of_system(offer: Offer) -> Iterator[Reading]:
    """Cluster DNS, the service proxy and the control plane, and the leases that show who is alive."""
    for group, plural, labels in _SYSTEM_PARTS:
        if served := offer.get((group, plural)):
            yield Reading(served.path(_SYSTEM), f"{plural} in {_SYSTEM}", (("labelSelector", labels),))
    leases = Served("coordination.k8s.io", "v1", "leases", "Lease", True)
    yield Reading(leases.path("kube-node-lease"), "leases in kube-node-lease")
    for component in ("kube-scheduler", "kube-controller-manager"):
        yield Reading(leases.path(_SYSTEM), f"leases in {_SYSTEM}", (("fieldSelector", f"metadata.name={component}"),))
    yield Reading(
        "/api/v1/namespaces/kube-system/configmaps",
        f"configmaps in {_SYSTEM}",
        (("fieldSelector", "metadata.name=coredns"),),
    )

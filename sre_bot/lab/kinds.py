"""Which kinds the lab's Kubernetes API serves: those of every cluster, and whatever else the incident holds."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cluster import Cluster

READ_VERBS = ("get", "list", "watch")
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
EVENT_GROUPS = ("", "events.k8s.io")
"""An Event is one object with two faces: core/v1 and events.k8s.io/v1."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as it is served: where, under which names, and with which columns (those of its CRD)."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    custom: bool = False
    columns: tuple[dict[str, Any], ...] = ()

    @property
    def group_version(self) -> str:
        """The ``apiVersion`` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """The singular name in lower case."""
        return self.kind.lower()

    @property
    def qualified(self) -> str:
        """The name that error messages use: ``deployments.apps``, plain ``pods``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def stored_groups(self) -> tuple[str, ...]:
        """The groups under which its objects may have been recorded."""
        return EVENT_GROUPS if self.kind == "Event" and self.group in EVENT_GROUPS else (self.group,)


_TABLE = """
configmaps                      cm           v1                               true  ConfigMap
endpoints                       ep           v1                               true  Endpoints
events                          ev           v1                               true  Event
limitranges                     limits       v1                               true  LimitRange
namespaces                      ns           v1                               false Namespace
nodes                           no           v1                               false Node
persistentvolumeclaims          pvc          v1                               true  PersistentVolumeClaim
persistentvolumes               pv           v1                               false PersistentVolume
pods                            po           v1                               true  Pod                      all
podtemplates                    -            v1                               true  PodTemplate
replicationcontrollers          rc           v1                               true  ReplicationController    all
resourcequotas                  quota        v1                               true  ResourceQuota
secrets                         -            v1                               true  Secret
serviceaccounts                 sa           v1                               true  ServiceAccount
services                        svc          v1                               true  Service                  all
mutatingwebhookconfigurations   -            admissionregistration.k8s.io/v1  false MutatingWebhookConfiguration
validatingwebhookconfigurations -            admissionregistration.k8s.io/v1  false ValidatingWebhookConfiguration
customresourcedefinitions       crd,crds     apiextensions.k8s.io/v1          false CustomResourceDefinition
controllerrevisions             -            apps/v1                          true  ControllerRevision
daemonsets                      ds           apps/v1                          true  DaemonSet                all
deployments                     deploy       apps/v1                          true  Deployment               all
replicasets                     rs           apps/v1                          true  ReplicaSet               all
statefulsets                    sts          apps/v1                          true  StatefulSet              all
horizontalpodautoscalers        hpa          autoscaling/v2                   true  HorizontalPodAutoscaler  all
cronjobs                        cj           batch/v1                         true  CronJob                  all
jobs                            -            batch/v1                         true  Job                      all
certificatesigningrequests      csr          certificates.k8s.io/v1           false CertificateSigningRequest
leases                          -            coordination.k8s.io/v1           true  Lease
endpointslices                  -            discovery.k8s.io/v1              true  EndpointSlice
events                          ev           events.k8s.io/v1                 true  Event
ingressclasses                  -            networking.k8s.io/v1             false IngressClass
ingresses                       ing          networking.k8s.io/v1             true  Ingress
networkpolicies                 netpol       networking.k8s.io/v1             true  NetworkPolicy
runtimeclasses                  -            node.k8s.io/v1                   false RuntimeClass
poddisruptionbudgets            pdb          policy/v1                        true  PodDisruptionBudget
clusterrolebindings             -            rbac.authorization.k8s.io/v1     false ClusterRoleBinding
clusterroles                    -            rbac.authorization.k8s.io/v1     false ClusterRole
rolebindings                    -            rbac.authorization.k8s.io/v1     true  RoleBinding
roles                           -            rbac.authorization.k8s.io/v1     true  Role
priorityclasses                 pc           scheduling.k8s.io/v1             false PriorityClass
csidrivers                      -            storage.k8s.io/v1                false CSIDriver
csinodes                        -            storage.k8s.io/v1                false CSINode
storageclasses                  sc           storage.k8s.io/v1                false StorageClass
volumeattachments               -            storage.k8s.io/v1                false VolumeAttachment
selfsubjectreviews              -            authentication.k8s.io/v1         false SelfSubjectReview
selfsubjectaccessreviews        -            authorization.k8s.io/v1          false SelfSubjectAccessReview
selfsubjectrulesreviews         -            authorization.k8s.io/v1          false SelfSubjectRulesReview
"""


def split_api_version(api_version: str) -> tuple[str, str]:
    """Group and version; the core group is empty."""
    group, slash, version = api_version.partition("/")
    return (group, version) if slash else ("", group)


def _row(line: str) -> Resource:
    plural, short, api_version, namespaced, kind, *categories = line.split()
    group, version = split_api_version(api_version)
    return Resource(
        plural,
        kind,
        group,
        version,
        namespaced == "true",
        () if short == "-" else tuple(short.split(",")),
        tuple(categories),
        ("create",) if kind.endswith("Review") else ALL_VERBS,
    )


BUILT_IN: tuple[Resource, ...] = tuple(_row(line) for line in _TABLE.split("\n") if line)


@dataclass(slots=True)
class Catalogue:
    """The served resources of one cluster, worked out anew when it has changed."""

    cluster: Cluster
    _version: int = -1
    _resources: tuple[Resource, ...] = ()
    _by_path: dict[tuple[str, str, str], Resource] = field(default_factory=dict[tuple[str, str, str], Resource])

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Every served resource; one entry for each version of a kind, preferred versions first."""
        if self._version != self.cluster.version:
            self._resources = tuple(resources_of(list(self.cluster.objects.values())))
            self._by_path = {(item.group, item.version, item.plural): item for item in self._resources}
            self._version = self.cluster.version
        return self._resources

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at a path."""
        return self._by_path.get((group, version, plural)) if self.resources else None


def resources_of(objects: list[KubernetesObject]) -> list[Resource]:
    """The resources that a cluster with these objects serves, in the versions in which it was recorded."""
    recorded = _recorded_versions(objects)
    found = [version for known in BUILT_IN for version in _built_in_versions(known, recorded)]
    defined = [item for thing in objects if thing.get("kind") == "CustomResourceDefinition" for item in _defined(thing)]
    known = {(item.group, item.kind, item.version) for item in (*found, *defined)}
    for (group, kind), (versions, namespaced) in recorded.items():
        for version in sorted(versions, key=_priority):
            if (group, kind, version) not in known and not _is_built_in(group, kind):
                plural = _defined_plural(defined, group, kind) or plural_of(kind)
                found.append(Resource(plural, kind, group, version, namespaced, custom=True))
    return [*found, *defined]


_IRREGULAR = {"PodMetrics": "pods", "NodeMetrics": "nodes"}


def plural_of(kind: str) -> str:
    """The plural that a code generator would give a kind: ``ingresses``, ``networkpolicies``, ``gateways``."""
    name = kind.lower()
    if kind in _IRREGULAR:
        return _IRREGULAR[kind]
    if name.endswith(("s", "x", "z", "ch", "sh")):
        return f"{name}es"
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}s"


_Recorded = dict[tuple[str, str], tuple[set[str], bool]]


def _recorded_versions(objects: list[KubernetesObject]) -> _Recorded:
    recorded: _Recorded = {}
    for thing in objects:
        group, version = split_api_version(thing.get("apiVersion", "v1"))
        key = (group, thing["kind"])
        if key not in recorded:
            recorded[key] = (set(), "namespace" in thing["metadata"])
        recorded[key][0].add(version)
    return recorded


def _built_in_versions(resource: Resource, recorded: _Recorded) -> list[Resource]:
    if resource.kind == "Event":
        return [resource]
    versions, _ = recorded.get((resource.group, resource.kind), ({resource.version}, True))
    return [replace(resource, version=version) for version in sorted(versions, key=_priority)]


def _is_built_in(group: str, kind: str) -> bool:
    return any((group, kind) == (item.group, item.kind) for item in BUILT_IN)


def _defined(definition: KubernetesObject) -> list[Resource]:
    spec = definition["spec"]
    names = spec["names"]
    versions = [version for version in spec.get("versions", []) if version.get("served", True)]
    return [
        Resource(
            names["plural"],
            names["kind"],
            spec["group"],
            version["name"],
            spec.get("scope", "Namespaced") == "Namespaced",
            tuple(names.get("shortNames") or ()),
            tuple(names.get("categories") or ()),
            custom=True,
            columns=tuple(version.get("additionalPrinterColumns") or ()),
        )
        for version in sorted(versions, key=lambda version: _priority(version["name"]))
    ]


def _defined_plural(defined: list[Resource], group: str, kind: str) -> str | None:
    return next((item.plural for item in defined if (item.group, item.kind) == (group, kind)), None)


def _priority(version: str) -> tuple[int, int, int, str]:
    """Kubernetes' order of versions: stable before beta before alpha, newest first, other names last."""
    match = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if not match:
        return (3, 0, 0, version)
    rank = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return (rank, -int(match[1]), -int(match[3] or 0), "")

"""Workloads that have no pods on purpose: an autoscaler takes them to nothing until there is work.

KEDA's ScaledObject (``minReplicaCount`` is 0 unless set: https://keda.sh/docs/latest/reference/scaledobject-spec/),
Knative's revisions (https://knative.dev/docs/serving/autoscaling/scale-to-zero/), an autoscaler with
``minReplicas: 0``.
"""

from sre_bot.detectors.fields import labels_of, mapping, number, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.domain.cluster import KubernetesObject

_IDENTITY = ("app", "name", "app.kubernetes.io/name", "k8s-app", "component", "app.kubernetes.io/component", "service")
"""Labels that tell one program from another; the others tell the versions, colours and slots of one."""
_KNATIVE = "serving.knative.dev/"


def sleeps(index: ClusterIndex, workload: Workload) -> bool:
    """Whether a workload without wanted pods is one that an autoscaler wakes."""
    if number(workload.thing, "spec", "replicas") != 0:
        return False
    if any(key.startswith(_KNATIVE) for key in labels_of(workload.thing)):
        return True
    namespace = workload.ref.namespace
    keda = (one for one in index.of_kind("ScaledObject", namespace) if _aims_at(one, workload))
    scalers = (one for one in index.of_kind("HorizontalPodAutoscaler", namespace) if _aims_at(one, workload))
    return any(not number(one, "spec", "minReplicaCount") for one in keda) or any(
        number(one, "spec", "minReplicas") == 0 for one in scalers
    )


def is_other_half(index: ClusterIndex, workload: Workload) -> bool:
    """Whether a Service chooses its siblings instead: of a blue and a green half one idles, autoscaler and all."""
    for service in index.of_kind("Service", workload.ref.namespace):
        selector = mapping(service, "spec", "selector")
        other = [key for key, value in selector.items() if workload.labels.get(key) != str(value)]
        if len(other) == 1 and other[0] in workload.labels and other[0] not in _IDENTITY:
            return True
    return False


def _aims_at(scaler: KubernetesObject, workload: Workload) -> bool:
    target = mapping(scaler, "spec", "scaleTargetRef")
    return (text(target, "kind") or "Deployment", text(target, "name")) == (workload.ref.kind, workload.ref.name)
